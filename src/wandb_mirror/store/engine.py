"""Open the store's file: pragmas, version, and errors translated.

What only SQLite understands stands in this module and nowhere else.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite

from wandb_mirror.errors import CorruptFile, DiskFull, Locked, Stop, StoreTooNew
from wandb_mirror.store.tables import metadata

BUSY_SECONDS = 30
HEAD = "0001"
"""The newest revision in ``migrations/``; a test holds the two equal."""
VERSION = sa.Table(
    "alembic_version",
    sa.MetaData(),
    sa.Column("version_num", sa.String(32), nullable=False),
    sa.PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
"""Alembic's own table."""
WAL_ATTEMPTS = 20 * BUSY_SECONDS
WAL_PAUSE_SECONDS = 0.05

VERDICTS: tuple[tuple[tuple[str, ...], type[Stop], str], ...] = (
    (
        ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_IOERR_FSYNC", "SQLITE_IOERR_SHMSIZE"),
        DiskFull,
        "make room and start again: it goes on from here",
    ),
    (
        ("SQLITE_BUSY",),
        Locked,
        f"another process has been writing to it for {BUSY_SECONDS} seconds; wait for it or end it",
    ),
    (
        ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM"),
        CorruptFile,
        "check that its folder is there and that you may write in it",
    ),
    (
        ("SQLITE_NOTADB", "SQLITE_CORRUPT", "SQLITE_IOERR"),
        CorruptFile,
        "restore it from a backup, or move the mirror folder away and sync again",
    ),
)
"""Beginnings of SQLite's names of errors, our error, what to do; the first that fits is taken."""


def open_engine(path: Path) -> sa.Engine:
    """Return an engine on the store at ``path``, made where there is none, and upgraded.

    Raises ``StoreTooNew`` for a file that a newer program wrote, ``CorruptFile``, ``DiskFull``.
    """
    url = sa.URL.create("sqlite", database=str(path))
    engine = sa.create_engine(url, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
    sa.event.listen(engine, "connect", _set_pragmas)
    sa.event.listen(engine, "begin", _begin)
    try:
        with translated(path):
            _make_private(path)
            _upgrade(engine, path)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _make_private(path: Path) -> None:
    """Make the folder and the file, for the owner alone, where they are not there yet.

    SQLite gives the files beside it the same mode. A file that is there is never opened here:
    closing it would drop the locks that this process holds on it.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            return  # another process was faster


def _set_pragmas(connection: sqlite3.Connection, record: object) -> None:  # noqa: ARG001
    """Let readers go on while one writes, and a commit survive a power cut."""
    connection.isolation_level = None  # transactions are begun by _begin
    _enter_wal(connection)
    connection.execute("PRAGMA synchronous=FULL")


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging.

    Where several processes make the same file at once, SQLite says "locked" to some without
    waiting (8 of 480 in a trial with eight), so they ask again.
    """
    for attempt in range(1, WAL_ATTEMPTS + 1):
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or attempt == WAL_ATTEMPTS:
                raise
            time.sleep(WAL_PAUSE_SECONDS)
        else:
            return


def _begin(connection: sa.Connection) -> None:
    """Take the write lock at once where a transaction will write.

    A transaction that reads first and writes later fails at once when another process wrote in
    between, whatever the busy timeout says; one that begins as a writer waits its turn.
    """
    reads_only = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")


def _upgrade(engine: sa.Engine, path: Path) -> None:
    """Bring the file to this program's tables, in one transaction.

    A new file gets them as they are now, and the newest revision's mark. Alembic is imported only
    where a file is older: that takes 0.25 s.
    """
    revision = _load_revision(engine, path)
    if revision == HEAD:
        return
    if revision is None:
        with engine.begin() as connection:
            if not sa.inspect(connection).has_table(VERSION.name):  # else somebody was faster
                metadata.create_all(connection, checkfirst=False)
                VERSION.create(connection)
                connection.execute(VERSION.insert().values(version_num=HEAD))
        return
    migrations = find_migrations()
    known = {file.name.partition("_")[0] for file in (migrations / "versions").glob("*.py")}
    if revision not in known:
        raise StoreTooNew(
            f"{path} was written by a newer wandb-mirror (revision {revision}, this one knows "
            f"{HEAD}); upgrade wandb-mirror, or use another folder"
        )
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def _load_revision(engine: sa.Engine, path: Path) -> str | None:
    """Return the revision the file is at, or None for a new one."""
    with engine.connect().execution_options(reads_only=True) as connection:
        tables = sa.inspect(connection).get_table_names()
        if not tables:
            return None
        if VERSION.name not in tables:
            raise CorruptFile(
                f"{path} is a database of something else; move it away, or use another folder"
            )
        query = sa.text("SELECT version_num FROM alembic_version")
        return str(connection.execute(query).scalar_one())


def find_migrations() -> Path:
    """Return the folder of migrations: in the wheel, or in a checkout beside ``src``."""
    package = Path(str(resources.files("wandb_mirror"))).resolve()
    packaged = package / "migrations"
    return packaged if packaged.is_dir() else package.parents[1] / "migrations"


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the database's errors into ours, once for the whole room.

    What is not in ``VERDICTS`` is a mistake in this program and passes as it is.
    """
    try:
        yield
    except sa.exc.DBAPIError as error:
        name = getattr(error.orig, "sqlite_errorname", "")
        for beginnings, verdict, advice in VERDICTS:
            if name.startswith(beginnings):
                raise verdict(f"{path} cannot be used: {error.orig} ({name}); {advice}") from error
        raise
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DiskFull(f"{path} cannot be made: {error.strerror}; make room") from error
        raise CorruptFile(
            f"{path} cannot be made: {error.strerror}; choose a folder you may write in"
        ) from error


def upsert(table: sa.Table, columns: Sequence[str]) -> sa.Insert:
    """Return an INSERT of ``columns`` that replaces them where the key is there already."""
    statement = sqlite.insert(table)
    keys = [column.name for column in table.primary_key]
    replaced = {name: statement.excluded[name] for name in columns if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=replaced)

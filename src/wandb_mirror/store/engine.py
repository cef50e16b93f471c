"""Open the store's file: pragmas, version, and errors translated.

What only SQLite understands stands in this module and nowhere else.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.dialects.sqlite.base import SQLiteDialect

from wandb_mirror.errors import CorruptFile, DiskFull, StoreTooNew

BUSY_SECONDS = 30
HEAD = "0001"
"""The newest revision in ``migrations/``; a test holds the two equal."""


def open_engine(path: Path) -> sa.Engine:
    """Return an engine on the store at ``path``, upgraded to this program's tables.

    Raises ``StoreTooNew`` for a file that a newer program wrote, and ``CorruptFile``.
    """
    engine = sa.create_engine(
        f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False}
    )
    sa.event.listen(engine, "connect", _set_pragmas)
    sa.event.listen(engine, "begin", _begin)
    try:
        with translated(path):
            _upgrade(engine, path)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _set_pragmas(connection: sqlite3.Connection, record: object) -> None:  # noqa: ARG001
    """Readers go on while one writes, and a commit survives a power cut."""
    connection.isolation_level = None  # transactions are begun by us, see _begin
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")


def _begin(connection: sa.Connection) -> None:
    """Take the write lock at once where a transaction will write.

    A transaction that reads first and writes later fails at once when another process wrote in
    between, whatever the busy timeout says; one that begins as a writer waits its turn.
    """
    is_read = connection.get_execution_options().get("reads_only", False)
    connection.exec_driver_sql("BEGIN" if is_read else "BEGIN IMMEDIATE")


def _upgrade(engine: sa.Engine, path: Path) -> None:
    """Bring the file to this program's tables; Alembic is imported only where that is needed."""
    revision = _revision_of(engine)
    if revision == HEAD:
        return
    if revision is not None and revision > HEAD:
        raise StoreTooNew(
            f"{path} was written by a newer wandb-mirror (revision {revision}, this one knows "
            f"{HEAD}); upgrade wandb-mirror, or use another folder"
        )
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(find_migrations()).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
    path.chmod(0o600)


def _revision_of(engine: sa.Engine) -> str | None:
    """Return the revision the file is at, or None for a new one."""
    with engine.connect().execution_options(reads_only=True) as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        revision = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
        return None if revision is None else str(revision)


def find_migrations() -> Path:
    """Return the folder of migrations: in the wheel, or in a checkout beside ``src``."""
    packaged = Path(str(resources.files("wandb_mirror"))) / "migrations"
    if packaged.is_dir():
        return packaged
    return packaged.parents[2] / "migrations"


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn the database's errors into ours, once for the whole room."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        text = str(error.orig)
        if re.search(r"disk is full|disk I/O error", text):
            raise DiskFull(
                f"{path} cannot be written: {text}; make room and sync again, it goes on from here"
            ) from error
        if re.search(r"malformed|not a database|corrupt", text):
            raise CorruptFile(
                f"{path} cannot be read: {text}; restore it from a backup, or move the folder "
                "away and sync again"
            ) from error
        raise


def upsert(table: sa.Table, dialect: sa.Dialect, columns: Sequence[str]) -> sa.Executable:
    """Return an INSERT that replaces ``columns`` where the key is there already."""
    if not isinstance(dialect, SQLiteDialect):
        raise TypeError(f"no upsert is written for {dialect.name}")
    statement = sqlite.insert(table)
    keys = [column.name for column in table.primary_key]
    replaced = {name: statement.excluded[name] for name in columns if name not in keys}
    if not replaced:
        return statement.on_conflict_do_nothing(index_elements=keys)
    return statement.on_conflict_do_update(index_elements=keys, set_=replaced)

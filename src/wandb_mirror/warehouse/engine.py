"""Open the warehouse's file, and copy files that DuckDB may have open.

A process that opens a database file a second time, for a copy or a hash, drops its own POSIX locks
on it when that second handle is closed; another process could then write to the file. So whatever
copies or moves a file here is a child process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from wandb_mirror.errors import CorruptFile, DiskFull, StoreTooNew
from wandb_mirror.settings import WarehouseSettings

STORAGE_VERSION = "v1.2.0"
"""Readable by every driver from DuckDB 1.2 on; the default of 2.0 is unreadable by any 1.x."""
CATALOG = "w"
VACUUM_TASKS = 3
"""Groups of small row groups that a checkpoint puts together; each is in memory, uncompressed."""
TRIMMED = "16MB"
"""What is kept in memory between the batches of a long sync."""


def quote(name: str) -> str:
    """Return an identifier as SQL text; every name that upstream sends goes through here.

    NUL, which DuckDB takes in no identifier, becomes U+2400, its picture.
    """
    return '"' + name.replace("\0", "\u2400").replace('"', '""') + '"'


def literal(text: str) -> str:
    """Return a string as SQL text, for the few places that take no parameter."""
    return "'" + text.replace("\0", "\u2400").replace("'", "''") + "'"


class Database:
    """One connection to one file, used by one thread at a time."""

    def __init__(
        self,
        path: Path,
        settings: WarehouseSettings,
        connection: duckdb.DuckDBPyConnection | None = None,
    ) -> None:
        """Open the file, or take a connection to it that is not set up yet."""
        self.path = path
        self._settings = settings
        with translated(path):
            self._connection = connection or _connect(path, settings)
            self._connection.execute(
                f"USE {CATALOG}; SET TimeZone = 'UTC'; "
                "SET enable_progress_bar = false"  # drawn on stdout, where data goes
            )
            # for what may fail: an error in a transaction's own connection would end it
            self._beside = self._connection.cursor()
        self._twin: Database | None = None
        self.is_open = True

    def twin(self) -> Database:
        """Return another connection to the same file, for another thread; it is closed first."""
        self._twin = Database(self.path, self._settings, self._connection.cursor())
        return self._twin

    def close(self) -> None:
        """Close the file."""
        self._beside.close()
        self._connection.close()
        self.is_open = False

    def trim(self) -> None:
        """Let go of most cached blocks of the file: else they add up until the limit is reached.

        A transaction's own blocks may stay; memory is then freed as far as it can be. While
        another thread is at work nothing is done: it would be left without memory.
        """
        if self._twin is not None and self._twin.is_open:
            return
        try:
            self._beside.execute(f"SET memory_limit = '{TRIMMED}'")
        except duckdb.OutOfMemoryException:
            return  # the limit is as it was
        self._beside.execute("SET memory_limit = ?", [self._settings.memory_limit])

    @contextmanager
    def in_any_order(self) -> Iterator[None]:
        """Let statements put rows down in any order."""
        self.run("SET preserve_insertion_order = false")
        try:
            yield
        finally:
            self.run("RESET preserve_insertion_order")

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> None:
        """Execute a statement."""
        with translated(self.path):
            self._connection.execute(sql, list(parameters) or None)

    def run_all(self, statements: Sequence[str]) -> None:
        """Execute statements in one call: Python's lock is given away, and waited for, once."""
        if statements:
            self.run(";\n".join(statements))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        with translated(self.path):
            return self._connection.execute(sql, list(parameters) or None).fetchall()

    def value(self, sql: str, parameters: Sequence[Any] = ()) -> Any:
        """Return the first value of a query's first row, or None."""
        found = self.rows(sql, parameters)
        return found[0][0] if found else None

    def insert(self, table: str, incoming: pa.Table) -> None:
        """Append an Arrow table by column names."""
        if incoming.num_rows == 0:
            return
        names = ", ".join(quote(name) for name in incoming.column_names)
        with self.given(incoming) as view:
            self.run(f"INSERT INTO {table} ({names}) SELECT {names} FROM {view}")

    @contextmanager
    def given(self, incoming: pa.Table, name: str = "incoming") -> Iterator[str]:
        """Make an Arrow table readable under the name that is yielded."""
        self._connection.register(name, incoming)
        try:
            yield name
        finally:
            self._connection.unregister(name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that is done inside, or nothing."""
        self.run("BEGIN")
        try:
            yield
            self.run("COMMIT")
        except BaseException:
            with suppress(duckdb.TransactionException):  # what could not commit is rolled back
                self._connection.execute("ROLLBACK")
            raise


def _connect(path: Path, settings: WarehouseSettings) -> duckdb.DuckDBPyConnection:
    options: dict[str, Any] = {
        "memory_limit": settings.memory_limit,
        "threads": settings.threads,
        "max_vacuum_tasks": VACUUM_TASKS,
        "temp_directory": settings.temp_directory or str(path.parent / "spill"),
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
    }
    connection = duckdb.connect(config=options)
    try:
        connection.execute(
            f"ATTACH {literal(str(path))} AS {CATALOG} (STORAGE_VERSION '{STORAGE_VERSION}')"
        )
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turn DuckDB's errors into ours, once for the whole room."""
    try:
        yield
    except duckdb.Error as error:
        text = str(error)
        if "No space left" in text or "Disk quota" in text:
            raise DiskFull(
                f"{path} cannot be written: the disk is full; make room and sync again, it goes "
                "on from here"
            ) from error
        if isinstance(error, duckdb.SerializationException | duckdb.IOException):
            if "newer version" in text or "storage version" in text.lower():
                raise StoreTooNew(f"{path} was written by a newer DuckDB: {text}") from error
            raise CorruptFile(f"{path} cannot be read: {text.splitlines()[0]}") from error
        raise


def copy_file(source: Path, target: Path) -> None:
    """Copy a file in a child process and wait until the copy is on the disk."""
    command = ["cp", "--reflink=auto", "--", str(source), str(target)]
    try:
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603  (no shell)
    except OSError:
        is_copied = False
    else:
        is_copied = done.returncode == 0
    if not is_copied:  # no such program, or one that knows no reflinks
        _copy_plainly(source, target)
    try:
        with target.open("rb+") as copy:  # nobody has the copy open yet: no lock of ours is lost
            os.fsync(copy.fileno())
    except OSError as error:
        raise DiskFull(f"{target} cannot be brought to the disk: {error.strerror}") from error


def _copy_plainly(source: Path, target: Path) -> None:
    """Copy a file by our own interpreter in a child process."""
    done = subprocess.run(  # noqa: S603  (our own interpreter, no shell)
        [sys.executable, "-I", "-c", COPY, str(source), str(target)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        target.unlink(missing_ok=True)
        if "Errno 28" in last[0]:
            raise DiskFull(f"no space left to copy {source} to {target.parent}")
        raise CorruptFile(f"{source} cannot be copied to {target}: {last[0]}")


COPY = "import shutil, sys; shutil.copyfile(*sys.argv[1:])"


def set_aside(path: Path) -> None:
    """Keep a corrupt file for who wants to look at it, out of the way."""
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for each in (path, path.with_name(path.name + ".wal")):
        if each.exists():
            each.rename(each.with_name(f"{each.name}.corrupt-{stamp}"))

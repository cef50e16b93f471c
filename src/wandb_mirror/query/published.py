"""The published file, opened for reading.

Each reader has a fresh in-memory instance and attaches the file: an instance that DuckDB shares
within a process would go on showing the generation that its first connection saw.
"""

from __future__ import annotations

import threading
from array import array
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from wandb_mirror.closable import Closable
from wandb_mirror.errors import BadQuery, CorruptFile, NotMirrored
from wandb_mirror.query.answer import ROWS_TOGETHER, Answer, answer_of_result, said_plainly
from wandb_mirror.query.overlay import Layer, lay

if TYPE_CHECKING:
    import pyarrow as pa

Parameters = Sequence[Any] | Mapping[str, Any]
"""Values for each ``?`` in their order, or for each ``$name`` by its name."""
T = TypeVar("T")
SESSION = "USE mirror; SET TimeZone = 'UTC'; SET enable_progress_bar = false"
"""DuckDB draws its own bar on stdout, where data goes, in notebooks and ``python -c``."""
OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # a name in a query is a table, never one of our variables
}


@dataclass(slots=True)
class Published(Closable):
    """One generation of the published file, until ``refresh`` takes a newer one."""

    path: Path
    _connection: duckdb.DuckDBPyConnection = field(init=False, repr=False)
    _identity: tuple[int, int] = field(init=False, repr=False)
    _kept: dict[Hashable, Any] = field(init=False, repr=False, default_factory=dict)
    _lock: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)
    _session: str = field(init=False, repr=False, default=SESSION)

    @classmethod
    def open(cls, path: Path) -> Published:
        """Open the file; raises ``NotMirrored`` where there is none, and ``CorruptFile``."""
        published = cls(path)
        published._attach()
        return published

    def _attach(self) -> None:
        if not self.path.exists():
            raise NotMirrored(
                f"{self.path} is not there: nothing was published yet; "
                "run 'wandb-mirror sync ENTITY/PROJECT', or name the folder with --mirror"
            )
        self._identity = self._identify()
        file = str(self.path).replace("'", "''")
        connection = duckdb.connect(config=OPTIONS)
        try:
            connection.execute(f"ATTACH '{file}' AS mirror (READ_ONLY); {SESSION}")
        except duckdb.Error as error:
            connection.close()
            raise CorruptFile(
                f"{self.path} cannot be read: {str(error).splitlines()[0]}; "
                "'wandb-mirror publish' makes it anew"
            ) from error
        self._connection = connection
        self._session = SESSION
        self._kept.clear()

    def _identify(self) -> tuple[int, int]:
        found = self.path.stat()
        return found.st_ino, found.st_mtime_ns

    @property
    def is_newest(self) -> bool:
        """Whether no newer generation was published since; a file that is gone is no newer one."""
        return not self.path.exists() or self._identify() == self._identity

    def refresh(self) -> bool:
        """Take a newer generation, if one was published; True where there was one."""
        if self.path.exists() and self.is_newest:
            return False
        self._connection.close()
        self._attach()
        return True

    def lay_over(self, layer: Layer) -> None:
        """Show changed rows in the place of the file's; once for each opening of the file."""
        with self._lock:
            path = lay(self._connection, layer)
            self._connection.execute(path)
        self._session = f"{SESSION}; {path}"
        self._kept.clear()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def keep(self, name: Hashable, make: Callable[[], T]) -> T:
        """Return what was made for a name in this generation, made now where nothing was."""
        if name not in self._kept:
            self._kept[name] = make()
        kept: T = self._kept[name]
        return kept

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query of ours; several threads may ask."""
        with self._lock:
            return self._connection.execute(sql, list(parameters) or None).fetchall()

    def table(self, sql: str, parameters: Sequence[Any] = ()) -> pa.Table:
        """Return the result of a query of ours as an Arrow table; several threads may ask."""
        with self._lock:
            return self._connection.sql(sql, params=list(parameters) or None).to_arrow_table()

    def join(self, sql: str, numbers: Sequence[int]) -> pa.Table:
        """Return the result of a query of ours that names ``chosen``: ``number`` and ``place``."""
        import pyarrow as pa  # noqa: PLC0415  (slow to import, and most readers need none)

        columns = [
            pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(array("q", each))])
            for each in (numbers, range(len(numbers)))  # pa.array would import pandas
        ]
        with self._lock:
            self._connection.register(
                "chosen", pa.Table.from_arrays(columns, names=["number", "place"])
            )
            try:
                return self._connection.sql(sql).to_arrow_table()
            finally:
                self._connection.unregister("chosen")

    def copy(self, sql: str, file: Path, options: str) -> None:
        """Write the result of a query of ours to a file; raises ``BadQuery``."""
        target = str(file).replace("'", "''")
        try:
            with self._lock:
                self._connection.execute(f"COPY ({sql}) TO '{target}' ({options})")
        except duckdb.Error as error:
            raise BadQuery(f"{file} cannot be written: {error}") from error

    def ask(self, sql: str, parameters: Parameters = ()) -> Answer:
        """Return the answer to anybody's query; raises ``BadQuery``."""
        with said_plainly():
            result = self._connection.cursor().execute(self._session)
            result.execute(sql, _given(parameters))
        return answer_of_result(result, partial(self._relation, sql, parameters))

    def _relation(self, sql: str, parameters: Parameters) -> duckdb.DuckDBPyRelation:
        relation = self._connection.sql(sql, params=_given(parameters))
        if relation is None:
            raise BadQuery("the query has no result; only what reads can be run here")
        return relation

    def stream(self, sql: str, parameters: Parameters = ()) -> pa.RecordBatchReader:
        """Return the answer to anybody's query as Arrow batches; raises ``BadQuery``."""
        with said_plainly():
            return self._relation(sql, parameters).to_arrow_reader(ROWS_TOGETHER)


def _given(parameters: Parameters) -> dict[str, Any] | list[Any] | None:
    """Return parameters as DuckDB takes them."""
    given = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
    return given or None

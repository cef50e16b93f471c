"""The published file, opened for reading.

Each reader has a fresh in-memory instance and attaches the file: an instance that DuckDB shares
within a process would go on showing the generation that its first connection saw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import duckdb

from wandb_mirror.errors import BadQuery, CorruptFile, NotMirrored
from wandb_mirror.query.answer import ROWS_TOGETHER, Answer, answer_of_result, said_plainly

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
SESSION = "USE mirror; SET TimeZone = 'UTC'"
OPTIONS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # a name in a query is a table, never one of our variables
}


@dataclass(slots=True)
class Published:
    """One generation of the published file, until ``refresh`` takes a newer one."""

    path: Path
    _connection: duckdb.DuckDBPyConnection = field(init=False, repr=False)
    _identity: tuple[int, int] = field(init=False, repr=False)
    _kept: dict[object, Any] = field(init=False, repr=False)

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
        self._kept = {}

    def _identify(self) -> tuple[int, int]:
        found = self.path.stat()
        return found.st_ino, found.st_mtime_ns

    def refresh(self) -> bool:
        """Take a newer generation, if one was published; True where there was one."""
        if self.path.exists() and self._identify() == self._identity:
            return False
        self._connection.close()
        self._attach()
        return True

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Return the file itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query of ours."""
        return self._connection.execute(sql, list(parameters) or None).fetchall()

    def keep(self, name: object, make: Callable[[], T]) -> T:
        """Return what was made once under a name: a generation does not change."""
        if name not in self._kept:
            self._kept[name] = make()
        found: T = self._kept[name]
        return found

    def ask(self, sql: str, parameters: Sequence[Any] = ()) -> Answer:
        """Return the answer to anybody's query; raises ``BadQuery``."""
        with said_plainly():
            result = self._connection.cursor().execute(SESSION)
            result.execute(sql, list(parameters) or None)
        return answer_of_result(result, partial(self._relation, sql, parameters))

    def _relation(self, sql: str, parameters: Sequence[Any]) -> duckdb.DuckDBPyRelation:
        relation = self._connection.sql(sql, params=list(parameters) or None)
        if relation is None:
            raise BadQuery("the query has no result; only what reads can be run here")
        return relation

    def stream(self, sql: str, parameters: Sequence[Any] = ()) -> pa.RecordBatchReader:
        """Return the answer to anybody's query as Arrow batches; raises ``BadQuery``."""
        with said_plainly():
            return self._relation(sql, parameters).to_arrow_reader(ROWS_TOGETHER)

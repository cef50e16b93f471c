"""The answer to a query: rows for who prints them, Arrow for who computes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import duckdb

from wandb_mirror.errors import BadQuery

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_TOGETHER = 10_000
NUMBERS = frozenset({
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT", "UINTEGER",
    "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows that are fetched as they are asked for, once, in one of two forms.

    Arrow is imported by ``arrow`` alone: it takes longer than most queries do.
    """

    names: tuple[str, ...]
    are_numbers: tuple[bool, ...]
    """Whether each column holds numbers."""
    rows: Callable[[], Iterator[tuple[Any, ...]]]
    arrow: Callable[[], pa.RecordBatchReader]


def answer_of_result(
    result: duckdb.DuckDBPyConnection, relation: Callable[[], duckdb.DuckDBPyRelation]
) -> Answer:
    """Return what a query has answered on a connection that nothing else uses.

    Arrow batches come from ``relation``, which runs the query again: only it makes them without
    a copy, and to plan each query both ways would take longer than most take to run.
    """

    def rows() -> Iterator[tuple[Any, ...]]:
        with said_plainly():
            while batch := result.fetchmany(ROWS_TOGETHER):
                yield from batch

    def arrow() -> pa.RecordBatchReader:
        with said_plainly():
            return relation().to_arrow_reader(ROWS_TOGETHER)

    described = result.description or []
    return Answer(
        tuple(name for name, *_ in described),
        tuple(str(each).partition("(")[0] in NUMBERS for _, each, *_ in described),
        rows,
        arrow,
    )


@contextmanager
def said_plainly() -> Iterator[None]:
    """Turn what DuckDB says of a query into ``BadQuery``."""
    try:
        yield
    except duckdb.Error as error:
        raise BadQuery(f"the query cannot be run: {error}") from error


def answer_of_table(table: pa.Table) -> Answer:
    """Return an Arrow table as an answer."""
    from pyarrow import types  # noqa: PLC0415

    def rows() -> Iterator[tuple[Any, ...]]:
        for batch in table.to_batches():
            columns = (column.to_pylist() for column in batch.columns)
            yield from zip(*columns, strict=True)

    return Answer(
        tuple(table.column_names),
        tuple(types.is_integer(each.type) or types.is_floating(each.type) for each in table.schema),
        rows,
        table.to_reader,
    )

"""Rows as DataFrames and tables. pandas and polars are imported when they are asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from wandb_mirror.errors import OnlyUpstream
from wandb_mirror.jsontext import dumps


def need(module: str) -> Any:
    """Return a library that is not always there; raises ``OnlyUpstream`` where it is not."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise OnlyUpstream(
            f"{module} is not installed; install it with 'pip install {module}', "
            "or take rows (pandas=False, format='default') or Arrow (to_arrow())"
        ) from error


def pandas_from_rows(rows: Sequence[dict[str, Any]]) -> Any:
    """Return a pandas DataFrame, as W&B's client makes it from history rows."""
    return need("pandas").DataFrame.from_records(rows)


def polars_from(table: pa.Table) -> Any:
    """Return a polars DataFrame."""
    return need("polars").from_arrow(table)


def columns_of(rows: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return rows as columns, nested keys joined by dots, null where a row lacks one."""
    flat = [dict(_leaves(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    return {name: [row.get(name) for row in flat] for name in names}


def arrow_from(columns: dict[str, list[Any]]) -> pa.Table:
    """Return columns as a table."""
    return pa.table({name: arrow_column(values) for name, values in columns.items()})


def arrow_column(values: list[Any]) -> pa.Array:
    """Return values of one sort as they are, of several sorts as text."""
    sorts = {type(value) for value in values if value is not None}
    if sorts <= {float, int} or len(sorts) == 1:
        try:
            if sorts == {float, int}:
                return pa.array([None if v is None else float(v) for v in values], pa.float64())
            if sorts <= {float, int, bool, str}:
                return pa.array(values)
        except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError):
            pass  # integers past 64 bits, lone surrogates: as text below
    return pa.array(
        [value if value is None or _is_clean(value) else dumps(value) for value in values],
        pa.string(),
    )


def _is_clean(value: Any) -> bool:
    """Tell whether a value is a string that any database can hold."""
    if type(value) is not str:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _leaves(row: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    """Yield the leaves of a nested row under names joined by dots."""
    for key, value in row.items():
        if type(value) is dict and value and "_type" not in value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value

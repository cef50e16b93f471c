"""Rows of edits as Arrow tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from wandb_mirror.edits.edit import Edit
from wandb_mirror.query.overlay import HAS, KEY


def by_cells(edits: Iterable[Edit]) -> dict[str, dict[str, Any]]:
    """Return what the edits of one object make of it: field, then key, to local value."""
    found: dict[str, dict[str, Any]] = {}
    for each in edits:
        found.setdefault(each.field, {})[each.key] = each.local
    return found


def of_columns(types: Mapping[str, pa.DataType], rows: Sequence[Sequence[Any]]) -> pa.Table:
    """Return rows as a table."""
    columns = list(zip(*rows, strict=True)) or [()] * len(types)
    return pa.table(
        {
            name: pa.array(list(column), kind)
            for (name, kind), column in zip(types.items(), columns, strict=True)
        }
    )


def keyed_rows(
    key: str, rows: Mapping[int, Mapping[str, Any]], types: Mapping[str, pa.DataType]
) -> pa.Table:
    """Return a row a number: each column's value, and whether the row changes it."""
    columns: dict[str, pa.Array] = {f"{KEY}{key}": pa.array(list(rows), pa.int32())}
    for name, kind in types.items():
        columns[name] = pa.array([row.get(name) for row in rows.values()], kind)
        columns[f"{HAS}{name}"] = pa.array([name in row for row in rows.values()], pa.bool_())
    return pa.table(columns)

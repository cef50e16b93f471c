"""W&B's filters over rows of any view: for lists that are short enough to be gone through."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from wandb_mirror.errors import BadFilter
from wandb_mirror.jsontext import loads
from wandb_mirror.query.filters import And, Compare, Not, Or, Tree, parse_filter
from wandb_mirror.query.meaning import MISSING, compare_value

Row = dict[str, Any]
LISTS = ("aliases", "tags")
"""Columns that hold a JSON list, which passes where an element does."""


def filter_rows(
    rows: Sequence[Row], filters: Mapping[str, Any] | None, names: Mapping[str, str]
) -> list[Row]:
    """Return the rows that pass a filter; ``names`` are fields as filters spell them, by column.

    Columns may be named as they are, and in camelCase. Raises ``BadFilter``.
    """
    tree = parse_filter(filters)
    return [row for row in rows if _passes(tree, row, names)]


def sort_rows(rows: list[Row], order: str | None, names: Mapping[str, str]) -> list[Row]:
    """Return rows sorted by one key with ``+`` (or nothing) or ``-``; missing values come last."""
    if not order:
        return rows
    path = order.lstrip("+-")
    is_descending = order.startswith("-")
    known = [row for row in rows if _value(row, path, names, "order") is not MISSING]
    known.sort(key=lambda row: _value(row, path, names, "order"), reverse=is_descending)
    return known + [row for row in rows if _value(row, path, names, "order") is MISSING]


def _passes(tree: Tree, row: Row, names: Mapping[str, str]) -> bool:
    if isinstance(tree, And):
        return all(_passes(part, row, names) for part in tree.parts)
    if isinstance(tree, Or):
        return any(_passes(part, row, names) for part in tree.parts)
    if isinstance(tree, Not):
        return not _passes(tree.part, row, names)
    assert isinstance(tree, Compare)  # noqa: S101  (the last sort of tree)
    return compare_value(_value(row, tree.path, names, tree.place), tree)


def _value(row: Row, path: str, names: Mapping[str, str], place: str) -> Any:
    snake = re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", path).lower()
    column = names.get(path, names.get(snake, snake))
    if column not in row:
        known = [*names, *row]
        near = difflib.get_close_matches(path, known, n=1)
        raise BadFilter(
            f"{place}: no field {path}; "
            + (f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}")
        )
    value = row[column]
    if column in LISTS and isinstance(value, str):
        value = loads(value)
    return MISSING if value is None else value

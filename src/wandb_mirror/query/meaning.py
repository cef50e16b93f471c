"""What a filter means for one run, in plain Python: the definition that the SQL is held to.

MongoDB's rules: values of different types never compare; a list passes where one of its elements
does, or where it is equal as a whole; null is missing and missing is null for ``$eq``; ``$ne`` and
``$nin`` pass where the field is missing. NaN passes no comparison.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from wandb_mirror.errors import BadFilter
from wandb_mirror.query.fields import ColumnField, KeyField, TagField, resolve
from wandb_mirror.query.filters import And, Compare, Not, Or, Tree


class _Missing:
    """A field that is not there."""


MISSING = _Missing()


@dataclass(frozen=True, slots=True)
class Document:
    """A run as filters see it: leaves by key, parts joined by dots, the nested one of two twins."""

    columns: Mapping[str, Any]
    tags: list[str] | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    summary: Mapping[str, Any] = field(default_factory=dict)
    metrics: frozenset[str] = frozenset()


def passes(tree: Tree, run: Document) -> bool:
    """Tell whether a run passes a filter."""
    if isinstance(tree, And):
        return all(passes(part, run) for part in tree.parts)
    if isinstance(tree, Or):
        return any(passes(part, run) for part in tree.parts)
    if isinstance(tree, Not):
        return not passes(tree.part, run)
    return compare_value(look_up(tree, run), tree)


def look_up(compare: Compare, run: Document) -> Any:
    """Return the value that a comparison is about, or ``MISSING``."""
    found = resolve(compare.path, compare.place)
    if isinstance(found, TagField):
        return found.tag in (run.tags or []) or MISSING
    if isinstance(found, ColumnField):
        if found.column == "tags":
            return MISSING if run.tags is None else run.tags
        value = run.columns.get(found.column)
        return MISSING if value is None else value
    return _look_up_key(found, run)


def _look_up_key(found: KeyField, run: Document) -> Any:
    if found.source == "metric":
        return True if found.names[0] in run.metrics else MISSING
    leaves = run.config if found.source == "config" else run.summary
    for name in found.names:
        if name in leaves:
            return leaves[name]
    if any(key.startswith(f"{name}.") for name in found.names for key in leaves):
        return {}
    return MISSING


def compare_value(value: Any, compare: Compare) -> bool:
    """Tell whether a value, or ``MISSING``, passes a comparison."""
    if compare.operator == "$exists":
        return (value is not MISSING) is compare.operand
    if compare.operator == "$eq" and compare.operand is None:
        return value is MISSING or value is None or (isinstance(value, list) and None in value)
    if value is MISSING or value is None or isinstance(value, dict):
        return False
    if isinstance(value, list):
        whole = isinstance(compare.operand, list) and compare.operator == "$eq"
        if whole and is_same(value, compare.operand):
            return True
        return any(
            _compare_one(each, compare)
            for each in value
            if each is not None and not isinstance(each, (dict, list))
        )
    return _compare_one(value, compare)


def is_same(left: Any, right: Any) -> bool:
    """Tell whether two JSON values are equal, types and all."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_same, left, right))
    return sort_of(left) == sort_of(right) and bool(left == right)


def sort_of(value: Any) -> str:
    """Return the type within which a value compares."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "text", datetime: "time", type(None): "null"}.get(type(value), "other")


def _compare_one(value: Any, compare: Compare) -> bool:
    operator, operand = compare.operator, compare.operand
    if operator == "$regex":
        return isinstance(value, str) and re.search(operand, value) is not None
    if isinstance(value, datetime):
        operand = as_time(operand, compare.place)
    if sort_of(value) != sort_of(operand):
        return False
    if operator == "$eq":
        return bool(value == operand)
    if sort_of(value) == "boolean":
        value, operand = int(value), int(operand)
    tests = {
        "$gt": lambda: value > operand,
        "$gte": lambda: value >= operand,
        "$lt": lambda: value < operand,
        "$lte": lambda: value <= operand,
    }
    return bool(tests[operator]())


def as_time(operand: Any, place: str) -> datetime:
    """Return a time to compare with: a datetime, or ISO 8601 text; without a zone, UTC."""
    try:
        time = operand if isinstance(operand, datetime) else datetime.fromisoformat(operand)
    except (TypeError, ValueError):
        raise BadFilter(
            f"{place}: compare a time with ISO 8601 text like 2024-05-01T00:00:00Z, not {operand!r}"
        ) from None
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time

"""What a filter means for one run, in plain Python: the definition that the SQL is held to.

MongoDB's rules: values of different types never compare; a list passes where one of its elements
does, or where it is equal as a whole; null is missing and missing is null for ``$eq``; ``$ne`` and
``$nin`` pass where the field is missing. NaN passes no comparison.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from wandb_mirror.errors import BadFilter
from wandb_mirror.jsontext import dumps
from wandb_mirror.query.fields import ColumnField, KeyField, LineageField, TagField, resolve
from wandb_mirror.query.filters import And, Compare, Not, Or, Tree
from wandb_mirror.query.patterns import is_match


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
    lineage: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By table: the artifacts that it used or made, each by every name that filters may have."""


def passes(tree: Tree, run: Document) -> bool:
    """Tell whether a run passes a filter."""
    if isinstance(tree, And):
        return all(passes(part, run) for part in tree.parts)
    if isinstance(tree, Or):
        return any(passes(part, run) for part in tree.parts)
    if isinstance(tree, Not):
        return not passes(tree.part, run)
    found = resolve(tree.path, tree.place)
    if isinstance(found, TagField):
        return asks_for_presence(tree) is (found.tag in (run.tags or []))
    if isinstance(found, KeyField) and found.source == "metric":
        return asks_for_presence(tree) is (found.names[0] in run.metrics)
    if isinstance(found, LineageField):
        check_artifact(tree)
    return compare_value(_look_up(found, run), tree)


def asks_for_presence(compare: Compare) -> bool:
    """Tell whether a comparison of what is there or not asks for it to be there."""
    operator, operand = compare.operator, compare.operand
    if operator == "$exists" or (operator == "$eq" and isinstance(operand, bool)):
        return bool(operand)
    if operator == "$eq" and operand is None:
        return False
    raise BadFilter(
        f'{compare.place}: {compare.path} is there or not; write {{"$exists": true}}, true or false'
    )


def check_artifact(compare: Compare) -> None:
    """Raise ``BadFilter`` where a run's artifacts are not compared with names."""
    operand = compare.operand
    if compare.operator == "$size" or not isinstance(operand, (str, bool, type(None))):
        raise BadFilter(
            f"{compare.place}: compare with an artifact's name like collection:v3, "
            f"entity/project/collection:v3, or its id, not {operand!r}"
        )


def _look_up(found: ColumnField | KeyField | LineageField, run: Document) -> Any:
    """Return the value that a comparison is about, or ``MISSING``."""
    if isinstance(found, LineageField):
        return list(run.lineage.get(found.table, ())) or MISSING
    if isinstance(found, ColumnField):
        if found.column == "tags":
            return MISSING if run.tags is None else run.tags
        value = run.columns.get(found.column)
        return MISSING if value is None else value
    return _look_up_key(found, run)


def _look_up_key(found: KeyField, run: Document) -> Any:
    leaves = run.config if found.source == "config" else run.summary
    for name in found.names:
        if name in leaves:
            return leaves[name]
    if any(key.startswith(f"{name}.") for name in found.names for key in leaves):
        return {}
    return MISSING


def compare_value(value: Any, compare: Compare) -> bool:
    """Tell whether a value, or ``MISSING``, passes a comparison."""
    operator, operand = compare.operator, compare.operand
    if operator == "$exists":
        return (value is not MISSING) is operand
    if operator == "$eq" and operand is None:
        return value is MISSING or value is None or (isinstance(value, list) and None in value)
    if value is MISSING or value is None or isinstance(value, dict):
        return False
    if not isinstance(value, list):
        return operator != "$size" and _compare_one(value, compare)
    if operator == "$size" or (isinstance(operand, list) and dumps(value) == dumps(operand)):
        return bool(operator != "$size" or len(value) == operand)
    parts = (each for each in value if each is not None and not isinstance(each, (dict, list)))
    return any(_compare_one(each, compare) for each in parts)


def sort_of(value: Any) -> str:
    """Return the type within which a value compares."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {str: "text", datetime: "time", type(None): "null"}.get(type(value), "other")


def _compare_one(value: Any, compare: Compare) -> bool:
    operator, operand = compare.operator, compare.operand
    if isinstance(value, datetime) and operator in ("$regex", "$contains"):
        raise BadFilter(f"{compare.place}: {compare.path} is a time; compare it with $gte and $lt")
    if operator == "$regex":
        return isinstance(value, str) and is_match(operand, value)
    if operator == "$contains":
        return isinstance(value, str) and operand in value
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

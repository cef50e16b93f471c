"""A node as upstream sends it becomes a row by column: times, cases and types are settled here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from wandb_mirror.errors import BadRow
from wandb_mirror.jsontext import dumps, loads
from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.kinds.spec import Field, Kind, Type

LARGEST_INTEGER = 2**63


def read_row(kind: Kind, scope: ScopeOf, node: Mapping[str, Any], columns: frozenset[str]) -> Row:
    """Return a node as a row with the columns that were asked for; others are None.

    A column that the server lacks and the scope names is taken from there. Raises ``BadRow``.
    """
    row: Row = scope.columns(kind.scope_columns)
    own_key = _identify(kind, node)
    for field in kind.fields:
        if field.column not in columns:
            row[field.column] = getattr(scope, field.column, None)
            continue
        try:
            row[field.column] = _read_value(field, node)
        except (ValueError, TypeError, OverflowError) as error:
            problem = f"{field.source} cannot be read: {error}"
            raise BadRow(kind.plural, own_key, problem) from error
    if not row.get(kind.own_key):
        raise BadRow(kind.plural, own_key, "it has no id")
    return row


def _identify(kind: Kind, node: Mapping[str, Any]) -> str:
    """Return a node's own key, or something that tells it apart where it has none."""
    return str(node.get(kind.own_key) or "(no id)")[:200]


def _read_value(field: Field, node: Mapping[str, Any]) -> Any:
    """Return one value of a node, in the type its column has."""
    value: Any = node.get(field.column)
    for part in field.source.split(".")[1:]:
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        return None
    value = READERS[field.type](value)
    return value.lower() if field.is_lower and isinstance(value, str) else value


def _read_text(value: Any) -> str:
    return value if isinstance(value, str) else dumps(value)


def _read_json_text(value: Any) -> str:
    """Return the text as it came; what is not JSON is no value of ours."""
    if not isinstance(value, str):
        return dumps(value)
    loads(value)
    return value


def _read_integer(value: Any) -> int:
    number = int(value)
    if isinstance(value, bool) or (isinstance(value, float) and number != value):
        raise ValueError(f"{value!r} is not a whole number")
    if not -LARGEST_INTEGER <= number < LARGEST_INTEGER:
        raise ValueError(f"{value!r} is too large a number")
    return number


def _read_real(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError(f"{value!r} is not a number")
    return float(value)


def _read_boolean(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is not true or false")
    return value


def _read_time(value: Any) -> datetime:
    """Return naive UTC; upstream leaves the zone out at times and means UTC."""
    time = datetime.fromisoformat(value)
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time


READERS: dict[Type, Callable[[Any], Any]] = {
    Type.TEXT: _read_text,
    Type.INTEGER: _read_integer,
    Type.REAL: _read_real,
    Type.BOOLEAN: _read_boolean,
    Type.TIME: _read_time,
    Type.JSON: dumps,
    Type.JSON_TEXT: _read_json_text,
}

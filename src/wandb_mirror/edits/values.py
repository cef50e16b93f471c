"""Values as edits hold them: JSON, or nothing at all."""

from __future__ import annotations

import math
from typing import Any, Final

from wandb_mirror.jsontext import dumps, loads


class _Absent:
    """A value that is not there; null is a value."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = _Absent()
"""Stands where there is no value: a key that is missing, a tag that is not set."""


def encode(value: Any) -> str | None:
    """Return a value as the outbox keeps it: JSON text, None for nothing."""
    return None if value is ABSENT else dumps(value)


def decode(text: str | None) -> Any:
    """Return what ``encode`` was given."""
    return ABSENT if text is None else loads(text)


def is_same(one: Any, other: Any) -> bool:
    """Tell whether two values are equal as JSON is.

    1 and 1.0 are, a server may write either; 1 and true are not. What is not finite equals W&B's
    spelling of it.
    """
    if one is ABSENT or other is ABSENT:
        return one is other
    one, other = _plain(one), _plain(other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(is_same(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_same, one, other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    return type(one) in _kin(other) and bool(one == other)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
    return value


def _kin(value: Any) -> tuple[type, ...]:
    """Return the types whose values may equal one."""
    return (int, float) if isinstance(value, (int, float)) else (type(value),)

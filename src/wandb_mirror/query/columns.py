"""Columns of Python values turned round into rows; a value that is not there is no null."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Any

from wandb_mirror.jsontext import NON_FINITE, loads

MISSING: Any = object()
"""Stands where a step has no value of a key; null is a value."""
EXACT = 2.0**53
"""Every integer up to here is a double."""
Column = list[Any]


def parse(text: str) -> Any:
    """Return JSON with real numbers in place of W&B's strings for what is not finite."""
    value = loads(text)
    return _with_numbers(value) if '"NaN"' in text or 'Infinity"' in text else value


def _with_numbers(value: Any) -> Any:
    if type(value) is str:
        return NON_FINITE.get(value, value)
    if type(value) is dict:
        return {key: _with_numbers(inner) for key, inner in value.items()}
    if type(value) is list:
        return [_with_numbers(inner) for inner in value]
    return value


def as_plain(values: list[float]) -> Column:
    """Return numbers, as integers where all of them are whole: JSON has one sort of number."""
    if all(map(float.is_integer, values)) and min(values) >= -EXACT and max(values) <= EXACT:
        return list(map(int, values))
    return values


def end_of(key_nos: Sequence[int], start: int) -> int:
    """Return where the rows of one key end."""
    low, high, key_no = start + 1, len(key_nos), key_nos[start]
    while low < high:
        middle = (low + high) // 2
        if key_nos[middle] == key_no:
            low = middle + 1
        else:
            high = middle
    return low


def fill_column(
    steps: array[int], at: array[int], values: list[float], others: dict[int, Any]
) -> Column:
    """Return one key's value at every step."""
    if others:
        pairs = zip(at, values, strict=True)
        numbers = [pair for pair in pairs if pair[0] not in others]
        plain = as_plain([value for _, value in numbers]) if numbers else []
        mixed = others | dict(zip((step for step, _ in numbers), plain, strict=True))
        return [mixed.get(step, MISSING) for step in steps]
    plain = as_plain(values)
    if at == steps:
        return plain
    by_step = dict(zip(at, plain, strict=True))
    return [by_step.get(step, MISSING) for step in steps]


def as_rows(columns: dict[str, Column]) -> list[dict[str, Any]]:
    """Return dicts, without the keys that a row lacks."""
    names = list(columns)
    rows = zip(*columns.values(), strict=True)
    if not any(MISSING in column for column in columns.values()):
        return [dict(zip(names, row, strict=True)) for row in rows]
    return [
        {name: value for name, value in zip(names, row, strict=True) if value is not MISSING}
        for row in rows
    ]


def complete_rows(columns: dict[str, Column]) -> list[dict[str, Any]]:
    """Return dicts of the rows that lack nothing."""
    names = list(columns)
    return [
        dict(zip(names, row, strict=True))
        for row in zip(*columns.values(), strict=True)
        if MISSING not in row
    ]


def put_nested(
    rows: list[dict[str, Any]], nested: Sequence[tuple[tuple[str, ...], Column]]
) -> list[dict[str, Any]]:
    """Return rows with the leaves of nested values put back in their places."""
    for path, column in nested:
        for row, value in zip(rows, column, strict=True):
            if value is not MISSING:
                put(row, path, value)
    return rows


def put(row: dict[str, Any], path: Sequence[str], value: Any) -> None:
    """Put a leaf into nested dicts."""
    for part in path[:-1]:
        inner = row.get(part)
        if type(inner) is not dict:
            inner = row[part] = {}
        row = inner
    row[path[-1]] = value

"""A field's value, cell by cell: what changed between two values, and a value with changes made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from wandb_mirror.edits.pointers import read_pointers
from wandb_mirror.edits.spec import EditField
from wandb_mirror.edits.splice import set_members, set_wrapped
from wandb_mirror.edits.values import ABSENT, is_same
from wandb_mirror.jsontext import loads

INTERNAL = ("_wandb", "wandb_version")
"""Keys of a config that W&B's client keeps for itself."""


@dataclass(frozen=True, slots=True)
class Change:
    """One cell of a field, as it was seen and as it is to be."""

    field: str
    key: str
    """The member of a set, the top-level key of a map; "" for a scalar."""
    base: Any
    local: Any


def find_changes(field: EditField, before: Any, after: Any) -> list[Change]:
    """Return the cells in which two values of a field differ."""
    old, new = read_cells(field, before), read_cells(field, after)
    absent = None if field.sort == "scalar" else _nothing(field)
    return [
        Change(field.name, key, old.get(key, absent), new.get(key, absent))
        for key in dict.fromkeys([*old, *new])
        if not is_same(old.get(key, absent), new.get(key, absent))
    ]


def _nothing(field: EditField) -> Any:
    return False if field.sort == "set" else ABSENT


def read_cells(field: EditField, value: Any) -> dict[str, Any]:
    """Return the cells of a value; nothing and empty text are one for a field that "" clears."""
    if field.sort == "set":
        return {str(member): True for member in value or ()}
    if field.sort == "map":
        return dict(value or {})
    return {"": None if value is None or value == field.cleared else value}


def cell_of(field: EditField, cells: Mapping[str, Any], key: str) -> Any:
    """Return what a cell holds."""
    return cells.get(key, None if field.sort == "scalar" else _nothing(field))


def apply_cells(field: EditField, value: Any, cells: Iterable[tuple[str, Any]]) -> Any:
    """Return a field's value with cells set, as people see it."""
    chosen = dict(cells)
    if field.sort == "scalar":
        return chosen.get("", value)
    if field.sort == "set":
        kept = [each for each in value or () if chosen.get(str(each)) is not False]
        there = {str(each) for each in kept}
        return kept + [key for key, is_in in chosen.items() if is_in is True and key not in there]
    result = {key: inner for key, inner in (value or {}).items() if chosen.get(key) is not ABSENT}
    return result | {key: inner for key, inner in chosen.items() if inner is not ABSENT}


def read_stored(field: EditField, stored: Any) -> Any:
    """Return a column of the store, or of a fresh row, as people see the field."""
    if stored is None:
        return None
    if field.sort == "scalar":
        return loads(stored) if field.wire == "json text" else stored
    value = loads(stored)
    if field.wire == "pointers":
        return read_pointers(field, value)
    if field.wire == "config" and isinstance(value, dict):
        return {
            key: inner["value"] if isinstance(inner, dict) and "value" in inner else inner
            for key, inner in value.items()
            if key not in INTERNAL
        }
    return value


def make_wire(field: EditField, stored: Any, cells: Mapping[str, Any]) -> Any:
    """Return what a mutation is given so that cells change and nothing else of the field does.

    ``stored`` is the field as it was read a moment ago.
    """
    if field.sort == "map":
        text = stored if isinstance(stored, str) and stored.strip() not in ("", "null") else "{}"
        return (set_wrapped if field.wire == "config" else set_members)(text, cells)
    value = apply_cells(field, read_stored(field, stored), cells.items())
    return field.cleared if value is None else value

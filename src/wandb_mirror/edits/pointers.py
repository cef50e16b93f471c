"""Names that point to rows: ``{"best": "v3"}`` for people, ids upstream.

Upstream says ``[{"alias": "best", "artifact": {"id": …}}]``. People know a version by its number in
the collection; one that the mirror has not seen yet is known by its id alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from wandb_mirror.edits.spec import EditField, Pointed

Labels = Mapping[str, str]
"""Upstream's id of a row to what people call it: ``v3``."""


def label_rows(pointed: Pointed, rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return what people call the rows that names may point to."""
    return {row[pointed.id_column]: f"v{row[pointed.number]}" for row in rows}


def label(value: Any, labels: Labels) -> Any:
    """Return what people call what a name points to; anything else as it is."""
    return labels.get(value, value) if isinstance(value, str) else value


def read_pointers(field: EditField, value: Any) -> dict[str, Any]:
    """Return name to id, of what upstream holds; what points to nothing is left out."""
    if field.points_to is None or field.comes is None:
        return {}
    member, under = field.comes.member, field.points_to.under
    return {each[member]: each[under]["id"] for each in value or () if each.get(under)}


def names_of(pointers: Mapping[str, Any], target: Any, before: Iterable[str]) -> list[str]:
    """Return the names that point to a row: those that did before in their order, then others."""
    own = [name for name, each in pointers.items() if each == target]
    kept = [name for name in before if name in own]
    return kept + [name for name in own if name not in kept]


def move(before: Iterable[str], own: str, moved: Mapping[str, Any]) -> list[str]:
    """Return a row's names once some were moved: ``own`` is what people call the row."""
    kept = [name for name in before if name not in moved or moved[name] == own]
    return kept + [name for name, each in moved.items() if each == own and name not in kept]

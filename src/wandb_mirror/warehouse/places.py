"""Which keys get a column in a project's wide tables, and of which type.

A place once given is kept, and a type only ever moves up in BOOLEAN, VARCHAR, BIGINT, DOUBLE: so
numbers win, and a table that somebody's dashboard reads does not flap.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from wandb_mirror.warehouse.names import fold, free_name

EMPTY = "(empty)"
"""The column of a metric whose name is empty: SQL has no empty identifiers."""
TYPE_ORDER = ("BOOLEAN", "VARCHAR", "BIGINT", "DOUBLE")


@dataclass(frozen=True, slots=True)
class Census:
    """What the values of a key are, over all runs of a project."""

    key_no: int
    name: str
    """As people name its column: ``config.lr``, ``loss``."""
    runs: int
    booleans: int
    texts: int
    integers: int
    reals: int
    json: int
    """Lists, media, empty dicts: kept as JSON text."""
    nulls: int = 0

    @property
    def type(self) -> str:
        """The type that holds most of what there is, by the order above."""
        if self.reals:
            return "DOUBLE"
        if self.integers:
            return "BIGINT"
        return "VARCHAR" if self.texts or self.json else "BOOLEAN"

    def misfits(self, sql_type: str) -> int:
        """Return how many values a column of ``sql_type`` cannot hold."""
        if sql_type in ("DOUBLE", "BIGINT"):
            return self.booleans + self.texts + self.json
        return self.booleans if sql_type == "VARCHAR" else self.texts + self.json


@dataclass(frozen=True, slots=True)
class Place:
    """A column of a wide table."""

    key_no: int
    column_name: str
    type: str
    misfits: int
    has_json: bool
    """Whether some value is a list, a null or another thing that is no plain scalar."""


def give_places(
    census: Sequence[Census],
    known: Sequence[Place],
    *,
    limit: int,
    pins: Sequence[str],
    own_columns: Sequence[str],
) -> list[Place]:
    """Return the places: those given before, then pinned keys, then those that most runs have."""
    by_key = {each.key_no: each for each in census}
    places = [_renew(place, by_key.get(place.key_no)) for place in known]
    taken = {fold(name) for name in own_columns} | {fold(place.column_name) for place in places}
    here = {place.key_no for place in places}
    waiting = [each for each in census if each.key_no not in here]
    waiting.sort(key=lambda each: (not _is_pinned(each.name, pins), -each.runs, each.name))
    chosen = waiting[: max(0, limit - len(places))]
    for each in sorted(chosen, key=lambda each: (each.name, each.key_no)):
        name = free_name(each.name or EMPTY, taken, is_folded=True)
        taken.add(fold(name))
        places.append(
            Place(
                each.key_no, name, each.type, each.misfits(each.type), bool(each.json + each.nulls)
            )
        )
    return places


def _renew(place: Place, census: Census | None) -> Place:
    """Return a place with the type and the counts that hold now."""
    if census is None:
        return Place(place.key_no, place.column_name, place.type, 0, has_json=False)
    sql_type = max(place.type, census.type, key=TYPE_ORDER.index)
    return Place(
        place.key_no,
        place.column_name,
        sql_type,
        census.misfits(sql_type),
        bool(census.json + census.nulls),
    )


def _is_pinned(name: str, pins: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pin) for pin in pins)

"""What objects were like, and from when until when: kept where the settings ask for it.

A value is valid from the sync that found it until the sync that found another. NULL is no value:
then no row is open. What is written here is written in the transaction that changes the object.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from wandb_mirror.jsontext import dumps
from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.pages import Row
from wandb_mirror.kinds.spec import Kind, Type
from wandb_mirror.store.books import load_fact, next_seq, save_fact
from wandb_mirror.store.conditions import Condition, Key, in_parts, is_gone
from wandb_mirror.store.engine import upsert
from wandb_mirror.store.load import iterate_batches
from wandb_mirror.store.tables import KIND_TABLES, past_values

IS_KEPT = "past values are kept"
BATCH = 1000
PLACE = ("project_id", "within", "own_key")
MOMENT = timedelta(microseconds=1)
"""A value is valid for so long at least, whatever the clock does."""
Place = tuple[str, str, str]
"""An object of a kind: its project, what it is in beside that, its own key."""


def place_of(key: Key) -> Place:
    """Return where past values of an object stand, by its key."""
    return key[0], "/".join(key[1:-1]), key[-1]


def remember(
    connection: sa.Connection, kind: Kind, rows: Sequence[Row], *, seq: int, at: datetime | None
) -> None:
    """Write down what is otherwise than it was last known to be; nothing where nobody wants it.

    Without ``at`` each row's own ``synced_at`` says since when it is so.
    """
    if not kind.remembered or not rows or load_fact(connection, IS_KEPT) != "yes":
        return
    places = [place_of(tuple(row[name] for name in kind.key)) for row in rows]
    known = {
        (*(row[name] for name in PLACE), row["field"]): row
        for row in _load_open(connection, kind, places)
    }
    closed: list[Row] = []
    opened: list[Row] = []
    for place, row in zip(places, rows, strict=True):
        for field in kind.fields:
            if field.column not in kind.remembered or field.column not in row:
                continue
            raw = row[field.column]
            value = raw if raw is None or field.type is Type.JSON else dumps(raw)
            old = known.get((*place, field.column))
            if old is not None and old["value"] == value:
                continue
            since = at or row["synced_at"]
            if old is not None:
                since = max(since, old["valid_from"] + MOMENT)
                closed.append({**old, "valid_to": since})
            if value is not None:
                named = dict(zip(PLACE, place, strict=True))
                opened.append(
                    {"kind": kind.plural, **named, "field": field.column, "value": value}
                    | {"valid_from": since, "valid_to": None, "changed_seq": seq}
                )
    _close(connection, closed, seq)
    if opened:
        connection.execute(upsert(past_values, tuple(opened[0])), opened)


def end(
    connection: sa.Connection, kind: Kind, condition: Condition, seq: int, at: datetime
) -> None:
    """Write down that some objects are there no longer."""
    if not kind.remembered or load_fact(connection, IS_KEPT) != "yes":
        return
    table = KIND_TABLES[kind.plural]
    keys = connection.execute(sa.select(*(table.c[name] for name in kind.key)).where(condition))
    known = _load_open(connection, kind, [place_of(tuple(key)) for key in keys])
    ended = [{**row, "valid_to": max(at, row["valid_from"] + MOMENT)} for row in known]
    _close(connection, ended, seq)


def _load_open(connection: sa.Connection, kind: Kind, places: Sequence[Place]) -> Iterator[Row]:
    """Yield what is valid now of some objects."""
    wanted = set(places)
    for project_id in sorted({place[0] for place in wanted}):
        own_keys = sorted({place[2] for place in wanted if place[0] == project_id})
        for part in in_parts(own_keys):
            query = sa.select(past_values).where(
                past_values.c.kind == kind.plural,
                past_values.c.project_id == project_id,
                past_values.c.own_key.in_(part),
                past_values.c.valid_to.is_(None),
            )
            for row in connection.execute(query).mappings():
                if tuple(row[name] for name in PLACE) in wanted:
                    yield dict(row)


def _close(connection: sa.Connection, rows: Sequence[Row], seq: int) -> None:
    if not rows:
        return
    names = ("kind", *PLACE, "field", "valid_from")
    there = (past_values.c[name] == sa.bindparam(f"of_{name}") for name in names)
    update = past_values.update().where(*there).values(valid_to=sa.bindparam("ends_at"))
    connection.execute(
        update.values(changed_seq=seq),
        [
            {f"of_{name}": row[name] for name in names} | {"ends_at": row["valid_to"]}
            for row in rows
        ],
    )


@dataclass(frozen=True, slots=True)
class Past:
    """The past values of a store."""

    writing: Callable[[str], AbstractContextManager[sa.Connection]]
    reading: Callable[[], AbstractContextManager[sa.Connection]]

    def keep(self, *, is_wanted: bool) -> None:
        """Begin to keep past values, with what there is now, or keep none any more."""
        with self.reading() as connection:
            is_kept = load_fact(connection, IS_KEPT) == "yes"
        if is_kept == is_wanted:
            return
        with self.writing("past values") as connection:
            save_fact(connection, IS_KEPT, "yes" if is_wanted else "no")
            if is_wanted:
                seq = next_seq(connection)
                for kind in STORED:
                    _begin(connection, kind, seq)

    def load(self, *, after_seq: int) -> Iterator[list[Row]]:
        """Yield what was written after a number, in the order in which it was."""
        order = ("changed_seq", "kind", *PLACE, "field", "valid_from")
        columns = [past_values.c[name] for name in order]

        def load_after(after: Key | None) -> list[Row]:
            query = sa.select(past_values).order_by(*columns).limit(BATCH)
            if after is None:
                query = query.where(past_values.c.changed_seq > after_seq)
            else:
                query = query.where(sa.tuple_(*columns) > sa.tuple_(*after))
            with self.reading() as connection:
                return [dict(row) for row in connection.execute(query).mappings()]

        return iterate_batches(load_after, order)


def _begin(connection: sa.Connection, kind: Kind, seq: int) -> None:
    """Take down what a kind's objects are like, and what went while nothing was kept."""
    if not kind.remembered:
        return
    table = KIND_TABLES[kind.plural]
    columns = dict.fromkeys((*kind.key, *kind.remembered, "synced_at"))
    query = sa.select(*(table.c[name] for name in columns)).where(sa.not_(is_gone(kind)))
    for rows in connection.execute(query).mappings().partitions(BATCH):
        remember(connection, kind, [dict(row) for row in rows], seq=seq, at=None)
    if "deleted_at" in table.c:
        gone: dict[datetime, Any] = {}
        for at in connection.scalars(
            sa.select(table.c.deleted_at).where(table.c.deleted_at.is_not(None)).distinct()
        ):
            gone[at] = table.c.deleted_at == at
        for at, condition in gone.items():
            end(connection, kind, condition, seq, at)

"""The books: single facts, remembered scopes, the log of syncs, what went wrong, what went."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict
from uuid import uuid4

import sqlalchemy as sa

from wandb_mirror.jsontext import clean, dumps
from wandb_mirror.kinds.pages import Row
from wandb_mirror.store.conditions import Key, in_parts
from wandb_mirror.store.engine import upsert
from wandb_mirror.store.tables import facts, removals, scopes, sync_errors, sync_log

SEQ = "changed_seq"


class Figures(TypedDict, total=False):
    """What a sync cost and brought."""

    requests: int
    retries: int
    throttled: int
    bytes_received: int
    rows: int


def load_fact(connection: sa.Connection, name: str) -> str | None:
    """Return a fact, or None where it was never saved."""
    return connection.scalar(sa.select(facts.c.value).where(facts.c.name == name))


def save_fact(connection: sa.Connection, name: str, value: str) -> None:
    """Save a fact in place of what it was."""
    row = {"name": name, "value": clean(value)}
    connection.execute(upsert(facts, tuple(row)), [row])


def make_fact(connection: sa.Connection, name: str, value: str) -> str:
    """Save a fact unless it is there already; return what is there now."""
    known = load_fact(connection, name)
    if known is None:
        save_fact(connection, name, value)
    return value if known is None else known


def load_seq(connection: sa.Connection) -> int:
    """Return the number of the latest change."""
    return int(load_fact(connection, SEQ) or 0)


def next_seq(connection: sa.Connection) -> int:
    """Take the next number for what this transaction changes; it is the only one that can."""
    locked = sa.select(facts.c.value).where(facts.c.name == SEQ).with_for_update()
    seq = int(connection.scalar(locked) or 0) + 1
    save_fact(connection, SEQ, str(seq))
    return seq


def load_scopes(connection: sa.Connection) -> list[tuple[str, str]]:
    """Return what a sync without arguments takes, as (entity, project or nothing)."""
    paths = connection.scalars(sa.select(scopes.c.path).order_by(scopes.c.added_at, scopes.c.path))
    parts = [path.partition("/") for path in paths]
    return [(entity, project) for entity, _, project in parts]


def spell_path(entity: str, project: str) -> str:
    """Return a path as people write it; an entity's own without a project."""
    return clean(f"{entity}/{project}" if project else entity)


def add_scope(connection: sa.Connection, path: str, now: datetime) -> None:
    """Remember a scope; one that is known keeps its place."""
    if connection.scalar(sa.select(scopes.c.path).where(scopes.c.path == path)) is None:
        connection.execute(scopes.insert(), [{"path": path, "added_at": now}])


def begin_sync(connection: sa.Connection, now: datetime) -> str:
    """Open an entry of the log and return its id.

    One that is still open belongs to a sync that was killed: two never run at once.
    """
    connection.execute(
        sync_log.update().where(sync_log.c.status == "running").values(status="killed")
    )
    sync_id = uuid4().hex
    row = {"sync_id": sync_id, "started_at": now, "status": "running"}
    connection.execute(sync_log.insert(), [row])
    return sync_id


def finish_sync(
    connection: sa.Connection, sync_id: str, *, now: datetime, status: str, figures: Figures
) -> None:
    """Close an entry of the log."""
    values: Row = {"finished_at": now, "status": status, **figures}
    if "bytes_received" in values:
        values["bytes"] = values.pop("bytes_received")
    connection.execute(sync_log.update().where(sync_log.c.sync_id == sync_id).values(values))


def load_log(connection: sa.Connection) -> list[Row]:
    """Return the log, oldest first."""
    query = sa.select(sync_log).order_by(sync_log.c.started_at, sync_log.c.sync_id)
    return [dict(row) for row in connection.execute(query).mappings()]


def save_error(connection: sa.Connection, kind: str, key: str, error: str, now: datetime) -> None:
    """Record that an object could not be read, once more or for the first time.

    One that is new or says something else is a change; one more attempt is none.
    """
    key, error = clean(key), clean(error)
    there = sa.and_(sync_errors.c.kind == kind, sync_errors.c.key == key)
    known = connection.scalar(sa.select(sync_errors.c.error).where(there))
    if known != error:
        next_seq(connection)
    if known is None:
        row = {"kind": kind, "key": key, "error": error, "attempts": 1}
        connection.execute(sync_errors.insert(), [row | {"first_at": now, "last_at": now}])
    else:
        again = {"error": error, "attempts": sync_errors.c.attempts + 1, "last_at": now}
        connection.execute(sync_errors.update().where(there).values(again))


def clear_error(connection: sa.Connection, kind: str, key: str) -> bool:
    """Forget that an object could not be read; True where that stood in the books."""
    there = sa.and_(sync_errors.c.kind == kind, sync_errors.c.key == clean(key))
    if connection.execute(sync_errors.delete().where(there)).rowcount == 0:
        return False
    next_seq(connection)
    return True


def load_errors(connection: sa.Connection) -> list[Row]:
    """Return what could not be read."""
    query = sa.select(sync_errors).order_by(sync_errors.c.kind, sync_errors.c.key)
    return [dict(row) for row in connection.execute(query).mappings()]


def forget_paths(connection: sa.Connection, path: str) -> None:
    """Forget the scope at a path, and the errors at it and below."""
    connection.execute(scopes.delete().where(scopes.c.path == path))
    for each in load_errors(connection):
        if f"{each['key']}/".startswith(f"{path}/"):
            clear_error(connection, each["kind"], each["key"])


def save_removals(connection: sa.Connection, kind: str, keys: Sequence[Key], seq: int) -> None:
    """Note that rows were removed from a kind's table."""
    rows = [{"kind": kind, "key": dumps(list(key)), "changed_seq": seq} for key in keys]
    if rows:
        connection.execute(upsert(removals, tuple(rows[0])), rows)


def drop_removals(connection: sa.Connection, kind: str, keys: Sequence[Key]) -> None:
    """Forget that rows were removed: they are there again."""
    of_kind = removals.c.kind == kind
    if connection.scalar(sa.select(removals.c.key).where(of_kind).limit(1)) is None:
        return
    for part in in_parts([dumps(list(key)) for key in keys]):
        connection.execute(removals.delete().where(of_kind, removals.c.key.in_(part)))


def load_removals(connection: sa.Connection, after_seq: int) -> list[Row]:
    """Return which rows were removed after a change and are not there again."""
    query = sa.select(removals).where(removals.c.changed_seq > after_seq)
    query = query.order_by(removals.c.changed_seq, removals.c.kind, removals.c.key)
    return [dict(row) for row in connection.execute(query).mappings()]

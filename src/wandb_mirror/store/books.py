"""The books: single facts, remembered scopes, the log of syncs, and what went wrong."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import uuid4

import sqlalchemy as sa

from wandb_mirror.jsontext import clean
from wandb_mirror.kinds.pages import Row
from wandb_mirror.store.engine import upsert
from wandb_mirror.store.tables import facts, removals, scopes, sync_errors, sync_log

SEQ = "changed_seq"


def load_fact(connection: sa.Connection, name: str) -> str | None:
    """Return a fact, or None where it was never saved."""
    return connection.scalar(sa.select(facts.c.value).where(facts.c.name == name))


def save_fact(connection: sa.Connection, name: str, value: str) -> None:
    """Save a fact in place of what it was."""
    row = {"name": name, "value": value}
    connection.execute(upsert(facts, connection.dialect, list(row)), [row])


def load_seq(connection: sa.Connection) -> int:
    """Return the number of the latest change."""
    return int(load_fact(connection, SEQ) or 0)


def next_seq(connection: sa.Connection) -> int:
    """Take the next number for changes that are made in this transaction."""
    seq = load_seq(connection) + 1
    save_fact(connection, SEQ, str(seq))
    return seq


def load_scopes(connection: sa.Connection) -> list[tuple[str, str]]:
    """Return what a sync without arguments takes, as (entity, project or nothing)."""
    query = sa.select(scopes.c.entity, scopes.c.project).order_by(scopes.c.added_at)
    return [(entity, project) for entity, project in connection.execute(query)]


def add_scope(connection: sa.Connection, entity: str, project: str, now: datetime) -> None:
    """Remember a scope; one that is known keeps its place."""
    there = sa.and_(scopes.c.entity == entity, scopes.c.project == project)
    if connection.scalar(sa.select(sa.func.count()).select_from(scopes).where(there)) == 0:
        row = {"entity": entity, "project": project, "added_at": now}
        connection.execute(scopes.insert(), [row])


def remove_scope(connection: sa.Connection, entity: str, project: str) -> None:
    """Forget a scope."""
    there = sa.and_(scopes.c.entity == entity, scopes.c.project == project)
    connection.execute(scopes.delete().where(there))


def begin_sync(connection: sa.Connection, now: datetime) -> str:
    """Open an entry of the log and return its id."""
    sync_id = uuid4().hex
    row = {"sync_id": sync_id, "started_at": now, "status": "running"}
    connection.execute(sync_log.insert(), [row])
    return sync_id


def finish_sync(
    connection: sa.Connection, sync_id: str, now: datetime, figures: Mapping[str, object]
) -> None:
    """Close an entry of the log."""
    values = {"finished_at": now, **figures}
    connection.execute(sync_log.update().where(sync_log.c.sync_id == sync_id).values(values))


def load_log(connection: sa.Connection) -> list[Row]:
    """Return the log, oldest first."""
    query = sa.select(sync_log).order_by(sync_log.c.started_at)
    return [dict(row) for row in connection.execute(query).mappings()]


def save_error(connection: sa.Connection, kind: str, key: str, error: str, now: datetime) -> None:
    """Record that an object could not be read, once more or for the first time."""
    row: dict[str, Any] = {"kind": kind, "key": clean(key), "error": clean(error)}
    row |= {"attempts": 1, "first_at": now, "last_at": now}
    there = sa.and_(sync_errors.c.kind == kind, sync_errors.c.key == row["key"])
    again = {"error": row["error"], "attempts": sync_errors.c.attempts + 1, "last_at": now}
    if connection.execute(sync_errors.update().where(there).values(again)).rowcount == 0:
        connection.execute(sync_errors.insert(), [row])


def clear_error(connection: sa.Connection, kind: str, key: str) -> bool:
    """Forget that an object could not be read; True where that stood in the books."""
    there = sa.and_(sync_errors.c.kind == kind, sync_errors.c.key == clean(key))
    return connection.execute(sync_errors.delete().where(there)).rowcount > 0


def load_errors(connection: sa.Connection) -> list[Row]:
    """Return what could not be read."""
    query = sa.select(sync_errors).order_by(sync_errors.c.kind, sync_errors.c.key)
    return [dict(row) for row in connection.execute(query).mappings()]


def load_removals(connection: sa.Connection, after_seq: int) -> list[Row]:
    """Return which rows were removed after a change."""
    query = sa.select(removals).where(removals.c.changed_seq > after_seq)
    return [dict(row) for row in connection.execute(query).mappings()]

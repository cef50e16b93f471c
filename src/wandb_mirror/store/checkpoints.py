"""Checkpoints: how far a scope of a kind has been read, kept with the rows of the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from wandb_mirror.jsontext import clean, dumps, loads
from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.store.engine import upsert
from wandb_mirror.store.tables import checkpoints


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """How far a scope has been read. It is saved in the transaction that saves the page."""

    scope: ScopeOf
    cursor: str | None = None
    """Upstream's page token, where the walk goes on; None at the end of a walk."""
    watermark: datetime | None = None
    """The latest change fully read, as the server dates it."""


def spell_scope(kind: Kind, scope: ScopeOf) -> str:
    """Return a scope as its checkpoint names it: by ids, which a renamed project keeps."""
    names = kind.scope_columns or (("entity",) if kind.scope == "entity" else ())
    return dumps([clean(value) for value in scope.columns(names).values()])


def save_checkpoints(
    connection: sa.Connection, kind: Kind, saved: Sequence[Checkpoint], now: datetime
) -> None:
    """Save checkpoints in place of the ones before."""
    rows = [
        {
            "kind": kind.plural,
            "scope": spell_scope(kind, each.scope),
            "cursor": each.cursor,
            "watermark": each.watermark,
            "updated_at": now,
        }
        for each in saved
    ]
    if rows:
        connection.execute(upsert(checkpoints, tuple(rows[0])), rows)


def load_checkpoint(connection: sa.Connection, kind: Kind, scope: ScopeOf) -> Checkpoint | None:
    """Return how far a scope has been read, or None where it never was."""
    query = sa.select(checkpoints.c.cursor, checkpoints.c.watermark).where(
        checkpoints.c.kind == kind.plural, checkpoints.c.scope == spell_scope(kind, scope)
    )
    row = connection.execute(query).one_or_none()
    return None if row is None else Checkpoint(scope, row.cursor, row.watermark)


def load_marks(connection: sa.Connection, kind: Kind) -> dict[str, str | None]:
    """Return the cursor of every scope of a kind, by the scope as it is spelled."""
    query = sa.select(checkpoints.c.scope, checkpoints.c.cursor)
    rows = connection.execute(query.where(checkpoints.c.kind == kind.plural))
    return {row.scope: row.cursor for row in rows}


def forget_checkpoints(connection: sa.Connection, project_id: str) -> None:
    """Forget how far the scopes inside a project have been read."""
    inside = [kind.plural for kind in STORED if kind.scope_columns]
    there = checkpoints.c.kind.in_(inside)
    for kind, scope in connection.execute(
        sa.select(checkpoints.c.kind, checkpoints.c.scope).where(there)
    ).all():
        if loads(scope)[0] == project_id:
            connection.execute(
                checkpoints.delete().where(checkpoints.c.kind == kind, checkpoints.c.scope == scope)
            )

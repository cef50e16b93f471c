"""What upstream no longer shows, and what the user wants forgotten."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from wandb_mirror.jsontext import clean
from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.store.books import forget_paths, next_seq, save_removals
from wandb_mirror.store.checkpoints import forget_checkpoints
from wandb_mirror.store.conditions import Condition, has_key, in_parts, in_scope, is_gone, live_keys
from wandb_mirror.store.past import end
from wandb_mirror.store.tables import KIND_TABLES, past_values

PROJECT_KEY = ("project_id",)


def mark_missing(
    connection: sa.Connection, kind: Kind, scope: ScopeOf, *, seen: Collection[str], now: datetime
) -> list[str]:
    """Mark or remove what a complete listing of a scope did not show, as its kind says.

    Returns the own keys; what was marked before keeps its mark.
    """
    known = connection.scalars(*live_keys(kind, scope))
    missing = sorted(set(known).difference(map(clean, seen)))
    if missing:
        own = KIND_TABLES[kind.plural].c[kind.own_key]
        inside = in_scope(kind, scope)
        seq = next_seq(connection)
        for part in in_parts(missing):
            _let_go(connection, kind, sa.and_(inside, own.in_(part)), seq, now)
    return missing


def _let_go(
    connection: sa.Connection, kind: Kind, condition: Condition, seq: int, now: datetime
) -> None:
    if kind.when_gone != "inaccessible":
        end(connection, kind, condition, seq, now)
    if kind.when_gone == "removed":
        _remove(connection, kind, condition, seq)
    elif kind.when_gone == "deleted":
        _mark(connection, kind, condition, seq, deleted_at=now, synced_at=now)
    else:
        _mark(connection, kind, condition, seq, inaccessible_since=now, synced_at=now)


def _mark(
    connection: sa.Connection, kind: Kind, condition: Condition, seq: int, **marks: datetime
) -> None:
    update = KIND_TABLES[kind.plural].update().where(condition)
    connection.execute(update.values(changed_seq=seq, **marks))


def mark_inaccessible(
    connection: sa.Connection, kind: Kind, key: tuple[str, ...], now: datetime
) -> bool:
    """Mark one object as no longer visible; False where it is not there or marked already."""
    table = KIND_TABLES[kind.plural]
    condition = sa.and_(has_key(kind, tuple(map(clean, key))), sa.not_(is_gone(kind)))
    if connection.scalar(sa.select(sa.func.count()).select_from(table).where(condition)) == 0:
        return False
    seq = next_seq(connection)
    _mark(connection, kind, condition, seq, inaccessible_since=now, synced_at=now)
    return True


def mark_deleted(
    connection: sa.Connection, kind: Kind, key: tuple[str, ...], now: datetime
) -> None:
    """Mark one object as deleted upstream."""
    condition = sa.and_(has_key(kind, tuple(map(clean, key))), sa.not_(is_gone(kind)))
    seq = next_seq(connection)
    end(connection, kind, condition, seq, now)
    _mark(connection, kind, condition, seq, deleted_at=now, synced_at=now)


def _remove(connection: sa.Connection, kind: Kind, condition: Condition, seq: int) -> int:
    """Delete rows, and write into the books which."""
    table = KIND_TABLES[kind.plural]
    keys = connection.execute(sa.select(*(table.c[name] for name in kind.key)).where(condition))
    removed = [tuple(key) for key in keys]
    save_removals(connection, kind.plural, removed, seq)
    connection.execute(table.delete().where(condition))
    return len(removed)


def forget_project(connection: sa.Connection, project_id: str) -> int:
    """Remove every row of a project and what the books say of it; return how many rows."""
    seq = next_seq(connection)
    project_id = clean(project_id)
    removed = 0
    for kind in STORED:
        table = KIND_TABLES[kind.plural]
        if kind.key == PROJECT_KEY:
            names = sa.select(table.c.entity, table.c.project).where(has_key(kind, (project_id,)))
            for entity, project in connection.execute(names).all():
                forget_paths(connection, f"{entity}/{project}")
        if PROJECT_KEY[0] in table.c:
            removed += _remove(connection, kind, table.c.project_id == project_id, seq)
    forget_checkpoints(connection, project_id)
    connection.execute(past_values.delete().where(past_values.c.project_id == project_id))
    return removed

"""Edits as rows of the store."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from wandb_mirror.edits.edit import Edit, Target
from wandb_mirror.edits.values import decode, encode
from wandb_mirror.jsontext import clean, dumps, loads
from wandb_mirror.kinds.pages import Row
from wandb_mirror.store.conditions import in_parts
from wandb_mirror.store.engine import upsert
from wandb_mirror.store.tables import edits

Cell = tuple[str, str, str, str, str]


def about(targets: Iterable[Sequence[str]]) -> list[sa.ColumnElement[bool]]:
    """Return conditions that together hold for the edits of some objects."""
    by_place: dict[tuple[str, str], list[str]] = {}
    for kind, project_id, own_key in targets:
        by_place.setdefault((kind, project_id), []).append(own_key)
    return [
        sa.and_(edits.c.kind == kind, edits.c.project_id == project_id, edits.c.own_key.in_(part))
        for (kind, project_id), own_keys in by_place.items()
        for part in in_parts(own_keys)
    ]


def load_edits(
    connection: sa.Connection, conditions: Iterable[sa.ColumnElement[bool]]
) -> list[Edit]:
    """Return the edits that fulfil one of some conditions; by path, then by field."""
    order = (edits.c.path, edits.c.field, edits.c.key)
    return [
        _read(row)
        for condition in conditions
        for row in connection.execute(sa.select(edits).where(condition).order_by(*order)).mappings()
    ]


def _read(row: Any) -> Edit:
    return Edit(
        Target(row["kind"], row["project_id"], row["own_key"], row["path"]),
        row["field"],
        row["key"],
        decode(row["base"]),
        decode(row["local"]),
        row["state"],
        tuple(decode(each) for each in loads(row["sent"])),
        decode(row["upstream"]),
        row["error"],
        row["attempts"],
        row["reply_seq"],
        row["revision"],
    )


def write_edit(edit: Edit, now: datetime) -> Row:
    """Return an edit as a row."""
    return {
        **dict(zip(("kind", "project_id", "own_key", "field", "key"), edit.cell, strict=True)),
        "path": edit.target.path,
        "base": encode(edit.base),
        "local": encode(edit.local),
        "state": edit.state,
        "sent": dumps([encode(each) for each in edit.sent]),
        "upstream": encode(edit.upstream),
        "error": None if edit.error is None else clean(edit.error),
        "attempts": edit.attempts,
        "reply_seq": edit.reply_seq,
        "revision": edit.revision,
        "changed_at": now,
    }


def save_edits(connection: sa.Connection, kept: Sequence[Edit], now: datetime) -> None:
    """Insert edits, or replace those of the same cells."""
    rows = [write_edit(each, now) for each in kept]
    if rows:
        connection.execute(upsert(edits, tuple(rows[0])), rows)


def delete_edits(connection: sa.Connection, cells: Sequence[Cell]) -> None:
    """Take edits out by their cells."""
    if not cells:
        return
    names = ("kind", "project_id", "own_key", "field", "key")
    there = [edits.c[name] == sa.bindparam(f"its_{name}") for name in names]
    connection.execute(
        edits.delete().where(*there),
        [{f"its_{n}": part for n, part in zip(names, cell, strict=True)} for cell in cells],
    )

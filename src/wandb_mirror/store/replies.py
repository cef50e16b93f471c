"""What upstream replied to a push becomes rows, so that the next publication shows it.

An object may be several rows (a version of an artifact has one in each collection), and may list
names that rows of another kind show (the aliases of a collection): those are written too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from wandb_mirror.edits.cells import read_stored
from wandb_mirror.edits.pointers import names_of
from wandb_mirror.edits.spec import Editable, EditField, Pointed
from wandb_mirror.jsontext import clean, dumps, loads
from wandb_mirror.kinds import kind_named
from wandb_mirror.kinds.pages import Row
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.store.conditions import in_parts, with_keys
from wandb_mirror.store.renames import follow_renames
from wandb_mirror.store.save import save_rows
from wandb_mirror.store.tables import KIND_TABLES

Sequenced = dict[tuple[str, str], int]
"""Project and own key to the number of the change with which an object was last written."""


def save_replies(
    connection: sa.Connection, editable: Editable, replies: Sequence[Row], *, now: datetime
) -> Sequenced:
    """Save what upstream replied of some objects; return the numbers of their changes."""
    if not replies:
        return {}
    kind = kind_named(editable.kind)
    columns = {*kind.scope_columns, *(field.column for field in kind.fields)}
    own = [{name: value for name, value in row.items() if name in columns} for row in replies]
    for spec in editable.fields:
        if spec.copies:
            follow_renames(connection, editable, spec, own, now=now)
    rows = list(_share_out(connection, kind, editable.own_key, own)) if editable.is_shared else own
    save_rows(connection, kind, rows, now=now, is_whole=True)
    for spec in editable.fields:
        if spec.points_to is not None:
            _save_pointed(connection, spec, spec.points_to, own, now)
    return _sequence_of(connection, kind, editable.own_key, rows)


def _share_out(
    connection: sa.Connection, kind: Kind, own_key: str, replies: Sequence[Row]
) -> Iterator[Row]:
    """Yield the rows that some objects are, each with what was replied of its object."""
    replied = {clean(row[own_key]): row for row in replies}
    table = KIND_TABLES[kind.plural]
    for part in in_parts(list(replied)):
        for row in _load(connection, kind, table.c[own_key].in_(part)):
            yield row | replied[row[own_key]]


def _load(
    connection: sa.Connection, kind: Kind, *conditions: sa.ColumnElement[bool]
) -> list[dict[str, Any]]:
    """Return rows that upstream has not deleted, in the columns that are upstream's."""
    table = KIND_TABLES[kind.plural]
    names = [*kind.scope_columns, *(field.column for field in kind.fields)]
    query = sa.select(*(table.c[name] for name in names))
    query = query.where(*conditions, table.c.deleted_at.is_(None))
    return [dict(row) for row in connection.execute(query).mappings()]


def _save_pointed(
    connection: sa.Connection,
    spec: EditField,
    pointed: Pointed,
    replies: Sequence[Mapping[str, Any]],
    now: datetime,
) -> None:
    """Save in the rows that names point to which names those are."""
    kind = kind_named(pointed.kind)
    table = KIND_TABLES[kind.plural]
    changed: list[Row] = []
    for reply in replies:
        pointers = read_stored(spec, reply.get(spec.column)) or {}
        names = ("project_id", pointed.inside)
        for row in _load(connection, kind, *(table.c[n] == clean(reply[n]) for n in names)):
            text = row[pointed.column]
            own = names_of(pointers, row[pointed.id_column], loads(text) if text else ())
            changed.append(row | {pointed.column: dumps(own)})
    save_rows(connection, kind, changed, now=now, is_whole=True)


def _sequence_of(
    connection: sa.Connection, kind: Kind, own_key: str, rows: Sequence[Row]
) -> Sequenced:
    """Return the number of the change that each row was last written with."""
    table = KIND_TABLES[kind.plural]
    keys = [tuple(row[name] for name in kind.key) for row in rows]
    found: Sequenced = {}
    for condition in with_keys(kind, keys):
        query = sa.select(table.c[kind.key[0]], table.c[own_key], table.c.changed_seq)
        for project_id, own, sequence in connection.execute(query.where(condition)):
            found[project_id, own] = max(sequence, found.get((project_id, own), 0))
    return found

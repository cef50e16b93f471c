"""What upstream calls otherwise is called so here: its own row, and all rows that hold its name.

The rows of what is renamed are known by its name, so they are the same rows under other keys, and
the warehouse is told that the old keys are gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from wandb_mirror.edits.spec import Copied, Editable, EditField
from wandb_mirror.jsontext import clean
from wandb_mirror.kinds import KINDS, kind_named
from wandb_mirror.kinds.pages import Row
from wandb_mirror.store.books import drop_removals, next_seq, save_removals
from wandb_mirror.store.tables import KIND_TABLES


def follow_renames(
    connection: sa.Connection,
    editable: Editable,
    spec: EditField,
    replies: Sequence[Row],
    *,
    now: datetime,
) -> None:
    """Rename what upstream replies under another name than it has here."""
    table = KIND_TABLES[editable.kind]
    name = table.c[spec.column]
    for reply in replies:
        project_id, own_key = clean(reply["project_id"]), clean(reply[editable.own_key])
        own = sa.and_(table.c.project_id == project_id, table.c[editable.own_key] == own_key)
        new = clean(reply[spec.column])
        live = sa.and_(own, table.c.deleted_at.is_(None), name != new)
        for old in list(connection.scalars(sa.select(name).where(live))):
            for copied in (Copied(editable.kind, spec.column), *spec.copies):
                _rename(connection, copied, project_id, (old, new), now)


def _rename(
    connection: sa.Connection,
    copied: Copied,
    project_id: str,
    names: tuple[str, str],
    now: datetime,
) -> None:
    """Write the new name where the old one stands."""
    kind, table = kind_named(copied.kind), KIND_TABLES[copied.kind]
    old, new = names
    column = table.c[copied.column]
    inside = table.c.project_id == project_id
    if copied.project:
        projects = KIND_TABLES[next(each.plural for each in KINDS if each.holds == "project")]
        place = sa.select(projects.c.project, projects.c.entity)
        place = place.where(projects.c.project_id == project_id)
        found = connection.execute(place).first()
        if found is None:
            return
        inside = sa.and_(table.c[copied.project] == found[0], table.c[copied.entity] == found[1])
    keys = sa.select(*(table.c[each] for each in kind.key)).where(inside)
    before = [tuple(key) for key in connection.execute(keys.where(column == old))]
    if not before:
        return
    sequence = next_seq(connection)
    if copied.column in kind.key:
        place_of = kind.key.index(copied.column)
        after = [(*key[:place_of], new, *key[place_of + 1 :]) for key in before]
        # what had the name before was deleted upstream, or the name would not be free
        gone = [tuple(key) for key in connection.execute(keys.where(column == new))]
        connection.execute(table.delete().where(inside, column == new))
        save_removals(connection, kind.plural, [*before, *gone], sequence)
        drop_removals(connection, kind.plural, after)
    change = table.update().where(inside, column == old)
    connection.execute(change.values({column: new, "changed_seq": sequence, "synced_at": now}))

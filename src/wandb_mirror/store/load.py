"""Load rows of kinds, one batch a call: nothing stays open between two."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from wandb_mirror.jsontext import clean
from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.store.conditions import Key, in_parts, in_scope, is_gone, with_keys
from wandb_mirror.store.digest import Digest
from wandb_mirror.store.tables import KIND_TABLES


def load_digests(
    connection: sa.Connection, kind: Kind, scope: ScopeOf, own_keys: Sequence[str]
) -> dict[str, Digest]:
    """Return what there is to compare objects of a scope by, under the keys as they were given."""
    table = KIND_TABLES[kind.plural]
    own = table.c[kind.own_key]
    given = {clean(own_key): own_key for own_key in own_keys}
    inside = in_scope(kind, scope) if kind.scope_columns else sa.true()
    found: dict[str, Digest] = {}
    for part in in_parts(list(given)):
        query = sa.select(own, table.c.light_digest, is_gone(kind)).where(inside, own.in_(part))
        for own_key, light_digest, gone in connection.execute(query):
            found[given[own_key]] = Digest(light_digest, bool(gone))
    return found


def load_batch(
    connection: sa.Connection,
    kind: Kind,
    *,
    where: Mapping[str, object],
    columns: Sequence[str] | None,
    after: Key | None,
    limit: int,
) -> list[Row]:
    """Return rows in the order of their keys, beginning after one; the key is always there.

    Key columns that ``where`` gives are no part of the order: SQLite finds where to go on by the
    index only without them.
    """
    table = KIND_TABLES[kind.plural]
    names = columns if columns is not None else [column.name for column in table.columns]
    wanted = dict.fromkeys([*kind.key, *names])
    order = [name for name in kind.key if name not in where] or list(kind.key)
    query = sa.select(*(table.c[name] for name in wanted)).limit(limit)
    query = query.order_by(*(table.c[name] for name in order))
    query = query.where(*(table.c[name] == value for name, value in where.items()))
    if after is not None:
        there = dict(zip(kind.key, after, strict=True))
        place = sa.tuple_(*(there[name] for name in order))
        query = query.where(sa.tuple_(*(table.c[name] for name in order)) > place)
    return [dict(row) for row in connection.execute(query).mappings()]


def load_named(connection: sa.Connection, kind: Kind, keys: Sequence[Key]) -> dict[Key, Row]:
    """Return whole rows by their keys; what is not there is left out."""
    table = KIND_TABLES[kind.plural]
    found: dict[Key, Row] = {}
    for condition in with_keys(kind, keys):
        for row in connection.execute(sa.select(table).where(condition)).mappings():
            found[tuple(row[name] for name in kind.key)] = dict(row)
    return found


def load_changed_batch(
    connection: sa.Connection, kind: Kind, *, after_seq: int, after: Key | None, limit: int
) -> list[Row]:
    """Return whole rows in the order of (number, key), beginning after a number or a row.

    Most kinds have nothing new most of the time: SQLAlchemy takes a millisecond to write the query
    for a kind's columns, so what is newest is asked for first.
    """
    table = KIND_TABLES[kind.plural]
    newest = connection.exec_driver_sql(f"SELECT max(changed_seq) FROM {table.name}").scalar()
    if newest is None or newest <= after_seq:
        return []
    order = [table.c.changed_seq, *(table.c[name] for name in kind.key)]
    query = sa.select(table).order_by(*order).limit(limit)
    if after is None:
        query = query.where(table.c.changed_seq > after_seq)
    else:
        query = query.where(sa.tuple_(*order) > sa.tuple_(*after))
    return [dict(row) for row in connection.execute(query).mappings()]


def iterate_batches(
    load: Callable[[Key | None], list[Row]], place: Sequence[str]
) -> Iterator[list[Row]]:
    """Yield batches, each loaded after the last row of the one before by its ``place`` columns."""
    after: Key | None = None
    while batch := load(after):
        yield batch
        after = tuple(batch[-1][name] for name in place)


def count_live(connection: sa.Connection, kind: Kind, scope: ScopeOf) -> int:
    """Return how many objects of a scope are not gone."""
    query = sa.select(sa.func.count()).select_from(KIND_TABLES[kind.plural])
    return connection.execute(
        query.where(in_scope(kind, scope), sa.not_(is_gone(kind)))
    ).scalar_one()


def load_own_keys(
    connection: sa.Connection, kind: Kind, scope: ScopeOf, column: str, values: Collection[str]
) -> list[str]:
    """Return the own keys of objects of a scope that are not gone and have one of some values."""
    table = KIND_TABLES[kind.plural]
    own: sa.Column[Any] = table.c[kind.own_key]
    query = sa.select(own).where(in_scope(kind, scope), sa.not_(is_gone(kind)))
    return list(connection.scalars(query.where(table.c[column].in_(sorted(values))).order_by(own)))


def load_oldest_checked(
    connection: sa.Connection, kind: Kind, scope: ScopeOf, limit: int
) -> list[str]:
    """Return the own keys of objects of a scope read whole longest ago; never comes first."""
    table = KIND_TABLES[kind.plural]
    own: sa.Column[Any] = table.c[kind.own_key]
    query = (
        sa.select(own)
        .where(in_scope(kind, scope), sa.not_(is_gone(kind)))
        .order_by(table.c.checked_at.nulls_first(), own)
        .limit(limit)
    )
    return list(connection.scalars(query))

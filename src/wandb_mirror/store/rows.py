"""Rows of kinds: saved in one transaction a call, read in batches that hold none open."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from wandb_mirror.jsontext import clean, dumps
from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.pages import Row, Saved, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.store.books import next_seq
from wandb_mirror.store.digest import Digest, digest_light
from wandb_mirror.store.engine import upsert
from wandb_mirror.store.tables import KIND_TABLES, removals

KEYS_TOGETHER = 500
"""Keys in one ``IN`` list: SQLite takes 32,766 variables, older builds 999."""


def scope_condition(kind: Kind, scope: ScopeOf) -> sa.ColumnElement[bool]:
    """Return the condition that a row lies in a scope."""
    table = KIND_TABLES[kind.plural]
    columns = kind.scope_columns or (("entity",) if kind.scope == "entity" else ())
    parts = [table.c[name] == getattr(scope, name) for name in columns]
    return sa.and_(sa.true(), *parts)


def _is_gone(table: sa.Table) -> sa.ColumnElement[bool]:
    return sa.or_(table.c.deleted_at.is_not(None), table.c.inaccessible_since.is_not(None))


def save_rows(
    connection: sa.Connection, kind: Kind, rows: Sequence[Row], *, now: datetime, is_whole: bool
) -> Saved:
    """Write those rows that differ from what is there, all under one new number.

    A row is compared by the columns it carries. What was marked gone is there again.
    """
    table = KIND_TABLES[kind.plural]
    by_key = {tuple(row[name] for name in kind.key): _cleaned(row) for row in rows}
    there = _load_there(connection, table, kind, list(by_key))
    changed: list[Row] = []
    checked: list[Row] = []
    for key, row in by_key.items():
        old = there.get(key)
        books: Row = {"light_digest": digest_light(kind, row)}
        if is_whole:
            books["checked_at"] = now
        if old is None or _differs(old, row):
            changed.append({**row, **books})
        elif is_whole:
            checked.append({**{name: row[name] for name in kind.key}, **books})
    if changed:
        seq = next_seq(connection)
        marks = {
            "changed_seq": seq,
            "synced_at": now,
            "deleted_at": None,
            "inaccessible_since": None,
        }
        written = [{**row, **marks} for row in changed]
        connection.execute(upsert(table, connection.dialect, list(written[0])), written)
    if checked:
        update = table.update().where(
            *(table.c[name] == sa.bindparam(f"key_{name}") for name in kind.key)
        )
        connection.execute(
            update,
            [{**{f"key_{name}": row.pop(name) for name in kind.key}, **row} for row in checked],
        )
    own = tuple(row[kind.own_key] for row in changed)
    return Saved(len(changed), len(by_key) - len(changed), own)


def _cleaned(row: Row) -> Row:
    """Return a row whose text any database can hold."""
    return {name: clean(value) if type(value) is str else value for name, value in row.items()}


def _differs(old: Mapping[str, Any], row: Row) -> bool:
    if old["deleted_at"] is not None or old["inaccessible_since"] is not None:
        return True
    return any(old[name] != value for name, value in row.items())


def _load_there(
    connection: sa.Connection, table: sa.Table, kind: Kind, keys: list[tuple[Any, ...]]
) -> dict[tuple[Any, ...], Mapping[str, Any]]:
    """Return the stored rows of some keys."""
    columns = [table.c[name] for name in kind.key]
    there: dict[tuple[Any, ...], Mapping[str, Any]] = {}
    for start in range(0, len(keys), KEYS_TOGETHER):
        part = keys[start : start + KEYS_TOGETHER]
        query = sa.select(table).where(_any_key(columns, part))
        for row in connection.execute(query).mappings():
            there[tuple(row[name] for name in kind.key)] = dict(row)
    return there


def _any_key(
    columns: Sequence[sa.Column[Any]], keys: Sequence[tuple[Any, ...]]
) -> sa.ColumnElement[bool]:
    """Return the condition that a row has one of the keys; all but the last part are few."""
    *scope, own = columns
    by_scope: dict[tuple[Any, ...], list[Any]] = {}
    for key in keys:
        by_scope.setdefault(key[:-1], []).append(key[-1])
    return sa.or_(
        *(
            sa.and_(
                *(column == value for column, value in zip(scope, values, strict=True)),
                own.in_(own_keys),
            )
            for values, own_keys in by_scope.items()
        )
    )


def load_digests(
    connection: sa.Connection, kind: Kind, scope: ScopeOf, own_keys: Sequence[str]
) -> dict[str, Digest]:
    """Return what there is to compare objects of a scope by."""
    table = KIND_TABLES[kind.plural]
    own = table.c[kind.own_key]
    found: dict[str, Digest] = {}
    for start in range(0, len(own_keys), KEYS_TOGETHER):
        query = sa.select(own, table.c.light_digest, _is_gone(table)).where(
            own.in_(own_keys[start : start + KEYS_TOGETHER]),
            *(table.c[name] == getattr(scope, name) for name in kind.scope_columns),
        )
        for own_key, light_digest, is_gone in connection.execute(query):
            found[own_key] = Digest(light_digest, bool(is_gone))
    return found


def load_batch(
    connection: sa.Connection,
    kind: Kind,
    *,
    where: Mapping[str, object],
    columns: Sequence[str] | None,
    after: tuple[Any, ...] | None,
    limit: int,
) -> list[Row]:
    """Return rows in the order of their keys, beginning after one."""
    table = KIND_TABLES[kind.plural]
    names = columns or [column.name for column in table.columns]
    wanted = list(dict.fromkeys([*kind.key, *names]))
    query = (
        sa.select(*(table.c[name] for name in wanted))
        .where(*(table.c[name] == value for name, value in where.items()))
        .order_by(*(table.c[name] for name in kind.key))
        .limit(limit)
    )
    if after is not None:
        query = query.where(sa.tuple_(*(table.c[name] for name in kind.key)) > sa.tuple_(*after))
    return [dict(row) for row in connection.execute(query).mappings()]


def load_changed_batch(
    connection: sa.Connection, kind: Kind, *, after: tuple[Any, ...], limit: int
) -> list[Row]:
    """Return whole rows in the order in which they changed, beginning after (seq, *key)."""
    table = KIND_TABLES[kind.plural]
    order = [table.c.changed_seq, *(table.c[name] for name in kind.key)]
    if len(after) == 1:
        begins = table.c.changed_seq > after[0]
    else:
        begins = sa.tuple_(*order) > sa.tuple_(*after)
    query = sa.select(table).where(begins).order_by(*order).limit(limit)
    return [dict(row) for row in connection.execute(query).mappings()]


def iterate_batches(
    load: Any, key_of: Any, first: tuple[Any, ...] | None, limit: int
) -> Iterator[list[Row]]:
    """Yield batches, each loaded after the last row of the one before."""
    after = first
    while batch := load(after):
        yield batch
        if len(batch) < limit:
            return
        after = key_of(batch[-1])


def mark_missing(
    connection: sa.Connection,
    kind: Kind,
    scope: ScopeOf,
    *,
    seen: Collection[str],
    now: datetime,
) -> list[str]:
    """Mark the rows of a scope that were not seen, as their kind says; return their own keys."""
    table = KIND_TABLES[kind.plural]
    own = table.c[kind.own_key]
    known = connection.scalars(
        sa.select(own).where(scope_condition(kind, scope), sa.not_(_is_gone(table)))
    )
    missing = sorted(set(known) - set(seen))
    if not missing:
        return []
    seq = next_seq(connection)
    for start in range(0, len(missing), KEYS_TOGETHER):
        part = own.in_(missing[start : start + KEYS_TOGETHER])
        condition = sa.and_(scope_condition(kind, scope), part)
        if kind.when_gone == "removed":
            _remove(connection, kind, condition, seq)
            continue
        mark = "deleted_at" if kind.when_gone == "deleted" else "inaccessible_since"
        values = {mark: now, "changed_seq": seq, "synced_at": now}
        connection.execute(table.update().where(condition).values(values))
    return missing


def mark_inaccessible(connection: sa.Connection, kind: Kind, own_key: str, now: datetime) -> None:
    """Mark one row as no longer visible, unless it is marked already."""
    table = KIND_TABLES[kind.plural]
    condition = sa.and_(table.c[kind.own_key] == own_key, sa.not_(_is_gone(table)))
    if connection.scalar(sa.select(sa.func.count()).select_from(table).where(condition)):
        values = {"inaccessible_since": now, "changed_seq": next_seq(connection), "synced_at": now}
        connection.execute(table.update().where(condition).values(values))


def _remove(
    connection: sa.Connection, kind: Kind, condition: sa.ColumnElement[bool], seq: int
) -> None:
    """Delete rows, and write into the books which."""
    table = KIND_TABLES[kind.plural]
    keys = connection.execute(sa.select(*(table.c[name] for name in kind.key)).where(condition))
    gone = [
        {"changed_seq": seq, "kind": kind.plural, "key": dumps(list(key))} for key in keys.all()
    ]
    if gone:
        connection.execute(removals.insert(), gone)
        connection.execute(table.delete().where(condition))


def count_live(connection: sa.Connection, kind: Kind, scope: ScopeOf) -> int:
    """Return how many rows of a scope are not gone."""
    table = KIND_TABLES[kind.plural]
    query = sa.select(sa.func.count()).select_from(table)
    condition = sa.and_(scope_condition(kind, scope), sa.not_(_is_gone(table)))
    return connection.scalar(query.where(condition)) or 0


def load_oldest_checked(
    connection: sa.Connection, kind: Kind, scope: ScopeOf, limit: int
) -> list[str]:
    """Return the own keys of the rows whose heavy fields were read longest ago."""
    table = KIND_TABLES[kind.plural]
    query = (
        sa.select(table.c[kind.own_key])
        .where(scope_condition(kind, scope), sa.not_(_is_gone(table)))
        .order_by(table.c.checked_at, table.c[kind.own_key])
        .limit(limit)
    )
    return list(connection.scalars(query))


def forget_project(connection: sa.Connection, project_id: str) -> None:
    """Remove every row of a project."""
    seq = next_seq(connection)
    for kind in STORED:
        table = KIND_TABLES[kind.plural]
        if "project_id" in table.c:
            _remove(connection, kind, table.c.project_id == project_id, seq)

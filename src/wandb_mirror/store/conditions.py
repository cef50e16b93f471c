"""Conditions on the rows of a kind: in a scope, with one of these keys, gone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from wandb_mirror.jsontext import clean
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.store.tables import KIND_TABLES

KEYS_TOGETHER = 500
"""Keys in one ``IN`` list; every engine takes this many."""

Condition = sa.ColumnElement[bool]
Key = tuple[Any, ...]


def is_gone(kind: Kind) -> Condition:
    """Return the condition that upstream no longer shows an object."""
    table = KIND_TABLES[kind.plural]
    return sa.or_(table.c.deleted_at.is_not(None), table.c.inaccessible_since.is_not(None))


def scope_values(kind: Kind, scope: ScopeOf) -> dict[str, Any]:
    """Return the columns of ``scope`` that a kind's rows begin with.

    Raises ``ValueError`` where the scope does not name its place: it would match by accident.
    """
    names = kind.scope_columns or (("entity",) if kind.scope == "entity" else ())
    values = scope.columns(names)
    if None in values.values():
        raise ValueError(f"the scope of {kind.plural} lacks one of {', '.join(names)}")
    return {name: clean(value) for name, value in values.items()}


def in_scope(kind: Kind, scope: ScopeOf) -> Condition:
    """Return the condition that an object was looked for in ``scope``; see ``scope_values``."""
    table = KIND_TABLES[kind.plural]
    values = scope_values(kind, scope)
    return sa.and_(sa.true(), *(table.c[name] == value for name, value in values.items()))


def live_keys(kind: Kind, scope: ScopeOf) -> tuple[sa.Select[Any], dict[str, Any]]:
    """Return the query for the own keys of what is not gone in ``scope``, and its parameters.

    A kind's query is made once: it is asked for each of thousands of scopes.
    """
    values = scope_values(kind, scope)
    query = _LIVE_KEYS.get(kind.plural)
    if query is None:
        table = KIND_TABLES[kind.plural]
        inside = (table.c[name] == sa.bindparam(f"scope_{name}") for name in values)
        query = sa.select(table.c[kind.own_key]).where(*inside, sa.not_(is_gone(kind)))
        _LIVE_KEYS[kind.plural] = query
    return query, {f"scope_{name}": value for name, value in values.items()}


_LIVE_KEYS: dict[str, sa.Select[Any]] = {}


def has_key(kind: Kind, key: Sequence[Any]) -> Condition:
    """Return the condition that an object is the one with this key."""
    table = KIND_TABLES[kind.plural]
    return sa.and_(*(table.c[name] == part for name, part in zip(kind.key, key, strict=True)))


def with_keys(kind: Kind, keys: Sequence[Key]) -> Iterator[Condition]:
    """Yield conditions that together hold for the objects with these keys, some keys each."""
    table = KIND_TABLES[kind.plural]
    by_place: dict[Key, list[Any]] = {}
    for key in keys:
        by_place.setdefault(key[:-1], []).append(key[-1])
    for place, own_keys in by_place.items():
        there = [table.c[name] == part for name, part in zip(kind.key, place, strict=False)]
        for own in in_parts(own_keys):
            yield sa.and_(*there, table.c[kind.own_key].in_(own))


def in_parts(values: Sequence[Any]) -> Iterator[Sequence[Any]]:
    """Yield ``values`` in parts that fit into one statement."""
    for start in range(0, len(values), KEYS_TOGETHER):
        yield values[start : start + KEYS_TOGETHER]

"""The store's tables: one a kind, made from the kinds, and the books."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeEngine

from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.spec import Kind, Type

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
}
COLUMN_TYPES: dict[Type, type[TypeEngine[Any]]] = {
    Type.TEXT: Text,
    Type.INTEGER: BigInteger,
    Type.REAL: Float,
    Type.BOOLEAN: Boolean,
    Type.TIME: DateTime,
    Type.JSON: Text,
    Type.JSON_TEXT: Text,
}
BOOK_COLUMNS = (
    "changed_seq",
    "synced_at",
    "deleted_at",
    "inaccessible_since",
    "light_digest",
    "checked_at",
)
"""The columns that every kind's table has beside the kind's own."""

metadata = MetaData(naming_convention=NAMING)


def _table_of(kind: Kind) -> Table:
    """Return the table that a kind's rows live in."""
    scope = [Column(name, Text, primary_key=name in kind.key) for name in kind.scope_columns]
    own = [
        Column(field.column, COLUMN_TYPES[field.type], primary_key=field.column in kind.key)
        for field in kind.fields
    ]
    return Table(
        kind.plural,
        metadata,
        *scope,
        *own,
        Column("changed_seq", BigInteger, nullable=False),
        Column("synced_at", DateTime, nullable=False),
        Column("deleted_at", DateTime),
        Column("inaccessible_since", DateTime),
        Column("light_digest", Text),
        Column("checked_at", DateTime),
        Index(None, "changed_seq"),
    )


KIND_TABLES: dict[str, Table] = {kind.plural: _table_of(kind) for kind in STORED}
"""Kind's plural to its table."""

facts = Table(
    "facts",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""Single values: the pair id, the server's address, the counter of changes."""

scopes = Table(
    "scopes",
    metadata,
    Column("entity", Text, primary_key=True),
    Column("project", Text, primary_key=True),
    Column("added_at", DateTime, nullable=False),
)
"""What a sync without arguments takes; an empty project stands for all of an entity's."""

removals = Table(
    "removals",
    metadata,
    Column("changed_seq", BigInteger, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
)
"""Rows that are gone from a kind's table, by key as a JSON array: the warehouse learns it here."""

sync_log = Table(
    "sync_log",
    metadata,
    Column("sync_id", Text, primary_key=True),
    Column("started_at", DateTime, nullable=False),
    Column("finished_at", DateTime),
    Column("status", Text, nullable=False),
    Column("requests", BigInteger),
    Column("retries", BigInteger),
    Column("throttled", BigInteger),
    Column("bytes", BigInteger),
    Column("rows", BigInteger),
)

sync_errors = Table(
    "sync_errors",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("error", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("first_at", DateTime, nullable=False),
    Column("last_at", DateTime, nullable=False),
)

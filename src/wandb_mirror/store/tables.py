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
from wandb_mirror.kinds.spec import Field, Kind, Type

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
}
"""Constraints have names, so that a later migration can name what it changes."""

COLUMN_TYPES: dict[Type, type[TypeEngine[Any]]] = {
    Type.TEXT: Text,
    Type.INTEGER: BigInteger,
    Type.REAL: Float,
    Type.BOOLEAN: Boolean,
    Type.TIME: DateTime,
    Type.JSON: Text,
    Type.JSON_TEXT: Text,
    Type.YAML: Text,
    Type.ADDRESS: Text,
    Type.WEBHOOK: Text,
}


def make_table(kind: Kind, metadata: MetaData) -> Table:
    """Return the table that a kind's rows live in.

    Heavy columns stand last: SQLite reads a row from its beginning, and the books would lie behind
    pages of config (of 5 KB each: 1,000 digests in 8 against 11 ms, the 100 of 20,000 rows that
    were checked longest ago in 24 against 45 ms).
    """
    light = [field for field in kind.fields if not field.is_heavy]
    heavy = [field for field in kind.fields if field.is_heavy]
    return Table(
        kind.plural,
        metadata,
        *(Column(name, Text, primary_key=name in kind.key) for name in kind.scope_columns),
        *(_column(kind, field) for field in light),
        Column("changed_seq", BigInteger, nullable=False),
        Column("synced_at", DateTime, nullable=False),
        Column("deleted_at", DateTime),
        Column("inaccessible_since", DateTime),
        Column("light_digest", Text),
        Column("checked_at", DateTime),
        *(_column(kind, field) for field in heavy),
        Index(None, "changed_seq", *kind.key),
    )


def _column(kind: Kind, field: Field) -> Column[Any]:
    return Column(field.column, COLUMN_TYPES[field.type], primary_key=field.column in kind.key)


metadata = MetaData(naming_convention=NAMING)

KIND_TABLES: dict[str, Table] = {kind.plural: make_table(kind, metadata) for kind in STORED}
"""Kind's plural to its table. Beside the kind's own columns each has:

``changed_seq``: the number of the transaction that last changed its content; ``synced_at``: when
that was; ``deleted_at``, ``inaccessible_since``: since when upstream does not show it;
``light_digest``: of the light fields when the whole row was last read, NULL where it must be read
again; ``checked_at``: when that was.
"""

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
    Column("path", Text, primary_key=True),
    Column("added_at", DateTime, nullable=False),
)
"""What a sync without arguments takes, as people write it: one project, or an entity's all."""

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("scope", Text, primary_key=True),
    Column("cursor", Text),
    Column("watermark", DateTime),
    Column("updated_at", DateTime, nullable=False),
)
"""How far a scope of a kind has been read; the scope is a JSON array of ids."""

removals = Table(
    "removals",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("changed_seq", BigInteger, nullable=False),
    Index(None, "changed_seq"),
)
"""Rows that are gone from a kind's table, by key as a JSON array: the warehouse learns it here."""

past_values = Table(
    "past_values",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("project_id", Text, primary_key=True),
    Column("own_key", Text, primary_key=True),
    Column("within", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("valid_from", DateTime, primary_key=True),
    Column("valid_to", DateTime),
    Column("value", Text, nullable=False),
    Column("changed_seq", BigInteger, nullable=False),
    Index(None, "changed_seq"),
)
"""What fields of objects were, as JSON, and when; the latest has no end."""

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
"""Every sync, and what it cost."""

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
"""What could not be read, by kind and path; it is tried again."""

edits = Table(
    "edits",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("project_id", Text, primary_key=True),
    Column("own_key", Text, primary_key=True),
    Column("field", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("path", Text, nullable=False),
    Column("base", Text),
    Column("local", Text),
    Column("state", Text, nullable=False),
    Column("sent", Text, nullable=False),
    Column("upstream", Text),
    Column("error", Text),
    Column("attempts", Integer, nullable=False),
    Column("reply_seq", BigInteger),
    Column("revision", BigInteger, nullable=False),
    Column("changed_at", DateTime, nullable=False),
)
"""The outbox: a row a cell of an object that was edited. Values are JSON text, NULL where there is
none; ``sent`` is a JSON array of such texts."""

pushed = Table(
    "pushed",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("at", DateTime, nullable=False),
    Column("who", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("field", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("base", Text),
    Column("local", Text),
    Column("upstream", Text),
    Column("result", Text, nullable=False),
    Column("message", Text),
)
"""Whatever became of an edit or a deletion, one row each time: who, what, when, how it ended."""

"""Lay changed rows over the published file: what is read then is the file with the changes made.

Every table that changes gets a twin in the reader's own instance: the file's rows without those
that changed, and the changed ones. The twins stand first on the search path, so that a question is
the same text with and without them, and filters, orders and counts need to know nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import duckdb

from wandb_mirror.query.compile import quote

if TYPE_CHECKING:
    import pyarrow as pa

HAS = "has "
"""Before a column's name: whether the row changes it."""
KEY = "key "
"""Before the name of a column that a row is found by: what it holds in the file."""
_NAMES = re.compile(r"\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'|\b_data\.(\w+|\"(?:[^\"]|\"\")*\")")


@dataclass(frozen=True, slots=True)
class Replaced:
    """Rows of a table with other values in some columns."""

    table: str
    keys: Sequence[str]
    rows: pa.Table
    """The key columns, each behind ``KEY``; for each column that changes its value, and behind
    ``HAS`` whether the row changes it."""


@dataclass(frozen=True, slots=True)
class Members:
    """Rows of a table that go, and rows that come."""

    table: str
    keys: Sequence[str]
    gone: pa.Table
    """The key columns of those that go."""
    added: pa.Table
    """Whole rows."""


@dataclass(frozen=True, slots=True)
class Layer:
    """Everything that changes."""

    replaced: Sequence[Replaced] = ()
    members: Sequence[Members] = ()
    views: Mapping[str, str] = field(default_factory=dict)
    """Published views that show changed tables, each as ``schema.name`` quoted, with its text."""

    @property
    def tables(self) -> frozenset[str]:
        """The tables that get a twin."""
        both = [each.table for each in self.replaced] + [each.table for each in self.members]
        return frozenset(both)


def lay(connection: duckdb.DuckDBPyConnection, layer: Layer) -> str:
    """Make the twins; return the statement that puts them first on a session's search path."""
    connection.execute("CREATE SCHEMA IF NOT EXISTS memory._data")
    for replaced in layer.replaced:
        _replace(connection, replaced)
    for members in layer.members:
        _exchange(connection, members)
    schemas = {"main", "_data"}
    for name, text in layer.views.items():
        schema = name[: name.rindex('."')]
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS memory.{schema}")
        connection.execute(_in_memory(text, name, layer.tables))
        schemas.add(schema.strip('"').replace('""', '"'))
    there = [
        name
        for (name,) in connection.execute(
            "SELECT schema_name FROM duckdb_schemas() WHERE database_name = 'mirror' "
            "AND NOT internal UNION SELECT 'main' ORDER BY ALL"
        ).fetchall()
    ]
    places = [
        f"{catalog}.{quote(name)}"
        for name in sorted(there, key=lambda name: (name != "main", name != "_data", name))
        for catalog in (("memory", "mirror") if name in schemas else ("mirror",))
    ]
    return f"SET search_path = '{','.join(places).replace(chr(39), chr(39) * 2)}'"


def _in_memory(text: str, name: str, twins: frozenset[str]) -> str:
    """Return a published view's text as one of the reader's own instance, over the twins."""

    def qualify(found: re.Match[str]) -> str:
        table = found[1]
        if table is None:
            return found[0]
        catalog = "memory" if table.strip('"') in twins else "mirror"
        return f"{catalog}.{found[0]}"

    head, _, tail = text.partition(" AS SELECT ")
    del head
    return f"CREATE OR REPLACE VIEW memory.{name} AS SELECT {_NAMES.sub(qualify, tail)}"


def _replace(connection: duckdb.DuckDBPyConnection, each: Replaced) -> None:
    """Make the twin of a table; the columns that it is keyed by may be among those that change."""
    table, changed = quote(each.table), f"memory._data.{quote(each.table + ' changed')}"
    names = [name.removeprefix(HAS) for name in each.rows.column_names if name.startswith(HAS)]
    chosen = ", ".join(
        f"CASE WHEN e.{quote(HAS + name)} THEN e.{quote(name)} ELSE r.{quote(name)} END "
        f"AS {quote(name)}"
        for name in names
    )
    keys = [(quote(KEY + name), quote(name)) for name in each.keys]
    kept = ", ".join(f"e.{key}" for key, _ in keys)
    on = " AND ".join(f"e.{key} = r.{name}" for key, name in keys)
    with _given(connection, each.rows) as incoming:
        connection.execute(
            f"CREATE TABLE {changed} AS SELECT r.* REPLACE ({chosen}), {kept} "
            f"FROM mirror._data.{table} r JOIN {incoming} e ON {on}"
        )
    connection.execute(
        f"CREATE VIEW memory._data.{table} AS SELECT r.* FROM mirror._data.{table} r "
        f"ANTI JOIN {changed} e ON {on} UNION ALL BY NAME "
        f"SELECT * EXCLUDE ({', '.join(key for key, _ in keys)}) FROM {changed}"
    )


def _exchange(connection: duckdb.DuckDBPyConnection, each: Members) -> None:
    table = quote(each.table)
    gone = f"memory._data.{quote(each.table + ' gone')}"
    added = f"memory._data.{quote(each.table + ' added')}"
    for name, rows in ((gone, each.gone), (added, each.added)):
        with _given(connection, rows) as incoming:
            connection.execute(f"CREATE TABLE {name} AS SELECT * FROM {incoming}")
    keys = ", ".join(map(quote, each.keys))
    connection.execute(
        f"CREATE VIEW memory._data.{table} AS SELECT * FROM mirror._data.{table} "
        f"ANTI JOIN {gone} USING ({keys}) UNION ALL BY NAME SELECT * FROM {added}"
    )


@contextmanager
def _given(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[str]:
    """Let a statement name an Arrow table."""
    connection.register("incoming", rows)
    try:
        yield "incoming"
    finally:
        connection.unregister("incoming")

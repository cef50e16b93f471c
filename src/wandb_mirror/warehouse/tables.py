"""The warehouse's own tables, in schema ``_data``, keyed by integers that it assigns itself.

There are no keys, constraints or indexes: each was measured to block ``ALTER`` or to cost three
times the space. Uniqueness is kept by deleting before inserting, in one transaction.
"""

from __future__ import annotations

import pyarrow as pa

from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.spec import Kind, Type
from wandb_mirror.warehouse.engine import Database, quote

SCHEMA = "_data"
COLUMN_TYPES: dict[Type, str] = {
    Type.TEXT: "VARCHAR",
    Type.INTEGER: "BIGINT",
    Type.REAL: "DOUBLE",
    Type.BOOLEAN: "BOOLEAN",
    Type.TIME: "TIMESTAMP",
    Type.JSON: "VARCHAR",
    Type.JSON_TEXT: "VARCHAR",
    Type.YAML: "VARCHAR",
    Type.ADDRESS: "VARCHAR",
    Type.WEBHOOK: "VARCHAR",
}
ARROW_TYPES = {
    "VARCHAR": pa.string(),
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP": pa.timestamp("us"),
}
"""SQL type to Arrow's."""
IN_RUNS = "INTEGER USING COMPRESSION rle"
"""The type of numbers that stand for many rows in succession: no other compression is tried."""
BOOKS = {"synced_at": "TIMESTAMP", "deleted_at": "TIMESTAMP", "inaccessible_since": "TIMESTAMP"}
"""What is taken of the store's books with every row."""

FIXED: dict[str, dict[str, str]] = {
    "facts": {"name": "VARCHAR", "value": "VARCHAR"},
    "project_numbers": {"project_no": "INTEGER", "project_id": "VARCHAR"},
    "run_numbers": {"run_no": "INTEGER", "project_no": "INTEGER", "run_id": "VARCHAR"},
    "keys": {
        "key_no": "INTEGER",
        "project_no": "INTEGER",
        "source": "VARCHAR",
        "path": "VARCHAR",
        "name": "VARCHAR",
    },
    "plain_values": {
        "run_no": IN_RUNS,
        "key_no": IN_RUNS,
        "step": "BIGINT",
        "value": "DOUBLE",
    },
    "other_values": {
        "run_no": IN_RUNS,
        "key_no": IN_RUNS,
        "step": "BIGINT",
        "value": "DOUBLE",
        "json": "VARCHAR",
    },
    "steps": {"run_no": IN_RUNS, "step": "BIGINT", "timestamp": "DOUBLE", "runtime": "DOUBLE"},
    "cursors": {
        "run_no": "INTEGER",
        "next_step": "BIGINT",
        "line_count": "BIGINT",
        "status": "VARCHAR",
        "has_ended": "BOOLEAN",
        "history_rows": "BIGINT",
        "last_step": "BIGINT",
        "is_settled": "BOOLEAN",
    },
    "samples": {
        "run_no": "INTEGER",
        "key_no": "INTEGER",
        "timestamp": "DOUBLE",
        "runtime": "DOUBLE",
        "value": "DOUBLE",
    },
    "sample_counts": {"run_no": "INTEGER", "line_count": "BIGINT"},
    "run_config": {
        "run_no": "INTEGER",
        "key_no": "INTEGER",
        "value": "VARCHAR",
        "number": "DOUBLE",
        "text": "VARCHAR",
    },
    "run_summary": {
        "run_no": "INTEGER",
        "key_no": "INTEGER",
        "value": "VARCHAR",
        "number": "DOUBLE",
        "text": "VARCHAR",
    },
    "run_tags": {"run_no": "INTEGER", "position": "INTEGER", "tag": "VARCHAR"},
    "metric_stats": {
        "run_no": "INTEGER",
        "key_no": "INTEGER",
        "count": "BIGINT",
        "nan_count": "BIGINT",
        "first": "DOUBLE",
        "last": "DOUBLE",
        "min": "DOUBLE",
        "min_step": "BIGINT",
        "max": "DOUBLE",
        "max_step": "BIGINT",
        "mean": "DOUBLE",
        "others": "BIGINT",
        "texts": "BIGINT",
        "booleans": "BIGINT",
        "inexact": "BIGINT",
    },
    "places": {
        "project_no": "INTEGER",
        "table_name": "VARCHAR",
        "key_no": "INTEGER",
        "column_name": "VARCHAR",
        "type": "VARCHAR",
        "misfits": "BIGINT",
        "has_json": "BOOLEAN",
    },
    "schemas": {"project_no": "INTEGER", "schema_name": "VARCHAR"},
    "stale": {"run_no": "INTEGER", "part": "VARCHAR"},
    "columns": {
        "schema_name": "VARCHAR",
        "table_name": "VARCHAR",
        "column_name": "VARCHAR",
        "key": "VARCHAR",
        "type": "VARCHAR",
        "misfits": "BIGINT",
        "has_json": "BOOLEAN",
        "description": "VARCHAR",
        "source": "VARCHAR",
    },
    "past_values": {
        "kind": "VARCHAR",
        "project_no": "INTEGER",
        "within": "VARCHAR",
        "own_key": "VARCHAR",
        "field": "VARCHAR",
        "value": "VARCHAR",
        "valid_from": "TIMESTAMP",
        "valid_to": "TIMESTAMP",
    },
    "sync_log": {
        "sync_id": "VARCHAR",
        "started_at": "TIMESTAMP",
        "finished_at": "TIMESTAMP",
        "status": "VARCHAR",
        "requests": "BIGINT",
        "retries": "BIGINT",
        "throttled": "BIGINT",
        "bytes": "BIGINT",
        "rows": "BIGINT",
    },
    "pending_edits": {
        "path": "VARCHAR",
        "field": "VARCHAR",
        "key": "VARCHAR",
        "base": "VARCHAR",
        "local": "VARCHAR",
        "upstream": "VARCHAR",
        "state": "VARCHAR",
        "error": "VARCHAR",
    },
    "sync_errors": {
        "kind": "VARCHAR",
        "key": "VARCHAR",
        "error": "VARCHAR",
        "attempts": "BIGINT",
        "first_at": "TIMESTAMP",
        "last_at": "TIMESTAMP",
    },
}
"""Table to its columns and their types. ``plain_values`` are those that a DOUBLE says exactly:
inserting a column of text that is NULL everywhere takes as long as half of the other columns.
``others`` of ``metric_stats`` counts values that are no numbers; ``inexact`` counts integers that
no double holds."""

VALUES = ("plain_values", "other_values")
"""Tables of a row a value of a history; whoever reads them reads the view ``history``."""
HISTORY = (
    "SELECT run_no, key_no, step, value, NULL::VARCHAR AS json FROM _data.plain_values "
    "UNION ALL SELECT run_no, key_no, step, value, json FROM _data.other_values"
)

FLATTENED = ("run_config", "run_summary", "run_tags")
"""Tables made from runs: they go and come with the run's row."""


def columns_of(kind: Kind) -> dict[str, str]:
    """Return the columns of a kind's table: numbers for the scope, the fields, the books."""
    numbers = {}
    for name in kind.scope_columns:
        if name != "project_id":
            numbers[name] = "VARCHAR"
    if "project_id" in kind.key:
        numbers["project_no"] = "INTEGER"
    if kind.holds == "run":
        numbers["run_no"] = "INTEGER"
    fields = {field.column: COLUMN_TYPES[field.type] for field in kind.fields}
    return {**numbers, **fields, **BOOKS}


def create_tables(database: Database) -> None:
    """Make what is not there yet; a column that a newer program knows is added."""
    database.run(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
    wanted = FIXED | {kind.plural: columns_of(kind) for kind in STORED}
    known: dict[str, set[str]] = {}
    for table, column in database.rows(
        "SELECT table_name, column_name FROM duckdb_columns() "
        f"WHERE schema_name = '{SCHEMA}' AND database_name = current_database()"
    ):
        known.setdefault(table, set()).add(column)
    statements: list[str] = []
    for table, columns in wanted.items():
        own = f"{SCHEMA}.{quote(table)}"
        listed = [f"{quote(name)} {kind}" for name, kind in columns.items()]
        if table not in known:
            statements.append(f"CREATE TABLE {own} ({', '.join(listed)})")
            continue
        new = columns.keys() - known[table]
        statements += [
            f"ALTER TABLE {own} ADD COLUMN {column}"
            for name, column in zip(columns, listed, strict=True)
            if name in new
        ]
    if "history" not in known:
        statements.append(f"CREATE VIEW {SCHEMA}.history AS {HISTORY}")
    database.run_all(statements)

"""Histories that lie as rows, a column a metric: from there they go to both tables of history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wandb_mirror.warehouse.engine import Database

WIDEST = 300
"""Columns; a statement with many more is planned longer than the rows are read."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of some runs that have the same metrics: run_no, step, timestamp, runtime, metrics."""

    source: str
    """What they are selected from."""
    columns: Mapping[str, str]
    """A metric's path, as a JSON array, to its column of doubles; each holds a value."""
    run_nos: frozenset[int]
    """The runs, whose rows stand one run after another, each in the order of steps."""
    values: int
    is_full: bool
    """Whether no value is missing."""


def append(database: Database, rows: Rows, keys: Mapping[str, int]) -> None:
    """Append rows to ``steps`` and, metric by metric, to ``plain_values``."""
    database.run(
        f"INSERT INTO _data.steps SELECT run_no, step, timestamp, runtime FROM {rows.source}"
    )
    if rows.columns:
        there = "" if rows.is_full else " WHERE {} IS NOT NULL"
        database.run(
            "INSERT INTO _data.plain_values "
            + " UNION ALL ".join(
                f"SELECT run_no, {keys[path]}, step, {own} FROM {rows.source}{there.format(own)}"
                for path, own in rows.columns.items()
            )
        )

"""Rewrite the values of runs that ended in the order in which readers ask: by run, key and step."""

from __future__ import annotations

from collections.abc import Sequence

from wandb_mirror.warehouse.engine import Database
from wandb_mirror.warehouse.tables import VALUES

RUNS_TOGETHER = 200
"""Runs that are rewritten by one statement."""


def find_unsettled(database: Database) -> list[int]:
    """Return the runs that ended and whose rows lie as they arrived."""
    rows = database.rows(
        "SELECT run_no FROM _data.cursors WHERE NOT is_settled AND status = 'complete' "
        "ORDER BY run_no"
    )
    return [run_no for (run_no,) in rows]


def settle(database: Database, run_nos: Sequence[int]) -> None:
    """Rewrite runs, inside the caller's transaction."""
    for start in range(0, len(run_nos), RUNS_TOGETHER):
        of_runs = f"run_no IN ({', '.join(map(str, run_nos[start : start + RUNS_TOGETHER]))})"
        for table in VALUES:
            database.run(
                "CREATE OR REPLACE TEMP TABLE settling AS "
                f"SELECT * FROM _data.{table} WHERE {of_runs}"
            )
            database.run(f"DELETE FROM _data.{table} WHERE {of_runs}")
            database.run(
                f"INSERT INTO _data.{table} SELECT * FROM settling ORDER BY run_no, key_no, step"
            )
        database.run("DROP TABLE settling")
        database.run(f"UPDATE _data.cursors SET is_settled = true WHERE {of_runs}")

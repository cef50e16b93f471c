"""Remove all that the warehouse has of a project."""

from __future__ import annotations

from wandb_mirror.kinds import STORED
from wandb_mirror.warehouse.engine import Database, quote
from wandb_mirror.warehouse.tables import FLATTENED, VALUES

OF_RUNS = (*VALUES, "steps", "cursors", "metric_stats", "stale", "samples", "sample_counts")
OF_PROJECTS = ("keys", "places", "schemas", "run_numbers", "project_numbers")


def forget_project(database: Database, number: int) -> None:
    """Remove a project, by its number, inside the caller's transaction."""
    runs = f"SELECT run_no FROM _data.run_numbers WHERE project_no = {number}"
    for table in (*OF_RUNS, *FLATTENED):
        database.run(f"DELETE FROM _data.{table} WHERE run_no IN ({runs})")
    scoped = [quote(kind.plural) for kind in STORED if "project_id" in kind.key]
    for table in ("past_values", *scoped, *OF_PROJECTS):
        database.run(f"DELETE FROM _data.{table} WHERE project_no = {number}")
    for table in ("runs", "history"):
        database.run(f"DROP TABLE IF EXISTS _data.{table}_{number}")

"""``metric_stats``: a row a metric of a run, made anew for the runs that changed."""

from __future__ import annotations

from collections.abc import Sequence

from wandb_mirror.history.flatten import EXACT
from wandb_mirror.warehouse.engine import Database

RUNS_TOGETHER = 100


def refresh_stats(database: Database, run_nos: Sequence[int]) -> None:
    """Make the statistics of some runs anew.

    ``count`` counts numeric values, ``nan_count`` those that are not finite; ``min``, ``max`` and
    ``mean`` are over the finite ones, ``first`` and ``last`` by step. ``min_step`` and ``max_step``
    are the earliest of their value.
    """
    for start in range(0, len(run_nos), RUNS_TOGETHER):
        listed = ", ".join(map(str, run_nos[start : start + RUNS_TOGETHER]))
        database.run(f"DELETE FROM _data.metric_stats WHERE run_no IN ({listed})")
        database.run(
            f"""
            INSERT INTO _data.metric_stats
            SELECT run_no, key_no, count(value), count(*) FILTER (WHERE NOT isfinite(value)),
              arg_min(value, step), arg_max(value, step),
              min(value) FILTER (WHERE isfinite(value)),
              arg_min(step, row(value, step)) FILTER (WHERE isfinite(value)),
              max(value) FILTER (WHERE isfinite(value)),
              arg_max(step, row(value, -step)) FILTER (WHERE isfinite(value)),
              avg(value) FILTER (WHERE isfinite(value)),
              count(*) FILTER (WHERE value IS NULL),
              count(*) FILTER (WHERE value IS NULL AND json[1] = '"'),
              count(*) FILTER (WHERE value IS NULL AND json IN ('true', 'false')),
              count(*) FILTER (WHERE value IS NOT NULL AND json IS NOT NULL
                OR abs(value) > {EXACT})
            FROM _data.history WHERE run_no IN ({listed}) GROUP BY run_no, key_no
            """
        )

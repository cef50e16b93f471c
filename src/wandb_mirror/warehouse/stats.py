"""``metric_stats``: a row a metric of a run, made anew for the runs that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wandb_mirror.history.flatten import EXACT
from wandb_mirror.warehouse.engine import Database

RUNS_TOGETHER, ROWS_TOGETHER = 100, 50_000
"""Runs whose histories are turned round by one statement: their rows are in memory."""
RUNS_COUNTED, ROWS_COUNTED = 200, 100_000
"""Runs of which one statement makes statistics: there is a row a metric of each in memory."""


def in_parts(
    database: Database, run_nos: Sequence[int], runs: int = RUNS_TOGETHER, rows: int = ROWS_TOGETHER
) -> Iterator[list[int]]:
    """Yield runs, so many together that they, and the rows of their histories, are not too many."""
    rows_of = dict(
        database.rows(
            "SELECT run_no, history_rows FROM _data.cursors JOIN (SELECT unnest(?) AS run_no) "
            "USING (run_no)",
            [list(run_nos)],
        )
    )
    part: list[int] = []
    there = 0
    for run_no in run_nos:
        there += rows_of.get(run_no, 0)
        if part and (len(part) == runs or there > rows):
            yield part
            part, there = [], rows_of.get(run_no, 0)
        part.append(run_no)
    if part:
        yield part


def refresh_stats(database: Database, run_nos: Sequence[int]) -> None:
    """Make the statistics of some runs anew.

    ``count`` counts numeric values, ``nan_count`` those that are not finite; ``min``, ``max`` and
    ``mean`` are over the finite ones, ``first`` and ``last`` by step. ``min_step`` and ``max_step``
    are the earliest of their value; the rows are looked at twice, because finding such steps
    beside the extremes takes twice as long.
    """
    for part in in_parts(database, run_nos, RUNS_COUNTED, ROWS_COUNTED):
        listed = ", ".join(map(str, part))
        database.run(f"DELETE FROM _data.metric_stats WHERE run_no IN ({listed})")
        database.run(
            f"""
            INSERT INTO _data.metric_stats
            WITH h AS NOT MATERIALIZED (
              SELECT run_no, key_no, step, value, CASE WHEN isfinite(value) THEN value END AS finite
              FROM _data.history WHERE run_no IN ({listed})
            ), s AS MATERIALIZED (
              SELECT run_no, key_no, count(value) AS numbers,
                count(value) - count(finite) AS nan_count, arg_min(value, step) AS first_value,
                arg_max(value, step) AS last_value, min(finite) AS least, max(finite) AS most,
                favg(finite) AS mean, count(*) FILTER (WHERE abs(value) > {EXACT}) AS large
              FROM h GROUP BY run_no, key_no
            ), e AS (
              SELECT run_no, key_no, min(step) FILTER (WHERE finite = least) AS min_step,
                min(step) FILTER (WHERE finite = most) AS max_step
              FROM s JOIN h USING (run_no, key_no) WHERE finite = least OR finite = most
              GROUP BY run_no, key_no
            ), o AS (
              SELECT run_no, key_no, count(*) FILTER (WHERE value IS NULL) AS others,
                count(*) FILTER (WHERE value IS NULL AND json[1] = '"') AS texts,
                count(*) FILTER (WHERE value IS NULL AND json IN ('true', 'false')) AS booleans,
                count(*) FILTER (WHERE abs(value) <= {EXACT}) AS small
              FROM _data.other_values WHERE run_no IN ({listed}) GROUP BY run_no, key_no
            )
            SELECT run_no, key_no, numbers, nan_count, first_value, last_value, least, min_step,
              most, max_step, mean, coalesce(others, 0), coalesce(texts, 0), coalesce(booleans, 0),
              large + coalesce(small, 0)
            FROM s LEFT JOIN e USING (run_no, key_no) LEFT JOIN o USING (run_no, key_no)
            """
        )
        database.trim()

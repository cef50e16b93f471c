"""``metric_stats``: a row a metric of a run, made anew for the runs that changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from wandb_mirror.history.flatten import EXACT
from wandb_mirror.warehouse.engine import Database

RUNS_TOGETHER, ROWS_TOGETHER = 100, 50_000
"""Runs whose histories are looked at, or turned round, by one statement: they are in memory."""


def in_parts(database: Database, run_nos: Sequence[int]) -> Iterator[list[int]]:
    """Yield runs, so many together that the rows of their histories are not too many."""
    rows = dict(
        database.rows(
            "SELECT run_no, history_rows FROM _data.cursors JOIN (SELECT unnest(?) AS run_no) "
            "USING (run_no)",
            [list(run_nos)],
        )
    )
    part: list[int] = []
    there = 0
    for run_no in run_nos:
        there += rows.get(run_no, 0)
        if part and (len(part) == RUNS_TOGETHER or there > ROWS_TOGETHER):
            yield part
            part, there = [], rows.get(run_no, 0)
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
    for part in in_parts(database, run_nos):
        listed = ", ".join(map(str, part))
        database.run(f"DELETE FROM _data.metric_stats WHERE run_no IN ({listed})")
        database.run(
            f"""
            INSERT INTO _data.metric_stats
            WITH s AS MATERIALIZED (
              SELECT run_no, key_no, count(value) AS numbers,
                count(*) FILTER (WHERE NOT isfinite(value)) AS nan_count,
                min(step) FILTER (WHERE value IS NOT NULL) AS first_step,
                max(step) FILTER (WHERE value IS NOT NULL) AS last_step,
                min(value) FILTER (WHERE isfinite(value)) AS least,
                max(value) FILTER (WHERE isfinite(value)) AS most,
                avg(value) FILTER (WHERE isfinite(value)) AS mean,
                count(*) FILTER (WHERE value IS NULL) AS others,
                count(*) FILTER (WHERE value IS NULL AND json[1] = '"') AS texts,
                count(*) FILTER (WHERE value IS NULL AND json IN ('true', 'false')) AS booleans,
                count(*) FILTER (WHERE value IS NOT NULL AND json IS NOT NULL
                  OR abs(value) > {EXACT}) AS inexact
              FROM _data.history WHERE run_no IN ({listed}) GROUP BY run_no, key_no
            ), e AS (
              SELECT run_no, key_no,
                any_value(h.value) FILTER (WHERE h.step = s.first_step) AS first_value,
                any_value(h.value) FILTER (WHERE h.step = s.last_step) AS last_value,
                min(h.step) FILTER (WHERE h.value = s.least) AS min_step,
                min(h.step) FILTER (WHERE h.value = s.most) AS max_step
              FROM s JOIN _data.history h USING (run_no, key_no)
              WHERE h.run_no IN ({listed}) AND (h.step = s.first_step OR h.step = s.last_step
                OR h.value = s.least OR h.value = s.most)
              GROUP BY run_no, key_no
            )
            SELECT run_no, key_no, numbers, nan_count, first_value, last_value, least, min_step,
              most, max_step, mean, others, texts, booleans, inexact
            FROM s LEFT JOIN e USING (run_no, key_no)
            """
        )
        database.trim()

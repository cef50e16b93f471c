"""The best value that runs ever logged of a metric, not the last one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wandb_mirror.errors import BadFilter
from wandb_mirror.query.published import Published

GOALS = {"minimize": ("min", "ASC"), "maximize": ("max", "DESC")}
"""Goal, as sweeps spell it, to the statistic and the direction to sort in."""


class BestValue(NamedTuple):
    """A run's number, and where in its history its best value of a metric is."""

    run_no: int
    value: float
    step: int


def load_best(
    published: Published, run_nos: Sequence[int], metric: str, goal: str, limit: int
) -> list[BestValue]:
    """Return the runs with the best values of a metric, the best first; finite values count.

    Raises ``BadFilter`` for a goal that is neither ``minimize`` nor ``maximize``.
    """
    if goal not in GOALS:
        raise BadFilter(f"goal {goal!r}: write one of {', '.join(GOALS)}")
    statistic, direction = GOALS[goal]
    name = metric.replace("'", "''")
    table = published.join(
        f"SELECT m.run_no, m.{statistic} AS value, m.{statistic}_step AS step "
        "FROM chosen c JOIN _data.metric_stats m ON m.run_no = c.number "
        f"JOIN _data.keys k ON k.key_no = m.key_no AND k.name = '{name}' "
        f"WHERE m.{statistic} IS NOT NULL ORDER BY value {direction}, c.place LIMIT {int(limit)}",
        run_nos,
    )
    return [BestValue(**row) for row in table.to_pylist()]

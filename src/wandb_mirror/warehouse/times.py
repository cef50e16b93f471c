"""When a value was logged: the join of ``metrics`` with the steps, in two forms.

DuckDB leaves a join out where nobody asks for its columns, if it can know that each row finds at
most one: from 2.0 on it knows that of grouped rows, and finds the few groups that a question is
about. Older ones group all steps for any question (one series: 400 ms instead of 4 with 5 million
steps), so they are given the plain join. Each version folds the other form's condition to false
before it reads a row.
"""

from __future__ import annotations

_OLD, _NEW = "version() < 'v2'", "version() >= 'v2'"
JOINED_TIMES = (
    f"LEFT JOIN (SELECT run_no, step, timestamp, runtime FROM _data.steps WHERE {_OLD}) s "
    "ON s.run_no = h.run_no AND s.step = h.step "
    "LEFT JOIN (SELECT run_no, step, min(timestamp) AS timestamp, min(runtime) AS runtime "
    f"FROM _data.steps WHERE {_NEW} GROUP BY run_no, step) g "
    "ON g.run_no = h.run_no AND g.step = h.step"
)
TIMESTAMP, RUNTIME = "coalesce(s.timestamp, g.timestamp)", "coalesce(s.runtime, g.runtime)"


def time_of(epoch: str) -> str:
    """Return SQL for a naive UTC timestamp from epoch seconds; what is no time is NULL."""
    return (
        f"CASE WHEN isfinite({epoch}) AND abs({epoch}) < 253402300800 "
        f"THEN make_timestamp(CAST({epoch} * 1000000 AS BIGINT)) END"
    )

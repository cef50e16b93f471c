"""Some metrics of many runs in one query: the rows that hold all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from wandb_mirror.errors import NotMirrored
from wandb_mirror.jsontext import loads
from wandb_mirror.query.compile import quote
from wandb_mirror.query.published import Published


def load_across(published: Published, run_nos: Sequence[int], keys: Sequence[str]) -> pa.Table:
    """Return ``run_id``, ``_step`` and some metrics of runs of one project, in the order of runs.

    Rows hold all of ``keys``. A metric that is a number somewhere is DOUBLE, with NULL where it is
    not; any other is JSON text. Raises ``NotMirrored`` for a metric that no run of the project has.
    """
    if not run_nos:
        return pa.table({name: [] for name in ("run_id", "_step", *keys)})
    found = [_find(published, run_nos[0], key) for key in keys]
    columns = ", ".join(
        f"h{place}.{'value' if each.is_number else 'json'} AS {quote(key)}"
        for place, (key, each) in enumerate(zip(keys, found, strict=True))
    )
    return published.join(
        f"SELECT r.run_id, h0.step AS _step, {columns} FROM {_source(found)} "
        "JOIN chosen c ON c.number = run_no JOIN _data.runs r USING (run_no) "
        "ORDER BY c.place, h0.step",
        run_nos,
    )


def load_samples_across(
    published: Published, run_nos: Sequence[int], keys: Sequence[str], samples: int
) -> pa.Table | None:
    """Return at most ``samples`` rows a run, spread evenly, the first and the last among them.

    Rows hold all of ``keys``. None where a key does not mean one metric that is always a plain
    number, or nothing at all: then the runs have to be read one by one.
    """
    if not run_nos or samples < 2:  # noqa: PLR2004
        return None
    try:
        found = [_find(published, run_nos[0], key) for key in keys]
    except NotMirrored:
        return None
    if not all(each.is_plain for each in found):
        return None
    columns = ", ".join(f"h{at}.value AS {quote(key)}" for at, key in enumerate(keys))
    rows = (
        f"SELECT c.place AS place_, run_no, h0.step AS _step, {columns}, "
        "row_number() OVER (PARTITION BY run_no ORDER BY h0.step) - 1 AS at_, "
        "count(*) OVER (PARTITION BY run_no) - 1 AS last_ "
        f"FROM {_source(found)} JOIN chosen c ON c.number = run_no"
    )
    gaps = samples - 1
    is_chosen = f"((at_ * {gaps} + last_ - 1) // last_ * last_) // {gaps} = at_"
    return published.join(
        f"SELECT s.* EXCLUDE (place_, at_, last_, run_no), r.run_id FROM ({rows}) s "
        f"JOIN _data.runs r USING (run_no) WHERE last_ < {samples} OR {is_chosen} "
        "ORDER BY place_, _step",
        run_nos,
    )


@dataclass(frozen=True, slots=True)
class Found:
    """What a key means among the metrics of a project."""

    numbers: tuple[int, ...]
    is_number: bool
    """Whether it is a number somewhere."""
    is_plain: bool
    """Whether it is one metric, whose values are all numbers that a DOUBLE holds."""


def _source(found: Sequence[Found]) -> str:
    """Return the rows that hold all of some metrics."""
    parts = [
        f"(FROM _data.history WHERE key_no IN ({', '.join(map(str, each.numbers))})) h{place}"
        for place, each in enumerate(found)
    ]
    return parts[0] + "".join(f" JOIN {part} USING (run_no, step)" for part in parts[1:])


def _find(published: Published, run_no: int, key: str) -> Found:
    """Return what a key means in a run's project; raises ``NotMirrored``."""
    found = published.rows(
        "SELECT k.key_no, k.path, coalesce(sum(m.count), 0) > 0, "
        "coalesce(sum(m.others + m.inexact), 0) > 0 FROM _data.keys k "
        "JOIN _data.runs r ON r.project_no = k.project_no "
        "LEFT JOIN _data.metric_stats m ON m.key_no = k.key_no "
        "WHERE r.run_no = ? AND k.source = 'metric' GROUP BY ALL",
        [run_no],
    )
    paths = [(loads(path), number, *rest) for number, path, *rest in found]
    exact = [each for each in paths if each[0] == [key]]
    meant = exact or [each for each in paths if ".".join(each[0]) == key]
    if not meant:
        shown = sorted({".".join(path) for path, *_ in paths})
        raise NotMirrored(
            f"no run of this project has a metric {key!r}; there are "
            + (", ".join(shown[:20]) or "none")
        )
    below = any(".".join(path).startswith(f"{key}.") for path, *_ in paths)
    is_one = len(meant) == 1 and not below and not any(other for *_, other in meant)
    return Found(
        tuple(number for _, number, *_ in meant), any(numeric for *_, numeric, _ in meant), is_one
    )

"""Histories as a table: a row a step, a column a metric; of one run or many, every row or some."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from wandb_mirror.errors import NotMirrored
from wandb_mirror.query.published import Published

if TYPE_CHECKING:
    import pyarrow as pa

OWN_COLUMNS = {"_step": "step", "_timestamp": "timestamp", "_runtime": "runtime"}
Needs = Literal["any", "all"]
INCOMPLETE = ("none", "partial", "failed")
"""Values of ``history_status`` that say that rows are missing which upstream has."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows and columns of histories are asked for."""

    keys: Sequence[str] | None = None
    """Metrics by name; None for all that there are."""
    needs: Needs = "any"
    """Whether a row must hold any of the keys, or all of them, as W&B's client has it."""
    samples: int | None = None
    """So many rows of each run, spread evenly, the first and the last among them; None for all."""
    min_step: int | None = None
    max_step: int | None = None
    """Exclusive, as upstream has it."""


@dataclass(frozen=True, slots=True)
class _Metric:
    """A column: a metric by its name, in each project where there is one."""

    name: str
    numbers: tuple[int, ...]
    is_number: bool


def load_histories(published: Published, run_nos: Sequence[int], wanted: Wanted) -> pa.Table:
    """Return the histories of some runs, in their order: ``place`` of the run, then ``_step``.

    A metric that is a number somewhere is DOUBLE, with NULL where it is not; any other is text.
    Raises ``NotMirrored`` for a key that none of the runs has.
    """
    metrics = _find_metrics(published, run_nos)
    if wanted.keys is not None:
        metrics = _choose(metrics, wanted.keys)
    table = published.join(_wide_sql(run_nos, metrics, wanted), run_nos)
    # Renamed here, because DuckDB takes names that differ by case only for one.
    return table.rename_columns(["place", *OWN_COLUMNS, *(each.name for each in metrics)])


def find_incomplete(published: Published, run_nos: Sequence[int]) -> int:
    """Return of how many of some runs rows are missing which upstream has."""
    listed = ", ".join(f"'{status}'" for status in INCOMPLETE)
    table = published.join(
        "SELECT count(*) AS n FROM chosen c JOIN _data.runs r ON r.run_no = c.number "
        "LEFT JOIN _data.cursors k ON k.run_no = r.run_no "
        f"WHERE coalesce(k.status, 'none') IN ({listed}) AND coalesce(r.history_line_count, 1) > 0",
        run_nos,
    )
    return int(table.column("n")[0].as_py())


def find_run(published: Published, path: tuple[str, str, str]) -> int:
    """Return the number of a run in this generation; raises ``NotMirrored``."""
    entity, project, run_id = path
    found = published.rows(
        "SELECT run_no FROM main.runs WHERE entity = ? AND project = ? AND run_id = ?",
        [entity, project, run_id],
    )
    if not found:
        raise NotMirrored(
            f"run {entity}/{project}/{run_id} is not in this mirror; check its id with "
            f"'wandb-mirror runs {entity}/{project}', or fetch it with "
            f"'wandb-mirror sync {entity}/{project}'"
        )
    return int(found[0][0])


def _find_metrics(published: Published, run_nos: Sequence[int]) -> list[_Metric]:
    """Return the metrics that some runs logged, by name."""
    found = published.join(
        "SELECT k.name, list(DISTINCT m.key_no ORDER BY m.key_no) AS numbers, "
        "bool_or(m.count > 0) AS is_number "
        "FROM _data.metric_stats m JOIN chosen c ON c.number = m.run_no "
        "JOIN _data.keys k ON k.key_no = m.key_no GROUP BY k.name ORDER BY k.name",
        run_nos,
    ).to_pylist()
    return [_Metric(each["name"], tuple(each["numbers"]), each["is_number"]) for each in found]


def _choose(metrics: Sequence[_Metric], keys: Sequence[str]) -> list[_Metric]:
    """Return the metrics that are asked for, in that order."""
    by_name = {each.name: each for each in metrics}
    names = [key for key in dict.fromkeys(keys) if key not in OWN_COLUMNS]
    if missing := [name for name in names if name not in by_name]:
        shown = ", ".join(list(by_name)[:20]) or "none"
        more = ", …" if len(by_name) > 20 else ""  # noqa: PLR2004
        raise NotMirrored(f"this history has no metric {missing[0]!r}; it has {shown}{more}")
    return [by_name[name] for name in names]


def _wide_sql(run_nos: Sequence[int], metrics: Sequence[_Metric], wanted: Wanted) -> str:
    """Return a query that turns the long rows of runs round."""
    window = _window(run_nos, wanted)
    columns = ["c.place", *(f"s.{column}" for column in OWN_COLUMNS.values())]
    joins = []
    for alias, column, is_number in (("n", "value", True), ("t", "json", False)):
        listed = _list([each for each in metrics if each.is_number is is_number])
        if listed:
            joins.append(
                f"LEFT JOIN (PIVOT (SELECT run_no, step, key_no, {column} FROM _data.history "
                f"SEMI JOIN chosen ON number = run_no WHERE {window} AND key_no IN ({listed})) "
                f"ON key_no IN ({listed}) USING first({column}) GROUP BY run_no, step) {alias} "
                f"ON {alias}.run_no = s.run_no AND {alias}.step = s.step"
            )
    for place, each in enumerate(metrics):
        alias = "n" if each.is_number else "t"
        numbered = ", ".join(f'{alias}."{number}"' for number in each.numbers)
        value = f"coalesce({numbered})"
        columns.append(f"{value if each.is_number else _text_of(value)} AS m{place}")
    rows = (
        f"SELECT {', '.join(columns)} FROM (FROM _data.steps WHERE {window}) s "
        f"JOIN chosen c ON c.number = s.run_no {' '.join(joins)} "
        f"WHERE {_condition(metrics, wanted, window)}"
    )
    return f"{_sampled(rows, wanted.samples)} ORDER BY place, step"


def _condition(metrics: Sequence[_Metric], wanted: Wanted, window: str) -> str:
    """Return SQL that leaves out rows without the keys that they need.

    What a row holds is counted where it is stored: a value that does not fit its column counts.
    """
    listed = _list(metrics)
    if wanted.keys is None or (wanted.needs == "any" and not listed):
        return "true"
    held = (
        "(SELECT count(*) FROM _data.history h WHERE h.run_no = s.run_no AND h.step = s.step "
        f"AND key_no IN ({listed or -1}) AND {window})"
    )
    if wanted.needs == "any":
        return f"{held} > 0"
    own = [f"s.{OWN_COLUMNS[key]} IS NOT NULL" for key in wanted.keys if key in OWN_COLUMNS]
    return " AND ".join([f"{held} = {len(metrics)}", *own])


def _list(metrics: Sequence[_Metric]) -> str:
    return ", ".join(str(number) for each in metrics for number in each.numbers)


def _sampled(rows: str, samples: int | None) -> str:
    """Return SQL for some of the rows of each run, spread evenly, with both ends."""
    if samples is None:
        return f"SELECT * FROM ({rows})"
    numbered = (
        "SELECT *, row_number() OVER (PARTITION BY place ORDER BY step) - 1 AS at_, "
        f"count(*) OVER (PARTITION BY place) - 1 AS last_ FROM ({rows})"
    )
    gaps = samples - 1
    is_chosen = (
        f"last_ < {samples} OR ((at_ * {gaps} + last_ - 1) // last_ * last_) // {gaps} = at_"
        if gaps
        else "at_ = 0"
    )
    return f"SELECT * EXCLUDE (at_, last_) FROM ({numbered}) WHERE {is_chosen}"


def _window(run_nos: Sequence[int], wanted: Wanted) -> str:
    """Return SQL that narrows rows to a range of runs and of steps."""
    window = f"run_no BETWEEN {min(run_nos, default=0)} AND {max(run_nos, default=-1)}"
    if wanted.min_step is not None:
        window += f" AND step >= {int(wanted.min_step)}"
    if wanted.max_step is not None:
        window += f" AND step < {int(wanted.max_step)}"
    return window


def load_system(published: Published, path: tuple[str, str, str]) -> pa.Table:
    """Return what a run's machine measured: a row a sample, a DOUBLE column a metric.

    Raises ``NotMirrored``.
    """
    run_no = find_run(published, path)
    found = published.rows(
        "SELECT DISTINCT h.key_no, k.name FROM _data.samples h JOIN _data.keys k USING (key_no) "
        "WHERE h.run_no = ? ORDER BY k.name",
        [run_no],
    )
    columns = "".join(
        f", max(value) FILTER (WHERE key_no = {key_no}) AS {_quote(name)}" for key_no, name in found
    )
    return published.stream(
        f"SELECT timestamp AS _timestamp, runtime AS _runtime{columns} FROM _data.samples "
        f"WHERE run_no = {run_no} GROUP BY timestamp, runtime ORDER BY runtime, timestamp"
    ).read_all()


def _quote(name: str) -> str:
    return '"' + (name or "(empty)").replace('"', '""') + '"'


def _text_of(json: str) -> str:
    """Return SQL for JSON text with strings unquoted."""
    return (
        f"CASE WHEN {json} = 'null' THEN NULL WHEN {json}[1] = '\"' AND json_valid({json}) "
        f"THEN {json}::JSON->>'$' ELSE {json} END"
    )

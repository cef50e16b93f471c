"""The history of one run as a table: a row a step, a column a metric, every row or some."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from wandb_mirror.errors import NotMirrored
from wandb_mirror.query.published import Published

if TYPE_CHECKING:
    import pyarrow as pa

OWN_COLUMNS = ("_step", "_timestamp", "_runtime")


def load_history(
    published: Published,
    path: tuple[str, str, str],
    *,
    keys: Sequence[str] | None = None,
    samples: int | None = None,
    min_step: int | None = None,
    max_step: int | None = None,
    needs_all: bool = False,
) -> pa.Table:
    """Return a run's history in the order of steps; raises ``NotMirrored``.

    A metric that is a number somewhere is DOUBLE, with NULL where it is not; any other is text.
    ``samples`` takes so many rows, spread evenly; without it every row comes. A step without any of
    ``keys`` is left out, with ``needs_all`` one without all of them, as W&B's client has it.
    ``min_step`` is inclusive, ``max_step`` exclusive.
    """
    run_no = find_run(published, path)
    found = published.rows(
        "SELECT h.key_no, k.name, count(h.value) > 0 FROM _data.history h "
        "JOIN _data.keys k ON k.key_no = h.key_no WHERE h.run_no = ? GROUP BY ALL ORDER BY k.name",
        [run_no],
    )
    if keys is not None:
        missing = [key for key in keys if key not in {name for _, name, _ in found}]
        if missing:
            raise NotMirrored(
                f"run {'/'.join(path)} has no metric {missing[0]!r}; it has "
                + (", ".join(name for _, name, _ in found[:20]) or "none")
            )
        places = {name: place for place, name in enumerate(keys)}
        found = sorted((each for each in found if each[1] in places), key=lambda e: places[e[1]])
    joiner = None if keys is None else (" AND " if needs_all else " OR ")
    sql = _wide_sql(run_no, found, _window(min_step, max_step), joiner)
    if samples is not None:
        sql = (
            "SELECT * EXCLUDE (place, total) FROM (SELECT *, "
            "row_number() OVER (ORDER BY _step) - 1 "
            f"AS place, count(*) OVER () AS total FROM ({sql})) WHERE total <= {samples} "
            f"OR (place * {samples}) // total <> ((place - 1) * {samples}) // total OR place = 0"
        )
    return published.stream(f"{sql} ORDER BY _step").read_all()


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


def _wide_sql(
    run_no: int,
    found: Sequence[tuple[int, str, bool]],
    window: str,
    joiner: str | None,
) -> str:
    """Return a query that turns the long rows of a run round.

    ``joiner`` says whether a row needs a value of any metric or of all, None for not even one.
    """
    steps = (
        f"(SELECT step AS _step, timestamp AS _timestamp, runtime AS _runtime "
        f"FROM _data.steps WHERE run_no = {run_no}{window}) s"
    )
    columns = ["s._step", "s._timestamp", "s._runtime"]
    joins = []
    for alias, column, is_number in (("n", "value", True), ("t", "json", False)):
        chosen = [(key_no, name) for key_no, name, numeric in found if numeric is is_number]
        if not chosen:
            continue
        listed = ", ".join(str(key_no) for key_no, _ in chosen)
        joins.append(
            f"LEFT JOIN (PIVOT (SELECT step AS _step, key_no, {column} FROM _data.history "
            f"WHERE run_no = {run_no}{window} AND key_no IN ({listed})) ON key_no IN ({listed}) "
            f"USING first({column}) GROUP BY _step) {alias} USING (_step)"
        )
    for key_no, name, is_number in found:
        quoted = _quote(name)
        value = f'n."{key_no}"' if is_number else _text_of(f't."{key_no}"')
        columns.append(f"{value} AS {quoted}")
    where = ""
    if joiner and found:
        names = [f'n."{key}"' if numeric else f't."{key}"' for key, _, numeric in found]
        where = f" WHERE {joiner.join(f'{name} IS NOT NULL' for name in names)}"
    return f"SELECT {', '.join(columns)} FROM {steps} {' '.join(joins)}{where}"


def _window(min_step: int | None, max_step: int | None) -> str:
    """Return SQL that narrows rows to a range of steps."""
    first = "" if min_step is None else f" AND step >= {int(min_step)}"
    return first if max_step is None else f"{first} AND step < {int(max_step)}"


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

"""Runs as one flat table: their own columns, then a column a key of config and summary."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from wandb_mirror.query.compile import quote
from wandb_mirror.query.runs import RunsQuestion

LEFT_OUT = ("config", "summary", "run_no")
"""Columns of the wide table that the others repeat, or that mean nothing outside the file."""


def load_flat_runs(question: RunsQuestion, run_nos: Sequence[int]) -> pa.Table:
    """Return a row a run in the order given, with every key of config and summary.

    Keys that have a typed column which holds all of their values come from there. Those without a
    place there, and those whose values are of several sorts, come from the long tables: as numbers
    where all of them are, else as text, JSON where it is no string.
    """
    published = question.published
    columns = published.rows(
        "SELECT column_name, source, key, misfits FROM _data.columns WHERE table_name = 'runs' "
        "AND schema_name = ?",
        [question.schema],
    )
    trusted = {(source, key) for _, source, key, misfits in columns if key and not misfits}
    shown = [
        name
        for name, source, key, _ in columns
        if name not in LEFT_OUT and (not key or (source, key) in trusted)
    ]
    if not shown:
        return pa.table({})
    listed = ", ".join(f"r.{quote(name)}" for name in shown)
    table = published.join(
        f"SELECT {listed} FROM {question.source} r JOIN chosen c ON c.number = r.run_no "
        "ORDER BY c.place",
        run_nos,
    )
    if not run_nos:
        return table
    keys = published.rows(
        "SELECT k.source, k.path, k.key_no, k.name FROM _data.keys k JOIN _data.runs r "
        "ON r.project_no = k.project_no WHERE r.run_no = ? AND k.source IN ('config', 'summary') "
        "ORDER BY k.source, k.name",
        [run_nos[0]],
    )
    for source in ("config", "summary"):
        rest = [
            (no, name)
            for each, path, no, name in keys
            if each == source and (each, path) not in trusted
        ]
        if rest:
            table = _with_rest(question, table, run_nos, source, rest)
    return table


def _with_rest(
    question: RunsQuestion,
    table: pa.Table,
    run_nos: Sequence[int],
    source: str,
    keys: Sequence[tuple[int, str]],
) -> pa.Table:
    """Return the table with the keys that it lacks, those that one of the runs has."""
    every = ", ".join(str(key_no) for key_no, _ in keys)
    numeric = {
        key_no
        for (key_no,) in question.published.rows(
            f"SELECT key_no FROM _data.run_{source} WHERE key_no IN ({every}) GROUP BY key_no "
            "HAVING count(number) = count(*) AND count(text) = 0"
        )
    }
    for expression, chosen in (
        ("number", [each for each in keys if each[0] in numeric]),
        ("coalesce(text, value)", [each for each in keys if each[0] not in numeric]),
    ):
        if not chosen:
            continue
        listed = ", ".join(str(key_no) for key_no, _ in chosen)
        found = question.published.join(
            f"SELECT p.* EXCLUDE (run_no) FROM chosen c LEFT JOIN (PIVOT (SELECT run_no, key_no, "
            f"{expression} AS v FROM _data.run_{source} WHERE key_no IN ({listed})) "
            f"ON key_no IN ({listed}) USING first(v) GROUP BY run_no) p ON p.run_no = c.number "
            "ORDER BY c.place",
            run_nos,
        )
        for key_no, name in chosen:
            column = found.column(str(key_no))
            if column.null_count < len(column):
                table = table.append_column(_free_name(f"{source}.{name}", table), column)
    return table


def _free_name(name: str, table: pa.Table) -> str:
    """Return a column's name that no other column has."""
    while name in table.column_names:
        name += "~"
    return name

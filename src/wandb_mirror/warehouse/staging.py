"""Files of nothing but plain numbers, read by DuckDB itself, many runs in one statement.

A run's rows are looked at before they are believed: whole steps, each there once, and no number
that a double may not hold exactly. What does not pass is left to the reader that looks at every
value; a statement that fails says nothing of which file was at fault, so then all are left to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import duckdb

from wandb_mirror.errors import CorruptFile, StoreTooNew
from wandb_mirror.history.columns import (
    LARGEST_STEP,
    RUNTIME,
    STEP,
    TIMESTAMP,
    ExportedFiles,
    StagedSteps,
    is_metric,
)
from wandb_mirror.history.flatten import EXACT
from wandb_mirror.jsontext import dumps
from wandb_mirror.warehouse.engine import Database, quote
from wandb_mirror.warehouse.rows import WIDEST, Rows

PLACE = "file_index"
"""DuckDB's own column of a file's place; a file that has a column of that name is not plain."""
LARGEST = 8_000_000
"""Values that may be looked at together: they are held in memory."""
PLAIN_INTEGERS = (None, "INT_8", "INT_16", "INT_32", "INT_64")


@dataclass(frozen=True, slots=True)
class Shape:
    """Columns of numbers."""

    columns: tuple[tuple[str, str], ...]
    """Names and types of Parquet, in the order of names."""
    is_mixed: bool
    """Whether files differ in them: then all are looked at before any is read."""


@dataclass(frozen=True, slots=True)
class StagedTable:
    """Rows of some runs that have the same metrics, by run and step."""

    name: str
    columns: Mapping[str, str]
    """A metric's path, as a JSON array, to its column."""
    run_nos: frozenset[int]


@dataclass(slots=True)
class Staging:
    """What was staged last; it is let go with the next staging, or when it is cleared."""

    database: Database
    tables: list[StagedTable] = field(default_factory=list)

    def clear(self) -> None:
        """Let go of what was staged."""
        for number in range(len(self.tables)):
            self.database.run(f"DROP TABLE IF EXISTS temp.staged_{number}")
        self.tables.clear()

    def stage(
        self, run_nos: Sequence[int], files: Sequence[ExportedFiles]
    ) -> list[StagedSteps | None]:
        """Read the files of runs; None for each run whose files are not plain."""
        self.clear()
        found: dict[int, StagedSteps] = {}
        try:
            for shape, places in _alike(self._look(files)).items():
                found.update(self._read(shape, [(run_nos[n], files[n]) for n in places]))
        except (duckdb.Error, CorruptFile, StoreTooNew):
            self.clear()
            return [None] * len(files)
        return [found.get(run_no) for run_no in run_nos]

    def _look(self, files: Sequence[ExportedFiles]) -> list[Shape | None]:
        """Return the columns of each run; None where any is not plain."""
        paths = [path for each in files for path in each.paths]
        rows: dict[str, list[tuple[str, str, int | None, str | None, str | None, str | None]]] = {}
        for path, *row in self.database.rows(
            "SELECT file_name, name, type, num_children, repetition_type, converted_type, "
            "logical_type FROM parquet_schema(?)",
            [paths],
        ):
            rows.setdefault(path, []).append(tuple(row))
        counts = dict(
            self.database.rows("SELECT file_name, num_rows FROM parquet_file_metadata(?)", [paths])
        )
        room = LARGEST
        shapes: list[Shape | None] = []
        for each in files:
            shape = _shape_of([_plain_columns(rows.get(path, [])) for path in each.paths])
            if shape is not None:
                values = len(shape.columns) * sum(counts[path] for path in each.paths)
                shape = shape if values <= room else None
                room -= values if shape is not None else 0
            shapes.append(shape)
        return shapes

    def _read(
        self, shape: Shape, runs: Sequence[tuple[int, ExportedFiles]]
    ) -> dict[int, StagedSteps]:
        """Read runs with the same columns into a table of their own; return those to believe."""
        name = f"staged_{len(self.tables)}"
        keys = dict(shape.columns)
        metrics = {key: f"c{place}" for place, key in enumerate(filter(is_metric, keys))}
        step, most = quote(STEP), f"{float(LARGEST_STEP)}::DOUBLE"
        whole = (
            f"CASE WHEN {step} = trunc({step}) AND {step} >= -{most} AND {step} < {most} "
            f"THEN TRY_CAST({step} AS BIGINT) END AS step"
        )
        columns = [
            "($1::INTEGER[])[CAST(file_index AS BIGINT) + 1] AS run_no",
            "($2::BIGINT[])[CAST(file_index AS BIGINT) + 1] AS stop",
            whole,
            *(
                f"CAST({quote(own) if own in keys else 'NULL'} AS DOUBLE) AS {as_}"
                for own, as_ in ((TIMESTAMP, "timestamp"), (RUNTIME, "runtime"))
            ),
            *(f"CAST({quote(key)} AS DOUBLE) AS {own}" for key, own in metrics.items()),
        ]
        read = f"read_parquet($3::VARCHAR[], union_by_name = {shape.is_mixed})"
        of_file = [(run_no, each.stop) for run_no, each in runs for _ in each.paths]
        # Whole files go to whichever thread is free: rows of a run mostly stay together, and the
        # table is laid out so that many threads can read it.
        with self.database.in_any_order():
            self.database.run(
                f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * EXCLUDE (stop) FROM "
                f"(SELECT {', '.join(columns)} FROM {read}) "
                "WHERE step IS NULL OR (step >= 0 AND (stop IS NULL OR step < stop))",
                [
                    [run_no for run_no, _ in of_file],
                    [stop for _, stop in of_file],
                    [path for _, each in runs for path in each.paths],
                ],
            )
        paths = {dumps([key]): own for key, own in metrics.items()}
        table = StagedTable(name, paths, frozenset(run_no for run_no, _ in runs))
        self.tables.append(table)
        found = self._steps_of(table)
        if any(each is None for each in found.values()):
            self.database.run(
                f"CREATE OR REPLACE TEMP TABLE {name} AS SELECT * FROM {name} ORDER BY run_no, step"
            )
            found = self._steps_of(table)
        inexact = self._inexact(table)
        return {
            run_no: each
            for run_no, each in found.items()
            if each is not None and run_no not in inexact
        }

    def _steps_of(self, table: StagedTable) -> dict[int, StagedSteps | None]:
        """Return what rows there are of each run; None where they are not each after another."""
        return {
            run_no: StagedSteps(rows, last) if is_whole and is_ordered else None
            for run_no, rows, last, is_whole, is_ordered in self.database.rows(
                "SELECT run_no, count(*), max(step), count(step) = count(*), "
                "bool_and(before IS NULL OR step > before) FROM (SELECT run_no, step, "
                "CASE WHEN lag(run_no) OVER () = run_no THEN lag(step) OVER () END AS before "
                f"FROM {table.name}) GROUP BY run_no"
            )
        }

    def _inexact(self, table: StagedTable) -> set[int]:
        """Return the runs with a number that may stand for an integer with more digits."""
        columns = table.columns.values()
        if not columns:
            return set()
        largest = ", ".join(f"max(abs({own})) FILTER (WHERE isfinite({own}))" for own in columns)
        [bounds] = self.database.rows(f"SELECT {largest} FROM {table.name}")
        wrong = [
            f"(isfinite({own}) AND abs({own}) >= {EXACT})"
            for own, most in zip(columns, bounds, strict=True)
            if most is not None and most >= EXACT
        ]
        if not wrong:
            return set()
        rows = self.database.rows(
            f"SELECT DISTINCT run_no FROM {table.name} WHERE {' OR '.join(wrong)}"
        )
        return {run_no for (run_no,) in rows}

    def rows(self, run_nos: Collection[int]) -> Iterator[Rows]:
        """Yield what was staged of some runs, a table after another."""
        for table in self.tables:
            chosen = table.run_nos.intersection(run_nos)
            if not chosen:
                continue
            source = table.name
            if chosen < table.run_nos:  # any condition is looked at again for each metric
                listed = ", ".join(map(str, sorted(chosen)))
                source = f"(SELECT * FROM {table.name} WHERE run_no IN ({listed}))"
            counted = ", ".join(["count(*)", *(f"count({own})" for own in table.columns.values())])
            [(rows, *counts)] = self.database.rows(f"SELECT {counted} FROM {source}")
            there = {
                path: own
                for (path, own), count in zip(table.columns.items(), counts, strict=True)
                if count
            }
            is_full = sum(counts) == rows * len(there)
            yield Rows(source, there, chosen, sum(counts), is_full=is_full)


def _plain_columns(
    rows: Sequence[tuple[str, str, int | None, str | None, str | None, str | None]],
) -> dict[str, str] | None:
    """Return the columns of a file and their types; None where not all are plain numbers."""
    if not rows or rows[0][2] != len(rows) - 1:
        return None
    found: dict[str, str] = {}
    for name, kind, children, repetition, converted, logical in rows[1:]:
        is_integer = (
            kind in ("INT32", "INT64")
            and converted in PLAIN_INTEGERS
            and (logical is None or logical.startswith("IntType"))
        )
        if children or repetition == "REPEATED" or not (is_integer or kind in ("DOUBLE", "FLOAT")):
            return None
        found[name] = kind
    return found if len(found) == len(rows) - 1 else None


def _shape_of(files: Sequence[dict[str, str] | None]) -> Shape | None:
    """Return what the files of a run hold together; None where that cannot be read as it is."""
    merged: dict[str, str] = {}
    for each in files:
        if each is None:
            return None
        merged.update(each)
    if not _is_readable(merged):
        return None
    return Shape(tuple(sorted(merged.items())), any(each != merged for each in files))


def _is_readable(shape: Mapping[str, str]) -> bool:
    """Tell whether columns can be named in one statement: DuckDB folds the case of names."""
    folded = {name.lower() for name in shape}
    return (
        STEP in shape
        and len(shape) <= WIDEST
        and len(folded) == len(shape)
        and all(name and "\0" not in name and name.lower() != PLACE for name in shape)
    )


def _alike(shapes: Sequence[Shape | None]) -> Mapping[Shape, list[int]]:
    """Return the places of those that have the same columns."""
    found: dict[Shape, list[int]] = {}
    for place, shape in enumerate(shapes):
        if shape is not None:
            found.setdefault(shape, []).append(place)
    return found

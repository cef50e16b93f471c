"""Histories in Parquet files that upstream wrote, as pages of steps.

Nobody says what stands in these files but those who read them (``wandb-core``,
``internal/runhistoryreader``; ``wandb/weave``, ``ops_domain/run_history``): numbers are DOUBLE,
``_step`` too; a dict is a struct; a column of several types is a struct with a field a type
(``_type_float64``, ``_type_utf8``, …), in older files BINARY that holds JSON. Files of one run may
have different columns, overlap, and come in any order. What cannot be read for certain is a
``BadRow``: upstream's pages have the same rows.

A DOUBLE of 2**53 and more may stand for an integer with more digits than it holds: such steps are
told, so that they can be read elsewhere. A null that was logged is no longer told from a missing
value, and the keys of a dict come in the order in which the file has them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from wandb_mirror.errors import BadRow
from wandb_mirror.history.columns import (
    RUNTIME,
    STEP,
    TIMESTAMP,
    Column,
    StepColumns,
    is_metric,
)
from wandb_mirror.history.flatten import EXACT
from wandb_mirror.history.lines import add_slowly
from wandb_mirror.history.merge import merge_pages
from wandb_mirror.jsontext import dumps, loads

UNION = "_type_"
"""The fields of a struct that stands for a column of several types begin so."""
VALUES_A_PAGE = 400_000
LARGEST_OVERLAP = 20_000_000
"""Values of files that overlap which are put together in memory; there it takes 16 bytes each."""
READABLE = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, RecursionError)
"""What is raised over files that are not as they should be."""


@dataclass(slots=True)
class ExportedSteps:
    """The exported rows of one run, read page by page in the order of steps."""

    run_id: str
    files: Sequence[_File]
    inexact: set[int] = field(default_factory=set)
    """Steps that were read with a number that may have had more digits."""

    @classmethod
    def open(cls, run_id: str, contents: Sequence[pa.Buffer]) -> ExportedSteps:
        """Open files; raises ``BadRow`` for what is no history in Parquet."""
        try:
            files = [_File.open(pq.ParquetFile(pa.BufferReader(each))) for each in contents]
        except READABLE as error:
            raise BadRow("history", run_id, f"an export cannot be read: {error}"[:200]) from error
        ordered = sorted((each for each in files if each.rows), key=lambda each: each.first)
        return cls(run_id, ordered)

    @property
    def last(self) -> int | None:
        """Return the largest step, None where there is none."""
        return max((each.last for each in self.files), default=None)

    def pages(self, first: int, stop: int | None) -> Iterator[StepColumns]:
        """Yield what lies from step ``first`` up to, not including, ``stop``; raises ``BadRow``."""
        try:
            for group in _groups(self.files):
                for content in self._read(group):
                    page = _cut(content, first, stop)
                    if len(page.steps):
                        yield page
        except READABLE as error:
            problem = f"an export cannot be read: {error}"[:200]
            raise BadRow("history", self.run_id, problem) from error

    def _read(self, group: Sequence[_File]) -> Iterator[StepColumns]:
        """Yield the rows of files whose steps overlap, and of no other."""
        if len(group) == 1 and group[0].is_ordered:
            for batch in group[0].batches():
                yield self._turn(batch)
            return
        if sum(each.rows * each.columns for each in group) > LARGEST_OVERLAP:
            raise ValueError("its files overlap, and are too large to be put together")
        whole = merge_pages([self._turn(batch) for each in group for batch in each.batches()])
        rows = max(1, VALUES_A_PAGE * len(whole.steps) // max(1, whole.values))
        steps = whole.steps
        for start in range(0, len(steps), rows):
            stop = steps[start + rows].as_py() if start + rows < len(steps) else None
            yield _cut(whole, steps[start].as_py(), stop)

    def _turn(self, batch: pa.RecordBatch) -> StepColumns:
        """Return rows as columns; the steps may be in any order."""
        steps = _whole_steps(batch.column(STEP))
        absent = pa.nulls(len(steps), pa.float64())
        times = {
            name: _doubles(batch.column(name)) if name in batch.schema.names else absent
            for name in (TIMESTAMP, RUNTIME)
        }
        columns: list[Column] = []
        for name, array in zip(batch.schema.names, batch.columns, strict=True):
            if is_metric(name):
                self._add(columns, name, steps, array)
        return StepColumns(steps, times[TIMESTAMP], times[RUNTIME], columns)

    def _add(self, columns: list[Column], name: str, steps: pa.Array, array: pa.Array) -> None:
        """Add a column; only what is no plain number is looked at value by value."""
        if array.null_count:
            is_there = array.is_valid()
            steps, array = steps.filter(is_there), array.filter(is_there)
        if len(array) == 0:
            return
        if pa.types.is_floating(array.type):
            self._note_inexact(steps, array)
            columns.append(Column(dumps([name]), steps, array.cast(pa.float64())))
        elif pa.types.is_integer(array.type) and _is_exact(array):
            columns.append(Column(dumps([name]), steps, array.cast(pa.float64())))
        else:
            numbers = steps.to_pylist()
            add_slowly(columns, name, numbers, self._values_of(numbers, array))

    def _values_of(self, steps: Sequence[int], array: pa.Array) -> list[Any]:
        """Return values as JSON would have said them; BINARY holds JSON."""
        if pa.types.is_dictionary(array.type):
            array = array.dictionary_decode()
        if pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
            return [loads(text) for text in array.to_pylist()]
        values = []
        plain = _Plain()
        for step, value in zip(steps, array.to_pylist(), strict=True):
            values.append(plain.tidy(value))
            if plain.is_inexact:
                self.inexact.add(step)
                plain.is_inexact = False
        return values

    def _note_inexact(self, steps: pa.Array, array: pa.Array) -> None:
        """Note steps whose number may stand for an integer with more digits."""
        bounds = pc.min_max(array)
        if bounds["min"].as_py() > -EXACT and bounds["max"].as_py() < EXACT:
            return
        is_huge = pc.and_(pc.greater_equal(pc.abs(array), float(EXACT)), pc.is_finite(array))
        self.inexact.update(steps.filter(is_huge).to_pylist())


@dataclass(frozen=True, slots=True)
class _File:
    """One file, and where its steps lie."""

    parquet: pq.ParquetFile
    rows: int
    columns: int
    first: int
    last: int
    is_ordered: bool
    """Whether each step is larger than the one before."""

    @classmethod
    def open(cls, parquet: pq.ParquetFile) -> _File:
        """Look at a file's steps; raises one of ``READABLE``."""
        rows, columns = parquet.metadata.num_rows, parquet.metadata.num_columns
        steps = _whole_steps(parquet.read(columns=[STEP]).column(STEP).combine_chunks())
        if not rows:
            return cls(parquet, 0, columns, 0, -1, is_ordered=True)
        bounds = pc.min_max(steps)
        is_ordered = rows == 1 or bool(pc.all(pc.less(steps[:-1], steps[1:])).as_py())
        first, last = bounds["min"].as_py(), bounds["max"].as_py()
        return cls(parquet, rows, columns, first, last, is_ordered)

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield the rows, so many together that a page is never large."""
        rows = max(1, VALUES_A_PAGE // max(1, self.columns))
        return iter(self.parquet.iter_batches(batch_size=rows, use_threads=False))


@dataclass(slots=True)
class _Plain:
    """Turns a value of a file into what JSON would have said, and sees what it cannot know."""

    is_inexact: bool = False

    def tidy(self, value: Any) -> Any:
        """Return a value without nulls in dicts, and whole numbers as such.

        A struct has a field for each key that any of its dicts had, null where this one lacks it.
        """
        if type(value) is float:
            return self._tidy_number(value)
        if isinstance(value, bytes):
            return loads(value)
        if isinstance(value, dict):
            there = {key: self.tidy(each) for key, each in value.items() if each is not None}
            return next(iter(there.values()), None) if _is_union(value) else there
        if isinstance(value, list):
            return [self.tidy(each) for each in value]
        if value is None or isinstance(value, bool | int | str):
            return value
        raise TypeError(f"{type(value).__name__} is no type of a logged value")

    def _tidy_number(self, value: float) -> float:
        """Return a whole number as such, as far as the file says it exactly."""
        if not value.is_integer() or (value == 0 and math.copysign(1, value) < 0):
            return value
        if abs(value) >= EXACT:
            self.is_inexact = True
            return value
        return int(value)


def _is_union(value: Mapping[str, Any]) -> bool:
    """Tell whether a struct stands for a value of one of several types."""
    return bool(value) and all(key.startswith(UNION) for key in value)


def _groups(files: Sequence[_File]) -> Iterator[list[_File]]:
    """Yield files, in the order of steps, those together whose steps overlap."""
    group: list[_File] = []
    for each in files:
        if group and each.first > max(other.last for other in group):
            yield group
            group = []
        group.append(each)
    if group:
        yield group


def _whole_steps(array: pa.Array) -> pa.Array:
    """Return steps as integers; raises ``ValueError`` where one is none."""
    if array.null_count:
        raise ValueError("a row has no _step")
    return array.cast(pa.int64())  # safe: a fraction, or what is too large, is refused


def _doubles(array: pa.Array) -> pa.Array:
    return array.cast(pa.float64())


def _is_exact(array: pa.Array) -> bool:
    bounds = pc.min_max(array)
    return bool(bounds["min"].as_py() > -EXACT and bounds["max"].as_py() < EXACT)


def _cut(content: StepColumns, first: int, stop: int | None) -> StepColumns:
    """Return the rows from ``first`` up to, not including, ``stop``."""
    steps = content.steps
    if len(steps) and steps[0].as_py() >= first and (stop is None or steps[-1].as_py() < stop):
        return content
    is_inside = _between(steps, first, stop)
    columns = []
    for each in content.columns:
        chosen = _between(each.steps, first, stop)
        columns.append(
            Column(
                each.path,
                each.steps.filter(chosen),
                each.values.filter(chosen),
                None if each.json is None else each.json.filter(chosen),
            )
        )
    return StepColumns(
        steps.filter(is_inside),
        content.timestamps.filter(is_inside),
        content.runtimes.filter(is_inside),
        [column for column in columns if len(column.steps)],
    )


def _between(steps: pa.Array, first: int, stop: int | None) -> pa.Array:
    chosen = pc.greater_equal(steps, first)
    return chosen if stop is None else pc.and_(chosen, pc.less(steps, stop))

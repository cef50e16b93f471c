"""Pages of history as Arrow tables, put together with few calls: each gives Python's lock away."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import pyarrow as pa

from wandb_mirror.history.columns import Column, StepColumns, StepsPage
from wandb_mirror.warehouse.rows import WIDEST

FEWEST_ROWS = 2_000
"""Rows with the same metrics that are worth statements of their own."""
Arrived = tuple[StepsPage, int]
"""A page and the number of its run."""


def steps_table(run_nos: Sequence[int], contents: Sequence[StepColumns]) -> pa.Table:
    """Return the rows of ``steps`` for pages."""
    counts = [len(content.steps) for content in contents]
    return pa.table(
        {
            "run_no": repeated(list(zip(run_nos, counts, strict=True))),
            "step": joined([content.steps for content in contents], pa.int64()),
            "timestamp": joined([content.timestamps for content in contents], pa.float64()),
            "runtime": joined([content.runtimes for content in contents], pa.float64()),
        }
    )


def whole_rows(pages: Sequence[Arrived]) -> list[list[Arrived]]:
    """Return the pages that are a run's whole history and have plain numbers at every step.

    Those of a project with the same metrics are together; few rows of a sort are left out.
    """
    pages_of = Counter(run_no for _, run_no in pages)
    found: dict[tuple[str, frozenset[str]], list[Arrived]] = {}
    for page, run_no in pages:
        is_whole = page.min_step == 0 and page.max_step is None and pages_of[run_no] == 1
        if is_whole and _lies_in_rows(page.content):
            paths = frozenset(column.path for column in page.content.columns)
            found.setdefault((page.project_id, paths), []).append((page, run_no))
    return [
        together
        for together in found.values()
        if sum(len(page.content.steps) for page, _ in together) >= FEWEST_ROWS
    ]


def _lies_in_rows(content: StepColumns) -> bool:
    length = len(content.steps)
    return 0 < len(content.columns) <= WIDEST and all(
        column.json is None and len(column.steps) == length for column in content.columns
    )


def rows_table(pages: Sequence[Arrived]) -> tuple[pa.Table, dict[str, str]]:
    """Return pages that lie in rows and have the same metrics; the other is which column is whose.

    The first columns are those of ``steps``.
    """
    table = steps_table([run_no for _, run_no in pages], [page.content for page, _ in pages])
    by_path: dict[str, list[pa.Array]] = {}
    for page, _ in pages:
        for column in page.content.columns:
            by_path.setdefault(column.path, []).append(column.values)
    columns = {path: f"c{place}" for place, path in enumerate(by_path)}
    for path, arrays in by_path.items():
        table = table.append_column(columns[path], joined(arrays, pa.float64()))
    return table, columns


def joined(arrays: Sequence[pa.Array], kind: pa.DataType) -> pa.Array:
    """Return arrays as one, which DuckDB reads far faster than as many small chunks."""
    return pa.concat_arrays(arrays) if arrays else pa.array([], kind)


def joined_json(columns: Sequence[Column]) -> pa.Array:
    """Return the texts beside the values; nearly always there are none."""
    pieces: list[pa.Array] = []
    for is_absent, group in groupby(columns, lambda column: column.json is None):
        together = list(group)
        if is_absent:
            pieces.append(pa.nulls(sum(len(each.steps) for each in together), pa.string()))
        else:
            pieces += [each.json for each in together]
    return joined(pieces, pa.string())


def repeated(counted: Sequence[tuple[int, int]]) -> pa.Array:
    """Return numbers, each as often as is said beside it.

    Put together as bytes: an Arrow call a column would give Python's lock to the threads that
    parse, and wait for it, thousands of times.
    """
    content = b"".join(number.to_bytes(4, sys.byteorder) * count for number, count in counted)
    return pa.Array.from_buffers(pa.int32(), len(content) // 4, [None, pa.py_buffer(content)])

"""Pages of history as Arrow tables, put together with few calls: each gives Python's lock away."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby

import pyarrow as pa

from wandb_mirror.history.columns import Column, StepColumns


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

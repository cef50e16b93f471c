"""Parse pages of plain numbers, which nearly all are, outside Python's lock.

Arrow's JSON reader parses in C++ while other threads run; what it may get wrong by a hair (an
integer that no double holds, a null, a string that looks like a time) is left to the slow reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json

from wandb_mirror.history.columns import (
    RUNTIME,
    STEP,
    TIMESTAMP,
    Column,
    StepColumns,
    is_metric,
)
from wandb_mirror.history.flatten import EXACT
from wandb_mirror.jsontext import dumps

FEWEST_LINES = 8
"""Below this many lines the other reader is as quick."""
LARGEST_BLOCK = 2**30
"""Bytes; Arrow reads a page as one block."""


def parse_plain(lines: Sequence[str], min_step: int, max_step: int | None) -> StepColumns | None:
    """Return a page by column, or None where it holds anything but plain numbers.

    Plain: an object a line; each step whole, inside the window and larger than the one before;
    every value an integer or a float that a double holds exactly.
    """
    if len(lines) < FEWEST_LINES:
        return None
    table = _read(lines)
    if table is None or table.num_rows != len(lines) or STEP not in table.column_names:
        return None
    arrays = {name: _whole(table.column(name)) for name in table.column_names}
    if not _are_exact(arrays.values()):
        return None
    columns = {name: array.cast(pa.float64()) for name, array in arrays.items() if name != STEP}
    steps = arrays[STEP]
    if not _are_in_order(steps) or steps[0].as_py() < min_step:
        return None
    if max_step is not None and steps[-1].as_py() >= max_step:
        return None
    absent = pa.nulls(len(steps), pa.float64())
    return StepColumns(
        steps,
        columns.get(TIMESTAMP, absent),
        columns.get(RUNTIME, absent),
        [_column(name, steps, array) for name, array in columns.items() if is_metric(name)],
    )


def _read(lines: Sequence[str]) -> pa.Table | None:
    """Return the rows as Arrow reads them, a missing key being null; None where it cannot."""
    try:
        text = "\n".join(lines).encode()
    except UnicodeEncodeError:
        return None
    if b"null" in text or len(text) >= LARGEST_BLOCK:  # a null that was logged is no missing key
        return None
    options = pa.json.ReadOptions(use_threads=False, block_size=len(text) + 1)
    try:
        return pa.json.read_json(pa.BufferReader(text), read_options=options)
    except (pa.ArrowInvalid, pa.ArrowKeyError):
        return None


def _whole(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, copied only where it comes in pieces."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _are_exact(arrays: Iterable[pa.Array]) -> bool:
    """Tell whether arrays hold nothing but numbers, each of them what was written.

    Those of one type are looked at together: each call gives Python's lock away.
    """
    by_type: dict[pa.DataType, list[pa.Array]] = {}
    for array in arrays:
        if array.type not in (pa.int64(), pa.float64()) or array.null_count == len(array):
            return False
        by_type.setdefault(array.type, []).append(array)
    for same in by_type.values():
        bounds = pc.min_max(pa.concat_arrays(same) if len(same) > 1 else same[0])
        if not -EXACT < bounds["min"].as_py() <= bounds["max"].as_py() < EXACT:
            return False
    return True


def _are_in_order(steps: pa.Array) -> bool:
    """Tell whether steps are whole, there, and each larger than the one before."""
    if steps.type != pa.int64() or steps.null_count:
        return False
    return len(steps) < 2 or bool(pc.all(pc.less(steps[:-1], steps[1:])).as_py())  # noqa: PLR2004


def _column(name: str, steps: pa.Array, values: pa.Array) -> Column:
    if values.null_count:
        is_there = values.is_valid()
        steps, values = steps.filter(is_there), values.filter(is_there)
    return Column(dumps([name]), steps, values)

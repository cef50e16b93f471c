"""Turn history rows, a JSON object a line, into columns.

Pages of nothing but plain numbers are parsed by Arrow. In others rows mostly have the same keys,
so they are turned round by ``zip`` and a whole column is converted at once; only what is not a
plain number is looked at value by value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import itemgetter, lt
from typing import Any

import orjson
import pyarrow as pa

from wandb_mirror.errors import BadRow
from wandb_mirror.history.columns import (
    LARGEST_STEP,
    RUNTIME,
    STEP,
    TIMESTAMP,
    Column,
    StepColumns,
    is_metric,
)
from wandb_mirror.history.flatten import as_double, as_leftover, flatten, is_branch
from wandb_mirror.history.plain import parse_plain
from wandb_mirror.jsontext import dumps, has_huge_float, loads

FIRST_INEXACT = float(2**63)
StepRow = tuple[int, dict[str, Any]]
"""A step and its row."""
PLAIN = frozenset({float, int})


def parse_steps(
    run_id: str, lines: Sequence[str], *, min_step: int = 0, max_step: int | None = None
) -> StepColumns:
    """Return a page by column; rows of one step are merged, the later value of a key wins.

    Rows outside the window that was asked for come from servers that ignore it, and are left out:
    the page whose they are brings them. Raises ``BadRow`` where a line is not a JSON object with a
    whole ``_step``.
    """
    if (page := parse_plain(lines, min_step, max_step)) is not None:
        return page
    try:
        rows = _load_together(lines) or _load(run_id, lines, orjson.loads)
        return _turn(_inside(rows, min_step, max_step), may_be_inexact=True)
    except (orjson.JSONDecodeError, _DigitsLost):
        rows = _load(run_id, lines, loads)
        return _turn(_inside(rows, min_step, max_step), may_be_inexact=False)


class _DigitsLost(Exception):
    """A float may be an integer of 2**64 or more that orjson rounded: read the page exactly."""


def _inside(rows: list[StepRow], min_step: int, max_step: int | None) -> list[StepRow]:
    """Return the rows of a window; mostly that is all of them."""
    if not rows or (rows[0][0] >= min_step and (max_step is None or rows[-1][0] < max_step)):
        return rows
    return [row for row in rows if row[0] >= min_step and (max_step is None or row[0] < max_step)]


def _turn(rows: list[StepRow], *, may_be_inexact: bool) -> StepColumns:
    groups: dict[tuple[str, ...], list[StepRow]] = {}
    for pair in rows:
        groups.setdefault(tuple(pair[1]), []).append(pair)
    columns: list[Column] = []
    for keys, group in groups.items():
        _add_group(columns, keys, group, may_be_inexact=may_be_inexact)
    return StepColumns(
        pa.array([step for step, _ in rows], pa.int64()),
        pa.array(_doubles([row.get(TIMESTAMP) for _, row in rows]), pa.float64()),
        pa.array(_doubles([row.get(RUNTIME) for _, row in rows]), pa.float64()),
        columns,
    )


def _doubles(values: list[Any]) -> list[float | None]:
    """Return values as doubles; mostly that is what they are."""
    return values if set(map(type, values)) == {float} else [as_double(value) for value in values]


def _load_together(lines: Sequence[str]) -> list[StepRow] | None:
    """Return (step, row) of well-behaved lines, parsed in one go in half the time; None for others.

    Well-behaved: an object a line, each with a whole step larger than the one before.
    """
    rows = orjson.loads(f"[{','.join(lines)}]")
    if len(rows) != len(lines) or set(map(type, rows)) != {dict}:
        return None
    steps = [row.get(STEP) for row in rows]
    if set(map(type, steps)) != {int} or not all(map(lt, steps, steps[1:])):
        return None
    if steps[0] < -LARGEST_STEP or steps[-1] >= LARGEST_STEP:
        return None
    return list(zip(steps, rows, strict=True))


def _load(run_id: str, lines: Sequence[str], read: Callable[[str], Any]) -> list[StepRow]:
    """Return (step, row) in the order of steps, one a step."""
    merged: dict[int, dict[str, Any]] = {}
    for line in lines:
        try:
            row = read(line)
        except orjson.JSONDecodeError:
            raise
        except ValueError as error:
            raise BadRow("history", run_id, f"a row is not JSON: {line[:80]}") from error
        if type(row) is not dict:
            raise BadRow("history", run_id, f"a row is no object: {line[:80]}")
        step = row.get(STEP)
        if type(step) is not int or not -LARGEST_STEP <= step < LARGEST_STEP:
            step = _whole_step(run_id, step, line)
        if step in merged:
            merged[step].update(row)
        else:
            merged[step] = row
    return sorted(merged.items(), key=itemgetter(0))


def _whole_step(run_id: str, step: Any, line: str) -> int:
    """Return a step that came as a float, as exports and some loggers write it."""
    if type(step) is float and step.is_integer() and abs(step) < FIRST_INEXACT:
        return int(step)
    raise BadRow("history", run_id, f"a row has no whole _step: {line[:80]}")


def _add_group(
    columns: list[Column],
    keys: tuple[str, ...],
    group: list[StepRow],
    *,
    may_be_inexact: bool,
) -> None:
    """Add the columns of rows that have the same keys in the same order."""
    steps = pa.array([step for step, _ in group], pa.int64())
    turned = zip(*[row.values() for _, row in group], strict=True)
    for key, values in zip(keys, turned, strict=True):
        if not is_metric(key):
            continue
        types = set(map(type, values))
        if types <= PLAIN:
            if may_be_inexact and float in types and max(map(abs, values)) >= FIRST_INEXACT:
                raise _DigitsLost
            try:
                array = pa.array(values, pa.float64())
            except (pa.ArrowInvalid, OverflowError):
                pass  # an integer that no double holds
            else:
                columns.append(Column(dumps([key]), steps, array))
                continue
        elif may_be_inexact and any(map(has_huge_float, values)):
            raise _DigitsLost
        add_slowly(columns, key, [step for step, _ in group], values)


def add_slowly(columns: list[Column], key: str, steps: list[int], values: Sequence[Any]) -> None:
    """Add a column value by value, nested ones as columns of their own."""
    leaves: dict[tuple[str, ...], list[tuple[int, Any]]] = {}
    for step, value in zip(steps, values, strict=True):
        if is_branch(value):
            for path, leaf in flatten(value, (key,)):
                leaves.setdefault(path, []).append((step, leaf))
        else:
            leaves.setdefault((key,), []).append((step, value))
    for path, pairs in leaves.items():
        numbers = [as_double(value) for _, value in pairs]
        leftovers = [
            as_leftover(value, number) for (_, value), number in zip(pairs, numbers, strict=True)
        ]
        has_leftovers = any(text is not None for text in leftovers)
        columns.append(
            Column(
                dumps(list(path)),
                pa.array([step for step, _ in pairs], pa.int64()),
                pa.array(numbers, pa.float64()),
                pa.array(leftovers, pa.string()) if has_leftovers else None,
            )
        )

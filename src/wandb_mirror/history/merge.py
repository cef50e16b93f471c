"""Pages that hold the same steps, put together as one: the later page wins where they differ."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from wandb_mirror.history.columns import Column, StepColumns


def merge_pages(pages: Sequence[StepColumns]) -> StepColumns:
    """Return one page with the steps of all in ascending order, each metric's value once a step."""
    steps = pa.concat_arrays([page.steps for page in pages])
    kept = _latest(steps)
    by_path: dict[str, list[Column]] = {}
    for page in pages:
        for column in page.columns:
            by_path.setdefault(column.path, []).append(column)
    return StepColumns(
        steps.take(kept),
        _latest_of(steps, pa.concat_arrays([page.timestamps for page in pages]), kept),
        _latest_of(steps, pa.concat_arrays([page.runtimes for page in pages]), kept),
        [_merge(path, columns) for path, columns in by_path.items()],
    )


def _merge(path: str, columns: Sequence[Column]) -> Column:
    steps = pa.concat_arrays([column.steps for column in columns])
    kept = _latest(steps)
    texts = None
    if any(column.json is not None for column in columns):
        texts = pa.concat_arrays(
            [
                pa.nulls(len(each.steps), pa.string()) if each.json is None else each.json
                for each in columns
            ]
        ).take(kept)
    values = pa.concat_arrays([column.values for column in columns])
    return Column(path, steps.take(kept), values.take(kept), texts)


def _latest(steps: pa.Array) -> pa.Array:
    """Return the places of each step's last occurrence, in the order of steps."""
    places = pa.table({"step": steps, "place": pa.array(range(len(steps)), pa.int64())})
    latest = places.group_by("step").aggregate([("place", "max")]).sort_by("step")
    return latest.column("place_max").combine_chunks()


def _latest_of(steps: pa.Array, values: pa.Array, kept: pa.Array) -> pa.Array:
    """Return of each step the last value that is there."""
    chosen = values.take(kept)
    if chosen.null_count == 0:
        return chosen
    is_there = values.is_valid()
    places = pc.indices_nonzero(is_there)
    known = steps.filter(is_there)
    found = places.take(_latest(known))
    index = pc.index_in(steps.take(kept), known.take(_latest(known)))
    return values.take(found).take(index)

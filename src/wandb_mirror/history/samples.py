"""Samples of a machine, a JSON object a line, by time and metric."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from wandb_mirror.history.columns import RUNTIME, TIMESTAMP, is_metric
from wandb_mirror.history.flatten import as_double, flatten
from wandb_mirror.jsontext import dumps, loads


@dataclass(frozen=True, slots=True)
class Samples:
    """All samples of one run: a value a row, as long as each other."""

    project_id: str
    run_id: str
    line_count: int
    """Samples that upstream counts, of which it may have sent fewer."""
    paths: Sequence[str]
    """Each metric's path, as a JSON array."""
    table: pa.Table
    """Columns ``path`` (a place in ``paths``), ``timestamp``, ``runtime`` and ``value``."""


def parse_samples(
    project_id: str, run_id: str, lines: Sequence[str], line_count: int | None
) -> Samples:
    """Return the numbers of all samples; raises ``ValueError`` where a line is no JSON object."""
    places: dict[str, int] = {}
    rows: list[tuple[int, float | None, float | None, float]] = []
    for line in lines:
        sample = loads(line)
        if not isinstance(sample, dict):
            raise ValueError(f"a sample is no object: {line[:80]}")  # noqa: TRY004
        head = as_double(sample.get(TIMESTAMP)), as_double(sample.get(RUNTIME))
        measured = {key: value for key, value in sample.items() if is_metric(key)}
        for path, value in flatten(measured):
            number = as_double(value)
            if number is not None:
                place = places.setdefault(dumps(list(path)), len(places))
                rows.append((place, *head, number))
    place_of, timestamps, runtimes, values = zip(*rows, strict=True) if rows else ((),) * 4
    table = pa.table(
        {
            "path": pa.array(place_of, pa.int32()),
            "timestamp": pa.array(timestamps, pa.float64()),
            "runtime": pa.array(runtimes, pa.float64()),
            "value": pa.array(values, pa.float64()),
        }
    )
    count = len(lines) if line_count is None else line_count
    return Samples(project_id, run_id, count, list(places), table)

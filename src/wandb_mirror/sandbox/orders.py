"""The order of a listing of runs, as ``+created_at`` or ``-summary_metrics.loss,+name``."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from random import Random
from typing import Any

from wandb_mirror.sandbox.objects import Run
from wandb_mirror.sandbox.paths import MISSING, find_getter

SERVER_ORDER = "-created_at"
"""What a listing without an order is sorted by."""


def sort_runs(
    runs: Sequence[Run],
    order: str | None,
    *,
    unknown: frozenset[str] = frozenset(),
    shuffle_ties_by: int | None = None,
) -> list[Run]:
    """Return runs in order; runs that lack the value come last in both directions.

    A key without a sign means ascending. ``config.x`` sorts nothing without its ``.value``. Ties
    stay in the order of creation, unless ``shuffle_ties_by`` shuffles them anew for each request.
    """
    ordered = sorted(runs, key=lambda run: run.number)
    if shuffle_ties_by is not None:
        Random(shuffle_ties_by).shuffle(ordered)  # noqa: S311  (not for secrets)
    for key in reversed((order or SERVER_ORDER).split(",")):
        name = key.strip().lstrip("+-")
        if name in unknown or (name.startswith("config.") and ".value" not in name):
            continue
        ordered = _sort(ordered, _rank(name), is_descending=key.strip().startswith("-"))
    return ordered


def _sort(runs: list[Run], rank: Callable[[Run], Any], *, is_descending: bool) -> list[Run]:
    ranks = [(rank(run), run) for run in runs]
    present = [pair for pair in ranks if pair[0] is not None]
    present.sort(key=lambda pair: pair[0], reverse=is_descending)
    return [run for _, run in present] + [run for value, run in ranks if value is None]


def _rank(name: str) -> Callable[[Run], Any]:
    """Return a key that sorts values of one type among themselves, or None for no value."""
    get = find_getter(name)

    def rank(run: Run) -> Any:
        value = get(run)
        if value is MISSING or value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(value, bool):
            return (1, value)
        if isinstance(value, int | float):
            return (0, value)
        if isinstance(value, datetime):
            return (2, value)
        return (3, str(value))

    return rank

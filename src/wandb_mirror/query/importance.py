"""Which parameters matter for a metric: what W&B's parameter-importance panel computes.

A random forest is trained to predict the metric from the config, and its importances are given
beside the linear correlation of each parameter with the metric. Numbers are taken as they are,
booleans are 0 and 1. A parameter that holds text becomes a column a value, 1 where a run has it:
it has a row a value in the answer. Missing numbers stay missing for the forest, and leave the run
out of the correlation. Left out are parameters that never change, and texts of more than
``MOST_VALUES`` values, which would be names of runs rather than choices.
"""

from __future__ import annotations

import importlib
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from wandb_mirror.errors import NotMirrored, OnlyUpstream
from wandb_mirror.query.flat_runs import load_flat_runs
from wandb_mirror.query.runs import RunsQuestion

MOST_VALUES = 20
LEAST_RUNS = 3
TREES = 100
SEED = 0
"""The same runs give the same answer."""


@dataclass(frozen=True, slots=True)
class Feature:
    """A column of what the forest is trained on."""

    parameter: str
    value: str | None
    """For a column made from text: the value that a run has where it is 1."""
    numbers: list[float]
    """A number a run; NaN where it has none."""


def load_importance(question: RunsQuestion, metric: str, numbers: Sequence[int]) -> pa.Table:
    """Return a row a parameter, the one that matters most first.

    ``metric`` is a key of the summary. Raises ``NotMirrored`` where too few of the runs have it as
    a number, or nothing in their config varies, and ``OnlyUpstream`` without scikit-learn.
    """
    table = load_flat_runs(question, numbers)
    target, kept = _target(table, metric)
    features = [
        feature
        for name in table.column_names
        if name.startswith("config.")
        for feature in encode(name.removeprefix("config."), table.column(name).take(kept))
    ]
    if not features:
        raise NotMirrored(
            f"nothing in the config of these {len(target)} runs varies; there is nothing to compare"
        )
    importances = _train(features, target)
    ranked = sorted(
        zip(importances, features, strict=True),
        key=lambda each: (-each[0], each[1].parameter, each[1].value or ""),
    )
    rows = [
        {
            "parameter": feature.parameter,
            "value": feature.value,
            "importance": importance,
            "correlation": correlate(feature.numbers, target),
            "run_count": sum(not math.isnan(number) for number in feature.numbers),
        }
        for importance, feature in ranked
    ]
    return pa.Table.from_pylist(rows, SCHEMA)


SCHEMA = pa.schema(
    {
        "parameter": pa.string(),
        "value": pa.string(),
        "importance": pa.float64(),
        "correlation": pa.float64(),
        "run_count": pa.int64(),
    }
)


def _target(table: pa.Table, metric: str) -> tuple[list[float], list[int]]:
    """Return the finite values of a metric, and the places of the runs that have them."""
    name = f"summary.{metric}"
    found = table.column(name).to_pylist() if name in table.column_names else []
    kept = [
        place
        for place, value in enumerate(found)
        if type(value) in (int, float) and math.isfinite(value)
    ]
    if len(kept) < LEAST_RUNS:
        known = [each[8:] for each in table.column_names if each.startswith("summary.")]
        raise NotMirrored(
            f"{len(kept)} of these runs have a finite number at summary key {metric!r}; at least "
            f"{LEAST_RUNS} are needed. There are {', '.join(known[:20]) or 'none'}"
        )
    return [float(found[place]) for place in kept], kept


def encode(parameter: str, column: pa.ChunkedArray) -> list[Feature]:
    """Return a parameter as columns of numbers; none where it does not vary."""
    values = column.to_pylist()
    distinct = {value for value in values if value is not None and value == value}  # noqa: PLR0124
    if len(distinct) < 2 and (len(distinct) == 0 or None not in values):  # noqa: PLR2004
        return []
    if all(isinstance(value, int | float) for value in distinct):
        numbers = [math.nan if value is None else float(value) for value in values]
        finite = [number if math.isfinite(number) else math.nan for number in numbers]
        return [Feature(parameter, None, finite)] if len(distinct) > 1 else []
    if len(distinct) > MOST_VALUES:
        return []
    return [
        Feature(parameter, str(each), [float(value == each) for value in values])
        for each in sorted(distinct)
    ]


def correlate(left: Sequence[float], right: Sequence[float]) -> float | None:
    """Return Pearson's correlation over the runs that have both, None where one is constant."""
    pairs = [pair for pair in zip(left, right, strict=True) if not math.isnan(pair[0])]
    try:
        return statistics.correlation(*map(list, zip(*pairs, strict=True)))
    except (TypeError, statistics.StatisticsError):
        return None


def _train(features: Sequence[Feature], target: Sequence[float]) -> list[float]:
    """Return the forest's importances, which sum to 1."""
    try:
        ensemble: Any = importlib.import_module("sklearn.ensemble")
    except ImportError as error:
        raise OnlyUpstream(
            "parameter importance needs scikit-learn; install it with "
            "'pip install wandb-mirror[analysis]'"
        ) from error
    forest = ensemble.RandomForestRegressor(n_estimators=TREES, random_state=SEED)
    rows = [list(row) for row in zip(*(feature.numbers for feature in features), strict=True)]
    forest.fit(rows, list(target))
    return [float(each) for each in forest.feature_importances_]

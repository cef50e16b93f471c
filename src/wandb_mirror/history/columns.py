"""What every source of history is turned into: one page of one run, by column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from wandb_mirror.kinds.pages import HistoryCursor

STEP, TIMESTAMP, RUNTIME = "_step", "_timestamp", "_runtime"
INTERNAL = "_wandb"
LARGEST_STEP = 2**63


def is_metric(key: str) -> bool:
    """Tell whether a top-level key of a row is a metric of the user's."""
    return key not in (STEP, TIMESTAMP, RUNTIME) and not key.startswith(INTERNAL)


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one metric, beside the steps they were logged at."""

    path: str
    """The metric's path, as a JSON array."""
    steps: pa.Array
    values: pa.Array
    """The nearest doubles; null where a value is no number."""
    json: pa.Array | None = None
    """Lossless JSON text where the double does not say all; None where it always does."""


@dataclass(frozen=True, slots=True)
class StepColumns:
    """One page of history by column; its arrays are as long as it has steps."""

    steps: pa.Array
    """Distinct, ascending."""
    timestamps: pa.Array
    """Seconds since the epoch, as logged."""
    runtimes: pa.Array
    """Seconds since the run began, as logged."""
    columns: Sequence[Column] = ()
    """A path may come more than once, at different steps."""

    @property
    def values(self) -> int:
        """Return how many values there are."""
        return sum(len(column.steps) for column in self.columns)

    @property
    def nbytes(self) -> int:
        """Return how many bytes the arrays take, about.

        Lengths are asked for, not buffers: that would give Python's lock away once an array.
        """
        numbers = 3 * len(self.steps) + sum(2 * len(column.steps) for column in self.columns)
        texts = sum(column.json.nbytes for column in self.columns if column.json is not None)
        return int(8 * numbers + texts)


def no_steps() -> StepColumns:
    """Return the page of a run that logged nothing."""
    return StepColumns(
        pa.array([], pa.int64()), pa.array([], pa.float64()), pa.array([], pa.float64())
    )


@dataclass(frozen=True, slots=True)
class ExportedFiles:
    """The files that hold the history of one run, on disk."""

    run_id: str
    paths: Sequence[str]
    stop: int | None
    """Rows from this step on do not count: pages hold them."""


@dataclass(frozen=True, slots=True)
class StagedSteps:
    """Rows of one run that the warehouse has looked at, and can take as they are."""

    rows: int
    last: int
    """The largest step."""


@dataclass(frozen=True, slots=True)
class StepsPage:
    """All history rows of one run from ``min_step`` up to, not including, ``max_step``.

    Saving one replaces what was stored of that run in that range.
    """

    project_id: str
    run_id: str
    min_step: int
    max_step: int | None
    """None on the last page of a complete reading: nothing may remain stored past ``min_step``."""
    content: StepColumns
    cursor: HistoryCursor
    """How far the run has been read once this page is saved."""
    staged: StagedSteps | None = None
    """Rows that were staged; ``content`` is empty then."""

"""The history of a run, whole or sampled (``wandb.apis.public.history``)."""

from __future__ import annotations

import bisect
import warnings
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

from wandb_mirror.api.frames import arrow_from, columns_of, need, polars_from
from wandb_mirror.api.generations import Generation
from wandb_mirror.errors import BadFilter
from wandb_mirror.query.across import load_across, load_samples_across
from wandb_mirror.query.columns import as_plain, as_rows
from wandb_mirror.query.history import find_incomplete
from wandb_mirror.query.series import OWN, Series

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_TOGETHER = 10_000


class IncompleteHistory(UserWarning):
    """A history was read of which the mirror does not have all rows."""


class HistoryScan(Iterator[dict[str, Any]]):
    """Every row of a run's history, read as it goes; it can be gone through again."""

    def __init__(
        self,
        run: object,
        series: Series,
        keys: list[str] | None,
        min_step: int,
        stop_step: int,
        page_size: int = 1000,
    ) -> None:
        self.run = run
        self.keys = keys
        self.min_step = min_step
        self.page_size = page_size
        self.rows: list[dict[str, Any]] = []
        self.scan_offset = 0
        self.page_offset = min_step
        self._stop_step = stop_step
        self._series = series
        self._steps: Sequence[int] | None = None

    @property
    def max_step(self) -> int:
        """The highest step that can come."""
        return self._stop_step - 1

    def __iter__(self) -> Self:
        """Start over."""
        self.rows = []
        self.scan_offset = 0
        self.page_offset = self.min_step
        return self

    def __next__(self) -> dict[str, Any]:
        """Return the next row; one that lacks one of ``keys`` is left out."""
        while self.scan_offset >= len(self.rows):
            if self.page_offset >= self._stop_step:
                raise StopIteration
            self._load_next()
        row = self.rows[self.scan_offset]
        self.scan_offset += 1
        return row

    def _load_next(self) -> None:
        """Read on: rows are near, so more of them come at once than a page asks for."""
        if self._steps is None:
            self._steps = self._series.load_steps(self.min_step, self._stop_step)
        start = bisect.bisect_left(self._steps, self.page_offset)
        steps = self._steps[start : start + max(self.page_size, ROWS_TOGETHER)]
        self.rows = self._series.load_rows(self.keys or None, steps)
        self.scan_offset = 0
        self.page_offset = steps[-1] + 1 if steps else self._stop_step

    def _columns(self) -> dict[str, list[Any]]:
        """Return all rows as columns; nested keys are joined by dots."""
        if self.keys:
            return columns_of(list(self))
        steps = self._series.load_steps(self.min_step, self._stop_step)
        return self._series.load_columns(steps)

    def to_arrow(self) -> pa.Table:
        """Return all rows as a table, a column a key; nested ones are joined by dots.

        A column of several sorts of values is text, JSON where it is no string.
        """
        return arrow_from(self._columns())

    def to_pandas(self) -> Any:
        """Return all rows as a pandas DataFrame, a column a key; nested ones are joined by dots."""
        return need("pandas").DataFrame(self._columns())

    def to_polars(self) -> Any:
        """Return all rows as a polars DataFrame."""
        return polars_from(self.to_arrow())


class ScanAcross:
    """Some metrics of many runs, every row that holds all of them, in one query."""

    def __init__(self, generation: Generation, run_nos: Sequence[int], keys: list[str]) -> None:
        self.keys = keys
        self._generation = generation
        self._run_nos = run_nos
        self._table: pa.Table | None = None

    def to_arrow(self) -> pa.Table:
        """Return all rows as a table: ``run_id``, ``_step``, then a column a metric."""
        if self._table is None:
            self._table = load_across(self._generation.published, self._run_nos, self.keys)
        return self._table

    def to_pandas(self) -> Any:
        """Return all rows as a pandas DataFrame."""
        need("pandas")
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """Return all rows as a polars DataFrame."""
        return polars_from(self.to_arrow())

    def __iter__(self) -> Iterator[dict[str, Any]]:
        """Yield a dict a row."""
        for batch in self.to_arrow().to_batches():
            yield from batch.to_pylist()


def sample(
    series: Series, samples: int, keys: list[str] | None, x_axis: str
) -> list[dict[str, Any]]:
    """Return at most ``samples`` rows, spread evenly over the rows that hold all of ``keys``.

    The first and the last are among them. Which ones upstream takes is not known.
    """
    steps = series.load_steps()
    if keys is None:
        return series.load_rows(None, _spread(steps, samples))
    wanted = list(dict.fromkeys([x_axis, *keys]))
    rows: list[dict[str, Any]] = []
    for start in range(0, len(steps), ROWS_TOGETHER):
        rows += series.load_rows(wanted, steps[start : start + ROWS_TOGETHER])
    rows = _spread(rows, samples)
    if x_axis != "_step" and "_step" not in keys:
        for row in rows:
            del row["_step"]
    return rows


def sample_system(
    generation: Generation, path: tuple[str, str, str], samples: int
) -> list[dict[str, Any]]:
    """Return at most ``samples`` samples of the machine's own metrics, spread evenly."""
    rows: dict[tuple[Any, Any], dict[str, Any]] = {}
    for row in generation.live(
        "system_metrics",
        "entity = ? AND project = ? AND run_id = ? ORDER BY timestamp, runtime, key",
        path,
    ):
        time = datetime.fromisoformat(row["timestamp"]).timestamp() if row["timestamp"] else None
        head = {"_timestamp": time, "_runtime": row["runtime"]}
        rows.setdefault((row["timestamp"], row["runtime"]), head)[row["key"]] = row["value"]
    for key in {key for row in rows.values() for key in row} - {"_timestamp", "_runtime"}:
        held = [row for row in rows.values() if isinstance(row.get(key), float)]
        values = as_plain([row[key] for row in held]) if held else []
        for row, value in zip(held, values, strict=True):
            row[key] = value
    return _spread(list(rows.values()), samples)


def _spread(found: list[Any], count: int) -> list[Any]:
    """Return ``count`` of the elements, evenly."""
    if len(found) <= count:
        return found
    if count <= 1:
        return found[:count]
    last = len(found) - 1
    return [found[place * last // (count - 1)] for place in range(count)]


def sample_across(
    generation: Generation, run_nos: Sequence[int], keys: list[str], samples: int
) -> list[dict[str, Any]] | None:
    """Return a sample of each run in one query, None where the runs must be read one by one."""
    if set(keys) & set(OWN):
        return None
    table = load_samples_across(generation.published, run_nos, list(dict.fromkeys(keys)), samples)
    if table is None:
        return None
    columns = {
        name: as_plain(values) if values and type(values[0]) is float else values
        for name, values in table.to_pydict().items()
    }
    return as_rows(columns)


def check_keys(keys: object) -> None:
    """Raise ``BadFilter`` for keys that are no list of strings."""
    if keys is None:
        return
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise BadFilter(f"keys must be specified in a list of strings, not {keys!r}: ['loss']")


def check_stream(stream: object) -> None:
    """Raise ``BadFilter`` for a stream that there is not."""
    if stream not in ("default", "system"):
        raise BadFilter(
            f"stream {stream!r}: write 'default', or 'system' for what machines measured"
        )


def tell_incomplete(what: str) -> None:
    """Warn of rows that are missing."""
    warnings.warn(f"{what}; 'wandb-mirror sync' fetches it", IncompleteHistory, stacklevel=4)


def check_complete(generation: Generation, run_nos: Sequence[int]) -> None:
    """Warn where rows of the histories of some runs are missing."""
    if missing := find_incomplete(generation.published, run_nos):
        tell_incomplete(f"the history of {missing} of these {len(run_nos)} runs is not all here")

"""Runs of a project (``wandb.apis.public.runs.Runs``), and what people do with many at once."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from wandb_mirror.api.frames import need, pandas_from_rows, polars_from
from wandb_mirror.api.generations import Generation, Generations
from wandb_mirror.api.history import (
    ScanAcross,
    check_complete,
    check_keys,
    check_stream,
    sample_across,
)
from wandb_mirror.api.pages import Pages
from wandb_mirror.api.run import Run
from wandb_mirror.api.run_rows import HeavyPage, load_run_rows
from wandb_mirror.errors import BadFilter, NotMirrored
from wandb_mirror.query.best import load_best
from wandb_mirror.query.flat_runs import load_flat_runs
from wandb_mirror.query.importance import load_importance
from wandb_mirror.query.order import DEFAULT_ORDER
from wandb_mirror.query.runs import RunsQuestion, ask_runs

if TYPE_CHECKING:
    import pyarrow as pa


class Best(NamedTuple):
    """A run, the best value that it logged of a metric, and at which step."""

    run: Run
    value: float
    step: int


FORMATS = ("default", "pandas", "polars")


class Runs(Pages[Run]):
    """The runs that pass a filter, in an order, of the generation that was newest when asked.

    Nothing is read before it is needed: a malformed filter and a project that is not here are
    errors of the first look (``BadFilter``, ``NotMirrored``).
    """

    def __init__(
        self,
        generations: Generations,
        path: tuple[str, str],
        filters: Mapping[str, Any] | None = None,
        order: str = DEFAULT_ORDER,
        per_page: int = 50,
        *,
        include_sweeps: bool = False,
        lazy: bool = True,
        generation: Generation | None = None,
    ) -> None:
        super().__init__(per_page)
        self.entity, self.project = path
        self.filters = filters if filters is not None else {}
        self.order = order or DEFAULT_ORDER
        self._generations = generations
        self._generation: Generation = generation or generations.current()
        self._include_sweeps = include_sweeps
        self._lazy = lazy
        self._asked: RunsQuestion | None = None
        self._length: int | None = None
        self._run_nos: list[int] | None = None

    @property
    def generation(self) -> Generation:
        """The generation that the runs are of."""
        return self._generation

    def _question(self) -> RunsQuestion:
        """Return the question; raises ``NotMirrored`` and ``BadFilter``."""
        if self._asked is None:
            try:
                self._asked = ask_runs(
                    self._generation.published,
                    self.entity,
                    self.project,
                    filters=self.filters,
                    order=self.order,
                    columns=["run_no"],
                    include_deleted=self._generation.include_deleted,
                )
            except NotMirrored as error:
                raise NotMirrored(f"Could not find project {self.project}: {error}") from error
        return self._asked

    def _read(self, offset: int, limit: int) -> list[Run]:
        """Read a page; who goes past the first gets all numbers in their order at once."""
        if offset == 0 and self._run_nos is None:
            numbers = self._question().numbers(limit)
        else:
            numbers = self._all_numbers()[offset : offset + limit]
        heavy = HeavyPage(self._generation, numbers)
        runs = []
        for row in load_run_rows(self._generation, numbers):
            run = Run(self._generations, self._generation, row)
            run.share(heavy)
            runs.append(run)
        return runs

    def _all_numbers(self) -> list[int]:
        if self._run_nos is None:
            self._run_nos = self._question().numbers()
        return self._run_nos

    def _count(self) -> int:
        if self._length is None:
            self._length = self._question().count() if self._run_nos is None else len(self._run_nos)
        return self._length

    @property
    def cursor(self) -> str | None:
        """Where the next page starts, spelled as upstream spells it; None before the first."""
        if not self.objects:
            return None
        return base64.b64encode(f"arrayconnection:{len(self.objects) - 1}".encode()).decode()

    def upgrade_to_full(self) -> None:
        """Do nothing but remember it: config and summary are read a page at a time anyway."""
        self._lazy = False

    def histories(
        self,
        samples: int = 500,
        keys: list[str] | None = None,
        x_axis: str = "_step",
        format: Literal["default", "pandas", "polars"] = "default",
        stream: Literal["default", "system"] = "default",
    ) -> Any:
        """Return a sample of each run's history, with its ``run_id``; see ``Run.history``.

        Raises ``BadFilter`` for a format that there is not. ``scan_histories`` has every row.
        """
        if format not in FORMATS:
            raise BadFilter(f"Invalid format: {format}. Must be one of {', '.join(FORMATS)}")
        check_keys(keys)
        check_stream(stream)
        rows = None
        if keys and x_axis == "_step" and stream == "default":
            check_complete(self._generation, self._all_numbers())
            rows = sample_across(self._generation, self._all_numbers(), keys, samples)
        if rows is None:
            rows = [
                {**row, "run_id": run.id}
                for run in self._walk()
                for row in run.history(samples, keys, x_axis, False, stream)
            ]
        if format == "default":
            return rows
        if format == "pandas":
            frame = pandas_from_rows(rows)
            return frame[sorted(frame.columns)]
        names = sorted({name for row in rows for name in row})
        if not rows:
            return need("polars").DataFrame()
        frame = need("polars").from_dicts(rows, infer_schema_length=None)
        return frame.select(names)

    def _walk(self) -> Iterator[Run]:
        """Yield every run without moving the list's own place."""
        at = 0
        while at < len(self.objects) or self._load_page():
            yield self.objects[at]
            at += 1

    def scan_histories(self, keys: list[str]) -> ScanAcross:
        """Return the rows of all these runs that hold all of ``keys``, in one query.

        Rows have ``run_id`` and ``_step`` first, runs in the order of the list. Raises
        ``BadFilter`` where no key is given.
        """
        if not isinstance(keys, list) or not keys or not all(isinstance(k, str) for k in keys):
            raise BadFilter("scan_histories: name the metrics in a list, like ['loss']")
        check_complete(self._generation, self._all_numbers())
        return ScanAcross(self._generation, self._all_numbers(), keys)

    def best(self, metric: str, goal: str = "minimize") -> Best | None:
        """Return the run with the best value that any of them ever logged, None without one.

        ``goal`` is ``minimize`` or ``maximize``; ``sweep.best_run()`` looks at the last value
        instead. Raises ``BadFilter`` for another goal.
        """
        found = load_best(self._generation.published, self._all_numbers(), metric, goal, 1)
        for run_no, value, step in found:
            [row] = load_run_rows(self._generation, [run_no])
            return Best(Run(self._generations, self._generation, row), value, step)
        return None

    def importance(self, metric: str) -> pa.Table:
        """Return how much each parameter of the config matters for a key of the summary.

        As W&B's panel: the importance that a random forest gives it, and its linear correlation;
        see ``query.importance`` for how values are encoded. Raises ``NotMirrored`` where too few
        runs have the metric, ``OnlyUpstream`` without scikit-learn.
        """
        return load_importance(self._question(), metric, self._all_numbers())

    def to_arrow(self) -> pa.Table:
        """Return a row a run: its own columns, then ``config.<key>`` and ``summary.<key>``.

        A key whose values are of several sorts is text; one sort keeps its type.
        """
        question = self._question()
        return load_flat_runs(question, self._all_numbers())

    def to_pandas(self) -> Any:
        """Return a row a run as a pandas DataFrame; see ``to_arrow``."""
        need("pandas")
        return self.to_arrow().to_pandas()

    def to_polars(self) -> Any:
        """Return a row a run as a polars DataFrame; see ``to_arrow``."""
        return polars_from(self.to_arrow())

    def __repr__(self) -> str:
        """Return whose runs they are."""
        return f"<Runs {self.entity}/{self.project}>"

"""One run whose history is being read: where it stands, and what to ask for next."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from wandb_mirror.history.columns import StagedSteps, StepColumns, StepsPage, no_steps
from wandb_mirror.kinds.pages import (
    ExportsReply,
    HistoryCursor,
    HistoryStatus,
    ScopeOf,
    StepsRequest,
    Way,
)
from wandb_mirror.pull.plan import LARGEST_WINDOW, join_steps, plan_window

EMPTY_WINDOWS = 12
"""Windows in a row without a row, each twice as wide, after which history counts as ended."""
FEWEST_ROWS = 25
"""A window for fewer rows is never asked for: what cannot be had even so is set aside."""
MOST_REPAIRS = 50
"""Windows that are read again beside exports; more, and pages are read from the start."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply without its text, which is let go as soon as it has been read."""

    content: StepColumns
    lines: int
    line_count: int | None
    last_step: int | None
    exists: bool
    way: Way = "window"
    metrics: Mapping[str, int] | None = None
    values: int = 0


@dataclass(slots=True)
class Reading:
    """One run whose history is being read."""

    run_id: str
    next_step: int
    has_ended: bool
    line_count: int | None
    """Lines as the listing counted them; the first reply says it anew."""
    wants_exports: bool = False
    """Whether to look for files that hold the history."""
    last_step: int | None = None
    is_first: bool = True
    rows_read: int = 0
    rows: int = 0
    """Rows wanted in a window."""
    empties: int = 0
    repairs: list[tuple[int, int]] = field(default_factory=list)
    """Windows, the first one first, of steps that files do not say exactly."""
    from_files: bool = False
    pages_from: int = 0
    """The step from which pages are read where there are no files: all before it is stored."""
    is_selected: bool = False
    """Whether only some metrics are wanted."""
    work: int = 1
    """Rows that are still expected, at least one while it is not finished."""
    told: str = ""
    """What the listing said of the run; as long as it says the same, windows stay what they are."""
    way: Way = "window"
    metrics: Mapping[str, int] | None = None
    """Where rows come metric by metric: how many values upstream counts of each."""
    values_read: int = 0
    _came_before: int | None = None
    """Rows and values that an earlier reading brought, in wider windows."""

    @property
    def is_new(self) -> bool:
        """Whether nothing of the run counts as stored."""
        return self.pages_from == 0

    def window(self) -> StepsRequest:
        """Return the next window to ask for."""
        if self.repairs:
            first, stop = self.repairs[0]
            return StepsRequest(self.run_id, first, stop, is_first=False, metrics=self.metrics)
        width = plan_window(
            next_step=self.next_step,
            last_step=self.last_step,
            line_count=self.line_count,
            rows=self.rows,
        )
        if self.last_step is None:
            width = min(LARGEST_WINDOW, width << min(self.empties, 20))
        stop = self.next_step + width
        return StepsRequest(self.run_id, self.next_step, stop, self.is_first, self.metrics)

    def take(self, answer: Answer, asked: StepsRequest, scope: ScopeOf) -> StepsPage:
        """Move past an answer and return it as a page with the cursor that goes with it."""
        if self.repairs:
            del self.repairs[0]
            return self._page(scope, asked.min_step, asked.max_step, answer.content)
        if self.is_first:
            self.is_first = False
            self.line_count = self.line_count if answer.line_count is None else answer.line_count
            self.last_step = answer.last_step
            self.way, self.metrics = answer.way, answer.metrics
        self.values_read += answer.values
        self.rows_read += answer.lines
        self.empties = 0 if answer.lines else self.empties + 1
        self.next_step = asked.max_step
        is_last = self._is_past_the_end(asked)
        if self.way == "whole" and len(answer.content.steps):
            self.next_step = max(asked.min_step, answer.content.steps[-1].as_py() + 1)
        elif is_last and self.last_step is not None:
            self.next_step = max(asked.min_step, self.last_step + 1)
        stop = None if is_last else asked.max_step
        return self._page(scope, asked.min_step, stop, answer.content)

    def count_done(self, rows: int | None = None) -> int:
        """Return how many of the expected rows these are; all that are left where None."""
        done = self.work if rows is None else max(0, min(rows, self.work - 1))
        self.work -= done
        return done

    def heed(self, reply: ExportsReply) -> None:
        """Note what upstream says of the whole history beside its files."""
        self.wants_exports = False
        if reply.last_step is not None:
            self.is_first = False
            self.line_count = self.line_count if reply.line_count is None else reply.line_count
            self.last_step = reply.last_step

    def take_staged(self, staged: StagedSteps, scope: ScopeOf) -> StepsPage | None:
        """Move past all rows from files, of which there are some, that the warehouse has looked at.

        None as of ``take_exported``.
        """
        page = self._take_rows(staged.rows, staged.last, scope, no_steps(), is_over=True)
        return page and replace(page, staged=staged)

    def take_exported(
        self, content: StepColumns, scope: ScopeOf, *, is_over: bool, inexact: Collection[int]
    ) -> StepsPage | None:
        """Move past rows from files and return them as a page.

        None where files do not hold what they should: then pages are read from the start.
        """
        rows, last = len(content.steps), content.steps[-1].as_py()
        return self._take_rows(rows, last, scope, content, is_over=is_over, inexact=inexact)

    def _take_rows(
        self,
        rows: int,
        last: int,
        scope: ScopeOf,
        content: StepColumns,
        *,
        is_over: bool,
        inexact: Collection[int] = (),
    ) -> StepsPage | None:
        first, self.from_files = self.next_step, True
        self.rows_read += rows
        self.next_step = last + 1
        stop: int | None = self.next_step
        if is_over:
            self.repairs = join_steps(inexact, width=self.rows)
            is_whole = self.last_step is not None and self.next_step > self.last_step
            if (is_whole and self.is_short) or len(self.repairs) > MOST_REPAIRS:
                self.restart()
                return None
            stop = None if is_whole and not self.repairs else self.next_step
        return self._page(scope, first, stop, content)

    @property
    def is_short(self) -> bool:
        """Whether there were fewer rows or values than upstream counts.

        Windows say all that there is; files may be unfinished, samples may be no more than that.
        """
        if self.way == "window" and not self.from_files:
            return False
        if self.line_count is not None and self.rows_read < self.line_count:
            return True
        return not self.from_files and self.values_read < sum((self.metrics or {}).values())

    def narrow(self) -> bool:
        """Start over where that may bring more; False where it cannot.

        After files, by pages; after samples, by fewer at a time, as long as more come for it.
        """
        if self.from_files:
            self.restart()
            return True
        came = self.rows_read + self.values_read
        if self.way == "whole" or self.rows <= FEWEST_ROWS or came <= (self._came_before or -1):
            return False
        self._came_before, self.rows = came, max(FEWEST_ROWS, self.rows // 2)
        self.restart()
        return True

    @property
    def shortfall(self) -> str:
        """What upstream holds back, for people."""
        metrics = self.metrics or {}
        values = f" and {self.values_read} of {sum(metrics.values())} values" if metrics else ""
        return (
            f"upstream hands out {self.rows_read} of {self.line_count} rows{values}: "
            "it has no windows of steps, and its samples lack some"
        )

    def go_by_pages(self) -> None:
        """Read by pages what is not stored: all of it where files have replaced what was."""
        first = 0 if self.from_files else self.pages_from
        self.restart()
        self.next_step = first

    def restart(self) -> None:
        """Read the whole history by pages."""
        self.next_step = self.rows_read = self.values_read = self.empties = 0
        self.repairs = []
        self.is_first = True
        self.wants_exports = self.from_files = False

    def _page(
        self, scope: ScopeOf, first: int, stop: int | None, content: StepColumns
    ) -> StepsPage:
        next_step = self.next_step if not self.repairs else self.repairs[0][0]
        status: HistoryStatus = "partial"
        if stop is None:
            status = "complete" if self.has_ended else "live"
            if self.is_selected:
                status = "selected"
            if self.is_short:
                next_step, status = 0, "partial"
        cursor = HistoryCursor(next_step, self.line_count, status, self.has_ended)
        return StepsPage(scope.project_id or "", self.run_id, first, stop, content, cursor)

    def _is_past_the_end(self, asked: StepsRequest) -> bool:
        """Tell whether nothing is left after the window asked for.

        A server that does not say where history ends is asked for wider and wider windows until it
        has sent as many lines as it counts; one that does not count either, until nothing has come
        for long.
        """
        if self.way == "whole":
            return True
        if self.last_step is not None:
            return asked.max_step > self.last_step
        if asked.max_step >= LARGEST_WINDOW:
            return True
        if self.line_count is not None:
            return self.rows_read >= self.line_count
        return self.empties >= EMPTY_WINDOWS

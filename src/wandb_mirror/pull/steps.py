"""Read the histories of many runs by windows of steps.

A run's windows follow one another; the windows of different runs are fetched, and turned into
columns, at once, several short runs in one request. Pages are saved together, in one transaction
of the warehouse, with each run's cursor: a walk that is cut off goes on, run by run, from the last
page saved.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from wandb_mirror.errors import NotOffered, Skip, UpstreamBroken
from wandb_mirror.history.columns import StepColumns, StepsPage
from wandb_mirror.history.lines import parse_steps
from wandb_mirror.kinds.pages import (
    HistoryCursor,
    HistoryStatus,
    ScopeOf,
    StepsReply,
    StepsRequest,
)
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull.plan import LARGEST_WINDOW, plan_window
from wandb_mirror.pull.pool import Pool
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.walk import Walked

WINDOWS_A_REQUEST, RUNS_A_REQUEST = 2, 100
"""A request asks for several short histories, up to so many windows' lines and so many runs."""
LINES_TOGETHER = 20_000
BYTES_TOGETHER = 16_000_000
SECONDS_TOGETHER = 2.0
"""Pages wait to be saved in one transaction until there are so many lines or bytes, or so long."""
EMPTY_WINDOWS = 12
"""Windows in a row without a row, each twice as wide, after which history counts as ended."""
FEWEST_ROWS = 25
"""A window for fewer rows than this that upstream still cannot serve sets the run aside."""


@dataclass(slots=True)
class Reading:
    """One run whose history is being read."""

    run_id: str
    next_step: int
    has_ended: bool
    line_count: int | None
    """Lines as the listing counted them; the first reply says it anew."""
    last_step: int | None = None
    is_first: bool = True
    rows_read: int = 0
    rows: int = 0
    """Rows wanted in a window."""
    empties: int = 0

    def window(self) -> StepsRequest:
        """Return the next window to ask for."""
        width = plan_window(
            next_step=self.next_step,
            last_step=self.last_step,
            line_count=self.line_count,
            rows=self.rows,
        )
        if self.last_step is None:
            width = min(LARGEST_WINDOW, width << min(self.empties, 20))
        return StepsRequest(self.run_id, self.next_step, self.next_step + width, self.is_first)

    def take(self, answer: _Answer, asked: StepsRequest, scope: ScopeOf) -> StepsPage:
        """Move past an answer and return it as a page with the cursor that goes with it."""
        if self.is_first:
            self.is_first = False
            self.line_count = self.line_count if answer.line_count is None else answer.line_count
            self.last_step = answer.last_step
        self.rows_read += answer.lines
        self.empties = 0 if answer.lines else self.empties + 1
        self.next_step = asked.max_step
        is_last = self._is_past_the_end(asked)
        if is_last and self.last_step is not None:
            self.next_step = max(asked.min_step, self.last_step + 1)
        cursor = HistoryCursor(
            self.next_step, self.line_count, self._status(is_last), self.has_ended
        )
        return StepsPage(
            project_id=scope.project_id or "",
            run_id=self.run_id,
            min_step=asked.min_step,
            max_step=None if is_last else asked.max_step,
            content=answer.content,
            cursor=cursor,
        )

    def _is_past_the_end(self, asked: StepsRequest) -> bool:
        """Tell whether nothing is left after the window asked for.

        A server that does not say where history ends is asked for wider and wider windows until it
        has sent as many lines as it counts; one that does not count either, until nothing has come
        for long.
        """
        if self.last_step is not None:
            return asked.max_step > self.last_step
        if asked.max_step >= LARGEST_WINDOW:
            return True
        if self.line_count is not None:
            return self.rows_read >= self.line_count
        return self.empties >= EMPTY_WINDOWS

    def _status(self, is_last: bool) -> HistoryStatus:  # noqa: FBT001
        if not is_last:
            return "partial"
        return "complete" if self.has_ended else "live"


@dataclass(frozen=True, slots=True)
class _Answer:
    """A reply without its text, which is let go as soon as it has been read."""

    content: StepColumns
    lines: int
    line_count: int | None
    last_step: int | None
    exists: bool


@dataclass(frozen=True, slots=True)
class _Fetched:
    """Windows of some runs with the answers to them, or why there are none."""

    readings: Sequence[Reading]
    asked: Sequence[StepsRequest]
    answers: Sequence[_Answer] = ()
    problem: Skip | UpstreamBroken | None = None


def walk_steps(
    kind: Kind, scope: ScopeOf, readings: Iterable[Reading], reach: Reach, total: int | None
) -> Walked:
    """Read and save what is missing of the histories of one project's runs."""
    task = f"{scope} {kind.plural}"
    reach.progress.begin(task, total)
    walk = _Walk(kind, scope, reach, iter(readings), task)
    try:
        with Pool[_Fetched](reach.workers, reach.stop) as pool:
            walk.run(pool)
    finally:
        walk.save()
        reach.progress.end(task)
    return Walked(seen=walk.seen, changed=walk.changed, set_aside=walk.set_aside)


@dataclass(slots=True)
class _Walk:
    """The readings of one project: new ones, those to go on with, and pages that wait."""

    kind: Kind
    scope: ScopeOf
    reach: Reach
    new: Iterator[Reading]
    task: str
    seen: int = 0
    changed: int = 0
    set_aside: int = 0
    _next: Reading | None = None
    _going_on: deque[list[Reading]] = field(default_factory=deque)
    _pages: list[StepsPage] = field(default_factory=list)
    _lines: int = 0
    _bytes: int = 0
    _saved_at: float = field(default_factory=monotonic)

    def run(self, pool: Pool[_Fetched]) -> None:
        """Fetch and save until nothing is left."""
        while True:
            while pool.has_room and (group := self._next_group()):
                asked = [reading.window() for reading in group]
                pool.submit(partial(_fetch, self.kind, self.scope, self.reach, group, asked))
            if not pool.under_way:
                for _ in pool.drain(down_to=0):
                    pass
                return
            for fetched in pool.drain(down_to=pool.under_way - 1):
                self._take(fetched)
            if self._is_time_to_save():
                self.save()

    def _next_group(self) -> list[Reading]:
        """Return the runs to ask for in one request: short ones together."""
        if self._going_on:
            return self._going_on.popleft()
        group: list[Reading] = []
        lines = 0
        while (reading := self._next or next(self.new, None)) is not None:
            self._next = None
            reading.rows = reading.rows or self.kind.page_size
            expected = reading.rows if reading.line_count is None else reading.line_count
            is_full = lines + expected > WINDOWS_A_REQUEST * self.kind.page_size
            if group and (is_full or len(group) == RUNS_A_REQUEST):
                self._next = reading
                break
            group.append(reading)
            lines += max(expected, 1)
        return group

    def _take(self, fetched: _Fetched) -> None:
        if fetched.problem is not None:
            self._mend(fetched)
            return
        for reading, asked, answer in zip(
            fetched.readings, fetched.asked, fetched.answers, strict=True
        ):
            if not answer.exists:
                self._finish(reading)
                continue
            page = reading.take(answer, asked, self.scope)
            self._pages.append(page)
            self._lines += len(page.content.steps)
            self._bytes += page.content.nbytes
            if page.max_step is None:
                self._finish(reading)
            else:
                self._going_on.append([reading])

    def _finish(self, reading: Reading) -> None:
        self.seen += 1
        self.changed += reading.rows_read
        self.reach.progress.advance(self.task)

    def _mend(self, fetched: _Fetched) -> None:
        """Ask again for less; set aside what cannot be had even so."""
        if len(fetched.readings) > 1:
            self._going_on.extend([reading] for reading in fetched.readings)
            return
        reading = fetched.readings[0]
        if isinstance(fetched.problem, UpstreamBroken) and reading.rows > FEWEST_ROWS:
            reading.rows = max(FEWEST_ROWS, reading.rows // 2)
            self._going_on.append([reading])
            return
        self.set_aside += 1
        self.reach.keeper.set_aside(self.kind, self.scope, reading.run_id, str(fetched.problem))
        self._finish(reading)

    def _is_time_to_save(self) -> bool:
        return (
            self._lines >= LINES_TOGETHER
            or self._bytes >= BYTES_TOGETHER
            or monotonic() - self._saved_at >= SECONDS_TOGETHER
        )

    def save(self) -> None:
        """Save the pages that wait."""
        pages, self._pages = self._pages, []
        self._lines = self._bytes = 0
        if pages:
            self.reach.keeper.save_steps(self.kind, self.scope, pages)
        self._saved_at = monotonic()


def _fetch(
    kind: Kind, scope: ScopeOf, reach: Reach, readings: list[Reading], asked: list[StepsRequest]
) -> _Fetched:
    """Fetch one window of each reading; what concerns these runs alone is returned, not raised."""
    try:
        replies = reach.upstream.fetch_steps(kind, scope, asked)
        answers = [_read(each, reply) for each, reply in zip(asked, replies, strict=True)]
    except UpstreamBroken as error:
        if not error.is_too_large:
            raise
        return _Fetched(readings, asked, problem=error)
    except NotOffered:
        raise
    except Skip as error:
        return _Fetched(readings, asked, problem=error)
    return _Fetched(readings, asked, answers)


def _read(asked: StepsRequest, reply: StepsReply) -> _Answer:
    content = parse_steps(
        asked.run_id, reply.lines, min_step=asked.min_step, max_step=asked.max_step
    )
    return _Answer(content, len(reply.lines), reply.line_count, reply.last_step, reply.exists)

"""Read the histories of many runs by windows of steps.

A run's windows follow one another; the windows of different runs are fetched, and turned into
columns, at once, several short runs in one request. Pages are saved together, in one transaction
of the warehouse, with each run's cursor: a walk that is cut off goes on, run by run, from the last
page saved.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from wandb_mirror.errors import UpstreamBroken
from wandb_mirror.history.columns import StepsPage
from wandb_mirror.kinds.pages import ExportsReply, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull import exports
from wandb_mirror.pull.exports import Asked, Exported, find_exports
from wandb_mirror.pull.files import FileQueue
from wandb_mirror.pull.groups import Groups
from wandb_mirror.pull.journal import Journal
from wandb_mirror.pull.kept_files import KeptFiles
from wandb_mirror.pull.pool import Pool
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.reading import FEWEST_ROWS, Reading
from wandb_mirror.pull.walk import Walked
from wandb_mirror.pull.windows import Windows, fetch_windows

LINES_TOGETHER = 20_000
BYTES_TOGETHER = 16_000_000
SECONDS_TOGETHER = 2.0
"""Pages wait to be saved in one transaction until there are so many lines or bytes, or so long."""


Result = Windows | Asked | Exported


def walk_steps(
    kind: Kind,
    scope: ScopeOf,
    readings: Sequence[Reading],
    reach: Reach,
    *,
    resumes: bool = False,
) -> Walked:
    """Read and save what is missing of the histories of one project's runs.

    Progress counts rows, not runs: some are a thousand times as long as others.
    ``resumes``: what an earlier walk fetched and did not save may be taken.
    """
    task = f"{scope} {kind.plural} rows"
    reach.progress.begin(task, sum(reading.work for reading in readings))
    place = (reach.scratch, kind, scope.project_id or "")
    journal = Journal(*place, resumes=resumes)
    files = FileQueue(kind, scope, reach, KeptFiles(*place, resumes=resumes))
    walk = _Walk(kind, scope, reach, Groups(kind, iter(readings)), task, files, journal)
    is_over = False
    try:
        with Pool[Result](reach.workers, reach.stop) as pool:
            walk.run(pool)
        is_over = True
    finally:
        walk.end(is_over=is_over)
        reach.progress.end(task)
    return Walked(seen=walk.seen, changed=walk.changed, set_aside=walk.set_aside)


@dataclass(slots=True)
class _Walk:
    """The readings of one project: new ones, those to go on with, and pages that wait."""

    kind: Kind
    scope: ScopeOf
    reach: Reach
    groups: Groups
    task: str
    files: FileQueue
    journal: Journal
    seen: int = 0
    changed: int = 0
    set_aside: int = 0
    _going_on: deque[list[Reading]] = field(default_factory=deque)
    _pages: list[StepsPage] = field(default_factory=list)
    _reached: dict[str, int] = field(default_factory=dict)
    """Where the pages that wait end, by run."""
    _lines: int = 0
    _bytes: int = 0
    _saved_at: float = field(default_factory=monotonic)

    def run(self, pool: Pool[Result]) -> None:
        """Fetch and save until nothing is left."""
        while True:
            while fetch := self._next_fetch(pool):
                pool.submit(fetch)
            if self.files.is_time_to_stage():
                self._take_staged()
            elif self._is_time_to_save():
                self.save()
            elif pool.under_way:
                for fetched in pool.drain(down_to=pool.under_way - 1):
                    self._take(fetched)
            elif not self._take_staged():
                list(pool.drain(down_to=0))  # nothing, unless somebody asks to stop
                self.save()
                return

    def _next_fetch(self, pool: Pool[Result]) -> Callable[[], Result] | None:
        """Return what to fetch next; None where nothing waits, or nothing may begin.

        Files lie on disk, which has its own limits: more of them may wait than of pages.
        """
        here = (self.kind, self.scope, self.reach)
        if pool.is_open and (fetch := self.files.next()) is not None:
            return fetch
        if not pool.has_room:
            return None
        group: list[Reading] = []
        if self._going_on:
            group = self._going_on.popleft()
        elif self.groups.waits or not self.files.waits:
            group = self.groups.next()
        if not group:
            return None
        if group[0].wants_exports:
            return partial(find_exports, *here, group)
        return partial(fetch_windows, *here, self.journal, group)

    def _take(self, fetched: Result) -> None:
        """Move on by what came."""
        if isinstance(fetched, Asked):
            for reading, reply in zip(fetched.readings, fetched.replies, strict=True):
                self._take_files(reading, reply)
        elif isinstance(fetched, Exported):
            self._take_exported(fetched)
        else:
            self._take_windows(fetched)

    def _take_files(self, reading: Reading, reply: ExportsReply) -> None:
        """Go on with a run's files, or with its pages where there are none."""
        if not reply.exists:
            self._finish(reading)
            return
        reading.heed(reply)
        if reply.urls:
            self.files.add(
                Exported(reading, reply, lines=reading.line_count or exports.LINES_TOGETHER)
            )
        else:
            reading.next_step = reading.pages_from
            self.groups.put(reading)

    def _take_exported(self, exported: Exported) -> None:
        """Go on behind rows that came from files."""
        reading = exported.reading
        if self.files.holds_back(exported):
            return
        if exported.content is None or not len(exported.content.steps):
            if exported.problem:
                name = f"{self.scope}/{reading.run_id}"
                self.reach.progress.say(f"{name}: {exported.problem}; reading it by pages")
            reading.go_by_pages()
            self._going_on.append([reading])
            return
        self.reach.progress.advance(self.task, reading.count_done(len(exported.content.steps)))
        page = reading.take_exported(
            exported.content, self.scope, is_over=exported.is_over, inexact=exported.inexact
        )
        self._go_on(reading, page, is_over=exported.is_over)
        if not exported.is_over:
            exported.content = None
            self.files.read_on(exported)

    def _take_staged(self) -> bool:
        """Have the files that wait read together and saved; False where none wait."""
        found = self.files.stage()
        for exported, staged in found:
            if staged is None:
                self.files.read_on(exported)
            else:
                page = exported.reading.take_staged(staged, self.scope)
                self._go_on(exported.reading, page, is_over=True)
        if found:
            self.save()  # what is staged lasts until the next staging
        return bool(found)

    def _go_on(self, reading: Reading, page: StepsPage | None, *, is_over: bool) -> None:
        """Keep a page, and go on behind it where files end."""
        if page is not None:
            self._keep(page)
        if page is not None and page.max_step is None:
            self._finish(reading)
        elif is_over:
            self._going_on.append([reading])

    def _keep(self, page: StepsPage) -> None:
        """Have a page saved soon; what it replaces must have been saved before."""
        if page.min_step < self._reached.get(page.run_id, page.min_step):
            self.save()
        self._reached[page.run_id] = page.max_step or page.min_step
        self._pages.append(page)
        self._lines += len(page.content.steps)
        self._bytes += page.content.nbytes

    def _take_windows(self, fetched: Windows) -> None:
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
            self.reach.progress.advance(self.task, reading.count_done(answer.lines))
            if page.max_step is None and reading.is_short and reading.narrow():
                self._going_on.append([reading])
                continue
            self._keep(page)
            if page.max_step is None and reading.is_short:
                self._tell_shortfall(reading)
            if page.max_step is None:
                self._finish(reading)
            else:
                self._going_on.append([reading])

    def _tell_shortfall(self, reading: Reading) -> None:
        """Say what a run lacks that was read as far as it goes; its rows are saved before."""
        self.save()
        self.set_aside += 1
        self.reach.keeper.note_shortfall(self.kind, self.scope, reading.run_id, reading.shortfall)

    def _finish(self, reading: Reading) -> None:
        self.seen += 1
        self.changed += reading.rows_read
        self.reach.progress.advance(self.task, reading.count_done())

    def _mend(self, fetched: Windows) -> None:
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

    def end(self, *, is_over: bool) -> None:
        """Save the pages that wait; where all is read, remove what lies on disk."""
        try:
            self.save()
        finally:
            self.files.close(is_over=is_over)
            self.journal.close(is_over=is_over)

    def save(self) -> None:
        """Save the pages that wait."""
        pages, self._pages = self._pages, []
        self._reached.clear()
        self._lines = self._bytes = 0
        if pages:
            self.reach.keeper.save_steps(self.kind, self.scope, pages)
            self.journal.forget((page.run_id, page.min_step) for page in pages)
        self.files.forget_saved()
        self._saved_at = monotonic()

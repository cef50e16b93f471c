"""The files of many runs: fetched to disk, then read together, or one run's at a time.

Most files hold nothing but plain numbers: those of many runs are handed to the keeper together,
which reads them faster than they could be read here. What it leaves is read value by value.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

from wandb_mirror.history.columns import StagedSteps
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull.exports import Exported, fetch_files, files_of, read_on
from wandb_mirror.pull.kept_files import Fetched, KeptFiles
from wandb_mirror.pull.reach import Reach

RUNS_A_WORKER = 2
"""For each worker so many runs may have pages of their files in memory, or files on disk, however
long they are."""
LINES_ON_DISK, RUNS_ON_DISK = 300_000, 300
"""Of shorter runs so many lines and runs may lie on disk."""
LINES_TOGETHER, BYTES_TOGETHER, SECONDS_TOGETHER = 250_000, 24_000_000, 2.0
"""Files are read together once there are so many lines or bytes, or so long after the first."""


@dataclass(slots=True)
class FileQueue:
    """Runs with files: to be fetched, to be read together, and to be read value by value."""

    kind: Kind
    scope: ScopeOf
    reach: Reach
    kept: KeptFiles
    _wanted: deque[Exported] = field(default_factory=deque)
    _fetched: list[Exported] = field(default_factory=list)
    _since: float = 0.0
    _slow: deque[Exported] = field(default_factory=deque)
    _on_disk: dict[str, Exported] = field(default_factory=dict)
    """By run."""
    _lines: int = 0
    """Lines of the runs on disk."""
    _reading: int = 0
    """Runs of which pages are in memory."""
    _read: list[Fetched] = field(default_factory=list)
    """Files that were read to their ends, of which not all rows may be saved yet."""
    _cleaner: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="clean")
    )
    """Removes files: on a busy disk that takes as long as reading them."""

    @property
    def waits(self) -> bool:
        """Whether a run waits for a worker or for room."""
        return bool(self._wanted or self._slow)

    def add(self, exported: Exported) -> None:
        """Have a run's files fetched."""
        self._wanted.append(exported)

    def read_on(self, exported: Exported) -> None:
        """Have a run's files read, or read on, value by value."""
        self._slow.appendleft(exported)

    def next(self) -> Callable[[], Exported] | None:
        """Return what is to be done next by a worker, None where nothing may be."""
        most = RUNS_A_WORKER * self.reach.workers
        if self._slow and (self._slow[0].files or self._reading < most):
            exported = self._slow.popleft()
            self._reading += exported.files is None
            return partial(read_on, self.reach, exported)
        if not self._wanted:
            return None
        runs, lines = len(self._on_disk), self._lines + self._wanted[0].lines
        if runs >= most and (runs >= RUNS_ON_DISK or lines > LINES_ON_DISK):
            return None
        exported = self._wanted.popleft()
        self._on_disk[exported.reading.run_id] = exported
        self._lines = lines
        return partial(fetch_files, self.kind, self.scope, self.reach, self.kept, exported)

    def holds_back(self, exported: Exported) -> bool:
        """Take what a worker brings; True where nothing of the run has been read yet."""
        if files_of(exported) is not None:
            if exported.reading.is_new and not self.reach.metrics:
                self._since = self._since if self._fetched else monotonic()
                self._fetched.append(exported)
            else:
                self.read_on(exported)
            return True
        if exported.is_over:
            self._reading -= exported.fetched is not None
            self._let_go(exported)
        return False

    def is_time_to_stage(self) -> bool:
        """Tell whether enough files wait to be read together."""
        return self._count_together()[1] or (
            bool(self._fetched) and monotonic() - self._since >= SECONDS_TOGETHER
        )

    def _count_together(self) -> tuple[int, bool]:
        """Return how many of the runs that wait are read together, and whether they are enough."""
        size = lines = 0
        for count, each in enumerate(self._fetched, 1):
            size += each.fetched.size if each.fetched else 0
            lines += each.lines
            if size >= BYTES_TOGETHER or lines >= LINES_TOGETHER:
                return count, True
        return len(self._fetched), False

    def stage(self) -> list[tuple[Exported, StagedSteps | None]]:
        """Have files that wait read together; None for runs that are left to ``read_on``."""
        count, _ = self._count_together()
        waiting, self._fetched = self._fetched[:count], self._fetched[count:]
        if not waiting:
            return []
        files = [each for each in map(files_of, waiting) if each is not None]
        found = self.reach.keeper.stage_steps(self.scope, files)
        for exported, staged in zip(waiting, found, strict=True):
            if staged is not None:
                exported.is_over = True
                self._let_go(exported)
        return list(zip(waiting, found, strict=True))

    def forget_saved(self) -> None:
        """Remove the files that were read: their rows are saved."""
        for fetched in self._read:
            self._cleaner.submit(fetched.remove)
        self._read.clear()

    def close(self, *, is_over: bool) -> None:
        """Remove what lies on disk where all is read; else leave it to the next sync."""
        self._cleaner.shutdown(wait=True)
        self.kept.close(is_over=is_over)

    def _let_go(self, exported: Exported) -> None:
        """Make room for another run's files; these are removed once their rows are saved."""
        if self._on_disk.pop(exported.reading.run_id, None) is not None:
            self._lines -= exported.lines
        if exported.fetched is not None:
            self._read.append(exported.fetched)

"""How progress looks: bars for a person at a terminal, a line now and then for a log."""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from dataclasses import dataclass, field

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from wandb_mirror.progress import Progress, Silence

SECONDS_BETWEEN_LINES = 5.0
SECONDS_A_MINUTE = 60
SECONDS_UNTIL_PACE = 10.0
"""So long nothing is said of how long the rest will take: the first steps say little."""
WINDOW_SECONDS = 60.0
"""The pace is that of so long, and begins anew where nothing came for so long: a network that was
gone for a while slows nothing afterwards."""


def make_progress(*, is_quiet: bool) -> Progress:
    """Return bars for a person at a terminal, a line now and then for a log, or silence."""
    if is_quiet:
        return Silence()
    return BarProgress() if sys.stderr.isatty() else LineProgress()


class BarProgress:
    """A bar a task, on stderr, with what is left and for how long."""

    def __init__(self) -> None:
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def begin(self, task: str, total: int | None = None) -> None:
        """Show a bar, or learn its length."""
        with self._lock:
            if not self._tasks:
                self._bars.start()
            if task in self._tasks:
                self._bars.update(self._tasks[task], total=total)
            else:
                self._tasks[task] = self._bars.add_task(task, total=total)

    def advance(self, task: str, count: int = 1) -> None:
        """Move a bar."""
        with self._lock:
            if task in self._tasks:
                self._bars.advance(self._tasks[task], count)

    def end(self, task: str) -> None:
        """Take a bar away."""
        with self._lock:
            if task in self._tasks:
                self._bars.remove_task(self._tasks.pop(task))
            if not self._tasks:
                self._bars.stop()

    def say(self, text: str) -> None:
        """Print a line above the bars."""
        self._bars.console.print(text, markup=False, highlight=False)


@dataclass(slots=True)
class _Task:
    """What is done of a task, and how fast of late."""

    total: int | None
    began: float
    done: int = 0
    past: deque[tuple[float, int]] = field(default_factory=deque)
    """When how much was done: the newest ones, and one that is older than ``WINDOW_SECONDS``."""

    def __post_init__(self) -> None:
        """Begin with nothing done."""
        self.past.append((self.began, 0))

    def advance(self, count: int, now: float) -> None:
        """Count."""
        if now - self.past[-1][0] > WINDOW_SECONDS:
            self.past.clear()
        self.done += count
        self.past.append((now, self.done))
        while len(self.past) > 1 and self.past[1][0] < now - WINDOW_SECONDS:
            self.past.popleft()

    def describe(self, now: float) -> str:
        """Return what is done, and how long the rest will take at the pace of late."""
        if self.total is None:
            return f"{self.done}"
        said = f"{self.done} of {self.total}"
        since, before = self.past[0]
        pace = (self.done - before) / max(now - since, 1e-9)
        if now - since < SECONDS_UNTIL_PACE or not 0 < self.done < self.total or not pace:
            return said
        seconds = (self.total - self.done) / pace
        if seconds < SECONDS_A_MINUTE:
            return f"{said}, {seconds:.0f} s left"
        return f"{said}, about {seconds / SECONDS_A_MINUTE:.0f} min left"


class LineProgress:
    """A line on stderr every few seconds, for logs."""

    def __init__(self) -> None:
        self._tasks: dict[str, _Task] = {}
        self._said_at = time.monotonic()
        self._lock = threading.Lock()

    def begin(self, task: str, total: int | None = None) -> None:
        """Remember a task."""
        with self._lock:
            self._tasks.setdefault(task, _Task(total, time.monotonic())).total = total

    def advance(self, task: str, count: int = 1) -> None:
        """Count, and say so when nothing was said for a while."""
        now = time.monotonic()
        with self._lock:
            found = self._tasks.setdefault(task, _Task(None, now))
            found.advance(count, now)
            if now - self._said_at >= SECONDS_BETWEEN_LINES:
                self._said_at = now
                click.echo(f"{task}: {found.describe(now)}", err=True)

    def end(self, task: str) -> None:
        """Forget a task."""
        with self._lock:
            self._tasks.pop(task, None)

    def say(self, text: str) -> None:
        """Print a line."""
        click.echo(text, err=True)

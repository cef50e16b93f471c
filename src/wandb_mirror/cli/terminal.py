"""How the command line talks: progress, reports, JSON for machines."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from wandb_mirror.jsontext import dumps
from wandb_mirror.progress import Progress, Silence

if TYPE_CHECKING:
    from wandb_mirror.mirror.report import SyncReport

SECONDS_BETWEEN_LINES = 5.0


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


class LineProgress:
    """A line on stderr every few seconds, for logs."""

    def __init__(self) -> None:
        self._done: dict[str, int] = {}
        self._totals: dict[str, int | None] = {}
        self._said_at = time.monotonic()
        self._lock = threading.Lock()

    def begin(self, task: str, total: int | None = None) -> None:
        """Remember a task."""
        with self._lock:
            self._done.setdefault(task, 0)
            self._totals[task] = total

    def advance(self, task: str, count: int = 1) -> None:
        """Count, and say so when nothing was said for a while."""
        with self._lock:
            self._done[task] = self._done.get(task, 0) + count
            if time.monotonic() - self._said_at < SECONDS_BETWEEN_LINES:
                return
            self._said_at = time.monotonic()
            total = self._totals.get(task)
            of = "" if total is None else f" of {total}"
            click.echo(f"{task}: {self._done[task]}{of}", err=True)

    def end(self, task: str) -> None:
        """Forget a task."""
        with self._lock:
            self._done.pop(task, None)
            self._totals.pop(task, None)

    def say(self, text: str) -> None:
        """Print a line."""
        click.echo(text, err=True)


def print_json(value: Any) -> None:
    """Print one JSON document to stdout."""
    click.echo(dumps(value))


def say_report(report: SyncReport, published_path: Path) -> None:
    """Say on stderr what a sync did."""
    for project in report.projects:
        click.echo(
            f"{project.entity}/{project.project}: {_describe(project.seen, project.changed)}",
            err=True,
        )
        for kind, count in project.missing.items():
            if count:
                click.echo(
                    f"  {count} {kind} are gone upstream; they are kept, marked deleted", err=True
                )
        for note in project.notes:
            click.echo(f"  {note}", err=True)
    for target in report.not_found:
        click.echo(
            f"{target}: absent or not visible to this key; what was mirrored is kept", err=True
        )
    if report.lacking:
        click.echo(
            f"this server has no {', '.join(report.lacking)}: those columns stay empty", err=True
        )
    if report.problems:
        click.echo(
            f"{report.problems} objects could not be read and will be tried again: "
            "wandb-mirror sql 'FROM sync_errors'",
            err=True,
        )
    outcome = f"published {published_path}" if report.published else "nothing new to publish"
    click.echo(
        f"{report.requests} requests, {report.bytes_received / 1e6:.1f} MB, "
        f"{report.seconds:.1f} s; {outcome}",
        err=True,
    )


def _describe(seen: Mapping[str, int], changed: Mapping[str, int]) -> str:
    """Return counts for people: ``200 runs (3 changed)``."""
    return ", ".join(
        f"{count} {kind} ({changed.get(kind, 0)} changed)" for kind, count in seen.items()
    )

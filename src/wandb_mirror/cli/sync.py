"""``sync``: pull what changed and publish it."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING

import click

from wandb_mirror.cli.context import Wish, pass_wish
from wandb_mirror.cli.jsonlog import log
from wandb_mirror.cli.text import readable
from wandb_mirror.errors import BudgetSpent, Interrupted, Locked, Retry

if TYPE_CHECKING:
    from wandb_mirror.mirror.mirror import Mirror
    from wandb_mirror.mirror.report import SyncReport

WITH_SKIPS, STOPPED = 3, 130
STDERR = 2
UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def read_time(
    _context: click.Context, _option: click.Parameter, text: str | None
) -> datetime | None:
    """Read a time, or how long ago it was, as naive UTC."""
    if text is None:
        return None
    if text[:-1].isdigit() and text[-1] in UNITS:
        return datetime.now(UTC).replace(tzinfo=None) - timedelta(
            **{UNITS[text[-1]]: int(text[:-1])}
        )
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time; write 2024-06-01 or 7d") from None
    return found if found.tzinfo is None else found.astimezone(UTC).replace(tzinfo=None)


@click.command("sync")
@click.argument("targets", nargs=-1, metavar="[ENTITY[/PROJECT]]...")
@click.option("--full-refresh", is_flag=True, help="Read everything again, changed or not.")
@click.option(
    "--only",
    multiple=True,
    metavar="KIND",
    help="Read these kinds alone, and what they are found by (a,b or repeated): runs, history, "
    "system_metrics, files, sweeps, agents, artifacts, reports, users, automations, integrations, "
    "registries; docs/kinds.md has all.",
)
@click.option(
    "--skip", multiple=True, metavar="KIND", help="Leave these kinds out, and what they lead to."
)
@click.option("--no-history", is_flag=True, help="Leave the history out.")
@click.option("--workers", type=click.IntRange(1, 64), help="Requests at once.  [default: 6]")
@click.option("--max-requests", type=click.IntRange(1), help="Stop cleanly after so many requests.")
@click.option(
    "--since",
    callback=read_time,
    metavar="TIME",
    help="Only runs made or changed since then: 2024-06-01, 2024-06-01T12:00Z, 7d, 12h.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what would be fetched; fetch and change nothing."
)
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=0.0,
    metavar="SECONDS",
    help="Wait so long for another sync to end.  [default: not at all, exit 4]",
)
@click.option(
    "--watch", type=click.IntRange(1), metavar="SECONDS", help="Sync again so often, until Ctrl-C."
)
@click.option("--push", is_flag=True, help="Push the edits that wait first.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
@pass_wish
def sync_command(  # noqa: PLR0913, PLR0917  (click hands over every flag)
    wish: Wish,
    targets: tuple[str, ...],
    only: tuple[str, ...],
    skip: tuple[str, ...],
    workers: int | None,
    max_requests: int | None,
    watch: int | None,
    since: datetime | None,
    wait: float,
    *,
    dry_run: bool,
    full_refresh: bool,
    no_history: bool,
    push: bool,
    as_json: bool,
) -> int:
    """Pull what changed upstream into the mirror and publish it.

    Without a target: the projects of the settings file, else those already in the mirror, else
    WANDB_ENTITY and WANDB_PROJECT. With --watch it goes on until Ctrl-C or SIGTERM, and outlasts a
    server that is out of reach for a while. Needs a W&B API key; 'wandb-mirror doctor' shows which
    is used.
    """
    overrides = {"upstream.workers": workers, "upstream.max_requests": max_requests}
    mirror = wish.open_mirror({key: value for key, value in overrides.items() if value is not None})

    kinds = _split(only), [*_split(skip), *(["history"] if no_history else [])]
    if dry_run:
        return foresee(mirror, targets, *kinds, as_json=as_json)

    def sync_once() -> int:
        is_pushed = not push or push_first(wish, mirror)
        report = mirror.sync(
            targets,
            only=kinds[0],
            skip=kinds[1],
            is_full_refresh=full_refresh,
            since=since,
            wait_seconds=wait,
        )
        print_report(wish, mirror, report, as_json=as_json)
        return WITH_SKIPS if report.has_skips or not is_pushed else 0

    with stopping_gently(mirror):
        return sync_once() if watch is None else keep_syncing(sync_once, mirror.stop, watch)


def foresee(
    mirror: Mirror,
    targets: Sequence[str],
    only: Sequence[str],
    skip: Sequence[str],
    *,
    as_json: bool,
) -> int:
    """Print what a sync would fetch, a line a project and kind."""
    from wandb_mirror.cli.terminal import print_json  # noqa: PLC0415

    with stopping_gently(mirror):
        found = mirror.foresee(targets, only=only, skip=skip)
    if as_json:
        print_json([each.to_dict() for each in found])
        return 0
    for each in found:
        click.echo(f"{each.project}: {each.describe()}")
    return 0


def push_first(wish: Wish, mirror: Mirror) -> bool:
    """Push what waits and say what became of it; True where nothing is left to be looked at."""
    if mirror.desk.look().count == 0:
        return True
    report = mirror.push()
    for message in report.messages:
        click.echo(readable(message), err=True)
    wish.say(f"{report.pushed} edits pushed, {report.conflicts} in conflict")
    return report.is_complete


def keep_syncing(sync_once: Callable[[], int], stop: threading.Event, seconds: float) -> int:
    """Sync every so many seconds until ``stop`` is set; the lock is free in between.

    What may have passed by the next time (upstream out of reach, another sync at work, the request
    budget spent) is said on stderr and does not end it; what somebody has to fix does.
    """
    while True:
        began = monotonic()
        try:
            sync_once()
        except (Retry, Locked, BudgetSpent) as error:
            click.echo(f"wandb-mirror: {error}; trying again", err=True)
        except Interrupted:
            return 0
        if stop.wait(max(0.0, began + seconds - monotonic())):
            return 0


def _split(words: tuple[str, ...]) -> list[str]:
    """Return the words of a flag that may be repeated or hold several by commas."""
    return [word.strip() for text in words for word in text.split(",") if word.strip()]


@contextmanager
def stopping_gently(mirror: Mirror) -> Iterator[None]:
    """Let the first Ctrl-C end the sync after the page in hand, and the second at once.

    The second ends the process as a crash would, which a mirror survives: an exception would have
    to wait for requests under way, and DuckDB makes another of it.
    """

    def ask_to_stop(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
        if mirror.stop.is_set():
            _say_at_once("wandb-mirror: stopped; the next sync goes on from here")
            os._exit(STOPPED)
        mirror.stop.set()
        _say_at_once("stopping after the page in hand; Ctrl-C again stops at once")

    before = {each: signal.signal(each, ask_to_stop) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _say_at_once(text: str) -> None:
    """Write a line to stderr from a signal's handler.

    Python's own stream refuses to be entered twice, and the signal may come while it is written to.
    """
    with suppress(OSError):
        os.write(STDERR, f"{text}\n".encode())


def print_report(wish: Wish, mirror: Mirror, report: SyncReport, *, as_json: bool) -> None:
    """Say what a sync did: JSON to stdout, or a few lines to stderr."""
    from wandb_mirror.cli.terminal import print_json, say_report  # noqa: PLC0415

    if as_json:
        print_json(report.to_dict())
    if wish.logs_json:
        log("sync", **report.to_dict())
    elif not as_json and not wish.is_quiet:
        say_report(report, mirror.published_path)


COMMANDS = (sync_command,)

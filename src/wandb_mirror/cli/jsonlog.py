"""Structured logs: one JSON object a line on stderr, for those who collect logs."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from wandb_mirror.jsontext import dumps

SECONDS_BETWEEN_LINES = 10.0


def log(event: str, **fields: Any) -> None:
    """Write one line: ``at`` (ISO 8601, UTC), ``event`` and its fields."""
    at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    click.echo(dumps({"at": at, "event": event, **fields}), err=True)


def wants_json(arguments: Sequence[str]) -> bool:
    """Tell whether a command line asks for structured logs, before anything has read it."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return "--log-format=json" in arguments or ("--log-format", "json") in pairs


class JsonProgress:
    """A ``Progress`` that logs when a task begins and ends, and its counts now and then."""

    def __init__(self) -> None:
        self._tasks: dict[str, tuple[int, int | None]] = {}
        self._said_at = time.monotonic()
        self._lock = threading.Lock()

    def begin(self, task: str, total: int | None = None) -> None:
        """Log that a task begins."""
        with self._lock:
            self._tasks[task] = (0, total)
            log("begin", task=task, total=total)

    def advance(self, task: str, count: int = 1) -> None:
        """Count, and log it when nothing was logged for a while."""
        with self._lock:
            done, total = self._tasks.get(task, (0, None))
            self._tasks[task] = (done + count, total)
            if time.monotonic() - self._said_at >= SECONDS_BETWEEN_LINES:
                self._said_at = time.monotonic()
                log("progress", task=task, done=done + count, total=total)

    def end(self, task: str) -> None:
        """Log how far a task came."""
        with self._lock:
            done, total = self._tasks.pop(task, (0, None))
            log("end", task=task, done=done, total=total)

    def say(self, text: str) -> None:
        """Log a message."""
        log("message", text=text)

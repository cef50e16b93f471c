"""What ``wandb-core`` streams while a run logs: lines of four files, each from an offset on.

The shapes are those of ``FileStreamRequestJSON`` in ``wandb-core`` (``internal/filestream``). What
comes at an offset replaces what was there and after it, so that a chunk sent twice is there once,
and a run that is logged anew under its old id forgets what it logged before; console lines alone
are replaced one by one, as a terminal moves back to them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, TypeVar

from wandb_mirror.sandbox.history import LoggedHistory
from wandb_mirror.sandbox.objects import Run

HISTORY = "wandb-history.jsonl"
EVENTS = "wandb-events.jsonl"
SUMMARY = "wandb-summary.json"
CONSOLE = "output.log"
T = TypeVar("T")
MACHINE = "system."
"""What the keys of machine samples begin with."""


class StreamProblem(ValueError):
    """A chunk that does not fit to what came before it."""


def take_stream(run: Run, request: Mapping[str, Any], now: datetime) -> None:
    """Take one request of a stream into a run; an empty one is a heartbeat."""
    for name, chunk in (request.get("files") or {}).items():
        _take_chunk(run, name, int(chunk.get("offset") or 0), chunk.get("content") or ())
    run.heartbeat_at = run.updated_at = now
    if request.get("complete"):
        run.forgotten_lines = 0
        run.state = "failed" if request.get("exitcode") else "finished"
    elif request.get("preempting"):
        run.state = "preempting"
    else:
        run.state = "running"


def _take_chunk(run: Run, name: str, offset: int, lines: Sequence[str]) -> None:
    """Take consecutive lines of one file; the client may send files that nobody reads."""
    if name == HISTORY:
        _take_history(run, offset, lines)
    elif name == EVENTS and lines:
        run.events = [*_before(run.events, offset, name), *lines]
        values = json.loads(lines[-1])
        sample = {key: value for key, value in values.items() if key.startswith(MACHINE)}
        run.system_metrics = json.dumps(sample)
    elif name == SUMMARY and lines:
        run.summary = lines[-1]
    elif name == CONSOLE:
        console = run.console + [""] * (offset + len(lines) - len(run.console))
        console[offset : offset + len(lines)] = lines
        run.console = console


def _take_history(run: Run, offset: int, lines: Sequence[str]) -> None:
    """Take rows; a first one that is not later than the last starts the run anew.

    The client goes on counting from the lines it found, so that these are taken off its offsets
    until it ends.
    """
    steps = [int(json.loads(line)["_step"]) for line in lines]
    for earlier, later in pairwise(steps):
        if later <= earlier:
            raise StreamProblem(f"step {later} comes after step {earlier}")
    history = LoggedHistory.copy_of(run.history)
    offset -= run.forgotten_lines
    _before(history.all_steps, offset, HISTORY)
    if offset < history.line_count:
        history.rewind(history.all_steps[offset] - 1)
    if steps and history.last_step is not None and steps[0] <= history.last_step:
        run.forgotten_lines += history.line_count
        history.rewind(-1)
    for step, line in zip(steps, lines, strict=True):
        history.append(step, line)
    run.history = history


def _before(lines: Sequence[T], offset: int, name: str) -> Sequence[T]:
    """Return the lines before an offset; raises ``StreamProblem`` where some are missing."""
    if not 0 <= offset <= len(lines):
        raise StreamProblem(f"{name} has {len(lines)} lines: none can be added at {offset}")
    return lines[:offset]

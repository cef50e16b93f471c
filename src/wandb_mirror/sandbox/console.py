"""What runs printed: the lines of ``output.log`` as the client streams them, and as they are read.

Line formats are those of ``wandb-core`` (``runconsolelogs``), the rules of paging those that its
readers work around: without ``useImprovedPagination`` ``after`` is ignored, and the first 500 lines
always have a next page; with it a page may end early and say that nothing follows; a run that never
printed has no connection at all.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from wandb_mirror.sandbox.connections import Connection, Edge, make_cursor, read_cursor
from wandb_mirror.sandbox.objects import Run, encode_id
from wandb_mirror.sandbox.projection import Ask, Resolve, plain

MAX_LINES = 10_000
"""More lines are never in one page."""
OLD_PAGE = 500
_TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}"
_PLAIN_LINE = re.compile(rf"(ERROR )?({_TIME}) (?:\[([^\]]*)\] )?(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a run's console."""

    number: int
    timestamp: str | None
    """UTC, without a zone, as W&B has it."""
    level: str
    """``error`` for what went to stderr."""
    label: str
    line: str

    @property
    def storage_id(self) -> str:
        """The opaque id."""
        return encode_id("LogLine", self.number)


def read_line(number: int, text: str) -> LogLine:
    """Return what a streamed line says; one in no known format is all content."""
    if text.startswith("{"):
        try:
            values = json.loads(text)
            return LogLine(
                number,
                values.get("ts"),
                values.get("level", ""),
                values.get("label", ""),
                str(values["content"]),
            )
        except (ValueError, KeyError):
            pass
    found = _PLAIN_LINE.fullmatch(text)
    if found is None:
        return LogLine(number, None, "", "", text)
    error, timestamp, label, line = found.groups()
    return LogLine(number, timestamp, "error" if error else "", label or "", line)


def make_lines(run_id: str, state: str, started: datetime, count: int) -> list[str]:
    """Return what a training prints; one that ended badly ends with a traceback."""
    source = Random(run_id)  # noqa: S311  (not for secrets)
    texts = [
        f"epoch {number:3d} | loss {2.4 * 0.97**number + source.random() / 50:.4f} | "
        f"\x1b[32m{source.randrange(90, 400)} it/s\x1b[0m"
        for number in range(count)
    ]
    if count and state in ("crashed", "failed"):
        texts[-1] = f"RuntimeError: CUDA out of memory ({source.randrange(2, 80)} GiB) 💥"
    lines = []
    for number, text in enumerate(texts):
        at = started + timedelta(seconds=number, microseconds=source.randrange(10**6))
        prefix = "ERROR " if text.startswith("RuntimeError") else ""
        stamp = at.replace(tzinfo=None).isoformat(timespec="microseconds")
        lines.append(f"{prefix}{stamp} {text}")
    return lines


def _log_lines(run: Run, ask: Ask) -> Connection | None:
    """Return a page of what a run printed."""
    total = len(run.console)
    if total == 0:
        return None
    is_improved = bool(ask.get("useImprovedPagination"))
    first, last = ask.get("first"), ask.get("last")
    start, stop = 0, total
    if is_improved and ask.get("after"):
        start = min(total, read_cursor(ask.get("after")))
    if is_improved and ask.get("before"):
        stop = max(start, read_cursor(ask.get("before")) - 1)
    if last is not None:
        start = max(start, stop - min(last, MAX_LINES))
    elif is_improved:
        stop = min(stop, start + min(MAX_LINES if first is None else first, MAX_LINES))
    else:
        stop = min(stop, OLD_PAGE)
    cut = _cut(run.console[start:stop], ask.context.behaviour.max_log_page_bytes)
    has_next = start + cut < total and start + cut == stop
    edges = [
        Edge(read_line(number, run.console[number]), number) for number in range(start, start + cut)
    ]
    end = make_cursor(edges[-1].place) if edges else None
    return Connection(edges, start, total, has_next, end)


def _cut(lines: list[str], limit: int | None) -> int:
    """Return how many lines have no more than ``limit`` bytes; at least one."""
    if limit is None:
        return len(lines)
    total = 0
    for number, line in enumerate(lines):
        total += len(line.encode("utf-8", "surrogatepass"))
        if total > limit and number:
            return number
    return len(lines)


CONSOLE_READS: dict[str, dict[str, Resolve]] = {
    "LogLineConnection": {"edges": plain("edges"), "pageInfo": lambda page, _ask: page},
    "LogLineEdge": {
        "node": plain("node"),
        "cursor": lambda edge, _ask: make_cursor(edge.place),
    },
    "LogLine": {
        "id": plain("storage_id"),
        "number": plain("number"),
        "timestamp": plain("timestamp"),
        "level": plain("level"),
        "label": plain("label"),
        "line": plain("line"),
    },
}
RUN_CONSOLE_READS: dict[str, Resolve] = {
    "logLineCount": lambda run, _ask: len(run.console),
    "logLines": _log_lines,
}

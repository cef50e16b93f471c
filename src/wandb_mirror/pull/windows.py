"""Windows of steps: one of each of some runs, in one request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wandb_mirror.errors import NotOffered, Skip, UpstreamBroken
from wandb_mirror.history.lines import parse_steps
from wandb_mirror.history.select import select_metrics
from wandb_mirror.kinds.pages import ScopeOf, StepsReply, StepsRequest
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull.journal import Journal
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.reading import Answer, Reading
from wandb_mirror.upstream.steps import fetch_steps


@dataclass(frozen=True, slots=True)
class Windows:
    """Windows of some runs with the answers to them, or why there are none."""

    readings: Sequence[Reading]
    asked: Sequence[StepsRequest]
    answers: Sequence[Answer] = ()
    problem: Skip | UpstreamBroken | None = None


def fetch_windows(
    kind: Kind, scope: ScopeOf, reach: Reach, journal: Journal, readings: Sequence[Reading]
) -> Windows:
    """Fetch one window of each reading; what concerns these runs alone is returned, not raised.

    What the journal holds is not asked for, and what is asked for goes into the journal.
    """
    asked = [reading.window() for reading in readings]
    try:
        asked, replies = _fetch(kind, scope, reach, journal, readings, asked)
        answers = [
            _read(each, reply, reach.metrics) for each, reply in zip(asked, replies, strict=True)
        ]
    except UpstreamBroken as error:
        if not error.is_too_large:
            raise
        return Windows(readings, asked, problem=error)
    except NotOffered:
        raise
    except Skip as error:
        return Windows(readings, asked, problem=error)
    return Windows(readings, asked, answers)


def _fetch(
    kind: Kind,
    scope: ScopeOf,
    reach: Reach,
    journal: Journal,
    readings: Sequence[Reading],
    asked: Sequence[StepsRequest],
) -> tuple[list[StepsRequest], list[StepsReply]]:
    """Return a reply for each reading, with the request that it answers."""
    found = [journal.find(*each) for each in zip(readings, asked, strict=True)]
    missing = [number for number, each in enumerate(found) if each is None]
    if missing:
        wanted = [asked[number] for number in missing]
        replies = fetch_steps(reach.upstream, kind, scope, wanted)
        for number, request, reply in zip(missing, wanted, replies, strict=True):
            journal.keep(readings[number], request, reply)
            found[number] = (request, reply)
    pairs = [each for each in found if each is not None]
    return [request for request, _ in pairs], [reply for _, reply in pairs]


def _read(asked: StepsRequest, reply: StepsReply, metrics: Sequence[str]) -> Answer:
    max_step = None if reply.way == "whole" else asked.max_step
    content = parse_steps(asked.run_id, reply.lines, min_step=asked.min_step, max_step=max_step)
    return Answer(
        select_metrics(content, metrics),
        len(reply.lines),
        reply.line_count,
        reply.last_step,
        reply.exists,
        reply.way,
        reply.metrics,
        reply.values,
    )

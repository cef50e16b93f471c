"""Read the samples of runs' machines: each run whole, several in one request."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from wandb_mirror.errors import NotOffered, Skip, UpstreamBroken
from wandb_mirror.history.samples import Samples, parse_samples
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull.pool import Pool
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.walk import Walked
from wandb_mirror.upstream.samples import fetch_samples

LINES_TOGETHER, RUNS_TOGETHER = 5_000, 50
"""A request asks for so many samples, or runs, at most; of one run it asks for all."""
UNKNOWN_LINES = 500
"""Samples that a run is taken to have where the server does not count them."""


@dataclass(frozen=True, slots=True)
class _Fetched:
    found: Sequence[Samples] = ()
    bad: Sequence[tuple[str, str]] = ()
    """Runs that could not be read, and why."""
    gone: int = 0


@dataclass(slots=True)
class _Group:
    run_ids: list[str] = field(default_factory=list)
    lines: int = 0

    def is_full_with(self, lines: int) -> bool:
        return bool(self.run_ids) and (
            self.lines + lines > LINES_TOGETHER or len(self.run_ids) == RUNS_TOGETHER
        )


def walk_samples(
    kind: Kind, scope: ScopeOf, due: Sequence[tuple[str, int | None]], reach: Reach
) -> Walked:
    """Read and save the samples of runs, given with how many samples upstream counts."""
    task = f"{scope} {kind.plural}"
    reach.progress.begin(task, len(due))
    walked = Walked()
    try:
        with Pool[_Fetched](reach.workers, reach.stop) as pool:
            for run_ids in _groups(due):
                pool.submit(partial(_fetch, kind, scope, reach, run_ids))
                for fetched in pool.drain(down_to=reach.workers):
                    walked = _save(kind, scope, reach, fetched, walked)
                    reach.progress.advance(task, len(fetched.found))
            for fetched in pool.drain(down_to=0):
                walked = _save(kind, scope, reach, fetched, walked)
                reach.progress.advance(task, len(fetched.found))
    finally:
        reach.progress.end(task)
    return walked


def _groups(due: Iterable[tuple[str, int | None]]) -> Iterable[list[str]]:
    group = _Group()
    for run_id, count in due:
        lines = UNKNOWN_LINES if count is None else count
        if group.is_full_with(lines):
            yield group.run_ids
            group = _Group()
        group.run_ids.append(run_id)
        group.lines += lines
    if group.run_ids:
        yield group.run_ids


def _fetch(kind: Kind, scope: ScopeOf, reach: Reach, run_ids: Sequence[str]) -> _Fetched:
    """Fetch the samples of some runs; one by one where together they are too much."""
    try:
        replies = fetch_samples(reach.upstream, kind, scope, run_ids)
    except NotOffered:
        raise
    except (Skip, UpstreamBroken) as error:
        if isinstance(error, UpstreamBroken) and not error.is_too_large:
            raise
        if len(run_ids) == 1:
            return _Fetched(bad=[(run_ids[0], str(error))])
        parts = [_fetch(kind, scope, reach, [each]) for each in run_ids]
        return _Fetched(
            [samples for part in parts for samples in part.found],
            [problem for part in parts for problem in part.bad],
            sum(part.gone for part in parts),
        )
    found: list[Samples] = []
    bad: list[tuple[str, str]] = []
    for run_id, reply in zip(run_ids, replies, strict=True):
        if not reply.exists:
            continue
        try:
            found.append(
                parse_samples(scope.project_id or "", run_id, reply.lines, reply.line_count)
            )
        except ValueError as error:
            bad.append((run_id, f"its samples cannot be read: {error}"[:200]))
    return _Fetched(found, bad, len(run_ids) - len(found) - len(bad))


def _save(kind: Kind, scope: ScopeOf, reach: Reach, fetched: _Fetched, walked: Walked) -> Walked:
    for run_id, problem in fetched.bad:
        reach.keeper.set_aside(kind, scope, run_id, problem)
    changed = reach.keeper.save_samples(kind, scope, fetched.found) if fetched.found else 0
    return Walked(
        walked.seen + len(fetched.found) + len(fetched.bad),
        walked.changed + changed,
        walked.set_aside + len(fetched.bad),
    )

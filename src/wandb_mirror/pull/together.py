"""Walk the same listing of many scopes: their first pages come together, the rest one by one.

Where the server refuses them together, each is walked by itself; it is remembered when that goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from types import MappingProxyType

from wandb_mirror.errors import NotFound, NotOffered, Refused, Skip, UpstreamBroken
from wandb_mirror.kinds.pages import Asked, RowPage, ScopeOf, Tail
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.progress import Silence
from wandb_mirror.pull.pool import Pool
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.walk import Walked, walk_listing

Outcome = Walked | NotFound | Skip | UpstreamBroken
"""What a walk found, or why there was none; that one listing fails does not stop the others."""


@dataclass(frozen=True, slots=True)
class _Batch:
    """Some scopes, and the first pages of their listings as far as they came."""

    scopes: Sequence[ScopeOf]
    heads: Sequence[RowPage | None]
    was_refused: bool = False


def walk_together(
    kind: Kind,
    scopes: Sequence[ScopeOf],
    reach: Reach,
    tails: Mapping[ScopeOf, Tail | None] = MappingProxyType({}),
) -> Iterator[list[tuple[ScopeOf, Outcome]]]:
    """Bring what is kept of each scope in step with upstream; yield a batch of outcomes at a time.

    ``tails`` say where listings that grow are read on. Raises ``NotOffered`` where the server has
    no such listing.
    """
    task = f"{kind.plural} of {len(scopes)}"
    quiet = replace(reach, progress=Silence())
    reach.progress.begin(task, len(scopes))
    try:
        with Pool[_Batch](reach.workers, reach.stop) as pool:
            for start in range(0, len(scopes), kind.together):
                some = scopes[start : start + kind.together]
                pool.submit(partial(_fetch_heads, kind, some, reach, tails))
                for batch in pool.drain(down_to=pool.room - 1):
                    yield _walk_batch(kind, batch, quiet, tails)
                    reach.progress.advance(task, len(batch.scopes))
            for batch in pool.drain(down_to=0):
                yield _walk_batch(kind, batch, quiet, tails)
                reach.progress.advance(task, len(batch.scopes))
    finally:
        reach.progress.end(task)


def _fetch_heads(
    kind: Kind, scopes: Sequence[ScopeOf], reach: Reach, tails: Mapping[ScopeOf, Tail | None]
) -> _Batch:
    """Fetch the first pages of some listings at once; none where that cannot be."""
    nothing = [None] * len(scopes)
    if len(scopes) == 1:
        return _Batch(scopes, nothing)
    try:
        asked = []
        for scope in scopes:
            tail = tails.get(scope)
            after = tail.start.cursor if tail is not None and tail.start is not None else None
            asked.append(Asked(kind.plural, scope, kind.page_size, order=kind.order, after=after))
        return _Batch(scopes, reach.upstream.fetch_first_pages(kind, asked))
    except UpstreamBroken as error:
        if not error.is_too_large:
            raise
        return _Batch(scopes, nothing)
    except (NotOffered, NotFound):
        return _Batch(scopes, nothing)
    except Refused:
        return _Batch(scopes, nothing, was_refused=True)


def _walk_batch(
    kind: Kind, batch: _Batch, reach: Reach, tails: Mapping[ScopeOf, Tail | None]
) -> list[tuple[ScopeOf, Outcome]]:
    found: list[tuple[ScopeOf, Outcome]] = []
    for scope, head in zip(batch.scopes, batch.heads, strict=True):
        try:
            tail = tails.get(scope)
            walked = walk_listing(kind, scope, reach, expected=None, head=head, tail=tail)
            found.append((scope, walked))
        except NotOffered:
            raise
        except (UpstreamBroken, NotFound, Skip) as error:
            found.append((scope, error))
    if batch.was_refused and all(isinstance(outcome, Walked) for _, outcome in found):
        reach.upstream.learn_one_at_a_time()
    return found

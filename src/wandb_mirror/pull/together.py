"""Walk listings of many scopes: the first pages of several kinds come together, the rest alone.

Where the server refuses them together, they are asked for in smaller parts: a scope at a time, a
kind at a time, and at last each by itself. That it takes one scope at a time is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType

from wandb_mirror.errors import NotFound, NotOffered, Refused, Skip, UpstreamBroken
from wandb_mirror.kinds.pages import Asked, RowPage, ScopeOf, Tail
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.progress import Silence
from wandb_mirror.pull.pool import Pool
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.walk import Walked, walk_listing
from wandb_mirror.upstream.first_pages import fetch_first_pages

Outcome = Walked | NotFound | Skip | UpstreamBroken
"""What a walk found, or why there was none; that one listing fails does not stop the others."""
Found = tuple[Kind, ScopeOf, Outcome]
Tails = Mapping[ScopeOf, Tail | None]


@dataclass(slots=True)
class _Batch:
    """Listings of some kinds in some scopes, and their first pages as far as they came."""

    kinds: Sequence[Kind]
    scopes: Sequence[ScopeOf]
    tails: Tails
    heads: dict[Asked, RowPage] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    """Kinds whose scopes were refused together."""
    is_mixed_refused: bool = False
    """Whether the kinds were."""


def walk_together(
    kinds: Sequence[Kind],
    scopes: Sequence[ScopeOf],
    reach: Reach,
    tails: Tails = MappingProxyType({}),
) -> Iterator[list[Found]]:
    """Bring what is kept of each kind in each scope in step with upstream, a batch at a time.

    No kind of them may be the parent of another. ``tails`` say where listings that grow are read
    on. ``NotOffered`` is an outcome like others.
    """
    task = f"{' '.join(kind.plural for kind in kinds)} of {len(scopes)}"
    quiet = replace(reach, progress=Silence())
    room = max(1, min(kind.together for kind in kinds) // len(kinds))
    reach.progress.begin(task, len(scopes))
    try:
        with Pool[_Batch](reach.workers, reach.stop) as pool:
            for start in range(0, len(scopes), room):
                some = scopes[start : start + room]
                pool.submit(partial(_fetch_heads, _Batch(kinds, some, tails), reach))
                for batch in pool.drain(down_to=pool.room - 1):
                    yield _walk_batch(batch, quiet)
                    reach.progress.advance(task, len(batch.scopes))
            for batch in pool.drain(down_to=0):
                yield _walk_batch(batch, quiet)
                reach.progress.advance(task, len(batch.scopes))
    finally:
        reach.progress.end(task)


def _ask(kind: Kind, scope: ScopeOf, tails: Tails) -> Asked:
    tail = tails.get(scope)
    after = tail.start.cursor if tail is not None and tail.start is not None else None
    return Asked(kind.plural, scope, kind.page_size, order=kind.order, after=after)


def _fetch_heads(batch: _Batch, reach: Reach) -> _Batch:
    """Fetch the first pages of some listings at once, in smaller parts where that cannot be."""
    kinds, scopes, tails = batch.kinds, batch.scopes, batch.tails
    is_mixed = len(kinds) > 1
    if not is_mixed and len(scopes) == 1:
        return batch
    if (not is_mixed or reach.upstream.takes_lists()) and _fetch_batch(batch, reach):
        return batch
    if len(scopes) > 1 and not reach.upstream.takes_several():
        parts = [_fetch_heads(_Batch(kinds, [scope], tails), reach) for scope in scopes]
    elif is_mixed:
        parts = [_fetch_heads(_Batch([kind], scopes, tails), reach) for kind in kinds]
    else:
        return batch
    for part in parts:
        batch.heads |= part.heads
        batch.refused |= part.refused
        batch.is_mixed_refused |= part.is_mixed_refused
    return batch


def _fetch_batch(batch: _Batch, reach: Reach) -> bool:
    """Fetch all of a batch by one request; False where that cannot be."""
    wishes = [
        (kind, _ask(kind, scope, batch.tails)) for kind in batch.kinds for scope in batch.scopes
    ]
    try:
        pages = fetch_first_pages(reach.upstream, wishes)
    except UpstreamBroken as error:
        if not error.is_too_large:
            raise
        return False
    except Refused:
        batch.is_mixed_refused = len(batch.kinds) > 1
        batch.refused = set() if batch.is_mixed_refused else {batch.kinds[0].plural}
        return False
    except (NotOffered, NotFound):
        return False
    found = zip(wishes, pages, strict=True)
    batch.heads = {asked: page for (_, asked), page in found if page is not None}
    return True


def _walk_batch(batch: _Batch, reach: Reach) -> list[Found]:
    """Walk from the first pages on; learn that what was refused together goes one by one."""
    found: list[Found] = []
    for kind in batch.kinds:
        outcomes = list(_walk_kind(kind, batch, reach))
        found += [(kind, scope, outcome) for scope, outcome in outcomes]
        has_gone = all(isinstance(outcome, Walked) for _, outcome in outcomes)
        if kind.plural in batch.refused and has_gone:
            reach.upstream.learn_one_at_a_time()
    has_all_gone = all(isinstance(outcome, Walked) for _, _, outcome in found)
    if batch.is_mixed_refused and not batch.refused and has_all_gone:
        reach.upstream.learn_one_list_at_a_time()
    return found


def _walk_kind(kind: Kind, batch: _Batch, reach: Reach) -> Iterable[tuple[ScopeOf, Outcome]]:
    for scope in batch.scopes:
        head = batch.heads.get(_ask(kind, scope, batch.tails))
        try:
            if kind.shape == "node":
                yield scope, _keep_node(kind, scope, reach, head)
            else:
                tail = batch.tails.get(scope)
                yield scope, walk_listing(kind, scope, reach, expected=None, head=head, tail=tail)
        except (UpstreamBroken, NotFound, Skip) as error:
            yield scope, error


def _keep_node(kind: Kind, scope: ScopeOf, reach: Reach, head: RowPage | None) -> Walked:
    """Keep one object; what is not visible stays as it was."""
    row = head.rows[0] if head else reach.upstream.fetch_node(kind, scope)
    rows = [] if row is None else [row]
    return Walked(len(rows), reach.keeper.save(kind, rows, is_whole=True))

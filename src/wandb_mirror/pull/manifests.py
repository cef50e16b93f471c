"""Read manifests: where they lie comes for many at once, each is fetched from its signed URL."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from wandb_mirror.errors import NotFound, NotOffered, Skip, UpstreamBroken
from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull.pool import Pool
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.together import Found
from wandb_mirror.pull.walk import Walked

ROWS_TOGETHER = 5000
"""Rows saved in one transaction."""

Read = list[Row] | NotFound | Skip | UpstreamBroken


def walk_manifests(kind: Kind, scopes: Sequence[ScopeOf], reach: Reach) -> Iterator[list[Found]]:
    """Save the entries of each scope's manifest; yield a batch of outcomes at a time."""
    task = f"{kind.plural} of {len(scopes)}"
    reach.progress.begin(task, len(scopes))
    try:
        with Pool[list[tuple[ScopeOf, Read]]](reach.workers, reach.stop) as pool:
            for start in range(0, len(scopes), kind.together):
                some = scopes[start : start + kind.together]
                pool.submit(partial(_fetch, kind, some, reach))
                for batch in pool.drain(down_to=reach.workers - 1):
                    yield _save(kind, batch, reach)
                    reach.progress.advance(task, len(batch))
            for batch in pool.drain(down_to=0):
                yield _save(kind, batch, reach)
                reach.progress.advance(task, len(batch))
    finally:
        reach.progress.end(task)


def _fetch(kind: Kind, scopes: Sequence[ScopeOf], reach: Reach) -> list[tuple[ScopeOf, Read]]:
    """Return the rows of each scope, or why there are none."""
    try:
        urls = reach.upstream.fetch_file_urls(kind, scopes)
    except (Skip, UpstreamBroken) as error:
        if len(scopes) == 1 or isinstance(error, NotOffered):
            return [(scope, error) for scope in scopes]
        return [found for scope in scopes for found in _fetch(kind, [scope], reach)]
    return [
        (scope, _fetch_one(kind, scope, url, reach) if isinstance(url, str) else url)
        for scope, url in zip(scopes, urls, strict=True)
    ]


def _fetch_one(kind: Kind, scope: ScopeOf, url: str, reach: Reach) -> Read:
    try:
        return reach.upstream.fetch_manifest(kind, scope, url)
    except (Skip, UpstreamBroken) as error:
        return error


def _save(kind: Kind, batch: Sequence[tuple[ScopeOf, Read]], reach: Reach) -> list[Found]:
    found: list[Found] = []
    for scope, read in batch:
        if not isinstance(read, list):
            found.append((kind, scope, read))
            continue
        changed = 0
        for start in range(0, len(read), ROWS_TOGETHER):
            changed += reach.keeper.save(kind, read[start : start + ROWS_TOGETHER], is_whole=True)
        found.append((kind, scope, Walked(seen=len(read), changed=changed)))
    return found

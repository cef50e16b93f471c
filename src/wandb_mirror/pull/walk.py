"""Read one scope of a listed kind: look for changes, then read what changed whole.

The light listing is walked in one piece every time; only objects that differ from what is kept are
read with their heavy fields. A light row of a kind with heavy fields is never saved by itself, so a
walk that is cut off leaves those objects as they were, and the next one finds them again.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Protocol

from wandb_mirror.errors import NotOffered, Skip, UpstreamBroken
from wandb_mirror.kinds.pages import Place, Row, RowPage, ScopeOf, Tail
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull.listing import Listing
from wandb_mirror.pull.pool import Pool
from wandb_mirror.pull.reach import Reach


@dataclass(frozen=True, slots=True)
class Walked:
    """What a walk found."""

    seen: int = 0
    changed: int = 0
    missing: int = 0
    set_aside: int = 0
    latest: datetime | None = None
    """The latest change seen, as upstream dates it."""
    incomplete: str = ""
    """Why nothing can be said about what was not seen; empty where the listing was complete."""
    goes_on: Place | None = None
    """Where the next walk goes on, of a listing that grows at its end."""


class AnotherOne(Exception):
    """A listing that was to be read on is not the one that was read before."""


def walk_listing(
    kind: Kind,
    scope: ScopeOf,
    reach: Reach,
    *,
    expected: int | None,
    also_whole: Collection[str] = (),
    head: RowPage | None = None,
    only: Mapping[str, Any] | None = None,
    tail: Tail | None = None,
) -> Walked:
    """Bring what is kept of ``scope`` in step with upstream; ``also_whole`` is read in any case.

    ``head`` is the first page, where it was fetched already. ``only`` is upstream's filter for what
    is read at all: then nothing can be said about what was not seen. ``tail`` says where a listing
    that grows is read on; where something else stands there, it is read from the start.
    """
    listing = Listing(kind, scope, head=head, only=only, tail=tail or Tail())
    task = f"{scope} {kind.plural}"
    reach.progress.begin(task, expected)
    try:
        if not kind.has_heavy_fields:
            try:
                walked = _walk_in_one(kind, scope, reach, listing, task)
            except AnotherOne:
                listing = Listing(kind, scope, tail=Tail(listing.tail.count, is_fresh=False))
                walked = _walk_in_one(kind, scope, reach, listing, task)
        else:
            try:
                walked = read_changed(kind, scope, reach, listing, set(also_whole), task)
            except NotOffered:
                if not kind.detail_path and reach.upstream.can_filter(kind):
                    raise
                listing = Listing(kind, scope, is_whole=True, only=only)
                walked = _walk_whole(kind, scope, reach, listing, task)
    finally:
        reach.progress.end(task)
    for own_key, problem in listing.bad:
        reach.keeper.set_aside(kind, scope, own_key, problem)
    walked = replace(
        walked,
        seen=len(listing.seen),
        set_aside=walked.set_aside + len(listing.bad),
        latest=listing.latest,
        goes_on=listing.goes_on,
    )
    if only is not None:
        return walked
    if not listing.is_complete(expected):
        return replace(walked, incomplete=_say_incomplete(listing, expected))
    walked = replace(walked, seen=walked.seen - listing.left_out)
    if listing.tail.start is not None:
        return walked  # what comes before was not looked for, and nothing was kept that comes after
    return replace(walked, missing=reach.keeper.mark_missing(kind, scope, listing.seen))


def _say_incomplete(listing: Listing, expected: int | None) -> str:
    """Return why the walk does not know what is gone."""
    if listing.stuck:
        return listing.stuck
    if listing.bad:
        return f"{len(listing.bad)} objects could not be read"
    return f"upstream counts {expected} and listed {len(listing.seen)}"


def _walk_in_one(kind: Kind, scope: ScopeOf, reach: Reach, listing: Listing, task: str) -> Walked:
    """Save the listing's rows as they come: they are whole."""
    changed = 0
    for number, rows in enumerate(listing.pages(reach)):
        if not number and listing.is_another(reach, rows):
            raise AnotherOne
        differing = reach.keeper.select_changed(kind, scope, rows)
        if differing:
            changed += reach.keeper.save(kind, differing, is_whole=True)
        if (place := listing.goes_on) is not None and listing.tail.is_fresh:
            reach.keeper.note_place(kind, scope, place)
        reach.progress.advance(task, len(rows))
    return Walked(changed=changed)


def _walk_whole(kind: Kind, scope: ScopeOf, reach: Reach, listing: Listing, task: str) -> Walked:
    """Save a listing of whole rows: all that a server which takes no filters can be asked for."""
    changed = 0
    for rows in listing.pages(reach):
        changed += reach.keeper.save(kind, rows, is_whole=True)
        reach.keeper.put_back(kind, scope, [row[kind.own_key] for row in rows])
        reach.progress.advance(task, len(rows))
    return Walked(changed=changed)


class Pages(Protocol):
    """Light rows, page by page."""

    def pages(self, reach: Reach) -> Iterator[list[Row]]:
        """Yield the rows not yet seen."""


def read_changed(
    kind: Kind, scope: ScopeOf, reach: Reach, listing: Pages, also_whole: Collection[str], task: str
) -> Walked:
    """Compare the light rows, read those that differ whole, and save them as they arrive."""
    details = _Details(kind, scope, reach)
    with Pool[_Fetched](reach.workers, reach.stop, ahead=1) as pool:
        for rows in listing.pages(reach):
            wanted = {row[kind.own_key] for row in reach.keeper.select_changed(kind, scope, rows)}
            listed = [row[kind.own_key] for row in rows]
            details.want(pool, [key for key in listed if key in wanted or key in also_whole])
            reach.progress.advance(task, len(rows) - len(wanted))
            details.keep(pool.drain(down_to=pool.room - 1), task)
        details.flush(pool)
        details.keep_all(pool, task)
    return Walked(changed=details.changed, set_aside=details.set_aside)


@dataclass(frozen=True, slots=True)
class _Fetched:
    """One page of whole rows, or why there is none."""

    own_keys: Sequence[str]
    page: RowPage | None = None
    too_large: UpstreamBroken | None = None
    skipped: Skip | None = None


def _fetch_detail(kind: Kind, scope: ScopeOf, reach: Reach, own_keys: Sequence[str]) -> _Fetched:
    """Fetch whole rows; what concerns these objects alone is returned and not raised."""
    try:
        return _Fetched(own_keys, reach.upstream.fetch_detail_page(kind, scope, own_keys))
    except UpstreamBroken as error:
        if not error.is_too_large:
            raise
        return _Fetched(own_keys, too_large=error)
    except NotOffered:
        raise
    except Skip as error:
        return _Fetched(own_keys, skipped=error)


@dataclass(slots=True)
class _Details:
    """Whole rows wanted, under way, and kept.

    A page that upstream cannot serve is asked for in halves; an object that cannot be served even
    alone is set aside.
    """

    kind: Kind
    scope: ScopeOf
    reach: Reach
    changed: int = 0
    set_aside: int = 0
    _waiting: list[str] = field(default_factory=list)
    _again: list[Sequence[str]] = field(default_factory=list)
    _asked_again: set[str] = field(default_factory=set)

    def want(self, pool: Pool[_Fetched], own_keys: Sequence[str]) -> None:
        """Ask for objects, a page at a time."""
        self._waiting.extend(own_keys)
        while len(self._waiting) >= self.kind.detail_size:
            self._submit(pool, self._waiting[: self.kind.detail_size])
            del self._waiting[: self.kind.detail_size]
            self.keep(pool.drain(down_to=pool.room - 1), f"{self.scope} {self.kind.plural}")

    def flush(self, pool: Pool[_Fetched]) -> None:
        """Ask for the last, short page."""
        if self._waiting:
            self._submit(pool, self._waiting)
            self._waiting = []

    def keep_all(self, pool: Pool[_Fetched], task: str) -> None:
        """Keep everything under way, and the halves that came of it."""
        self.keep(pool.drain(down_to=0), task)
        while self._again:
            again, self._again = self._again, []
            for own_keys in again:
                self._submit(pool, own_keys)
            self.keep(pool.drain(down_to=0), task)

    def _submit(self, pool: Pool[_Fetched], own_keys: Sequence[str]) -> None:
        pool.submit(partial(_fetch_detail, self.kind, self.scope, self.reach, tuple(own_keys)))

    def keep(self, fetched: Iterator[_Fetched], task: str) -> None:
        """Save what has arrived."""
        for each in fetched:
            if each.page is not None:
                self._save(each.page)
                self._ask_again(each.own_keys, each.page)
                self.reach.progress.advance(task, len(each.own_keys))
            elif len(each.own_keys) > 1:
                middle = len(each.own_keys) // 2
                self._again += [each.own_keys[:middle], each.own_keys[middle:]]
            else:
                problem = each.skipped or each.too_large
                self._put_aside(each.own_keys[0], str(problem))

    def _save(self, page: RowPage) -> None:
        keeper = self.reach.keeper
        self.changed += keeper.save(self.kind, page.rows, is_whole=True)
        keeper.put_back(self.kind, self.scope, [row[self.kind.own_key] for row in page.rows])
        for own_key, problem in page.bad:
            self._put_aside(own_key, problem)

    def _ask_again(self, own_keys: Sequence[str], page: RowPage) -> None:
        """Ask again for what was listed and did not come: it is gone, or more than a page holds.

        As often as something comes, and once more for what does not.
        """
        came = {row[self.kind.own_key] for row in page.rows} | {own_key for own_key, _ in page.bad}
        missing = [key for key in own_keys if key not in came]
        if not came:
            missing = [key for key in missing if key not in self._asked_again]
            self._asked_again.update(missing)
        if missing:
            self._again.append(missing)

    def _put_aside(self, own_key: str, problem: str) -> None:
        self.set_aside += 1
        self.reach.keeper.set_aside(self.kind, self.scope, own_key, problem)

"""Find what changed by asking for it: objects by the time of their latest change, or by name.

A walk in the order of that time loses nothing while objects change: one that does moves to the end,
where the walk has yet to come. What is gone is not found this way; the caller counts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from wandb_mirror.jsontext import dumps
from wandb_mirror.kinds.pages import Asked, Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull.listing import Listing, spell_value
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.walk import Walked, read_changed

NAMES_TOGETHER, NAMES_IN_PASSING = 200, 5000
"""Objects asked for by name in one request: where all are expected, and where next to none is."""
CHANGES_AHEAD = 50
"""Objects asked for in a first page that is fetched ahead: most often nothing changed."""
NEVER = "2999-01-01T00:00:00Z"


def walk_changes(
    kind: Kind,
    scope: ScopeOf,
    reach: Reach,
    *,
    column: str,
    since: datetime,
    named: Sequence[str] = (),
    unless: Mapping[str, Any] | None = None,
    also_whole: Collection[str] = (),
) -> Walked:
    """Read what changed in a scope since a time by ``column``, and whatever became of ``named``.

    Of those, ``unless`` leaves out what passes this filter of upstream's: what is as it was.
    ``also_whole`` is read though nothing seems to change. Says ``incomplete`` where upstream did
    not come to an end.
    """
    listing = Listing(kind.ordered_by(column), scope, since=since)
    task = f"{scope} {kind.plural}"
    reach.progress.begin(task, None)
    try:
        changed = read_changed(kind, scope, reach, listing, (), task)
        others = [own_key for own_key in named if own_key not in listing.seen]
        again = read_changed(kind, scope, reach, _Named(kind, scope, others, unless), (), task)
        rest = [own_key for own_key in also_whole if own_key not in listing.seen]
        deep = read_changed(kind, scope, reach, _Known(kind, rest), rest, task)
    finally:
        reach.progress.end(task)
    for own_key, problem in listing.bad:
        reach.keeper.set_aside(kind, scope, own_key, problem)
    return Walked(
        seen=len(listing.seen),
        changed=changed.changed + again.changed + deep.changed,
        set_aside=sum((changed.set_aside, again.set_aside, deep.set_aside, len(listing.bad))),
        latest=listing.latest,
        incomplete=listing.stuck,
    )


def ask_for_changes(
    kind: Kind,
    scope: ScopeOf,
    *,
    column: str,
    since: datetime,
    named: Sequence[str],
    unless: Mapping[str, Any] | None,
) -> list[Asked]:
    """Return the pages that ``walk_changes`` begins with, for whoever fetches them ahead."""
    changed = {kind.field(column).source: {"$gte": spell_value(since)}}
    by_time = kind.ordered_by(column)
    asked = [Asked(kind.plural, scope, CHANGES_AHEAD, dumps(changed), by_time.order)]
    if named and unless is not None and len(named) <= NAMES_IN_PASSING:
        only = dumps(_named_filter(kind, named, unless))
        asked.append(Asked(kind.plural, scope, CHANGES_AHEAD, only, kind.order))
    return asked


def heeds_times(kind: Kind, scope: ScopeOf, reach: Reach, own_key: str, stamp: datetime) -> bool:
    """Tell whether the server filters by the time of the latest change, with two requests.

    An object must be found by its own time and not by one that lies far ahead: a server may ignore
    a key that it does not know, or match nothing by it.
    """
    if kind.stamped_by is None:
        return False
    source, own = kind.field(kind.stamped_by).source, kind.field(kind.own_key).source

    def is_found(floor: str) -> bool:
        filters: dict[str, Any] = {own: own_key, source: {"$gte": floor}}
        page = reach.upstream.fetch_listing_page(
            kind, scope, fields="light", first=1, filters=filters, order=kind.order
        )
        return any(row[kind.own_key] == own_key for row in page.rows)

    return is_found(spell_value(stamp)) and not is_found(NEVER)


@dataclass(slots=True)
class _Named:
    """Light rows of objects by their own keys."""

    kind: Kind
    scope: ScopeOf
    own_keys: Sequence[str]
    unless: Mapping[str, Any] | None

    def pages(self, reach: Reach) -> Iterator[list[Row]]:
        """Yield the rows of those that upstream still shows."""
        together = NAMES_TOGETHER if self.unless is None else NAMES_IN_PASSING
        for start in range(0, len(self.own_keys), together):
            wanted = self.own_keys[start : start + together]
            only = _named_filter(self.kind, wanted, self.unless)
            size = min(len(wanted), self.kind.page_size)
            some = replace(self.kind, seek=None, page_size=size)
            listing = Listing(some, self.scope, only=only)
            for rows in listing.pages(reach):
                yield [row for row in rows if row[self.kind.own_key] in wanted]


def _named_filter(
    kind: Kind, own_keys: Sequence[str], unless: Mapping[str, Any] | None
) -> dict[str, Any]:
    named = {kind.field(kind.own_key).source: {"$in": list(own_keys)}}
    return named if unless is None else {"$and": [named, {"$nor": [dict(unless)]}]}


@dataclass(slots=True)
class _Known:
    """Objects that are to be read whole, of which nothing else is asked: rows of keys alone."""

    kind: Kind
    own_keys: Sequence[str]

    def pages(self, reach: Reach) -> Iterator[list[Row]]:  # noqa: ARG002
        """Yield the keys."""
        if self.own_keys:
            yield [{self.kind.own_key: own_key} for own_key in self.own_keys]

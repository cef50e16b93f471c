"""Walk a listing, page by page, and tell whether all of it was seen.

Upstream's cursors are offsets: a row that vanishes during a walk makes the next page skip one. So
the walk goes on from the last value of a column that never moves (``Kind.seek``) wherever the
server can filter and order by it, and by cursor only inside one value or on other servers.
A page may be empty and have a next one. A server may ignore ``after`` for ever.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from wandb_mirror.errors import Interrupted, Retry, UpstreamBroken
from wandb_mirror.jsontext import dumps
from wandb_mirror.kinds.pages import Asked, Place, Row, RowPage, ScopeOf, Tail
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull.reach import Reach

REPEATS_BORNE = 3
"""Pages in a row without one new object before a listing counts as stuck."""
EMPTY_BORNE = 1000
"""The same for empty pages whose cursor moves: rows hidden by permissions, long but finite."""


@dataclass(slots=True)
class Listing:
    """One walk over a listing; after the last page it knows whether it saw everything."""

    kind: Kind
    scope: ScopeOf
    is_whole: bool = False
    """Whether heavy fields are listed too."""
    seen: set[str] = field(default_factory=set)
    bad: list[tuple[str, str]] = field(default_factory=list)
    has_ended: bool = False
    """The server said that there is no further page."""
    stuck: str = ""
    """Why the walk ended before the server said so."""
    head: RowPage | None = None
    """The first page, where it was fetched already."""
    left_out: int = 0
    """Objects that were seen and are not to be kept."""
    only: Mapping[str, Any] | None = None
    """Upstream's filter for what is listed at all."""
    since: datetime | None = None
    """Where the walk begins, as a value of the column it goes by."""
    latest: datetime | None = None
    """The latest change seen, as upstream dates it."""
    tail: Tail = field(default_factory=Tail)
    _in_this_pass: set[str] = field(default_factory=set)
    _places: list[Place] = field(default_factory=list)
    """Where pages ended, of a listing that only grows."""

    def is_complete(self, expected: int | None) -> bool:
        """Tell whether what was not seen is gone: the server's own count must not say otherwise."""
        known = len(self.seen) + len(self.bad)
        return self.has_ended and not self.stuck and not self.bad and known >= (expected or 0)

    def pages(self, reach: Reach) -> Iterator[list[Row]]:
        """Yield the rows not yet seen, page by page."""
        size = self.kind.detail_size if self.is_whole else self.kind.page_size
        place = _Spot(self.kind, size, self.is_whole, self.only)
        place.is_seeking = self.kind.seek is not None and reach.upstream.can_seek(self.kind)
        place.value = self.since if place.is_seeking else None
        if self.tail.start is not None:
            place.cursor = self.tail.start.cursor
            self._places.append(self.tail.start)
        repeats = empties = 0
        while not self.has_ended and not self.stuck:
            if reach.stop.is_set():
                raise Interrupted("stopped as asked; the next sync goes on from here")
            page = self.head or _fetch(self.kind, self.scope, reach, place)
            self.head = None
            if place.breaks_order(page.rows):
                place = _Spot(self.kind, place.first, self.is_whole, self.only)
                self._in_this_pass.clear()
                continue
            before = len(self._in_this_pass)
            yield self._leave_out(self._take(page), reach)
            must_be_more = self._must_be_more(page)
            self.has_ended = not (page.has_next or must_be_more)
            repeats = 0 if len(self._in_this_pass) > before or not page.rows else repeats + 1
            empties = 0 if page.rows else empties + 1
            if not self.has_ended:
                has_moved = place.move_past(page)
                self.stuck = _say_stuck(has_moved=has_moved, repeats=repeats, empties=empties)

    def _must_be_more(self, page: RowPage) -> bool:
        """Tell whether a page cannot be the last one, whatever it says: pages may end early."""
        if self.kind.tail is None or not page.rows or page.cursor is None:
            return False
        self._places.append(Place(_number_of(self.kind, page.rows[-1]) + 1, page.cursor))
        return self.tail.count is not None and self._places[-1].number < self.tail.count

    @property
    def goes_on(self) -> Place | None:
        """Where the next walk goes on: the last place with enough objects behind it."""
        if not self._places or self.kind.tail is None:
            return None
        end = self._places[-1].number - self.kind.tail
        return next((each for each in reversed(self._places) if each.number <= end), None)

    def is_another(self, reach: Reach, rows: Sequence[Row]) -> bool:
        """Tell whether what comes first where reading goes on is not what is kept."""
        start = self.tail.start
        if start is None:
            return False
        first = [row for row in rows[:1] if _number_of(self.kind, row) == start.number]
        return not first or bool(reach.keeper.select_changed(self.kind, self.scope, first))

    def _take(self, page: RowPage) -> list[Row]:
        """Return the page's rows that are new to this walk."""
        key = self.kind.own_key
        fresh = {row[key]: row for row in page.rows if row[key] not in self.seen}
        self.seen.update(fresh)
        self._in_this_pass.update(row[key] for row in page.rows)
        self.bad.extend(bad for bad in page.bad if bad not in self.bad)
        if self.kind.stamped_by is not None:
            stamps = [row[self.kind.stamped_by] for row in page.rows]
            known = [each for each in (self.latest, *stamps) if each is not None]
            self.latest = max(known, default=None)
        return list(fresh.values())

    def _leave_out(self, rows: list[Row], reach: Reach) -> list[Row]:
        """Return the rows that are to be kept, as the settings say."""
        if self.kind.left_out_by is None:
            return rows
        column, setting = self.kind.left_out_by
        kept = [row for row in rows if row[column] not in reach.left_out.get(setting, ())]
        self.left_out += len(rows) - len(kept)
        return kept


def _number_of(kind: Kind, row: Row) -> int:
    """Return the own key of an object of a listing that grows; -1 for what is no number."""
    own_key = str(row[kind.own_key])
    return int(own_key) if own_key.isdecimal() else -1


def _say_stuck(*, has_moved: bool, repeats: int, empties: int) -> str:
    """Return why the walk cannot go on, or nothing."""
    if not has_moved:
        return "upstream says there is a next page and gives no way to it (its cursor stands still)"
    if repeats > REPEATS_BORNE:
        return "upstream sends the same page again and again (it ignores the cursor)"
    if empties > EMPTY_BORNE:
        return "upstream sends nothing but empty pages"
    return ""


@dataclass(slots=True)
class _Spot:
    """Where the walk stands."""

    kind: Kind
    first: int
    is_whole: bool
    only: Mapping[str, Any] | None = None
    is_seeking: bool = False
    value: Any = None
    """The last value of the seek column; the next page begins with it."""
    cursor: str | None = None

    @property
    def filters(self) -> dict[str, Any] | None:
        """Upstream's filter for the rest of the listing."""
        if self.value is None or self.kind.seek is None:
            return None if self.only is None else dict(self.only)
        rest = {self.kind.field(self.kind.seek).source: {"$gte": spell_value(self.value)}}
        return rest if self.only is None else {"$and": [dict(self.only), rest]}

    def breaks_order(self, rows: Any) -> bool:
        """Tell whether the server's order or filter is not what was asked for.

        Then seeking would skip rows, and the walk must start again by cursor.
        """
        if not self.is_seeking or self.kind.seek is None:
            return False
        values = [row[self.kind.seek] for row in rows]
        if any(value is None for value in values):
            return True
        floor = [] if self.value is None else [self.value]
        ordered = floor + values
        return any(later < earlier for earlier, later in pairwise(ordered))

    def move_past(self, page: RowPage) -> bool:
        """Move to the next page; False where there is no way to it."""
        if self.is_seeking and self.kind.seek is not None and page.rows:
            last = page.rows[-1][self.kind.seek]
            if last != self.value:
                self.value, self.cursor = last, None
                return True
        if page.cursor is None or page.cursor == self.cursor:
            return False
        self.cursor = page.cursor
        return True


def spell_value(value: Any) -> str:
    """Return a time as upstream's filters take it: without ``Z`` it would match nothing."""
    if not isinstance(value, datetime):
        return str(value)
    text = value.replace(tzinfo=UTC).isoformat(timespec="auto")
    return text.replace("+00:00", "Z")


def _fetch(kind: Kind, scope: ScopeOf, reach: Reach, place: _Spot) -> RowPage:
    """Fetch the page at ``place``, smaller ones where upstream chokes on a large one."""
    if place.cursor is None and not place.is_whole:
        filters = place.filters
        text = None if filters is None else dumps(filters)
        asked = Asked(kind.plural, scope, place.first, text, kind.order)
        if (head := reach.heads.pop(asked, None)) is not None:
            return head
    while True:
        try:
            return reach.upstream.fetch_listing_page(
                kind,
                scope,
                fields="whole" if place.is_whole else "light",
                first=place.first,
                after=place.cursor,
                filters=place.filters,
                order=kind.order,
            )
        except Retry as error:
            if not isinstance(error, UpstreamBroken) or not error.is_too_large or place.first == 1:
                raise
            place.first = max(1, place.first // 2)

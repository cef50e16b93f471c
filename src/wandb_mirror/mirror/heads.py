"""Fetch ahead: the first pages of several projects' listings by one request.

A team of many small projects costs a request for as many of them as fit into a page together. What
was fetched is forgotten after a minute: a long project before may have taken hours.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from time import monotonic

from wandb_mirror.errors import NotFound, NotOffered, Refused, UpstreamBroken
from wandb_mirror.kinds.pages import Asked, Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.mirror.changes import FRESH_SECONDS, Changes
from wandb_mirror.mirror.listings import is_read_by_project
from wandb_mirror.pull.reach import Reach
from wandb_mirror.upstream.first_pages import fetch_first_pages


@dataclass(slots=True)
class Heads:
    """First pages of what is read a project at a time."""

    changes: Changes
    reach: Reach
    kinds: Sequence[Kind]
    clock: Callable[[], float] = monotonic
    _covered: set[str] = field(default_factory=set)
    """Projects whose pages were fetched the last time."""
    _fetched_at: float = 0.0
    _is_refused: bool = False

    def fetch(self, projects: Sequence[Row]) -> None:
        """Have the first pages of the first project at hand, and those of others that fit in."""
        kinds = [kind for kind in self.kinds if is_read_by_project(kind)]
        room = min((kind.page_size for kind in kinds), default=0)
        most = min((kind.together for kind in kinds), default=0)
        is_fresh = self.clock() - self._fetched_at < FRESH_SECONDS
        if self._is_refused or (is_fresh and projects[0]["project_id"] in self._covered):
            return
        self.reach.heads.clear()
        self._covered.clear()
        asked: list[Asked] = []
        rows = 0
        for project in projects:
            more, expected = self._expect(kinds, project)
            is_full = rows + expected > room or len(asked) + len(more) > most
            if asked and is_full:
                break
            asked += more
            rows += expected
            self._covered.add(project["project_id"])
        self._fetched_at = self.clock()
        if len(self._covered) > 1:
            self._ask(asked)

    def _expect(self, kinds: Sequence[Kind], project: Row) -> tuple[list[Asked], int]:
        scope = ScopeOf(project["entity"], project["project"], project["project_id"])
        found = [self.changes.expect(kind, scope, project) for kind in kinds]
        return [each for asked, _ in found for each in asked], sum(rows for _, rows in found)

    def _ask(self, asked: Sequence[Asked]) -> None:
        """Fetch pages; those that do not come are fetched by whoever walks."""
        for plural, some in groupby(asked, key=lambda each: each.kind):
            kind = next(each for each in self.kinds if each.plural == plural)
            wanted = list(some)
            try:
                pages = fetch_first_pages(self.reach.upstream, [(kind, each) for each in wanted])
            except (NotOffered, NotFound, Refused, UpstreamBroken):
                self._is_refused = True
                return
            for each, page in zip(wanted, pages, strict=True):
                if page is not None:
                    self.reach.heads[each] = page

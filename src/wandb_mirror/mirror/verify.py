"""Compare the mirror with upstream: counts, then content, then (deep) every value of every kind.

What upstream changed since the last sync is *behind*: a sync would fetch it. What differs although
upstream says that nothing changed is *different*: the mirror was wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase

from wandb_mirror.errors import NotFound, NotOffered
from wandb_mirror.history.columns import StepsPage
from wandb_mirror.history.lines import parse_steps
from wandb_mirror.history.select import select_metrics
from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.pages import HistoryCursor, Row, ScopeOf, StepsRequest
from wandb_mirror.kinds.spec import Follow, Kind
from wandb_mirror.mirror.comparing import Comparing
from wandb_mirror.mirror.finding import PROJECTS
from wandb_mirror.mirror.listings import OF_ENTITIES
from wandb_mirror.mirror.readings import columns_needed
from wandb_mirror.mirror.sampling import is_due
from wandb_mirror.mirror.selection import read_run_filter
from wandb_mirror.pull.listing import Listing
from wandb_mirror.pull.manifests import walk_manifests
from wandb_mirror.pull.plan import plan_window
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.samples import walk_samples
from wandb_mirror.pull.together import Found, walk_together
from wandb_mirror.pull.walk import Walked
from wandb_mirror.settings import Settings
from wandb_mirror.store.store import Store
from wandb_mirror.upstream.steps import fetch_steps
from wandb_mirror.warehouse.warehouse import Warehouse


@dataclass(slots=True)
class Verifier:
    """Compares projects one by one, and what their entities have beside projects."""

    store: Store
    warehouse: Warehouse
    reach: Reach
    """Its keeper is ``comparing``."""
    comparing: Comparing
    is_deep: bool
    kinds: Sequence[Kind]
    """Those that are mirrored."""
    settings: Settings
    _looked_at: set[tuple[str, ScopeOf]] = field(default_factory=set)
    """Listings of parents that several entities have, by kind."""

    def compare_entity(self, entity: str) -> None:
        """Compare what an entity has beside projects."""
        self.comparing.place = ScopeOf()
        own = [kind for kind in self.kinds if kind.scope in OF_ENTITIES]
        listed = [kind for kind in own if kind.follows is None]
        for outcomes in walk_together(listed, [ScopeOf(entity)], self.reach) if listed else ():
            self._heed(outcomes)
        for kind in own:
            if kind.follows is not None:
                self._compare_children(kind, kind.follows, ScopeOf(entity))

    def compare_project(self, row: Row) -> None:
        """Compare one project, its objects of every kind, and their histories."""
        scope = ScopeOf(row["entity"], row["project"], row["project_id"])
        self.comparing.place = scope
        if PROJECTS in self.kinds:
            found = self.reach.upstream.fetch_node(PROJECTS, scope)
            if found is None:
                self.comparing.note_behind(PROJECTS, ScopeOf(scope.entity), row["project"], "gone")
                return
            self.comparing.compare(PROJECTS, ScopeOf(scope.entity), [found])
        for kind in self.kinds:
            with suppress(NotOffered):
                if kind.scope == "project":
                    self._compare_listing(kind, scope)
                elif kind.shape == "steps":
                    self._compare_histories(kind, scope)
                elif kind.shape == "samples":
                    self._compare_samples(kind, scope)
                elif self.is_deep and kind.follows is not None and kind.scope not in OF_ENTITIES:
                    self._compare_children(kind, kind.follows, scope)

    def _compare_children(self, kind: Kind, follow: Follow, place: ScopeOf) -> None:
        """Compare the listings, or manifests, of each parent that has any."""
        parent = next(each for each in KINDS if each.plural == follow.parent)
        known = place.columns(parent.scope_columns[:1])
        where: dict[str, object] = {name: each for name, each in known.items() if each is not None}
        due = self.store.load_due(kind, follow, parent, where, takes_all=True)
        alive = [each.scope for each in due if not each.is_gone]
        scopes = [
            replace(each, entity=place.entity, project=place.project or each.project)
            for each in alive
            if (kind.plural, each) not in self._looked_at
        ]
        self._looked_at.update((kind.plural, each) for each in alive)
        if kind.shape != "manifest":
            for outcomes in walk_together([kind], scopes, self.reach):
                self._heed(outcomes)
            return
        for outcomes in walk_manifests(kind, scopes, self.reach):
            self._heed(outcomes)
            for _, scope, outcome in outcomes:
                kept = len(self.comparing.kept(kind, scope))
                if isinstance(outcome, Walked) and kept > outcome.seen:
                    problem = f"has {outcome.seen} files upstream, and {kept} here"
                    self.comparing.note_different(kind, scope, "", problem)

    def _heed(self, outcomes: Sequence[Found]) -> None:
        """Note what could not be looked at; a parent that is gone says so itself."""
        for kind, scope, outcome in outcomes:
            if isinstance(outcome, Walked):
                if outcome.incomplete:
                    self.comparing.set_aside(kind, scope, "", outcome.incomplete)
            elif not isinstance(outcome, (NotFound, NotOffered)):
                self.comparing.set_aside(kind, scope, "", str(outcome))

    def _compare_listing(self, kind: Kind, scope: ScopeOf) -> None:
        only = read_run_filter(self.settings.sync.run_filter) if kind.holds == "run" else None
        listing = Listing(kind, scope, only=only)
        for rows in listing.pages(self.reach):
            for start in range(0, len(rows), kind.detail_size):
                some: Sequence[Row] = rows[start : start + kind.detail_size]
                if kind.has_heavy_fields:
                    keys = [row[kind.own_key] for row in some]
                    some = self.reach.upstream.fetch_detail_page(kind, scope, keys).rows
                self.comparing.compare(kind, scope, some)
        if only is None:
            self.comparing.mark_missing(kind, scope, listing.seen)

    def _compare_samples(self, kind: Kind, scope: ScopeOf) -> None:
        """Compare how many samples there are; deep, the samples."""
        parent = next(each for each in KINDS if each.holds == kind.scope)
        known = self.warehouse.load_sample_counts(scope)
        here: list[tuple[str, int | None]] = []
        where, columns = scope.columns(parent.scope_columns), columns_needed(kind, parent)
        for rows in self.store.load_rows(parent, where=where, columns=columns):
            for row in rows:
                if row["deleted_at"] is not None:
                    continue
                run_id, count = row[parent.own_key], row[kind.counted_by or ""]
                self.comparing.verdict.count(kind.plural)
                if is_due(kind, row, known.get(run_id)):
                    self.comparing.note_behind(kind, scope, run_id, "samples grew upstream")
                elif count:
                    here.append((run_id, count))
        if self.is_deep and here:
            walk_samples(kind, scope, here, self.reach)

    def _compare_histories(self, kind: Kind, scope: ScopeOf) -> None:
        if any(fnmatchcase(str(scope), each) for each in self.settings.history.skip_projects):
            return
        parent = next(each for each in KINDS if each.holds == kind.scope)
        counter = kind.counted_by or ""
        where, columns = scope.columns(parent.scope_columns), columns_needed(kind, parent)
        for rows in self.store.load_rows(parent, where=where, columns=columns):
            live = [row for row in rows if row["deleted_at"] is None]
            own_keys = [row[parent.own_key] for row in live]
            cursors = self.warehouse.load_cursors(scope.project_id or "", own_keys)
            for row in live:
                self.comparing.verdict.count(kind.plural)
                run_id = row[parent.own_key]
                self._compare_history(kind, scope, run_id, row[counter], cursors.get(run_id))

    def _compare_history(
        self,
        kind: Kind,
        scope: ScopeOf,
        run_id: str,
        line_count: int | None,
        cursor: HistoryCursor | None,
    ) -> None:
        if cursor is None or cursor.status in ("none", "partial", "failed"):
            status = "none" if cursor is None else cursor.status
            self.comparing.note_behind(kind, scope, run_id, f"history is {status} here")
        elif cursor.line_count != line_count:
            self.comparing.note_behind(kind, scope, run_id, "history grew upstream")
        elif self.is_deep:
            for page in self._pages(kind, scope, run_id, cursor):
                if wrong := self.warehouse.compare_steps(page):
                    self.comparing.note_different(kind, scope, run_id, wrong)
                    return

    def _pages(
        self, kind: Kind, scope: ScopeOf, run_id: str, cursor: HistoryCursor
    ) -> Iterator[StepsPage]:
        """Yield what upstream has of a history, window by window."""
        step = 0
        while step < cursor.next_step:
            width = plan_window(
                next_step=step,
                last_step=cursor.next_step - 1,
                line_count=cursor.line_count,
                rows=kind.page_size,
            )
            end = min(step + width, cursor.next_step)
            request = StepsRequest(run_id, step, end, is_first=False)
            [reply] = fetch_steps(self.reach.upstream, kind, scope, [request])
            end = cursor.next_step if reply.way == "whole" else end
            content = parse_steps(run_id, reply.lines, min_step=step, max_step=end)
            if cursor.status == "selected":
                content = select_metrics(content, self.reach.metrics)
            yield StepsPage(scope.project_id or "", run_id, step, end, content, cursor)
            step = end

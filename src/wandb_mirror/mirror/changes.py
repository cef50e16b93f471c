"""Pull a project's listing: what changed since the last time where that can be trusted, else all.

The light listing of everything is compared on every sync until an edit was seen to move that time
(``evidence``) and the server was seen to filter by it. From then on a sync asks for what changed
since the watermark, less an overlap, and for what was alive; the server's own count says whether
anything is gone or came otherwise, and then everything is listed again. It is also once in
``sync.deep_every_hours``, because trust is not knowledge.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from wandb_mirror.errors import NotFound, NotOffered
from wandb_mirror.jsontext import dumps
from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.pages import Asked, Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.mirror.evidence import Evidence
from wandb_mirror.mirror.report import ProjectReport
from wandb_mirror.pull.changes import CHANGES_AHEAD, ask_for_changes, heeds_times, walk_changes
from wandb_mirror.pull.plan import plan_deep_slice
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.walk import Walked, walk_listing
from wandb_mirror.settings import Settings
from wandb_mirror.store.checkpoints import Checkpoint
from wandb_mirror.store.store import Store

FRESH_SECONDS = 60
"""So long a page that was fetched ahead stands for what upstream holds."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Finds what changed in the listings that are read a project at a time."""

    store: Store
    reach: Reach
    evidence: Evidence
    settings: Settings
    now: Callable[[], datetime]
    server_now: Callable[[], datetime]
    is_full_refresh: bool = False
    run_filter: Mapping[str, Any] | None = None
    since: datetime | None = None
    """Read no more than what was created or changed since then."""

    def pull(self, kind: Kind, scope: ScopeOf, row: Row, found: ProjectReport) -> None:
        """Bring a project's objects of one kind in step; ``row`` is the project's."""
        began_at = self.server_now() - timedelta(seconds=FRESH_SECONDS)
        walked = self._pull_narrow(kind, scope) if self.since else None
        if walked is None:
            walked = self._pull_fast(kind, scope, row)
            if walked is None:
                walked = self._pull_all(kind, scope, row)
            self._move_watermark(kind, scope, walked, began_at)
        found.seen[kind.plural] = walked.seen
        found.changed[kind.plural] = walked.changed
        found.missing[kind.plural] = walked.missing
        if walked.incomplete:
            found.notes.append(f"{kind.plural}: deletions were not looked for: {walked.incomplete}")

    def expect(self, kind: Kind, scope: ScopeOf, row: Row) -> tuple[list[Asked], int]:
        """Return the pages that ``pull`` is likely to begin with, and about how many rows come."""
        expected = row.get(kind.counted_by) if kind.counted_by else None
        if self.since or expected is None:
            return [], 0
        floor = self._find_floor(kind, scope)
        if floor is None or kind.stamped_by is None or not self._knows_heeded(kind):
            only = self._only(kind)
            text = None if only is None else dumps(dict(only))
            return [Asked(kind.plural, scope, kind.page_size, text, kind.order)], expected
        alive, unless = self._find_alive(kind, scope)
        asked = ask_for_changes(
            kind, scope, column=kind.stamped_by, since=floor, named=alive, unless=unless
        )
        return asked, CHANGES_AHEAD

    def _pull_all(self, kind: Kind, scope: ScopeOf, row: Row) -> Walked:
        expected = row.get(kind.counted_by) if kind.counted_by else None
        due = self._plan_deep(kind, scope)
        walked = walk_listing(
            kind, scope, self.reach, expected=expected, also_whole=due, only=self._only(kind)
        )
        if self._only(kind) is not None:
            return walked
        if not walked.incomplete and kind.stamped_by is not None:
            self.store.save_fact(_listed(kind, scope), self.now().isoformat())
        return walked

    def _only(self, kind: Kind) -> Mapping[str, Any] | None:
        return self.run_filter if kind.holds == "run" else None

    def _pull_narrow(self, kind: Kind, scope: ScopeOf) -> Walked | None:
        """Read what changed since the time asked for; None where the server cannot be asked so."""
        column = kind.stamped_by if self._has_stamps(kind) else kind.heard_by
        if (
            self.since is None
            or column is None
            or self._only(kind)
            or not self.reach.upstream.can_seek(kind)
        ):
            return None
        return walk_changes(kind, scope, self.reach, column=column, since=self.since)

    def _pull_fast(self, kind: Kind, scope: ScopeOf, row: Row) -> Walked | None:
        """Read what changed since the watermark; None where that is not enough to know all."""
        since = self._find_floor(kind, scope)
        alive, unless = self._find_alive(kind, scope) if since else ([], None)
        expected = row.get(kind.counted_by) if kind.counted_by else None
        if since is None or expected is None or kind.stamped_by is None:
            return None
        try:
            if not self._is_heeded(kind, scope):
                return None
            walked = walk_changes(
                kind,
                scope,
                self.reach,
                column=kind.stamped_by,
                since=since,
                named=alive,
                unless=unless,
                also_whole=()
                if self.evidence.believes(kind, "heavy")
                else self._plan_deep(kind, scope),
            )
        except (NotOffered, NotFound):
            return None
        if walked.incomplete or self.store.count_live(kind, scope) != expected:
            return None
        return walked

    def _find_floor(self, kind: Kind, scope: ScopeOf) -> datetime | None:
        """Return the time from which changes are asked for, None where all must be listed."""
        if self.is_full_refresh or not self._has_stamps(kind) or self._only(kind) is not None:
            return None
        if not self.reach.upstream.can_seek(kind) or not self.evidence.believes(kind, "light"):
            return None
        listed = self.store.load_fact(_listed(kind, scope))
        every = timedelta(hours=self.settings.sync.deep_every_hours)
        if listed is None or self.now() - datetime.fromisoformat(listed) >= every:
            return None
        checkpoint = self.store.load_checkpoint(kind, scope)
        if checkpoint is None or checkpoint.watermark is None:
            return None
        return checkpoint.watermark - timedelta(minutes=self.settings.sync.overlap_minutes)

    def _has_stamps(self, kind: Kind) -> bool:
        if kind.stamped_by is None:
            return False
        source = kind.field(kind.stamped_by).source
        return not self.reach.upstream.capabilities.lacks(f"{kind.upstream_type}.{source}")

    def _is_heeded(self, kind: Kind, scope: ScopeOf) -> bool:
        """Tell whether the server filters by the time of the latest change; found out once."""
        name = _heeded(kind)
        known = self.store.load_fact(name)
        if known is None and kind.stamped_by is not None:
            for own_key in self.store.load_oldest_checked(kind, scope, 1):
                key = (*scope.columns(kind.scope_columns).values(), own_key)
                stamp = self.store.load_named(kind, [key])[key][kind.stamped_by]
                if stamp is not None:
                    is_so = heeds_times(kind, scope, self.reach, own_key, stamp)
                    known = "yes" if is_so else "no"
                    self.store.save_fact(name, known)
        return known == "yes"

    def _knows_heeded(self, kind: Kind) -> bool:
        return self.store.load_fact(_heeded(kind)) == "yes"

    def _find_alive(self, kind: Kind, scope: ScopeOf) -> tuple[list[str], Mapping[str, Any] | None]:
        """Return the objects that may still grow: they may end without any time moving.

        Where their own processes were seen to move the time, only that remains to be asked: beside
        them stands upstream's filter for those that are alive as before.
        """
        for inside in KINDS:
            if inside.scope == kind.holds and inside.live_while is not None:
                column, states = inside.live_while
                alive = self.store.load_own_keys(kind, scope, column, states)
                if not self.evidence.believes(kind, "process"):
                    return alive, None
                return alive, {kind.field(column).source: {"$in": sorted(states)}}
        return [], None

    def _move_watermark(
        self, kind: Kind, scope: ScopeOf, walked: Walked, began_at: datetime
    ) -> None:
        """Remember the latest change read, never one after the walk began."""
        if walked.incomplete or walked.latest is None:
            return
        watermark = min(walked.latest, began_at)
        known = self.store.load_checkpoint(kind, scope)
        if known is None or known.watermark is None or known.watermark < watermark:
            self.store.save_checkpoints(
                kind, [Checkpoint(scope, watermark=watermark)], now=self.now()
            )

    def _plan_deep(self, kind: Kind, scope: ScopeOf) -> list[str]:
        """Return the objects whose heavy fields are to be read though nothing seems to change."""
        if not kind.has_heavy_fields:
            return []
        name = f"deep_read {kind.plural} {scope.project_id}"
        last = self.store.load_fact(name)
        now = self.now()
        count = plan_deep_slice(
            live=self.store.count_live(kind, scope),
            seconds_since=(now - datetime.fromisoformat(last)).total_seconds() if last else None,
            every_seconds=self.settings.sync.deep_every_hours * 3600,
            batch=kind.detail_size,
        )
        if count or last is None:
            self.store.save_fact(name, now.isoformat())
        return self.store.load_oldest_checked(kind, scope, count) if count else []


def _heeded(kind: Kind) -> str:
    return f"{kind.plural} are filtered by {kind.stamped_by}"


def _listed(kind: Kind, scope: ScopeOf) -> str:
    return f"listed {kind.plural} {scope.project_id}"

"""One sync: what is pulled, in which order, and when it is published.

Parents come before children, project by project. Whatever ends a sync early, what was saved stays
and is published as a consistent cut; the next sync goes on from there.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from time import monotonic

from wandb_mirror.errors import (
    BudgetSpent,
    DiskFull,
    Interrupted,
    NotFound,
    NotOffered,
    Refused,
    UpstreamBroken,
)
from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.mirror.changes import Changes
from wandb_mirror.mirror.evidence import Evidence
from wandb_mirror.mirror.facts import STANDING
from wandb_mirror.mirror.finding import Finding
from wandb_mirror.mirror.heads import Heads
from wandb_mirror.mirror.health import write_metrics
from wandb_mirror.mirror.keeper import MirrorKeeper
from wandb_mirror.mirror.listings import Listings, Place, is_read_by_project
from wandb_mirror.mirror.paths import Target
from wandb_mirror.mirror.readings import Readings
from wandb_mirror.mirror.report import ProjectReport, SyncReport
from wandb_mirror.mirror.sampling import Sampling
from wandb_mirror.mirror.selection import read_run_filter, settle_redaction
from wandb_mirror.mirror.standing import Standing
from wandb_mirror.progress import Progress
from wandb_mirror.pull.reach import Reach
from wandb_mirror.settings import Settings
from wandb_mirror.store.store import Store
from wandb_mirror.upstream.shapes import Upstream
from wandb_mirror.warehouse.warehouse import Warehouse

MEGABYTE = 1_000_000


@dataclass(slots=True)
class Sync:
    """The parts of one sync, and what it has found so far."""

    folder: Path
    store: Store
    warehouse: Warehouse
    upstream: Upstream
    settings: Settings
    kinds: Sequence[Kind]
    progress: Progress
    stop: threading.Event
    now: Callable[[], datetime]
    is_full_refresh: bool = False
    since: datetime | None = None
    """Read no more of runs than what was created or changed since then."""
    report: SyncReport = field(default_factory=SyncReport)
    _keeper: MirrorKeeper = field(init=False)
    _reach: Reach = field(init=False)
    _standing: Standing = field(init=False)
    _changes: Changes = field(init=False)
    _finding: Finding = field(init=False)
    _heads: Heads = field(init=False)
    _readings: Readings = field(init=False)
    _sampling: Sampling = field(init=False)
    _entities: set[str] = field(default_factory=set)
    """Entities whose own lists were taken already."""
    _pulled: set[str] = field(default_factory=set)
    """Projects taken already: two targets may name the same."""
    _published_at: float = field(default_factory=monotonic)

    def __post_init__(self) -> None:
        """Put the keeper and the reach together."""
        self.warehouse.heed_selection(self.settings.history.metrics)
        self._standing = Standing(self.progress)
        evidence = Evidence(self.store)
        self._keeper = MirrorKeeper(
            self.store,
            self.warehouse,
            self.now,
            self._between_saves,
            takes_all_for_changed=self.is_full_refresh,
            evidence=evidence,
            redaction=settle_redaction(self.store, self.settings.sync.redact, self.now()),
        )
        self._reach = Reach(
            self.upstream,
            self._keeper,
            self.stop,
            self._standing,
            self.settings.upstream.workers,
            self.folder,
            self.settings.history.metrics,
            left_out={"artifacts.skip_types": self.settings.artifacts.skip_types},
        )
        self._changes = Changes(
            self.store,
            self._reach,
            evidence,
            self.settings,
            self.now,
            self._server_now,
            self.is_full_refresh,
            read_run_filter(self.settings.sync.run_filter),
            self.since,
        )
        self._finding = Finding(
            self._reach, self._keeper, self.settings.sync, self.report, self.kinds
        )
        self._heads = Heads(self._changes, self._reach, self.kinds)
        self._sampling = Sampling(self.store, self.warehouse, self._reach, self.is_full_refresh)
        self._readings = Readings(
            self.store,
            self.warehouse,
            self._reach,
            self._keeper,
            self.settings,
            self._server_now,
            self.is_full_refresh,
            self.since,
        )

    def run(self, targets: Sequence[Target]) -> SyncReport:
        """Pull the targets, publish, and return what was found.

        Raises ``Stop`` or ``Retry`` where the sync cannot go on, after saving and publishing what
        there is; ``NotFound`` where the only target is not visible.
        """
        began = monotonic()
        self.warehouse.prepare()
        self.store.past.keep(is_wanted=self.settings.sync.past_values)
        sync_id = self.store.begin_sync(self.now())
        status, is_lost = "failed", False
        try:
            for target in targets:
                self._pull_target(target, is_only=len(targets) == 1)
            status = "skips" if self.report.has_skips or self._keeper.problems else "done"
        except NotFound:
            is_lost = True  # by a wrong name: what an earlier sync left undone still stands
            raise
        except (Interrupted, BudgetSpent, DiskFull) as error:
            status = "interrupted" if isinstance(error, Interrupted) else "stopped"
            error.args = (f"{error} ({self._standing.describe()})",)
            raise
        finally:
            self.report.seconds = monotonic() - began
            if not is_lost:
                is_done = status in ("done", "skips")
                self.store.save_fact(STANDING, "" if is_done else self._standing.describe())
            self._close_books(sync_id, status)
            if status != "failed" or self.report.rows:
                self.report.published = self._publish()
            if path := self.settings.sync.metrics_file:
                is_ok = status == "done"
                write_metrics(Path(path), self.report, is_ok=is_ok, now=self.now())
        return self.report

    def _close_books(self, sync_id: str, status: str) -> None:
        usage = self.upstream.client.usage
        report = self.report
        report.requests, report.retries = usage.requests, usage.retries
        report.throttled, report.bytes_received = usage.throttled, usage.bytes_received
        report.rows, report.problems = self._keeper.rows_changed, self._keeper.problems
        report.lacking = sorted(self.upstream.capabilities.missing)
        self.store.finish_sync(
            sync_id,
            now=self.now(),
            status=status,
            requests=usage.requests,
            retries=usage.retries,
            throttled=usage.throttled,
            bytes_received=usage.bytes_received,
            rows=report.rows,
        )

    def _publish(self) -> Path | None:
        """Take what changed into the warehouse and publish it if that made a difference."""
        self.warehouse.take(self.store)
        self.warehouse.settle()
        self._published_at = monotonic()
        return self.warehouse.publish()

    def _between_saves(self) -> None:
        """Publish now and then during a long sync; stop while there is still room on the disk."""
        free = shutil.disk_usage(self.folder).free
        if free < self.settings.sync.least_free_disk_mb * MEGABYTE:
            raise DiskFull(
                f"only {free // MEGABYTE} MB are free where {self.folder} lies, less than "
                "sync.least_free_disk_mb; make room and sync again, it goes on from here"
            )
        if monotonic() - self._published_at >= self.settings.sync.publish_every_minutes * 60:
            self._publish()

    def _pull_target(self, target: Target, *, is_only: bool) -> None:
        projects = self._finding.find(target, is_only=is_only)
        if projects is None:
            return
        self.store.add_scope(target.entity, target.project or "", now=self.now())
        places = self._pull_projects(projects)
        listings = Listings(self.store, self._reach, self._keeper, self.now, self.is_full_refresh)
        if target.entity not in self._entities:
            self._entities.add(target.entity)
            own = places[0][1] if places else ProjectReport(target.entity, "")
            listings.pull_entity(self.kinds, target.entity, own)
            if not places and (own.seen or own.notes or own.not_offered):
                self.report.projects.append(own)
        if target.project is None:
            places += self._pull_projects(self._finding.find_led())
        listings.pull_places(self.kinds, places)

    def _pull_projects(self, rows: Iterable[Row]) -> list[Place]:
        """Pull what is read a project at a time, of those that were not pulled yet."""
        new = {row["project_id"]: row for row in rows if row["project_id"] not in self._pulled}
        self._pulled.update(new)
        waiting = list(new.values())
        return [self._pull_project(row, waiting[number:]) for number, row in enumerate(waiting)]

    def _pull_project(self, row: Row, waiting: Sequence[Row]) -> Place:
        """Pull what is read a project at a time; a kind that cannot be does not stop the others."""
        self._heads.fetch(waiting)
        scope = ScopeOf(row["entity"], row["project"], row["project_id"])
        found = ProjectReport(row["entity"], row["project"])
        self.report.projects.append(found)
        for kind in self.kinds:
            try:
                if is_read_by_project(kind):
                    self._changes.pull(kind, scope, row, found)
                elif kind.shape == "steps":
                    self._readings.pull(kind, scope, found)
                elif kind.shape == "samples":
                    self._sampling.pull(kind, scope, found)
                else:
                    continue  # it is listed for many scopes at once
            except NotOffered:
                found.not_offered.append(kind.plural)
            except (UpstreamBroken, NotFound, Refused) as error:
                self._keeper.set_aside(kind, scope, "", str(error))
                found.notes.append(f"{kind.plural}: {error}")
            else:
                self._keeper.put_back(kind, scope, [""])
        return scope, found

    def _server_now(self) -> datetime:
        """Return the time by the server's clock; by ours where it never said."""
        return self.upstream.client.server_time() or self.now()

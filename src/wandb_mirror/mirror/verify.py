"""Compare the mirror with upstream: counts, then content, then (deep) every history row.

What upstream changed since the last sync is *behind*: a sync would fetch it. What differs although
upstream says that nothing changed is *different*: the mirror was wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from wandb_mirror.errors import NotFound, NotOffered
from wandb_mirror.history.columns import StepsPage
from wandb_mirror.history.lines import parse_steps
from wandb_mirror.history.select import select_metrics
from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.pages import HistoryCursor, Row, RowPage, ScopeOf, StepsRequest
from wandb_mirror.kinds.spec import Follow, Kind
from wandb_mirror.pull.listing import Listing
from wandb_mirror.pull.plan import plan_window
from wandb_mirror.pull.reach import Reach
from wandb_mirror.store.digest import digest_light
from wandb_mirror.store.store import Store
from wandb_mirror.upstream.steps import fetch_steps
from wandb_mirror.warehouse.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that is not here as it is upstream."""

    kind: str
    path: str
    problem: str


@dataclass(slots=True)
class Verdict:
    """What a comparison found."""

    compared: dict[str, int] = field(default_factory=dict)
    behind: list[Difference] = field(default_factory=list)
    different: list[Difference] = field(default_factory=list)

    @property
    def status(self) -> str:
        """What ``sync_log`` says of the comparison."""
        if self.different:
            return "verified: different"
        return "verified: behind" if self.behind else "verified: equal"

    @property
    def is_equal(self) -> bool:
        """Whether nothing differs but what a sync would fetch."""
        return not self.different

    def count(self, kind: str) -> None:
        """Count one object that was compared."""
        self.compared[kind] = self.compared.get(kind, 0) + 1

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON has it."""
        return asdict(self) | {"is_equal": self.is_equal}


@dataclass(slots=True)
class Verifier:
    """Compares projects one by one."""

    store: Store
    warehouse: Warehouse
    reach: Reach
    is_deep: bool
    kinds: Sequence[Kind]
    """Those that are mirrored."""
    verdict: Verdict = field(default_factory=Verdict)

    def compare_project(self, row: Row) -> None:
        """Compare one project's objects of every kind, and their histories."""
        scope = ScopeOf(row["entity"], row["project"], row["project_id"])
        for kind in self.kinds:
            if kind.scope == "project":
                with suppress(NotOffered):
                    self._compare_listing(kind, scope)
            elif kind.shape == "steps":
                self._compare_histories(kind, scope)
            elif self.is_deep and kind.follows is not None and kind.shape in ("connection", "list"):
                with suppress(NotOffered):
                    self._compare_children(kind, kind.follows, scope)

    def _compare_children(self, kind: Kind, follow: Follow, place: ScopeOf) -> None:
        """Compare the listings of each parent that has any: one request a parent."""
        parent = next(each for each in KINDS if each.plural == follow.parent)
        where: dict[str, object] = {**place.columns(parent.scope_columns[:1])}
        for due in self.store.load_due(kind, follow, parent, where, takes_all=True):
            if not due.is_gone:
                scope = replace(due.scope, entity=place.entity, project=place.project)
                with suppress(NotFound):  # the parent is gone; its own comparison says so
                    self._compare_listing(kind, scope)

    def _compare_listing(self, kind: Kind, scope: ScopeOf) -> None:
        listing = Listing(kind, scope)
        for rows in listing.pages(self.reach):
            for start in range(0, len(rows), kind.detail_size):
                self._compare_page(kind, scope, rows[start : start + kind.detail_size])
        for own_key in self._kept(kind, scope) - listing.seen:
            self.verdict.behind.append(
                Difference(kind.plural, f"{scope}/{own_key}", "is gone upstream")
            )

    def _kept(self, kind: Kind, scope: ScopeOf) -> set[str]:
        where = scope.columns(kind.scope_columns)
        return {
            row[kind.own_key]
            for rows in self.store.load_rows(
                kind, where=where, columns=[kind.own_key, "deleted_at"]
            )
            for row in rows
            if row["deleted_at"] is None
        }

    def _compare_page(self, kind: Kind, scope: ScopeOf, light: Sequence[Row]) -> None:
        own_keys = [row[kind.own_key] for row in light]
        page = (
            self.reach.upstream.fetch_detail_page(kind, scope, own_keys)
            if kind.has_heavy_fields
            else RowPage(light, has_next=False)
        )
        digests = self.store.load_digests(kind, scope, own_keys)
        for row in page.rows:
            self.verdict.count(kind.plural)
            path = f"{scope}/{row[kind.own_key]}"
            digest = digests.get(row[kind.own_key])
            if digest is None:
                self.verdict.behind.append(Difference(kind.plural, path, "is new upstream"))
            elif digest.is_gone or digest.light_digest != digest_light(kind, row):
                self.verdict.behind.append(Difference(kind.plural, path, "changed upstream"))
            elif wrong := self._differing(kind, scope, row):
                problem = f"{', '.join(wrong)} not as upstream"
                self.verdict.different.append(Difference(kind.plural, path, problem))

    def _differing(self, kind: Kind, scope: ScopeOf, row: Row) -> list[str]:
        """Return the columns that are not as upstream has them."""
        where = {**scope.columns(kind.scope_columns), kind.own_key: row[kind.own_key]}
        for rows in self.store.load_rows(kind, where=where):
            kept = rows[0]
            return [
                field.column for field in kind.fields if kept[field.column] != row[field.column]
            ]
        return [kind.own_key]

    def _compare_histories(self, kind: Kind, scope: ScopeOf) -> None:
        parent = next(each for each in KINDS if each.holds == kind.scope)
        counter = kind.counted_by or ""
        where = scope.columns(parent.scope_columns)
        for rows in self.store.load_rows(parent, where=where):
            live = [row for row in rows if row["deleted_at"] is None]
            own_keys = [row[parent.own_key] for row in live]
            cursors = self.warehouse.load_cursors(scope.project_id or "", own_keys)
            for row in live:
                self.verdict.count(kind.plural)
                self._compare_history(kind, scope, row[parent.own_key], row[counter], cursors)

    def _compare_history(
        self,
        kind: Kind,
        scope: ScopeOf,
        run_id: str,
        line_count: int | None,
        cursors: dict[str, HistoryCursor],
    ) -> None:
        path = f"{scope}/{run_id}"
        cursor = cursors.get(run_id)
        if cursor is None or cursor.status in ("none", "partial", "failed"):
            status = "none" if cursor is None else cursor.status
            self.verdict.behind.append(Difference(kind.plural, path, f"history is {status} here"))
            return
        if cursor.line_count != line_count:
            self.verdict.behind.append(Difference(kind.plural, path, "history grew upstream"))
            return
        if self.is_deep:
            for page in self._pages(kind, scope, run_id, cursor):
                if wrong := self.warehouse.compare_steps(page):
                    self.verdict.different.append(Difference(kind.plural, path, wrong))
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

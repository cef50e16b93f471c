"""A server and a keeper that behave, in memory, for the laws of pulling."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from wandb_mirror.history.columns import StepsPage
from wandb_mirror.kinds.pages import Place, Row, RowPage, ScopeOf, StepsReply, StepsRequest
from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Kind, Type
from wandb_mirror.progress import Silence
from wandb_mirror.pull.reach import Reach
from wandb_mirror.upstream.capabilities import Capabilities

START = datetime(2024, 1, 1)  # noqa: DTZ001  (naive UTC, as the mirror keeps times)

THING = Kind(
    name="thing",
    plural="things",
    about="Something listed.",
    upstream_type="Thing",
    shape="connection",
    scope="project",
    path=(IN_PROJECT, At("things")),
    key=("project_id", "thing_id"),
    order="+created_at",
    seek="created_at",
    page_size=4,
    detail_size=3,
    when_gone="deleted",
    fields=(
        Field("thing_id", "name"),
        Field("created_at", "createdAt", Type.TIME),
        Field("note", "note"),
        Field("body", "body", Type.JSON_TEXT, is_heavy=True),
    ),
)
PLAIN = Kind(
    name="plain",
    plural="plains",
    about="Something listed that has no heavy fields.",
    upstream_type="Plain",
    shape="connection",
    scope="project",
    path=(IN_PROJECT, At("plains")),
    key=("project_id", "thing_id"),
    page_size=4,
    when_gone="removed",
    fields=(Field("thing_id", "name"), Field("note", "note")),
)
STEPS = Kind(
    name="steps",
    plural="steps",
    about="Rows by step.",
    upstream_type="Thing",
    shape="steps",
    scope="run",
    path=(IN_PROJECT, At("thing"), At("steps")),
    key=("project_id", "run_id"),
    page_size=10,
    fields=(),
)
SCOPE = ScopeOf("team", "vision", "p1")


def thing(number: int, *, second: int | None = None, note: str = "", body: str = "{}") -> Row:
    """Return the n-th thing; ``second`` sets its creation apart from its number."""
    created = START + timedelta(seconds=number if second is None else second)
    return {
        "project_id": "p1",
        "thing_id": f"t{number}",
        "created_at": created,
        "note": note,
        "body": body,
    }


@dataclass(slots=True)
class FakeUpstream:
    """Lists things by offset cursors, as the real server does."""

    things: list[Row] = field(default_factory=list)
    lines: dict[str, dict[int, str]] = field(default_factory=dict)
    seeks: bool = True
    ignores_after: bool = False
    ignores_order: bool = False
    says_last_step: bool = True
    before_reply: Callable[[FakeUpstream], None] | None = None
    fail: Callable[[str, Any], Exception | None] = lambda *_: None
    requests: list[tuple[str, Any]] = field(default_factory=list)
    capabilities: Capabilities = field(default_factory=Capabilities)

    def can_seek(self, kind: Kind) -> bool:
        return self.seeks

    def can_filter(self, kind: Kind) -> bool:
        return True

    def _asked(self, what: str, about: Any) -> None:
        self.requests.append((what, about))
        if self.before_reply is not None:
            self.before_reply(self)
        if (error := self.fail(what, about)) is not None:
            raise error

    def fetch_listing_page(
        self,
        kind: Kind,
        scope: ScopeOf,
        *,
        fields: str,
        first: int,
        after: str | None,
        filters: Any,
        order: str | None,
    ) -> RowPage:
        assert fields == "light"
        self._asked("listing", first)
        rows = list(self.things)
        if not self.ignores_order:
            rows.sort(key=lambda row: (row["created_at"], row["thing_id"]))
        if filters:
            floor = datetime.fromisoformat(filters["createdAt"]["$gte"]).replace(tzinfo=None)
            rows = [row for row in rows if row["created_at"] >= floor]
        start = 0 if after is None or self.ignores_after else int(after)
        page = rows[start : start + first]
        light = [field.column for field in kind.light_fields]
        return RowPage(
            [{name: row[name] for name in ("project_id", *light)} for row in page],
            has_next=self.ignores_after or start + first < len(rows),
            cursor=str(start + len(page)),
        )

    def fetch_detail_page(self, kind: Kind, scope: ScopeOf, own_keys: Sequence[str]) -> RowPage:
        self._asked("detail", tuple(own_keys))
        return RowPage(
            [dict(row) for row in self.things if row["thing_id"] in own_keys], has_next=False
        )

    def fetch_steps(
        self,
        kind: Kind,
        scope: ScopeOf,
        requests: Sequence[StepsRequest],
    ) -> list[StepsReply]:
        self._asked("steps", tuple(requests))
        replies = []
        for each in requests:
            steps = self.lines.get(each.run_id)
            if steps is None:
                replies.append(StepsReply((), None, None, exists=False))
                continue
            inside = [
                json.dumps({"_step": step, "text": steps[step]})
                for step in sorted(steps)
                if each.min_step <= step < each.max_step
            ]
            last = max(steps, default=-1) if self.says_last_step else None
            replies.append(StepsReply(inside, len(steps), last, exists=True))
        return replies


@dataclass(slots=True)
class FakeKeeper:
    """Keeps rows in dicts; ``after_save`` may raise, as a crash would."""

    rows: dict[str, Row] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    aside: dict[str, str] = field(default_factory=dict)
    steps: dict[str, dict[int, str]] = field(default_factory=dict)
    cursors: dict[str, Any] = field(default_factory=dict)
    after_save: Callable[[], None] = lambda: None
    places: dict[ScopeOf, Place] = field(default_factory=dict)

    def select_changed(self, kind: Kind, scope: ScopeOf, rows: Sequence[Row]) -> list[Row]:
        light = [field.column for field in kind.light_fields]
        changed = []
        for row in rows:
            kept = self.rows.get(row[kind.own_key])
            same = kept is not None and all(kept[name] == row[name] for name in light)
            if not same or row[kind.own_key] in self.gone:
                changed.append(row)
        return changed

    def save(self, kind: Kind, rows: Sequence[Row], *, is_whole: bool) -> int:
        assert is_whole
        for row in rows:
            self.rows[row[kind.own_key]] = row
            self.gone.discard(row[kind.own_key])
        self.after_save()
        return len(rows)

    def mark_missing(self, kind: Kind, scope: ScopeOf, seen: Collection[str]) -> int:
        missing = set(self.rows) - set(seen) - self.gone
        self.gone |= missing
        return len(missing)

    def note_place(self, kind: Kind, scope: ScopeOf, place: Place) -> None:
        self.places[scope] = place

    def set_aside(self, kind: Kind, scope: ScopeOf, own_key: str, problem: str) -> None:
        self.aside[own_key] = problem

    def note_shortfall(self, kind: Kind, scope: ScopeOf, own_key: str, problem: str) -> None:
        self.aside[own_key] = problem

    def put_back(self, kind: Kind, scope: ScopeOf, own_keys: Collection[str]) -> None:
        for own_key in own_keys:
            self.aside.pop(own_key, None)

    def save_steps(self, kind: Kind, scope: ScopeOf, pages: Sequence[StepsPage]) -> None:
        for page in pages:
            kept = self.steps.setdefault(page.run_id, {})
            for step in [s for s in kept if s >= page.min_step]:
                if page.max_step is None or step < page.max_step:
                    del kept[step]
            for column in page.content.columns:
                for step, text in zip(column.steps, column.json, strict=True):
                    kept[step.as_py()] = json.loads(text.as_py())
            self.cursors[page.run_id] = page.cursor
        self.after_save()


def reach_of(upstream: FakeUpstream, keeper: FakeKeeper, *, workers: int = 2) -> Reach:
    """Return what a walk is handed."""
    return Reach(upstream, keeper, threading.Event(), Silence(), workers)  # type: ignore[arg-type]

"""Keeps what a pull brings: rows in the store, history in the warehouse, problems in the books.

The thread that walks is the only one that calls it, and so the one place where something may be
published on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from wandb_mirror.history.columns import ExportedFiles, StagedSteps, StepsPage
from wandb_mirror.history.samples import Samples
from wandb_mirror.kinds.pages import Place, Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.mirror.evidence import Evidence
from wandb_mirror.mirror.selection import Redaction
from wandb_mirror.store.checkpoints import Checkpoint
from wandb_mirror.store.digest import digest_light
from wandb_mirror.store.due import spell_mark
from wandb_mirror.store.save import clean_row
from wandb_mirror.store.store import Store
from wandb_mirror.warehouse.warehouse import Warehouse

WIDE_BYTES = 16_000
"""Rows of steps of so many bytes are wide."""


@dataclass(slots=True)
class MirrorKeeper:
    """The ``Keeper`` of a mirror."""

    store: Store
    warehouse: Warehouse
    now: Callable[[], datetime]
    between_saves: Callable[[], None]
    """Called after each save: the moment to publish, to look at the disk."""
    takes_all_for_changed: bool = False
    """A full refresh: what is kept is read again whatever the listing says."""
    evidence: Evidence | None = None
    """Who is shown each row before it is saved."""
    marks: dict[str, tuple[int, float | None]] = field(default_factory=dict)
    """Of runs that are being read on: a step that is stored, and when it was logged."""
    rewound: set[str] = field(default_factory=set)
    """Runs of which upstream has that step otherwise."""
    row_bytes: dict[tuple[str, ...], int] = field(default_factory=dict)
    """How long a row of the steps of an object is, about, by its key, where it is long."""
    redaction: Redaction | None = None
    rows_changed: int = 0
    problems: int = 0
    _set_aside: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Learn what was set aside before, so that reading it again is noticed."""
        self._set_aside = {(each["kind"], each["key"]) for each in self.store.load_errors()}

    def is_troubled(self, kind: Kind) -> bool:
        """Tell whether something of a kind could not be read when it was last tried."""
        return any(plural == kind.plural for plural, _ in self._set_aside)

    def select_changed(self, kind: Kind, scope: ScopeOf, rows: Sequence[Row]) -> list[Row]:
        """Return those of the light rows that are new, differ from what is kept, or were gone."""
        if self.takes_all_for_changed or not rows:
            return list(rows)
        known = self.store.load_digests(kind, scope, [row[kind.own_key] for row in rows])
        changed = []
        for row in rows:
            digest = known.get(row[kind.own_key])
            if digest is None or digest.is_gone or digest.light_digest != digest_light(kind, row):
                changed.append(row)
        return changed

    def save(self, kind: Kind, rows: Sequence[Row], *, is_whole: bool) -> int:
        """Keep rows in one transaction; return how many differed."""
        if self.redaction is not None:
            rows = self.redaction.apply(kind, rows)
        self._look_at_changes(kind, rows)
        self._look_at_widths(kind, rows)
        saved = self.store.save_rows(kind, rows, now=self.now(), is_whole=is_whole)
        self.rows_changed += saved.changed
        self.between_saves()
        return saved.changed

    def _look_at_changes(self, kind: Kind, rows: Sequence[Row]) -> None:
        """Compare rows with those that they replace: for what edits show, for signs of life.

        The history of an object that gave one is doubted before the row is saved: a crash in
        between leaves the doubt, or the difference, to the next sync.
        """
        if kind.stamped_by is None or self.evidence is None:
            return
        incoming = {tuple(row[name] for name in kind.key): row for row in map(clean_row, rows)}
        heard: dict[str, list[str]] = {}
        for key, old in self.store.load_named(kind, list(incoming)).items():
            self.evidence.watch(kind, old, incoming[key])
            if kind.heard_by and old[kind.heard_by] != incoming[key][kind.heard_by]:
                heard.setdefault(key[0], []).append(key[-1])
        for project_id, run_ids in heard.items():
            self.warehouse.doubt(project_id, run_ids)

    def _look_at_widths(self, kind: Kind, rows: Sequence[Row]) -> None:
        """Note whose steps are wide; the next sync finds out by asking."""
        if kind.shows_row is not None:
            for row in rows:
                size = len(row.get(kind.shows_row) or "")
                if size >= WIDE_BYTES:
                    self.row_bytes[tuple(row[name] for name in kind.key)] = size

    def mark_missing(self, kind: Kind, scope: ScopeOf, seen: Collection[str]) -> int:
        """Mark what is kept of a scope and was not seen in a complete listing; return how many."""
        missing = self.store.mark_missing(kind, scope, seen=seen, now=self.now())
        self.put_back(kind, scope, missing)
        self.rows_changed += len(missing)
        return len(missing)

    def note_place(self, kind: Kind, scope: ScopeOf, place: Place) -> None:
        """Keep how far a walk got: a stopped one goes on from there."""
        reached = Checkpoint(scope, cursor=spell_mark("", place))
        self.store.save_checkpoints(kind, [reached], now=self.now())

    def set_aside(self, kind: Kind, scope: ScopeOf, own_key: str, problem: str) -> None:
        """Record one object that could not be read; it is tried again by the next sync."""
        self.note_shortfall(kind, scope, own_key, problem)
        if kind.shape == "steps" and scope.project_id is not None:
            self.warehouse.set_history_status(scope.project_id, [own_key], "failed")

    def note_shortfall(self, kind: Kind, scope: ScopeOf, own_key: str, problem: str) -> None:
        """Record what is missing of an object that was kept as far as it came."""
        key = error_key(scope, own_key)
        self.store.save_error(kind.plural, key, problem, now=self.now())
        self._set_aside.add((kind.plural, key))
        self.problems += 1

    def put_back(self, kind: Kind, scope: ScopeOf, own_keys: Collection[str]) -> None:
        """Forget that these were set aside: they have been read."""
        if not self._set_aside:
            return
        for own_key in own_keys:
            key = error_key(scope, own_key)
            if (kind.plural, key) in self._set_aside:
                self.store.clear_error(kind.plural, key)
                self._set_aside.discard((kind.plural, key))

    def stage_steps(
        self, scope: ScopeOf, files: Sequence[ExportedFiles]
    ) -> list[StagedSteps | None]:
        """Read runs' files together, to be saved as they are; None where they are not plain."""
        return self.warehouse.stage_steps(scope.project_id or "", files)

    def save_steps(self, kind: Kind, scope: ScopeOf, pages: Sequence[StepsPage]) -> None:
        """Keep pages of history, with each run's cursor, in one transaction."""
        for page in pages:
            mark = self.marks.get(page.run_id)
            if mark is not None and covers(page, mark[0]):
                del self.marks[page.run_id]
                if not holds_mark(page, *mark):
                    self.rewound.add(page.run_id)
        self.rows_changed += self.warehouse.save_steps(
            [_doubted(page) if page.run_id in self.rewound else page for page in pages]
        )
        read = [page for page in pages if page.max_step is None and page.cursor.status != "partial"]
        self.put_back(kind, scope, [page.run_id for page in read])
        self.between_saves()

    def save_samples(self, kind: Kind, scope: ScopeOf, found: Sequence[Samples]) -> int:
        """Keep the samples of runs in place of those that were kept; return how many values."""
        values = self.warehouse.save_samples(found)
        self.rows_changed += values
        self.put_back(kind, scope, [each.run_id for each in found])
        self.between_saves()
        return values


def covers(page: StepsPage, step: int) -> bool:
    """Tell whether a step lies in the range that a page replaces."""
    return page.min_step <= step and (page.max_step is None or step < page.max_step)


def holds_mark(page: StepsPage, step: int, timestamp: float | None) -> bool:
    """Tell whether a page has a step, logged at that time."""
    place: int = page.content.steps.index(step).as_py()
    if place < 0:
        return False
    found: float | None = page.content.timestamps[place].as_py()
    return found == timestamp


def _doubted(page: StepsPage) -> StepsPage:
    """Return a page of a run that was rewound: it is to be read from the start."""
    if page.min_step == 0:
        return page
    return replace(page, cursor=replace(page.cursor, next_step=0, status="partial"))


def error_key(scope: ScopeOf, own_key: str) -> str:
    """Return the path under which a problem stands in ``sync_errors``."""
    return "/".join(part for part in (scope.entity, scope.project, own_key) if part)

"""Which histories are to be read, and from where.

Counters alone cannot tell that a run was rewound and logged as much again. So a run that gave a
sign of life is doubted (``MirrorKeeper.save``), and reading goes on from the last row but one,
which nothing can change any more: where its time is another, the run is read from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import NamedTuple

from wandb_mirror.history.columns import StepsPage, no_steps
from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.pages import HistoryCursor, HistoryStatus, Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.mirror.keeper import MirrorKeeper
from wandb_mirror.mirror.report import ProjectReport
from wandb_mirror.pull.plan import judge_history
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.reading import FEWEST_ROWS, Reading
from wandb_mirror.pull.steps import walk_steps
from wandb_mirror.settings import Settings
from wandb_mirror.store.store import Store
from wandb_mirror.upstream.exports import has_exports
from wandb_mirror.upstream.steps import has_windows
from wandb_mirror.warehouse.warehouse import Warehouse

BYTES_A_WINDOW = 16_000_000
"""What a window of wide rows may bring, about; servers answer 502 and 504 for much more."""
UNKNOWN_LINES = 1_000
"""Lines that a run is taken to have where the server does not count them."""
FAR_BEHIND = 10_000
"""Lines that a history lacks which was read in part, and from where files are read instead."""


class Start(NamedTuple):
    """From where a run is read, and what its listing says."""

    step: int
    has_ended: bool
    line_count: int | None
    told: str
    """All that tells whether the run gave a sign of life since."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Reads what is missing of the histories of a project's runs, the newest runs first."""

    store: Store
    warehouse: Warehouse
    reach: Reach
    keeper: MirrorKeeper
    settings: Settings
    server_now: Callable[[], datetime]
    is_full_refresh: bool = False
    since: datetime | None = None

    def pull(self, kind: Kind, scope: ScopeOf, found: ProjectReport) -> None:
        """Read and save; runs that turn out to be rewound are read a second time, whole."""
        if any(fnmatchcase(str(scope), each) for each in self.settings.history.skip_projects):
            return
        starts = self._plan(kind, scope)
        marks = self.warehouse.load_marks(
            scope.project_id or "", [run_id for run_id, start in starts.items() if start.step]
        )
        self.keeper.marks = dict(marks)
        readings = []
        for run_id, start in starts.items():
            count = start.line_count
            missing = count if count is None or start.step == 0 else max(0, count - start.step)
            from_files = self._may_have_exports(kind, missing, is_new=start.step == 0)
            first = min(start.step, marks.get(run_id, (0,))[0])  # one row may be another by now
            reading = self._reading(scope, run_id, start, 0 if from_files else first)
            reading.wants_exports, reading.pages_from = from_files, first
            readings.append(reading)
        walked = walk_steps(
            kind,
            scope,
            readings,
            self.reach,
            resumes=not self.is_full_refresh,
        )
        found.seen[kind.plural] = walked.seen
        found.changed[kind.plural] = walked.changed
        if again := [run_id for run_id in starts if run_id in self.keeper.rewound]:
            whole = [self._reading(scope, run_id, starts[run_id], 0) for run_id in again]
            walked = walk_steps(kind, scope, whole, self.reach)
            found.changed[kind.plural] += walked.changed
            self.keeper.rewound.difference_update(again)

    def _reading(self, scope: ScopeOf, run_id: str, start: Start, first: int) -> Reading:
        size = self.keeper.row_bytes.get((scope.project_id or "", run_id))
        count = start.line_count
        return Reading(
            run_id,
            first,
            start.has_ended,
            start.line_count,
            rows=0 if size is None else max(FEWEST_ROWS, BYTES_A_WINDOW // size),
            is_selected=bool(self.reach.metrics),
            work=max(1, UNKNOWN_LINES if count is None else count - first),
            told=start.told,
        )

    def _may_have_exports(self, kind: Kind, missing: int | None, *, is_new: bool) -> bool:
        """Tell whether it pays to look in files for lines that are missing.

        Files hold a history from its start: what was read of it by pages is read once more.
        """
        wanted = self.settings.history
        is_long = (
            is_new
            if missing is None
            else missing >= (wanted.exports_from if is_new else FAR_BEHIND)
        )
        return wanted.exports and is_long and has_exports(self.reach.upstream, kind)

    def _plan(self, kind: Kind, scope: ScopeOf) -> Mapping[str, Start]:
        """Return the runs whose history is to be read, the newest first."""
        parent = next(each for each in KINDS if each.holds == kind.scope)
        due: list[tuple[str, str, Start]] = []
        where = scope.columns(parent.scope_columns)
        for rows in self.store.load_rows(parent, where=where, columns=columns_needed(kind, parent)):
            live = [row for row in rows if row["deleted_at"] is None]
            if self.since is not None:
                live = [row for row in live if is_newer(parent, row, self.since)]
            own_keys = [row[parent.own_key] for row in live]
            cursors = self.warehouse.load_cursors(scope.project_id or "", own_keys)
            empty: list[StepsPage] = []
            for row in live:
                own_key = row[parent.own_key]
                cursor = None if self.is_full_refresh else cursors.get(own_key)
                start = self.judge(kind, parent, row, cursor)
                if start is not None and start.line_count == 0:
                    empty.append(_nothing_logged(scope, own_key, has_ended=start.has_ended))
                elif start is not None:
                    made = row[parent.seek] if parent.seek else None
                    due.append((str(made or ""), own_key, start))
            if empty:
                self.keeper.save_steps(kind, scope, empty)
        due.sort(reverse=True)
        if not has_windows(self.reach.upstream, kind):
            # What samples hold back shows in counts of the whole run alone.
            return {own_key: start._replace(step=0) for _, own_key, start in due}
        return {own_key: start for _, own_key, start in due}

    def judge(
        self, kind: Kind, parent: Kind, row: Row, cursor: HistoryCursor | None
    ) -> Start | None:
        """Return from where a run is to be read, None where nothing of it has changed."""
        count = row[kind.counted_by] if kind.counted_by else None
        state, live_states = kind.live_while or ("", frozenset())
        has_ended = row[state] not in live_states and not self._may_lag(parent, row)
        step = judge_history(cursor, line_count=count, has_ended=has_ended)
        if step is None:
            return None
        told = "\n".join(str(row[name]) for name in [*_times_of(parent), state] if name)
        return Start(step, has_ended, count, f"{count}\n{has_ended}\n{told}")

    def _may_lag(self, parent: Kind, row: Row) -> bool:
        """Tell whether upstream may not yet show all that a run logged, though it has ended.

        Its views lag by minutes; until then the run's history counts as live, and it is read once
        more when it has settled.
        """
        heard_at = row[parent.heard_by] if parent.heard_by else None
        overlap = timedelta(minutes=self.settings.sync.overlap_minutes)
        return heard_at is not None and self.server_now() - heard_at < overlap


def columns_needed(kind: Kind, parent: Kind) -> list[str]:
    """Return the columns of a parent that say whether its history is to be read."""
    named = [kind.counted_by, kind.live_while[0] if kind.live_while else None, *_times_of(parent)]
    return [*parent.key, "deleted_at", *(name for name in named if name)]


def is_newer(kind: Kind, row: Row, since: datetime) -> bool:
    """Tell whether an object was made, changed or heard of since a time."""
    return any(row[name] is not None and row[name] >= since for name in _times_of(kind))


def _times_of(kind: Kind) -> list[str]:
    """Return the columns that say when an object was made, changed and heard of."""
    return [name for name in (kind.seek, kind.stamped_by, kind.heard_by) if name is not None]


def _nothing_logged(scope: ScopeOf, own_key: str, *, has_ended: bool) -> StepsPage:
    """Return the page of a run that logged nothing: no request is needed to know that."""
    status: HistoryStatus = "complete" if has_ended else "live"
    cursor = HistoryCursor(0, 0, status, has_ended)
    return StepsPage(scope.project_id or "", own_key, 0, None, no_steps(), cursor)

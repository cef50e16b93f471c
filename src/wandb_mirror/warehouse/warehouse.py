"""The warehouse, opened by the one process that holds the mirror's lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from wandb_mirror.closable import Closable
from wandb_mirror.errors import CorruptFile
from wandb_mirror.history.columns import ExportedFiles, StagedSteps, StepsPage
from wandb_mirror.history.samples import Samples
from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.pages import HistoryCursor, HistoryStatus, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.settings import Settings
from wandb_mirror.warehouse.derive import Deriver
from wandb_mirror.warehouse.early_views import EarlyViews
from wandb_mirror.warehouse.engine import Database, copy_file, quote, set_aside
from wandb_mirror.warehouse.facts import Facts
from wandb_mirror.warehouse.forgetting import forget_project
from wandb_mirror.warehouse.history import History
from wandb_mirror.warehouse.numbers import Numbers
from wandb_mirror.warehouse.publish import publish_copy
from wandb_mirror.warehouse.samples import SampleTables
from wandb_mirror.warehouse.settling import find_unsettled, settle
from wandb_mirror.warehouse.tables import FLATTENED, create_tables
from wandb_mirror.warehouse.take import Readable, Taker, marked

OnCommit = Callable[[str], None]
SELECTION, TAKEN_PAST = "metrics selected", "taken past values"
PAIR, DIRTY = "pair_id", "is_unpublished"


def ignore_commit(label: str) -> None:
    """Do nothing after a commit; tests hand in something that kills the process."""


@dataclass(slots=True)
class Warehouse(Closable):
    """The warehouse's file; used by one thread."""

    database: Database
    settings: Settings
    published: Path
    url: str
    on_commit: OnCommit
    _facts: Facts = field(init=False)
    _numbers: Numbers = field(init=False)
    _history: History = field(init=False)
    _samples: SampleTables = field(init=False)
    _taker: Taker = field(init=False)
    _views: EarlyViews = field(init=False)

    def __post_init__(self) -> None:
        """Put the parts together."""
        self._facts = Facts(self.database)
        self._numbers = Numbers(self.database)
        self._history = History(self.database, self._numbers, self.settings)
        self._samples = SampleTables(self.database, self._numbers)
        self._taker = Taker(self.database, self._numbers)
        self._views = EarlyViews(self.database, self.settings, self.url)

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        settings: Settings,
        published: Path,
        url: str,
        pair_id: str,
        store_seq: int,
        on_commit: OnCommit = ignore_commit,
    ) -> Warehouse:
        """Open the warehouse that belongs to a store.

        A lost or corrupt one is rebuilt from the published file, which holds all of it. One that
        belongs to another store, or has taken more changes than the store has (a restored backup),
        takes everything anew; history stays, by its run's key.
        """
        try:
            database = _open_database(path, settings, published)
        except CorruptFile:
            set_aside(path)
            database = _open_database(path, settings, published)
        path.chmod(0o600)
        warehouse = cls(database, settings, published, url.rstrip("/"), on_commit)
        warehouse._agree(pair_id, store_seq)
        return warehouse

    def close(self) -> None:
        """Close the file."""
        self._views.close()
        self.database.close()

    def prepare(self) -> None:
        """Begin in a thread what publishing a new file needs and depends on no data.

        ``publish`` raises what it raised.
        """
        if not self._facts.find("view "):
            self._views.begin()

    @contextmanager
    def _writing(self, label: str) -> Iterator[None]:
        """Run one transaction; ``on_commit`` hears of it once it is durable."""
        try:
            with self.database.transaction():
                yield
        except BaseException:
            self._numbers.forget_cached()
            self._facts.forget_cached()
            raise
        self.on_commit(f"warehouse: {label}")

    def _mark(self, kind: Kind) -> int:
        return int(self._facts.get(f"taken {kind.plural}") or 0)

    def _agree(self, pair_id: str, store_seq: int) -> None:
        """Take everything anew where the store is not the one that was taken from."""
        marks = [self._mark(kind) for kind in STORED]
        if self._facts.get(PAIR) == pair_id and max(marks) <= store_seq:
            return
        with self._writing("pair"):
            for table in (*FLATTENED, "past_values", *(kind.plural for kind in STORED)):
                self.database.run(f"DELETE FROM _data.{quote(table)}")
            nothing = {f"taken {kind.plural}": "0" for kind in STORED}
            self._facts.save(
                {**nothing, "taken removals": "0", TAKEN_PAST: "0", PAIR: pair_id, DIRTY: "yes"}
            )

    def take(self, store: Readable) -> bool:
        """Take what changed in the store; True where anything had."""
        is_changed = False
        for kind in STORED:
            name = f"taken {kind.plural}"
            for rows, mark in marked(store.load_changed(kind, after_seq=self._mark(kind))):
                is_changed = True
                with self._writing(f"took {kind.plural}"):
                    self._taker.take_batch(kind, rows)
                    self._facts.save({name: mark, DIRTY: "yes"})
        after_seq = int(self._facts.get(TAKEN_PAST) or 0)
        for rows, mark in marked(store.past.load(after_seq=after_seq)):
            with self._writing("took past values"):
                self._taker.take_past(rows)
                self._facts.save({TAKEN_PAST: mark, DIRTY: "yes"})
        return self._take_books(store) or is_changed

    def _take_books(self, store: Readable) -> bool:
        """Take removals, errors and the log; the log alone is no change worth publishing."""
        mark = int(self._facts.get("taken removals") or 0)
        removed = store.load_removals(after_seq=mark)
        known = set(self.database.rows("SELECT kind, key FROM _data.sync_errors"))
        errors = {(each["kind"], each["key"]) for each in store.load_errors()}
        if not removed and known == errors and self._facts.get(DIRTY) is None:
            return False
        with self._writing("took books"):
            self._taker.remove(removed)
            self._taker.take_books(store)
            if removed:
                latest = max(each["changed_seq"] for each in removed)
                self._facts.save({"taken removals": str(latest)})
            self._facts.save({DIRTY: "yes"})
        return bool(removed) or known != errors

    def load_cursors(self, project_id: str, run_ids: Sequence[str]) -> dict[str, HistoryCursor]:
        """Return how far the histories of some runs have been read."""
        return self._history.load_cursors(project_id, run_ids) if run_ids else {}

    def load_marks(
        self, project_id: str, run_ids: Sequence[str]
    ) -> dict[str, tuple[int, float | None]]:
        """Return of runs the last stored step but one, and when it was logged."""
        return self._history.load_marks(project_id, run_ids)

    def doubt(self, project_id: str, run_ids: Sequence[str]) -> None:
        """Have histories that count as read looked at again."""
        with self._writing("doubt"):
            self._history.doubt(project_id, run_ids)

    def heed_selection(self, metrics: Sequence[str]) -> None:
        """Have what was selected otherwise read again; what is here of other metrics stays."""
        chosen = "\n".join(sorted(metrics)) or None
        if self._facts.get(SELECTION) != chosen:
            with self._writing("selection"):
                self._history.doubt_selected()
                self._facts.save({SELECTION: chosen})

    def stage_steps(
        self, project_id: str, files: Sequence[ExportedFiles]
    ) -> list[StagedSteps | None]:
        """Read the files of runs together; None for those that are not plain numbers in order.

        What is staged is saved by pages that name it; it is let go with the next staging.
        """
        with self._writing("runs numbered"):
            run_nos = self._numbers.runs(
                self._numbers.project(project_id), [each.run_id for each in files]
            )
        return self._history.staging.stage([run_nos[each.run_id] for each in files], files)

    def save_steps(self, pages: Sequence[StepsPage]) -> int:
        """Save pages of history with their cursors in one transaction; return how many values."""
        with self._writing("history"):
            values = self._history.save(pages)
            self._facts.save({DIRTY: "yes"})
        self._history.staging.clear()
        self.database.trim()
        return values

    def load_sample_counts(self, scope: ScopeOf) -> dict[str, int]:
        """Return of each run whose machine's samples are here how many upstream counted."""
        return self._samples.load_counts(scope.project_id or "")

    def save_samples(self, found: Sequence[Samples]) -> int:
        """Replace the samples of runs in one transaction; return how many values."""
        with self._writing("samples"):
            values = self._samples.save(found)
            self._facts.save({DIRTY: "yes"})
        return values

    def set_history_status(
        self, project_id: str, run_ids: Sequence[str], status: HistoryStatus
    ) -> None:
        """Say of runs how much of their history is here; their rows stay."""
        with self._writing("history status"):
            self._history.set_status(project_id, run_ids, status)
            self._facts.save({DIRTY: "yes"})

    def compare_steps(self, page: StepsPage) -> str:
        """Return what differs between a page and what is stored of it; nothing if it is equal."""
        return self._history.compare(page)

    def compare_samples(self, samples: Samples) -> str:
        """Return what differs between a run's samples and those stored; nothing if equal."""
        return self._samples.compare(samples)

    def settle(self) -> None:
        """Rewrite the runs that ended in the order in which readers ask, in one transaction."""
        if run_nos := find_unsettled(self.database):
            with self._writing("settled"):
                settle(self.database, run_nos)

    def publish(self) -> Path | None:
        """Make what is derived anew and publish; None where nothing has changed."""
        if self._facts.get(DIRTY) is None and self.published.exists():
            return None
        if self._views.take():
            self._facts.forget_cached()
            self.on_commit("warehouse: main views")
        with self._writing("derived"):
            Deriver(self.database, self._facts, self.settings, self.url).refresh()
        generation = int(self._facts.get("generation") or 0) + 1
        with self._writing("generation"):
            now = datetime.now(UTC).isoformat(timespec="seconds")
            self._facts.save({"generation": str(generation), "published_at": now})
        publish_copy(self.database, self.published, int(self.settings.publish.mode, 8))
        # only now: a crash before leaves the mark, and the next sync publishes once more
        with self._writing("published"):
            self._facts.save({DIRTY: None})
        return self.published

    def forget(self, project_id: str) -> None:
        """Remove everything of a project."""
        with self._writing("project forgotten"):
            forget_project(self.database, self._numbers.project(project_id))
            self._facts.save({DIRTY: "yes"})
        self._numbers.forget_cached()


def _open_database(path: Path, settings: Settings, published: Path) -> Database:
    """Open the file, or a copy of the published one, and make what is not there of its tables."""
    if not path.exists() and published.exists():
        copy_file(published, path)
        path.chmod(0o600)
    database = Database(path, settings.warehouse)
    try:
        create_tables(database)
    except BaseException:
        database.close()
        raise
    return database

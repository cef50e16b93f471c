"""The store, opened: one transaction a call, and after each that writes a word to who listens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self, Unpack
from uuid import uuid4

import sqlalchemy as sa

from wandb_mirror.closable import Closable
from wandb_mirror.kinds.pages import Row, Saved, ScopeOf
from wandb_mirror.kinds.spec import Follow, Kind
from wandb_mirror.store import books, due, gone, load, save
from wandb_mirror.store.checkpoints import Checkpoint, load_checkpoint, load_marks
from wandb_mirror.store.checkpoints import save_checkpoints as note_checkpoints
from wandb_mirror.store.conditions import Key
from wandb_mirror.store.digest import Digest
from wandb_mirror.store.engine import open_engine, translated
from wandb_mirror.store.outbox import Outbox
from wandb_mirror.store.past import Past

OnCommit = Callable[[str], None]
PAIR = "pair_id"


def ignore_commit(label: str) -> None:
    """Do nothing after a commit; tests hand in something that kills the process."""


def _find_pair(engine: sa.Engine, on_commit: OnCommit) -> str:
    """Return the pair id; the first to open a new file makes it."""
    with engine.connect().execution_options(reads_only=True) as connection:
        pair_id = books.load_fact(connection, PAIR)
    if pair_id is None:
        with engine.begin() as connection:
            pair_id = books.make_fact(connection, PAIR, uuid4().hex)
        on_commit("store: pair id")
    return pair_id


@dataclass(frozen=True, slots=True)
class Store(Closable):
    """The store's file. Several threads and processes may use it at once."""

    path: Path
    pair_id: str
    """Made with the file; the warehouse that belongs to it carries the same."""
    _engine: sa.Engine
    _on_commit: OnCommit

    @classmethod
    def open(cls, path: Path, *, on_commit: OnCommit = ignore_commit) -> Self:
        """Open or make the store; raises ``StoreTooNew``, ``CorruptFile``, ``DiskFull``.

        ``on_commit`` is called with a few words after each transaction that may have written.
        """
        engine = open_engine(path)
        with translated(path):
            return cls(path, _find_pair(engine, on_commit), engine, on_commit)

    def close(self) -> None:
        """Close the file."""
        with translated(self.path):
            self._engine.dispose()

    @contextmanager
    def _writing(self, label: str) -> Iterator[sa.Connection]:
        """Run one transaction that writes; ``on_commit`` hears of it once it is durable."""
        with translated(self.path), self._engine.begin() as connection:
            yield connection
        self._on_commit(f"store: {label}")

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """Run one transaction that only reads; it sees one state, and blocks nobody."""
        with translated(self.path), self._engine.connect() as connection:
            yield connection.execution_options(reads_only=True)

    @property
    def outbox(self) -> Outbox:
        """What was edited and waits to be pushed."""
        return Outbox(self._writing, self._reading)

    @property
    def past(self) -> Past:
        """What objects were like, where that is kept."""
        return Past(self._writing, self._reading)

    def load_fact(self, name: str) -> str | None:
        """Return a fact, or None where it was never saved."""
        with self._reading() as connection:
            return books.load_fact(connection, name)

    def save_fact(self, name: str, value: str) -> None:
        """Save a fact in place of what it was."""
        with self._writing(f"fact {name}") as connection:
            books.save_fact(connection, name, value)

    def load_changed_seq(self) -> int:
        """Return the number of the latest change."""
        with self._reading() as connection:
            return books.load_seq(connection)

    def save_rows(
        self,
        kind: Kind,
        rows: Sequence[Row],
        *,
        now: datetime,
        is_whole: bool,
        checkpoint: Checkpoint | None = None,
    ) -> Saved:
        """Save rows that differ from what is there, with how far the walk has come.

        Rows may carry some of the columns (then those are compared and written) or, where
        ``is_whole``, every one.
        """
        with self._writing(f"rows of {kind.plural}") as connection:
            saved = save.save_rows(connection, kind, rows, now=now, is_whole=is_whole)
            if checkpoint is not None:
                note_checkpoints(connection, kind, [checkpoint], now)
        return saved

    def load_checkpoint(self, kind: Kind, scope: ScopeOf) -> Checkpoint | None:
        """Return how far a scope has been read, or None where it never was."""
        with self._reading() as connection:
            return load_checkpoint(connection, kind, scope)

    def save_checkpoints(self, kind: Kind, saved: Sequence[Checkpoint], *, now: datetime) -> None:
        """Save how far several scopes have been read."""
        with self._writing(f"checkpoints of {kind.plural}") as connection:
            note_checkpoints(connection, kind, saved, now)

    def load_due(
        self,
        kind: Kind,
        follow: Follow,
        parent: Kind,
        where: Mapping[str, object],
        *,
        takes_all: bool = False,
    ) -> Iterator[due.Due]:
        """Yield what is to be read of a kind because its parents changed; see ``store.due``."""
        with self._reading() as connection:
            marks = {} if takes_all else load_marks(connection, kind)
        columns = due.columns_needed(kind, follow, parent)
        for rows in self.load_rows(parent, where=where, columns=columns):
            yield from due.find_due(kind, follow, rows, marks, takes_all=takes_all)

    def load_digests(
        self, kind: Kind, scope: ScopeOf, own_keys: Sequence[str]
    ) -> dict[str, Digest]:
        """Return what there is to compare objects of a scope by."""
        with self._reading() as connection:
            return load.load_digests(connection, kind, scope, own_keys)

    def load_rows(
        self,
        kind: Kind,
        *,
        where: Mapping[str, object] | None = None,
        columns: Sequence[str] | None = None,
        batch_size: int = 1000,
    ) -> Iterator[list[Row]]:
        """Yield rows in batches, in the order of their keys; nothing stays open between two.

        Without ``columns`` a row has all of them, the books' too.
        """

        def load_after(after: Key | None) -> list[Row]:
            with self._reading() as connection:
                return load.load_batch(
                    connection,
                    kind,
                    where=where or {},
                    columns=columns,
                    after=after,
                    limit=batch_size,
                )

        return load.iterate_batches(load_after, kind.key)

    def load_changed(
        self, kind: Kind, *, after_seq: int, batch_size: int = 1000
    ) -> Iterator[list[Row]]:
        """Yield whole rows that changed after a number, in the order in which they changed.

        Nothing stays open between two batches: a row that changes meanwhile may come twice.
        """

        def load_after(after: Key | None) -> list[Row]:
            with self._reading() as connection:
                return load.load_changed_batch(
                    connection, kind, after_seq=after_seq, after=after, limit=batch_size
                )

        return load.iterate_batches(load_after, ("changed_seq", *kind.key))

    def load_named(self, kind: Kind, keys: Sequence[Key]) -> dict[Key, Row]:
        """Return whole rows by their keys; what is not there is left out."""
        with self._reading() as connection:
            return load.load_named(connection, kind, keys)

    def load_removals(self, *, after_seq: int) -> list[Row]:
        """Return which rows were removed after a change: kind, key as a JSON array, number."""
        with self._reading() as connection:
            return books.load_removals(connection, after_seq)

    def count_live(self, kind: Kind, scope: ScopeOf) -> int:
        """Return how many objects of a scope are not gone."""
        with self._reading() as connection:
            return load.count_live(connection, kind, scope)

    def load_own_keys(
        self, kind: Kind, scope: ScopeOf, column: str, values: Collection[str]
    ) -> list[str]:
        """Return the own keys of the objects that are there and have one of some values."""
        with self._reading() as connection:
            return load.load_own_keys(connection, kind, scope, column, values)

    def load_oldest_checked(self, kind: Kind, scope: ScopeOf, limit: int) -> list[str]:
        """Return the own keys of the objects whose heavy fields were read longest ago."""
        with self._reading() as connection:
            return load.load_oldest_checked(connection, kind, scope, limit)

    def mark_missing(
        self, kind: Kind, scope: ScopeOf, *, seen: Collection[str], now: datetime
    ) -> list[str]:
        """Mark what a complete listing of a scope did not show; return the own keys."""
        with self._writing(f"missing {kind.plural}") as connection:
            return gone.mark_missing(connection, kind, scope, seen=seen, now=now)

    def mark_inaccessible(self, kind: Kind, *key: str, now: datetime) -> bool:
        """Mark one object as no longer visible to the key in use; True where that is new."""
        with self._writing(f"inaccessible {kind.plural}") as connection:
            return gone.mark_inaccessible(connection, kind, key, now)

    def mark_deleted(self, kind: Kind, key: Key, *, now: datetime) -> None:
        """Mark one object as deleted upstream."""
        with self._writing(f"deleted {kind.plural}") as connection:
            gone.mark_deleted(connection, kind, key, now)

    def forget(self, project_id: str) -> int:
        """Remove everything of a project; return how many rows that were."""
        with self._writing("forgotten") as connection:
            return gone.forget_project(connection, project_id)

    def load_scopes(self) -> list[tuple[str, str]]:
        """Return what a sync without arguments takes, as (entity, project or nothing)."""
        with self._reading() as connection:
            return books.load_scopes(connection)

    def add_scope(self, entity: str, project: str, *, now: datetime) -> None:
        """Remember what a sync was asked for; nothing as a project stands for all."""
        with self._writing("scope") as connection:
            books.add_scope(connection, books.spell_path(entity, project), now)

    def begin_sync(self, now: datetime) -> str:
        """Open an entry of the log and return its id."""
        with self._writing("sync begun") as connection:
            return books.begin_sync(connection, now)

    def finish_sync(
        self, sync_id: str, *, now: datetime, status: str, **figures: Unpack[books.Figures]
    ) -> None:
        """Close an entry of the log."""
        with self._writing("sync finished") as connection:
            books.finish_sync(connection, sync_id, now=now, status=status, figures=figures)

    def load_log(self) -> list[Row]:
        """Return the log of syncs, oldest first."""
        with self._reading() as connection:
            return books.load_log(connection)

    def load_pending(self) -> list[Row]:
        """Return what was edited and is not upstream, as readers see it."""
        return self.outbox.load_pending()

    def save_error(self, kind: str, key: str, error: str, *, now: datetime) -> None:
        """Record that an object could not be read."""
        with self._writing("error") as connection:
            books.save_error(connection, kind, key, error, now)

    def clear_error(self, kind: str, key: str) -> bool:
        """Forget that an object could not be read; True where that stood in the books."""
        with self._writing("error cleared") as connection:
            return books.clear_error(connection, kind, key)

    def load_errors(self) -> list[Row]:
        """Return what could not be read."""
        with self._reading() as connection:
            return books.load_errors(connection)

"""The store, opened: one transaction a call, and after each a word to who listens."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from uuid import uuid4

import sqlalchemy as sa

from wandb_mirror.kinds.pages import Row, Saved, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.store import books, rows
from wandb_mirror.store.digest import Digest
from wandb_mirror.store.engine import open_engine, translated

OnCommit = Callable[[str], None]
PAIR = "pair_id"


def ignore_commit(label: str) -> None:
    """Do nothing after a commit; tests hand in something that kills the process."""


@dataclass(slots=True)
class Store:
    """The store's file. Several threads and processes may use it at once."""

    path: Path
    engine: sa.Engine
    on_commit: OnCommit

    @classmethod
    def open(cls, path: Path, *, on_commit: OnCommit = ignore_commit) -> Store:
        """Open or make the store; raises ``StoreTooNew``, ``CorruptFile``, ``DiskFull``."""
        store = cls(path, open_engine(path), on_commit)
        if store.load_fact(PAIR) is None:
            store.save_fact(PAIR, uuid4().hex)
        return store

    def close(self) -> None:
        """Close the file."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    @contextmanager
    def _writing(self, label: str) -> Iterator[sa.Connection]:
        """Run one transaction that writes; ``on_commit`` hears of it once it is durable."""
        with translated(self.path), self.engine.begin() as connection:
            yield connection
        self.on_commit(f"store: {label}")

    @contextmanager
    def _reading(self) -> Iterator[sa.Connection]:
        """Run one transaction that only reads."""
        with (
            translated(self.path),
            self.engine.connect().execution_options(reads_only=True) as connection,
        ):
            yield connection

    @property
    def pair_id(self) -> str:
        """The id that the warehouse of this store carries too."""
        return self.load_fact(PAIR) or ""

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

    def save_rows(self, kind: Kind, page: Sequence[Row], *, now: datetime, is_whole: bool) -> Saved:
        """Save rows that differ from what is there; ``is_whole`` where they carry every field."""
        with self._writing(f"rows of {kind.plural}") as connection:
            return rows.save_rows(connection, kind, page, now=now, is_whole=is_whole)

    def load_digests(
        self, kind: Kind, scope: ScopeOf, own_keys: Sequence[str]
    ) -> dict[str, Digest]:
        """Return what there is to compare objects of a scope by."""
        with self._reading() as connection:
            return rows.load_digests(connection, kind, scope, own_keys)

    def load_rows(
        self,
        kind: Kind,
        *,
        where: Mapping[str, object] | None = None,
        columns: Sequence[str] | None = None,
        batch_size: int = 1000,
    ) -> Iterator[list[Row]]:
        """Yield rows in batches, in the order of their keys; no transaction stays open between."""

        def load(after: tuple[Any, ...] | None) -> list[Row]:
            with self._reading() as connection:
                return rows.load_batch(
                    connection,
                    kind,
                    where=where or {},
                    columns=columns,
                    after=after,
                    limit=batch_size,
                )

        def key_of(row: Row) -> tuple[Any, ...]:
            return tuple(row[name] for name in kind.key)

        return rows.iterate_batches(load, key_of, None, batch_size)

    def load_changed(
        self, kind: Kind, *, after_seq: int, batch_size: int = 1000
    ) -> Iterator[list[Row]]:
        """Yield whole rows that changed after a number, in the order in which they changed."""

        def load(after: tuple[Any, ...] | None) -> list[Row]:
            with self._reading() as connection:
                return rows.load_changed_batch(
                    connection, kind, after=after or (after_seq,), limit=batch_size
                )

        def key_of(row: Row) -> tuple[Any, ...]:
            return (row["changed_seq"], *(row[name] for name in kind.key))

        return rows.iterate_batches(load, key_of, None, batch_size)

    def load_removals(self, *, after_seq: int) -> list[Row]:
        """Return which rows were removed after a change, keys as JSON arrays."""
        with self._reading() as connection:
            return books.load_removals(connection, after_seq)

    def count_live(self, kind: Kind, scope: ScopeOf) -> int:
        """Return how many objects of a scope are not gone."""
        with self._reading() as connection:
            return rows.count_live(connection, kind, scope)

    def load_oldest_checked(self, kind: Kind, scope: ScopeOf, limit: int) -> list[str]:
        """Return the own keys of the objects whose heavy fields were read longest ago."""
        with self._reading() as connection:
            return rows.load_oldest_checked(connection, kind, scope, limit)

    def mark_missing(
        self, kind: Kind, scope: ScopeOf, *, seen: Collection[str], now: datetime
    ) -> list[str]:
        """Mark what a complete listing of a scope did not show; return the own keys."""
        with self._writing(f"missing {kind.plural}") as connection:
            return rows.mark_missing(connection, kind, scope, seen=seen, now=now)

    def mark_inaccessible(self, kind: Kind, own_key: str, *, now: datetime) -> None:
        """Mark one object as no longer visible to the key in use."""
        with self._writing(f"inaccessible {kind.plural}") as connection:
            rows.mark_inaccessible(connection, kind, own_key, now)

    def load_scopes(self) -> list[tuple[str, str]]:
        """Return what a sync without arguments takes, as (entity, project or nothing)."""
        with self._reading() as connection:
            return books.load_scopes(connection)

    def add_scope(self, entity: str, project: str, *, now: datetime) -> None:
        """Remember what a sync was asked for."""
        with self._writing("scope") as connection:
            books.add_scope(connection, entity, project, now)

    def begin_sync(self, now: datetime) -> str:
        """Open an entry of the log and return its id."""
        with self._writing("sync begun") as connection:
            return books.begin_sync(connection, now)

    def finish_sync(self, sync_id: str, *, now: datetime, **figures: object) -> None:
        """Close an entry of the log."""
        with self._writing("sync finished") as connection:
            books.finish_sync(connection, sync_id, now, figures)

    def load_log(self) -> list[Row]:
        """Return the log of syncs, oldest first."""
        with self._reading() as connection:
            return books.load_log(connection)

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

    def forget(self, project_id: str, entity: str, project: str) -> None:
        """Remove everything of a project."""
        with self._writing("project forgotten") as connection:
            rows.forget_project(connection, project_id)
            books.remove_scope(connection, entity, project)
            for each in books.load_errors(connection):
                if f"{each['key']}/".startswith(f"{entity}/{project}/"):
                    books.clear_error(connection, each["kind"], each["key"])

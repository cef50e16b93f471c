"""Fetch the bytes of files: many at once, each checked, none twice.

Addresses come for many files in one request and expire; a file whose address has expired, or that
came damaged, is asked for once more.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial

from wandb_mirror.blobs.blobs import Blobs
from wandb_mirror.blobs.digest import Digest
from wandb_mirror.errors import MirrorError, NotFound, Skip, UpstreamBroken
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.progress import Progress
from wandb_mirror.pull.pool import Pool
from wandb_mirror.upstream.contents import fetch_addresses
from wandb_mirror.upstream.shapes import Upstream

ATTEMPTS = 3
"""How often a file is asked for that comes damaged, or whose address is expired."""
GONE = "upstream does not show the file any more"
BATCH_FILES, BATCH_BYTES = 16, 1 << 20
"""Files that one worker takes at a time: handing over a small one costs as much as fetching it."""
NAMES_TOGETHER = 500
"""Files whose addresses are asked for in one request."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file whose bytes are wanted."""

    name: str
    digest: Digest
    size_bytes: int | None


Tried = list[tuple[Wanted, MirrorError | None]]
"""Files, and why the bytes of each are not here, if they are not."""


@dataclass(slots=True)
class Fetched:
    """What became of the files that were wanted."""

    there: int = 0
    """Contents that were here already."""
    fetched: int = 0
    bytes_fetched: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    """File to why its bytes are not here."""

    def add(self, other: Fetched) -> None:
        """Count what became of others too."""
        self.there += other.there
        self.fetched += other.fetched
        self.bytes_fetched += other.bytes_fetched
        self.problems.update(other.problems)


@dataclass(frozen=True, slots=True)
class Contents:
    """Where bytes come from, and where they are kept."""

    upstream: Upstream
    blobs: Blobs
    workers: int
    stop: threading.Event
    progress: Progress

    def fetch(self, kind: Kind, scope: ScopeOf, wanted: Sequence[Wanted]) -> Fetched:
        """Have the bytes of some files of one object here; what could not be had is told.

        Raises ``NotFound`` where upstream does not show the object, and what ends everything:
        ``Unauthorized``, ``BudgetSpent``, ``DiskFull``, ``Interrupted``, ``Unreachable``.
        """
        found = Fetched()
        missing = {
            each.digest: each for each in wanted if not self.blobs.has(each.digest, each.size_bytes)
        }
        found.there = len({each.digest for each in wanted}) - len(missing)
        waiting = list(missing.values())
        task = str(scope) or kind.plural
        self.progress.begin(task, len(waiting))
        try:
            with Pool[Tried](self.workers, self.stop) as pool:
                for start in range(0, len(waiting), NAMES_TOGETHER):
                    self._submit(pool, kind, scope, waiting[start : start + NAMES_TOGETHER], found)
                    self._keep(pool, found, task, down_to=pool.room)
                self._keep(pool, found, task, down_to=0)
        finally:
            self.progress.end(task)
        return found

    def _submit(
        self,
        pool: Pool[Tried],
        kind: Kind,
        scope: ScopeOf,
        some: Sequence[Wanted],
        found: Fetched,
    ) -> None:
        """Ask where some files lie, and begin to fetch them, small ones several at a time."""
        addresses = fetch_addresses(self.upstream, kind, scope, [each.name for each in some])
        batch: list[tuple[Wanted, str]] = []
        size = 0
        for each in some:
            url = addresses.get(each.name)
            if url is None:
                found.problems[each.name] = GONE
                continue
            batch.append((each, url))
            size += each.size_bytes or BATCH_BYTES
            if size >= BATCH_BYTES or len(batch) == BATCH_FILES:
                pool.submit(partial(self._fetch_some, kind, scope, batch))
                batch, size = [], 0
        if batch:
            pool.submit(partial(self._fetch_some, kind, scope, batch))

    def _keep(
        self,
        pool: Pool[Tried],
        found: Fetched,
        task: str,
        *,
        down_to: int,
    ) -> None:
        for tried in pool.drain(down_to=down_to):
            for each, problem in tried:
                if problem is not None:
                    found.problems[each.name] = str(problem)
                else:
                    found.fetched += 1
                    found.bytes_fetched += each.size_bytes or 0
            self.progress.advance(task, len(tried))

    def _fetch_some(self, kind: Kind, scope: ScopeOf, batch: Sequence[tuple[Wanted, str]]) -> Tried:
        """Fetch some files one after another, as far as nobody asks to stop."""
        return [
            (each, self._fetch_one(kind, scope, each, url))
            for each, url in batch
            if not self.stop.is_set()
        ]

    def _fetch_one(
        self, kind: Kind, scope: ScopeOf, wanted: Wanted, url: str
    ) -> MirrorError | None:
        """Fetch one file, again from new addresses where it fails; return what is wrong with it."""
        for attempt in range(ATTEMPTS):
            try:
                if attempt:
                    again = fetch_addresses(self.upstream, kind, scope, [wanted.name])
                    url = again[wanted.name]
                self._receive(wanted, url)
            except KeyError:
                return NotFound(GONE)
            except Skip as error:
                problem: MirrorError = error
            except (UpstreamBroken, NotFound) as error:
                return error
            else:
                return None
        return problem

    def _receive(self, wanted: Wanted, url: str) -> None:
        self.blobs.receive(
            wanted.digest,
            wanted.size_bytes,
            partial(self.upstream.client.download_rest, url, most=wanted.size_bytes),
        )

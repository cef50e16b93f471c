"""Fetch the bytes of files: many at once, each checked, none twice.

Addresses come for many files in one request and expire; a file whose address has expired, or that
came damaged, is asked for once more. Large files come one after another, each by several parts at
once where one stream is slow, so that never more requests are under way than the settings allow.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from wandb_mirror.blobs.blobs import Blobs
from wandb_mirror.blobs.digest import Digest
from wandb_mirror.errors import MirrorError, NotFound, Skip, UpstreamBroken
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.progress import Progress
from wandb_mirror.pull.parts import LARGE, download_large
from wandb_mirror.pull.pool import Pool
from wandb_mirror.sink import Sink
from wandb_mirror.upstream.contents import fetch_addresses
from wandb_mirror.upstream.shapes import Upstream
from wandb_mirror.upstream.transfers import download_rest

ATTEMPTS = 3
"""How often a file is asked for that comes damaged, or whose address is expired, and of which
nothing more came."""
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
    target: Path | None = None
    """A path where nothing is and where the file is wanted: a large one is put there while its
    checksum is still computed."""

    @property
    def is_large(self) -> bool:
        """Whether it is worth several requests at once."""
        return self.size_bytes is not None and self.size_bytes >= LARGE


@dataclass(slots=True)
class Tried:
    """What became of one file."""

    wanted: Wanted
    problem: MirrorError | None = None
    """Why its bytes are not here, if they are not."""
    is_placed: bool = False


@dataclass(slots=True)
class Fetched:
    """What became of the files that were wanted."""

    there: int = 0
    """Contents that were here already."""
    fetched: int = 0
    bytes_fetched: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    """File to why its bytes are not here."""
    placed: set[Path] = field(default_factory=set)
    """Where files were put that were to go somewhere."""

    def add(self, other: Fetched) -> None:
        """Count what became of others too."""
        self.there += other.there
        self.fetched += other.fetched
        self.bytes_fetched += other.bytes_fetched
        self.problems.update(other.problems)
        self.placed |= other.placed


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
        small = [each for each in missing.values() if not each.is_large]
        task = str(scope) or kind.plural
        self.progress.begin(task, len(missing))
        try:
            with Pool[list[Tried]](self.workers, self.stop) as pool:
                for start in range(0, len(small), NAMES_TOGETHER):
                    self._submit(pool, kind, scope, small[start : start + NAMES_TOGETHER], found)
                    self._keep(pool, found, task, down_to=pool.room)
                self._keep(pool, found, task, down_to=0)
            for each in missing.values():
                if each.is_large:
                    self._count([self._fetch_one(kind, scope, each)], found, task)
        finally:
            self.progress.end(task)
        return found

    def _submit(
        self,
        pool: Pool[list[Tried]],
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
        pool: Pool[list[Tried]],
        found: Fetched,
        task: str,
        *,
        down_to: int,
    ) -> None:
        for tried in pool.drain(down_to=down_to):
            self._count(tried, found, task)

    def _count(self, tried: Sequence[Tried], found: Fetched, task: str) -> None:
        for each in tried:
            if each.problem is not None:
                found.problems[each.wanted.name] = str(each.problem)
                continue
            found.fetched += 1
            found.bytes_fetched += each.wanted.size_bytes or 0
            if each.is_placed and each.wanted.target is not None:
                found.placed.add(each.wanted.target)
        self.progress.advance(task, len(tried))

    def _fetch_some(
        self, kind: Kind, scope: ScopeOf, batch: Sequence[tuple[Wanted, str]]
    ) -> list[Tried]:
        """Fetch some files one after another, as far as nobody asks to stop."""
        return [
            self._fetch_one(kind, scope, each, url) for each, url in batch if not self.stop.is_set()
        ]

    def _fetch_one(
        self, kind: Kind, scope: ScopeOf, wanted: Wanted, url: str | None = None
    ) -> Tried:
        """Fetch one file, again from new addresses where it fails, as long as more of it comes."""
        tried = Tried(wanted)
        left = ATTEMPTS
        while left:
            begun = self.blobs.begun_bytes(wanted.digest)
            try:
                if url is None:
                    url = fetch_addresses(self.upstream, kind, scope, [wanted.name])[wanted.name]
                tried.is_placed = self._receive(wanted, url)
            except KeyError:
                tried.problem = NotFound(GONE)
                break
            except Skip as error:
                tried.problem, url = error, None
                left = ATTEMPTS if self.blobs.begun_bytes(wanted.digest) > begun else left - 1
            except (UpstreamBroken, NotFound) as error:
                tried.problem = error
                break
            else:
                tried.problem = None
                break
        return tried

    def _receive(self, wanted: Wanted, url: str) -> bool:
        """Have the bytes of a file here; tell whether it was put where it is wanted."""

        def fetch(sink: Sink) -> None:
            client, size = self.upstream.client, wanted.size_bytes
            if size is None or not wanted.is_large:
                download_rest(client, url, sink, most=size)
            else:
                download_large(client, url, sink, size=size, workers=self.workers, stop=self.stop)

        return self.blobs.receive(wanted.digest, wanted.size_bytes, fetch, wanted.target)

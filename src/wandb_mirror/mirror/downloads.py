"""Fetch the bytes of what is mirrored, keep them once, and put them where somebody wants them.

What there is to fetch is read from the published file; upstream is asked only where bytes are
missing, so what is here can be put anywhere without a network.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from threading import Event
from typing import TYPE_CHECKING, Any, Protocol

from wandb_mirror.blobs.blobs import Blobs
from wandb_mirror.blobs.files import FileOf, Placer
from wandb_mirror.blobs.names import find_target
from wandb_mirror.blobs.writing import full_disk_in_our_words
from wandb_mirror.errors import BadName, NotFound, Skip, UpstreamBroken
from wandb_mirror.mirror.connect import check_server
from wandb_mirror.mirror.references import check_size, fetch_reference
from wandb_mirror.mirror.sources import Source, find_artifact, find_chosen, find_run
from wandb_mirror.pull.contents import Contents, Fetched, Wanted
from wandb_mirror.query.published import Published
from wandb_mirror.settings import Settings
from wandb_mirror.store.store import Store

if TYPE_CHECKING:
    from wandb_mirror.mirror.connect import Connection
    from wandb_mirror.progress import Progress
    from wandb_mirror.upstream.shapes import Upstream

MEGABYTE = 1_000_000


class Downloading(Protocol):
    """What downloading needs of a mirror."""

    folder: Path
    settings: Settings
    stop: Event
    progress: Progress

    @property
    def store_path(self) -> Path:
        """Where the metadata is kept."""

    @property
    def blobs(self) -> Blobs:
        """Where bytes are kept."""

    def read_edited(self) -> Published:
        """Open the published file with the edits that it does not show."""

    def connect(self) -> Connection:
        """Return upstream."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be done with bytes."""

    to: Path | None = None
    """The folder to put them into; None for having them in the mirror alone."""
    overwrites: bool = False
    wants_references: bool = False
    most_bytes: int | None = None
    """Larger files are left out."""


@dataclass(slots=True)
class DownloadReport:
    """What a download did."""

    objects: int = 0
    fetched: Fetched = field(default_factory=Fetched)
    placed: int = 0
    """Files that were put into the folder asked for."""
    references: list[str] = field(default_factory=list)
    """Files that lie elsewhere and were not asked for."""

    @property
    def problems(self) -> dict[str, str]:
        """File to why it is not here, or not where it should be."""
        return self.fetched.problems

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        return {
            "objects": self.objects,
            "there": self.fetched.there,
            "fetched": self.fetched.fetched,
            "bytes": self.fetched.bytes_fetched,
            "placed": self.placed,
            "references": self.references,
            "problems": self.problems,
        }


@dataclass(slots=True)
class Downloads:
    """One download: what was fetched so far, and from where."""

    mirror: Downloading
    wish: Wish
    now: datetime
    report: DownloadReport = field(default_factory=DownloadReport)
    _connection: Connection | None = None
    _placer: Placer = field(init=False)

    def __post_init__(self) -> None:
        """Make what copies."""
        self._placer = Placer(self.mirror.blobs, overwrites=self.wish.overwrites)

    def close(self) -> None:
        """Close connections."""
        if self._connection is not None:
            self._connection.close()

    def _upstream(self) -> Upstream:
        """Return upstream; it is reached for only where bytes are missing."""
        if self._connection is None:
            connection = self._connection = self.mirror.connect()
            with Store.open(self.mirror.store_path) as store:
                check_server(store, connection.base_url, self.mirror.folder)
                connection.recall(store, self.now)
        return self._connection.upstream

    def take(self, source: Source, prefix: str = "") -> None:
        """Have the files of one object here, and put them where they are wanted.

        ``prefix`` stands before their names there.
        """
        self.report.objects += 1
        most = self.wish.most_bytes
        wanted = [each for each in source.files if most is None or (each.size_bytes or 0) <= most]
        self._fetch(source, [each for each in wanted if each.reference is None], prefix)
        for each in wanted:
            name = f"{source.label}/{each.name}"
            try:
                if each.reference is not None:
                    self._refer(name, each, f"{prefix}{each.name}")
                elif self.wish.to is not None and each.is_here(self.mirror.blobs):
                    self._place(each, find_target(self.wish.to, f"{prefix}{each.name}"))
            except (Skip, UpstreamBroken, OSError) as error:
                self.report.problems[name] = str(error)

    def _place(self, file: FileOf, target: Path) -> None:
        """Put a file where it is wanted, if it was not put there when it came."""
        if target in self.report.fetched.placed:
            self._placer.note(target)
            self.report.placed += 1
        else:
            self.report.placed += self._placer.put(file, target)

    def _find_free(self, name: str) -> Path | None:
        """Return where a file is wanted if nothing is there; what is wrong is said later."""
        try:
            target = None if self.wish.to is None else find_target(self.wish.to, name)
        except BadName:
            return None
        return None if target is None or target.exists() else target

    def _fetch(self, source: Source, files: Sequence[FileOf], prefix: str) -> None:
        wanted = []
        for each in files:
            if each.digest is None:
                self.report.problems[f"{source.label}/{each.name}"] = (
                    "upstream names no checksum that could be held against its bytes"
                )
            else:
                one = Wanted(each.name, each.digest, each.size_bytes)
                target = self._find_free(f"{prefix}{each.name}") if one.is_large else None
                wanted.append(replace(one, target=target))
        missing = [
            each for each in wanted if not self.mirror.blobs.has(each.digest, each.size_bytes)
        ]
        self.report.fetched.there += len(wanted) - len(missing)
        if not missing:
            return
        contents = Contents(
            self._upstream(),
            self.mirror.blobs,
            self.mirror.settings.upstream.workers,
            self.mirror.stop,
            self.mirror.progress,
        )
        try:
            found = contents.fetch(source.kind, source.scope, missing)
        except (NotFound, Skip, UpstreamBroken) as error:
            found = Fetched(problems={each.name: str(error) for each in missing})
        problems = found.problems
        found.problems = {f"{source.label}/{name}": why for name, why in problems.items()}
        self.report.fetched.add(found)

    def _refer(self, name: str, file: FileOf, place: str) -> None:
        """Fetch what lies elsewhere, where it is asked for and may be."""
        to = self.wish.to
        if not self.wish.wants_references or to is None:
            self.report.references.append(f"{name} -> {file.reference}")
            return
        target = find_target(to, place)
        if target.exists() and not self.wish.overwrites:
            raise BadName(f"{target} is there already; overwrite it with --overwrite")
        target.parent.mkdir(parents=True, exist_ok=True)
        allowed = self.mirror.settings.files.reference_schemes
        with (
            full_disk_in_our_words(to),
            NamedTemporaryFile(dir=target.parent, prefix=".wandb-", delete=False) as copy,
        ):
            try:
                fetch_reference(file, copy, allowed, lambda: self._upstream().client)
                check_size(file, copy)
                Path(copy.name).replace(target)
            except BaseException:
                Path(copy.name).unlink(missing_ok=True)
                raise
        self.report.placed += 1


def download(
    mirror: Downloading,
    now: datetime,
    path: str | None = None,
    pattern: str = "*",
    *,
    is_run: bool = False,
    wish: Wish | None = None,
) -> DownloadReport:
    """Have the bytes of an object here, or of what the settings choose where none is named.

    Raises ``BadPath``, ``NotMirrored``, ``BadSettings``, and what ends everything: ``DiskFull``,
    ``Interrupted``, ``BudgetSpent``, ``Unauthorized``, ``Unreachable``.
    """
    wish = wish or Wish()
    chosen = mirror.settings.files
    if path is None:
        wish = replace(wish, most_bytes=chosen.max_file_mb * MEGABYTE)
    with closing(Downloads(mirror, wish, now)) as downloads, mirror.read_edited() as published:
        if path is not None:
            find = find_run if is_run else find_artifact
            downloads.take(find(published, path, pattern))
        else:
            for source in find_chosen(published, chosen):
                downloads.take(source, prefix=f"{source.label}/")
    return downloads.report

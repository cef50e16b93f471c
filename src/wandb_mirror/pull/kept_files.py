"""Exported files on disk, kept for the sync that follows one that was killed.

A file that came whole lies under a name made of what its content depends on: the run, what
upstream's listing and its reply say of it, and the path of the file's address. The rest of an
address is a signature, another one each time. The name ends in the CRC-32 of the content: the
system may lose what was never synced, and what does not fit its name is fetched anew.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from hashlib import sha256
from io import BytesIO
from os import fdopen
from pathlib import Path
from tempfile import TemporaryDirectory, mkstemp
from time import time
from typing import BinaryIO

from wandb_mirror.errors import BadRow, Skip, UpstreamBroken
from wandb_mirror.kinds.pages import ExportsReply
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull.journal import OLDEST_SECONDS, Journal, name_of_project
from wandb_mirror.pull.reading import Reading
from wandb_mirror.upstream.client import Client
from wandb_mirror.upstream.transfers import download_into

PREFIX, SUFFIX, UNFINISHED = "export-", ".parquet", ".part"
NAME = re.compile(rf"({PREFIX}[0-9a-f]{{16}}-[0-9a-f]{{32}})-([0-9a-f]{{8}}){SUFFIX}")
BLOCK = LONGEST_HELD = 1 << 20


@dataclass(frozen=True, slots=True)
class Fetched:
    """The files of one run, on disk."""

    paths: list[str]
    size: int
    stop: int | None
    """Rows from this step on are not asked of files."""

    def remove(self) -> None:
        """Remove the files."""
        for path in self.paths:
            Path(path).unlink(missing_ok=True)


@dataclass(slots=True)
class _Arriving:
    """What came of a file: in memory while it is short, then in a file of no lasting name.

    A name made for each of many short files, changed and looked for again, takes as long as
    fetching them.
    """

    folder: Path
    stem: str
    size: int = 0
    checksum: int = 0
    """CRC-32 of what was written."""
    _held: BinaryIO = field(default_factory=BytesIO)
    _unfinished: str = ""

    def write(self, content: bytes | memoryview, /) -> int:
        self.size += len(content)
        self.checksum = zlib.crc32(content, self.checksum)
        if self.size > LONGEST_HELD and not self._unfinished:
            self._move_to_disk()
        return self._held.write(content)

    def _move_to_disk(self) -> None:
        descriptor, self._unfinished = mkstemp(UNFINISHED, f"{self.stem}-", self.folder)
        held, self._held = self._held, fdopen(descriptor, "wb")
        self._held.write(held.getbuffer() if isinstance(held, BytesIO) else b"")

    def seek(self, place: int, whence: int = 0, /) -> int:
        return self._held.seek(place, whence)

    def truncate(self) -> int:
        self.size = self.checksum = 0  # whoever begins anew begins at the start
        return self._held.truncate(0)

    def flush(self) -> None:
        self._held.flush()

    def keep(self, key: str) -> Path:
        """Give it its name: one that was only begun to be written does not fit what it says."""
        path = self.folder / f"{key}-{self.checksum:08x}{SUFFIX}"
        if self._unfinished:
            self._held.close()
            Path(self._unfinished).replace(path)
            self._unfinished = ""
        elif isinstance(self._held, BytesIO):
            try:
                with path.open("wb") as file:
                    file.write(self._held.getbuffer())
            except OSError:
                path.unlink(missing_ok=True)
                raise
        return path

    def close(self) -> None:
        """Leave nothing behind that was not kept."""
        self._held.close()
        if self._unfinished:
            Path(self._unfinished).unlink(missing_ok=True)


class KeptFiles:
    """The exported files of one kind of one project; threads may fetch at once."""

    def __init__(self, folder: Path | None, kind: Kind, project_id: str, *, resumes: bool) -> None:
        """Find what an earlier sync left; what shall not count is removed.

        Without a folder nothing outlasts this object.
        """
        self._kind = kind
        self._temporary = None if folder else TemporaryDirectory(prefix=PREFIX)
        self._folder = folder or Path(self._temporary.name if self._temporary else "")
        self._stem = f"{PREFIX}{name_of_project(kind, project_id)}"
        self._left: dict[str, tuple[Path, int]] = {}
        """Files by the part of their names that comes before the checksum."""
        for path, key, checksum in self._ours():
            is_of_others = not key.startswith(self._stem)
            if time() - path.stat().st_mtime > OLDEST_SECONDS or not (resumes or is_of_others):
                path.unlink()
            else:
                self._left[key] = (path, checksum)
        for path in self._folder.glob(f"{PREFIX}*{UNFINISHED}"):
            with suppress(OSError):
                path.unlink()

    def _ours(self) -> Iterator[tuple[Path, str, int]]:
        for path in self._folder.glob(f"{PREFIX}*{SUFFIX}"):
            if named := NAME.fullmatch(path.name):
                yield path, named[1], int(named[2], 16)

    def fetch(self, client: Client, reading: Reading, reply: ExportsReply) -> Fetched:
        """Fetch a run's files, but for those that are here.

        Raises what ``download_into`` does, and ``BadRow`` for an empty file.
        """
        stop = reply.first_live
        if stop is None and reply.last_step is not None:
            stop = reply.last_step + 1
        urls = list(dict.fromkeys(reply.urls))
        addresses = [url.partition("?")[0] for url in urls]
        told = (reading.told, reply.first_live, reply.line_count, reply.last_step)
        fetched = Fetched([], 0, stop)
        size = 0
        try:
            for url, address in zip(urls, addresses, strict=True):
                # Where addresses do not tell a run's files apart, none is known again.
                about = (address if addresses.count(address) == 1 else url, reading.run_id, *told)
                path = self._fetch(client, url, about, reading.run_id)
                fetched.paths.append(str(path))
                size += path.stat().st_size
        except (Skip, UpstreamBroken):
            fetched.remove()
            raise
        return Fetched(fetched.paths, size, stop)

    def _fetch(self, client: Client, url: str, about: object, run_id: str) -> Path:
        digest = sha256(repr(about).encode(errors="surrogatepass")).hexdigest()
        key = f"{self._stem}-{digest[:32]}"
        if (left := self._left.pop(key, None)) is not None:
            path, checksum = left
            with suppress(OSError):
                if _checksum_of(path) == checksum:
                    return path
            path.unlink(missing_ok=True)
        with closing(_Arriving(self._folder, self._stem)) as arriving:
            download_into(client, url, arriving)
            if not arriving.size:
                raise BadRow(self._kind.plural, run_id, "an exported file is empty")
            return arriving.keep(key)

    def close(self, *, is_over: bool) -> None:
        """Remove all files where all is read; else leave them to the next sync."""
        if is_over:
            for path, key, _ in self._ours():
                if key.startswith(self._stem):
                    path.unlink(missing_ok=True)
        if self._temporary is not None:
            self._temporary.cleanup()


def remove_left(folder: Path, kind: Kind, project_id: str) -> None:
    """Remove what a sync that was killed left of a project: files, and windows of pages."""
    Journal(folder, kind, project_id, resumes=False).close(is_over=True)
    KeptFiles(folder, kind, project_id, resumes=False).close(is_over=True)


def _checksum_of(path: Path) -> int:
    checksum = 0
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            checksum = zlib.crc32(block, checksum)
    return checksum

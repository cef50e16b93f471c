"""Content by checksum: ``blobs/md5/ab/ab12…``. Whoever reads it copies it; nobody links to it.

Nothing here is synced to disk file by file, which would take longer than fetching small ones does:
after a power failure a file may be short, and a file of another size than upstream says counts as
not there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from secrets import token_hex
from typing import BinaryIO

from wandb_mirror.blobs.digest import Digest
from wandb_mirror.blobs.receiving import HashedFile
from wandb_mirror.blobs.writing import (
    copy_bytes,
    copy_early,
    fcntl,
    full_disk_in_our_words,
    place,
    replacing,
    write_whole,
)
from wandb_mirror.errors import WrongContent
from wandb_mirror.sink import Sink

PARTIAL, ASIDE = "partial", "aside"
"""Where content is received, and where it goes that is not what it should be."""


SMALL = 1 << 20
"""Content up to so many bytes is held in memory while it is fetched."""


@dataclass(frozen=True, slots=True)
class Held:
    """One content that is here."""

    digest: Digest
    size_bytes: int
    used_at: float
    """When it was fetched or last copied out, in epoch seconds."""


@dataclass(frozen=True, slots=True)
class Blobs:
    """The contents that one mirror holds, in a folder of their own."""

    folder: Path

    def path_of(self, digest: Digest) -> Path:
        """Return where content lies if it is here."""
        return self.folder / digest.algorithm / digest.hex[:2] / digest.hex

    def has(self, digest: Digest, size_bytes: int | None) -> bool:
        """Tell whether content is here, whole."""
        try:
            found = self.path_of(digest).stat().st_size
        except OSError:
            return False
        return size_bytes is None or found == size_bytes

    def receive(
        self,
        digest: Digest,
        size_bytes: int | None,
        fetch: Callable[[Sink], None],
        target: Path | None = None,
    ) -> bool:
        """Fetch content and keep it if it is what it should be.

        ``fetch`` goes on at the end of the file that it is given: it may hold the beginning, from
        an attempt that was stopped. Large content is copied to ``target`` too, if nothing is there,
        while its checksum is still computed; tells whether it is there. Raises ``WrongContent``
        after setting aside what came, ``DiskFull``, and what ``fetch`` raises.
        """
        partial = self._begun(digest)
        is_small = size_bytes is not None and size_bytes <= SMALL and not partial.exists()
        with full_disk_in_our_words(self.folder):
            if is_small:
                self._receive_small(digest, size_bytes, fetch)
                return False
            return self._receive_large(digest, size_bytes, fetch, target)

    def begun_bytes(self, digest: Digest) -> int:
        """Return how many bytes of content are here that is not whole yet."""
        try:
            return self._begun(digest).stat().st_size
        except OSError:
            return 0

    def _begun(self, digest: Digest) -> Path:
        return self.folder / PARTIAL / f"{digest.algorithm}-{digest.hex}"

    def _receive_small(
        self, digest: Digest, size_bytes: int | None, fetch: Callable[[Sink], None]
    ) -> None:
        """Fetch into memory: writing a file, reading it and renaming it takes longer."""
        buffer = BytesIO()
        fetch(buffer)
        content = buffer.getvalue()
        hasher = digest.hasher()
        hasher.update(content)
        if hasher.hexdigest() != digest.hex or size_bytes != len(content):
            aside = self._make(ASIDE) / f"{digest.algorithm}-{digest.hex}"
            aside.write_bytes(content)
            raise _wrong(len(content), aside)
        # begun among what is half here: what a killed process leaves there is not taken for content
        begun = self._make(PARTIAL) / f"{digest.algorithm}-{digest.hex}-{token_hex(8)}"
        write_whole(self.path_of(digest), content, 0o444, begun)

    def _receive_large(
        self,
        digest: Digest,
        size_bytes: int | None,
        fetch: Callable[[Sink], None],
        target: Path | None,
    ) -> bool:
        self._make(PARTIAL)
        with (
            self._open_partial(self._begun(digest)) as (file, path),
            HashedFile(file, digest) as hashed,
        ):
            fetch(hashed)
            copy = None if target is None else copy_early(file, target)
            try:
                self._settle(file, path, digest, size_bytes, hashed.finish())
                return copy is not None and target is not None and place(copy, target)
            finally:
                if copy is not None:
                    copy.unlink(missing_ok=True)

    def _settle(
        self, file: BinaryIO, path: Path, digest: Digest, size_bytes: int | None, found: str
    ) -> None:
        """Keep what was received, or set it aside; raises ``WrongContent``."""
        size = file.seek(0, os.SEEK_END)
        if found != digest.hex or size_bytes not in (None, size):
            aside = self._make(ASIDE) / path.name
            path.replace(aside)
            raise _wrong(size, aside)
        kept = self.path_of(digest)
        kept.parent.mkdir(parents=True, exist_ok=True)
        path.chmod(0o444)
        path.replace(kept)

    @contextmanager
    def _open_partial(self, path: Path) -> Iterator[tuple[BinaryIO, Path]]:
        """Open the file that content is received in; one of its own where that is in use."""
        with path.open("a+b", buffering=0) as file:
            if _claim(file, path):
                yield file, path
                return
        own = path.with_name(f"{path.name}-{token_hex(8)}")
        with own.open("x+b", buffering=0) as file:
            try:
                yield file, own
            finally:
                own.unlink(missing_ok=True)

    def _make(self, name: str) -> Path:
        made = self.folder / name
        made.mkdir(parents=True, exist_ok=True, mode=0o700)
        return made

    def put(self, digest: Digest, target: Path) -> None:
        """Copy content to a path, in one step as others see it.

        Raises ``FileNotFoundError`` where it is not here, ``DiskFull``.
        """
        source = self.path_of(digest)
        with full_disk_in_our_words(target.parent), source.open("rb", buffering=0) as content:
            if os.fstat(content.fileno()).st_size <= SMALL:
                write_whole(target, content.read(), 0o666)
            else:
                with replacing(target, 0o666) as copy:
                    copy_bytes(content, copy)
        with suppress(OSError):
            os.utime(source)

    def held(self) -> Iterator[Held]:
        """Yield every content that is here."""
        for algorithm in sorted(self.folder.glob("[!.]*")):
            if algorithm.name in (PARTIAL, ASIDE):
                continue
            for path in algorithm.glob("??/*"):
                found = path.stat()
                yield Held(Digest(algorithm.name, path.name), found.st_size, found.st_mtime)

    def loose_bytes(self, name: str) -> int:
        """Return the bytes of what is half here (``PARTIAL``), or set aside (``ASIDE``)."""
        return sum(path.stat().st_size for path in (self.folder / name).glob("*"))

    def clear_loose(self, before: float) -> None:
        """Remove what is half here or set aside and was last written before ``before``, in seconds.

        ``before`` counts from the epoch.
        """
        for name in (PARTIAL, ASIDE):
            for path in (self.folder / name).glob("*"):
                if path.stat().st_mtime < before:
                    path.unlink(missing_ok=True)

    def remove(self, digest: Digest) -> None:
        """Remove content; what is not here is no error."""
        self.path_of(digest).unlink(missing_ok=True)


def _wrong(size: int, aside: Path) -> WrongContent:
    return WrongContent(
        f"what came is not what its checksum says ({size} bytes); it lies in {aside}"
    )


def _claim(file: BinaryIO, path: Path) -> bool:
    """Tell whether a file that is open is ours alone, and still the one at its path."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(file.fileno()).st_ino == path.stat().st_ino
    except OSError:
        return False

"""Content by checksum: ``blobs/md5/ab/ab12…``. Whoever reads it copies it; nobody links to it.

Nothing here is synced to disk file by file, which would take longer than fetching small ones does:
after a power failure a file may be short, and a file of another size than upstream says counts as
not there.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, BinaryIO

from wandb_mirror.blobs.digest import BLOCK, Digest
from wandb_mirror.errors import DiskFull, WrongContent


def _find_fcntl() -> Any:
    """Return the module with locks and clones of files, None on a system that has neither."""
    try:
        return import_module("fcntl")
    except ImportError:
        return None


fcntl = _find_fcntl()
FICLONE = 0x40049409
"""``ioctl_ficlone(2)``: let two files share their blocks until one is written to."""
PARTIAL, ASIDE = "partial", "aside"
"""Where content is received, and where it goes that is not what it should be."""


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
        self, digest: Digest, size_bytes: int | None, fetch: Callable[[BinaryIO], None]
    ) -> None:
        """Fetch content and keep it if it is what it should be.

        ``fetch`` goes on at the end of the file that it is given: it may hold the beginning, from
        an attempt that was stopped. Raises ``WrongContent`` after setting aside what came,
        ``DiskFull``, and what ``fetch`` raises.
        """
        with full_disk_in_our_words(self.folder), self._open_partial(digest) as (file, path):
            fetch(file)
            file.flush()
            size = file.seek(0, os.SEEK_END)
            hasher = digest.hasher()
            file.seek(0)
            while block := file.read(BLOCK):
                hasher.update(block)
            if hasher.hexdigest() != digest.hex or size_bytes not in (None, size):
                aside = self._make(ASIDE) / path.name
                path.replace(aside)
                raise WrongContent(
                    f"what came is not what its checksum says ({size} bytes); it lies in {aside}"
                )
            kept = self.path_of(digest)
            kept.parent.mkdir(parents=True, exist_ok=True)
            path.chmod(0o444)
            path.replace(kept)

    @contextmanager
    def _open_partial(self, digest: Digest) -> Iterator[tuple[BinaryIO, Path]]:
        """Open the file that this content is received in; one of its own where that is in use."""
        path = self._make(PARTIAL) / f"{digest.algorithm}-{digest.hex}"
        with path.open("a+b") as file:
            if _claim(file, path):
                yield file, path
                return
        with NamedTemporaryFile(dir=path.parent, prefix=f"{path.name}-", delete=False) as own:
            try:
                yield own, Path(own.name)  # type: ignore[misc]
            finally:
                Path(own.name).unlink(missing_ok=True)

    def _make(self, name: str) -> Path:
        made = self.folder / name
        made.mkdir(parents=True, exist_ok=True, mode=0o700)
        return made

    def put(self, digest: Digest, target: Path) -> None:
        """Copy content to a path, in one step as others see it.

        Raises ``FileNotFoundError`` where it is not here, ``DiskFull``.
        """
        source = self.path_of(digest)
        with full_disk_in_our_words(target.parent), source.open("rb") as content:
            target.parent.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(dir=target.parent, prefix=".wandb-", delete=False) as copy:
                try:
                    _copy(content, copy)  # type: ignore[arg-type]
                    copy.close()
                    Path(copy.name).chmod(0o666 & ~_umask())
                    Path(copy.name).replace(target)
                except BaseException:
                    Path(copy.name).unlink(missing_ok=True)
                    raise
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

    def remove(self, digest: Digest) -> None:
        """Remove content; what is not here is no error."""
        self.path_of(digest).unlink(missing_ok=True)


@contextmanager
def full_disk_in_our_words(place: Path) -> Iterator[None]:
    """Make the system's error of a full disk ours."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise DiskFull(
            f"no space is left where {place} lies; make room and start again, it goes on from here"
        ) from error


def _claim(file: BinaryIO, path: Path) -> bool:
    """Tell whether a file that is open is ours alone, and still the one at its path."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(file.fileno()).st_ino == path.stat().st_ino
    except OSError:
        return False


def _copy(content: BinaryIO, copy: BinaryIO) -> None:
    """Copy bytes, or share them where the file system can."""
    try:
        fcntl.ioctl(copy.fileno(), FICLONE, content.fileno())
    except (OSError, AttributeError):
        shutil.copyfileobj(content, copy, BLOCK)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask

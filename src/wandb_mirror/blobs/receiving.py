"""A file that is written while its checksum is computed beside, on another core."""

from __future__ import annotations

import os
import threading
from typing import Any, BinaryIO, Self

from wandb_mirror.blobs.digest import BLOCK, Digest
from wandb_mirror.blobs.writing import write_all

PATIENCE_SECONDS = 0.5


class HashedFile:
    """What a download writes to: a file, followed by a thread that reads what was written.

    What the file holds at first is read too. Where it is cut off below what was read, the checksum
    begins anew. Used by one thread; a ``with`` ends the other.
    """

    def __init__(self, file: BinaryIO, digest: Digest) -> None:
        self._file = file
        self._digest = digest
        self._hasher: Any = digest.hasher()
        self._buffer = memoryview(bytearray(BLOCK))
        self._read = 0
        self._written = file.seek(0, os.SEEK_END)
        self._has_ended = False
        self._is_given_up = False
        self._error: BaseException | None = None
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._follow, name="checksum", daemon=True)

    def __enter__(self) -> Self:
        """Begin to follow."""
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None = None, *_: object) -> None:
        """Stop following, at once where the download failed."""
        with self._changed:
            self._has_ended = True
            self._is_given_up = kind is not None
            self._changed.notify()
        self._thread.join()

    def write(self, content: bytes | memoryview) -> int:
        """Append bytes."""
        count = write_all(self._file, content)
        with self._changed:
            self._written += count
            if self._written - self._read >= BLOCK:
                self._changed.notify()
        return count

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place in the file."""
        return self._file.seek(place, whence)

    def tell(self) -> int:
        """Return the place in the file."""
        return self._file.tell()

    def truncate(self) -> int:
        """Cut the file off here."""
        place = self._file.tell()
        with self._changed:
            self._file.truncate()
            if place < self._read:
                self._read, self._hasher = 0, self._digest.hasher()
            self._written = place
        return place

    def flush(self) -> None:
        """Do nothing: the file is not buffered."""

    def finish(self) -> str:
        """Return the checksum of all that was written, in hexadecimal; raises ``OSError``."""
        self.__exit__()
        if self._error is not None:
            raise self._error
        return str(self._hasher.hexdigest())

    def _follow(self) -> None:
        try:
            while self._read_on():
                pass
        except OSError as error:
            self._error = error

    def _read_on(self) -> bool:
        """Read a block if there is one, wait for one if there is not; False at the end."""
        with self._changed:
            start, hasher = self._read, self._hasher
            there = self._written - start
            if there < BLOCK and not self._has_ended:
                self._changed.wait(PATIENCE_SECONDS)
                return True
            if there <= 0 or self._is_given_up:
                return False
        part = self._buffer[: min(len(self._buffer), there)]
        count = os.preadv(self._file.fileno(), [part], start)
        hasher.update(part[:count])
        with self._changed:
            if hasher is self._hasher:  # else the file was cut off meanwhile
                self._read += count
            return count > 0 or not self._has_ended

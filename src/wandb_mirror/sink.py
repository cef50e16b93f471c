"""What bytes are received in: a file, or what stands for one."""

from __future__ import annotations

from typing import Protocol


class Sink(Protocol):
    """What bytes are written to; it may hold the beginning of them."""

    def write(self, content: bytes | memoryview, /) -> int:
        """Write at the place where we are; return how many bytes."""

    def seek(self, place: int, whence: int = 0, /) -> int:
        """Go to a place, and return it."""

    def truncate(self) -> int:
        """Cut off what comes after the place."""

    def flush(self) -> None:
        """Have what was written out of the process."""

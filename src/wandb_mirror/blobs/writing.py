"""Files that are there whole or not at all, and copies that share their blocks where they can."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from secrets import token_hex
from typing import Any, BinaryIO

from wandb_mirror.blobs.digest import BLOCK
from wandb_mirror.errors import DiskFull


def _find_fcntl() -> Any:
    """Return the module with locks and clones of files, None on a system that has neither."""
    try:
        return import_module("fcntl")
    except ImportError:
        return None


fcntl = _find_fcntl()
FICLONE = 0x40049409
"""``ioctl_ficlone(2)``: let two files share their blocks until one is written to."""
MOST_AT_ONCE = 64 << 20
"""Bytes that the system copies before we listen to signals again."""


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


def write_all(file: BinaryIO, content: bytes | memoryview) -> int:
    """Write bytes to a file that is not buffered, and return how many they are.

    A disk that is nearly full takes some of them, and says so the next time.
    """
    count = file.write(content)
    while count < len(content):
        count += file.write(memoryview(content)[count:])
    return count


def write_whole(target: Path, content: bytes, mode: int, begun: Path | None = None) -> None:
    """Write a file in one step as others see it; ``mode`` is what the umask leaves of it.

    ``begun`` is where it lies until it is whole, by default beside the target.
    """
    with replacing(target, mode, begun) as file:
        write_all(file, content)


@contextmanager
def replacing(target: Path, mode: int, begun: Path | None = None) -> Iterator[BinaryIO]:
    """Open a file that takes the target's place once it is whole."""
    path = _beside(target) if begun is None else str(begun)
    number = _create(path, mode)
    try:
        with open(number, "r+b", buffering=0) as file:  # noqa: PTH123  (it is open already)
            yield file
        try:
            os.replace(path, target)  # noqa: PTH105  (2,000 paths take their time)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(path, target)  # noqa: PTH105
    except BaseException:
        with suppress(OSError):
            os.unlink(path)  # noqa: PTH108
        raise


def _beside(target: Path) -> str:
    """Return a name for a file that is to become ``target``."""
    return f"{target.parent}{os.sep}.wandb-{token_hex(8)}"


def _create(path: str, mode: int) -> int:
    """Open a new file, in a folder that may be new too."""
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL
    try:
        return os.open(path, flags, mode)
    except FileNotFoundError:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        return os.open(path, flags, mode)


def copy_early(content: BinaryIO, target: Path) -> Path | None:
    """Copy what is not checked yet to a name beside its target; None where that cannot be.

    Whoever puts it there after the check will say why.
    """
    path = Path(_beside(target))
    try:
        with open(_create(str(path), 0o666), "r+b", buffering=0) as copy:
            content.seek(0)
            copy_bytes(content, copy)
    except BaseException as error:
        path.unlink(missing_ok=True)
        if not isinstance(error, OSError):
            raise
        return None
    return path


def place(copy: Path, target: Path) -> bool:
    """Give a copy its name, unless something has it meanwhile."""
    if os.path.lexists(target):
        return False
    try:
        copy.replace(target)
    except OSError:
        return False
    return True


def copy_bytes(content: BinaryIO, copy: BinaryIO) -> None:
    """Copy bytes, or share them where the file system can.

    Neither file is buffered. What the system does not copy by itself goes through our memory, which
    takes three times as long.
    """
    with suppress(OSError, AttributeError):
        fcntl.ioctl(copy.fileno(), FICLONE, content.fileno())
        return
    with suppress(OSError, AttributeError):  # it goes on below from where this ends
        while os.copy_file_range(content.fileno(), copy.fileno(), MOST_AT_ONCE):
            pass
    buffer = memoryview(bytearray(BLOCK))
    while count := content.readinto(buffer):  # type: ignore[attr-defined]
        write_all(copy, buffer[:count])

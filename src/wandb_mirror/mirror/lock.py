"""One sync at a time: a lock that a crash leaves nothing of.

The operating system drops it with the process that holds it. Who holds it stands in a file beside,
which is read only while the lock is held.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout

from wandb_mirror.errors import Locked

LOCK_NAME = "sync.lock"
HOLDER_NAME = "sync.holder.json"


@contextmanager
def hold_lock(folder: Path, purpose: str, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the mirror's lock; raises ``Locked``, naming the holder, when another process has it."""
    lock = FileLock(folder / LOCK_NAME)
    try:
        lock.acquire(timeout=wait_seconds)
    except Timeout as error:
        raise Locked(
            f"another process is working on {folder} ({describe_holder(folder)}); "
            "wait for it, or stop it"
        ) from error
    try:
        _write_holder(folder, purpose)
        yield
    finally:
        with suppress(OSError):
            (folder / HOLDER_NAME).unlink(missing_ok=True)
        lock.release()


def is_locked(folder: Path) -> bool:
    """Tell whether a process holds the lock now."""
    lock = FileLock(folder / LOCK_NAME)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def describe_holder(folder: Path) -> str:
    """Return who holds the lock, for people."""
    try:
        holder = json.loads((folder / HOLDER_NAME).read_text(encoding="utf-8"))
        return (
            f"{holder['purpose']}, process {holder['pid']} on {holder['host']}, "
            f"since {holder['since']}"
        )
    except (OSError, ValueError, KeyError, TypeError):
        return "holder unknown"


def _write_holder(folder: Path, purpose: str) -> None:
    """Say who holds the lock; not being able to say it stops nothing."""
    holder = {
        "purpose": purpose,
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    with suppress(OSError):
        (folder / HOLDER_NAME).write_text(json.dumps(holder), encoding="utf-8")

"""Whether edits wait, asked without SQLAlchemy: a cold command that reads has no time to import it.

Beside ``engine`` the one place that knows that the store is a SQLite file. Closing a second
connection is safe here: the library itself keeps the locks of its other connections.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from wandb_mirror.errors import CorruptFile

VERSION = "edits_version"
"""The fact that moves whenever readers are to see something else."""
BUSY_SECONDS = 30
NOT_OURS = ("SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM", "SQLITE_ERROR")
"""Beginnings of what SQLite says of a file that this user may not write beside, or that has no
outbox yet."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """How many cells were edited, and a number that moves with each change of them."""

    count: int = 0
    version: int = 0


def count_waiting(path: Path) -> Waiting:
    """Return how many edits there are in the store at ``path``.

    None where there is no store, or where this user may not read it: a published file that lies
    elsewhere is read by people who do not edit.
    """
    try:
        is_there = path.exists()
    except PermissionError:
        is_there = False
    if not is_there:
        return Waiting()
    try:
        with closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=BUSY_SECONDS)
        ) as connection:
            [(count, version)] = connection.execute(
                "SELECT (SELECT count(*) FROM edits), (SELECT value FROM facts WHERE name = ?)",
                [VERSION],
            ).fetchall()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "SQLITE_CANTOPEN").startswith(NOT_OURS):
            return Waiting()
        raise CorruptFile(
            f"{path} cannot be read: {error}; restore it from a backup, or move it away and sync"
        ) from error
    return Waiting(int(count), int(version or 0))

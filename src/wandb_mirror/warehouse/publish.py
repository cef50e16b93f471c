"""Put a copy of the warehouse where readers look, so that no reader ever sees half of one.

The order matters: no transaction is open, a checkpoint succeeds, no ``.wal`` is left, a child
process copies, copy and folder are on the disk, then the rename. A ``.wal`` beside the old
published file is a killed reader's: DuckDB would replay it onto the new one, so it goes first.
"""

from __future__ import annotations

import os
from pathlib import Path

from wandb_mirror.errors import CorruptFile
from wandb_mirror.warehouse.engine import CATALOG, Database, copy_file


def publish_copy(database: Database, target: Path, mode: int) -> None:
    """Copy the warehouse to ``target``, atomically."""
    database.run(f"CHECKPOINT {CATALOG}")
    wal = database.path.with_name(database.path.name + ".wal")
    if wal.exists() and wal.stat().st_size:
        raise CorruptFile(f"{wal} is left after a checkpoint; nothing was published")
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.new")
    copy_file(database.path, new)
    new.chmod(mode)
    sync_folder(target.parent)
    target.with_name(target.name + ".wal").unlink(missing_ok=True)
    new.replace(target)
    sync_folder(target.parent)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder durable, where the system can."""
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError:  # Windows opens no folders
        return
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

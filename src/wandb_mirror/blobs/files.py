"""Files of an object, and how they are put into a folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from wandb_mirror.blobs.blobs import Blobs
from wandb_mirror.blobs.digest import Digest
from wandb_mirror.errors import BadName


@dataclass(frozen=True, slots=True)
class FileOf:
    """One file of a run or of a version of an artifact, as upstream describes it."""

    name: str
    size_bytes: int | None
    digest: Digest | None
    """None where upstream names no checksum that we know: such a file cannot be kept."""
    reference: str | None = None
    """Where the bytes lie, if not with W&B."""

    def is_here(self, blobs: Blobs) -> bool:
        """Tell whether its bytes are in the mirror."""
        return self.digest is not None and blobs.has(self.digest, self.size_bytes)


@dataclass(slots=True)
class Placer:
    """Copies files that are here to where somebody wants them."""

    blobs: Blobs
    overwrites: bool = False
    _ours: dict[tuple[int, int], Path] = field(default_factory=dict)
    """The files put so far, as the file system knows them."""

    def note(self, target: Path) -> None:
        """Take a file that was put already for ours."""
        made = target.stat()
        self._ours[made.st_dev, made.st_ino] = target

    def put(self, file: FileOf, target: Path) -> bool:
        """Copy a file to its place; False where it is there already with the same content.

        Raises ``BadName`` where something else is there and is not to be overwritten, and where
        two names fall together on this file system; ``FileNotFoundError`` for what is not here.
        """
        if file.digest is None:
            raise FileNotFoundError(file.name)
        try:
            there = target.stat()
        except OSError:
            there = None
        if there is not None:
            other = self._ours.get((there.st_dev, there.st_ino), target)
            if other != target:
                raise BadName(
                    f"{target.name!r} and {other.name!r} are one file on this file system; choose "
                    "a folder on one that tells upper case from lower"
                )
            if there.st_size == file.size_bytes and file.digest.agrees(target):
                self._ours[there.st_dev, there.st_ino] = target
                return False
            if not self.overwrites:
                raise BadName(
                    f"{target} is there with other content; move it, choose another folder, or "
                    "overwrite it with --overwrite"
                )
        self.blobs.put(file.digest, target)
        self.note(target)
        return True

"""Bytes through ``Api``: handed out from the mirror, fetched first where it was opened online.

Names, defaults and folders are those of W&B's client (``wandb.Artifact.download`` and ``checkout``,
``ArtifactManifestEntry.download``, ``File.download`` of 0.31).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wandb_mirror.blobs.blobs import Blobs
from wandb_mirror.blobs.files import FileOf, Placer
from wandb_mirror.blobs.names import find_target, find_targets
from wandb_mirror.errors import BadName, NotDownloaded

ARTIFACT_DIR = "WANDB_ARTIFACT_DIR"
Fetch = Callable[[str, str, bool], Mapping[str, str]]
"""Fetches the files of an object: its path, a glob for their names, whether it is a run. Returns
what could not be had, by name."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """Where bytes are, and how more of them are had."""

    blobs: Blobs
    environ: Mapping[str, str] = field(default_factory=dict)
    fetch: Fetch | None = None
    """None for an ``Api`` that stays offline."""

    def default_root(self, name: str) -> str:
        """Return the folder that an artifact is put into, as the client names it.

        Raises ``BadName`` for a name that leads out of it.
        """
        base = Path(self.environ.get(ARTIFACT_DIR) or "artifacts").absolute()
        own = name.replace(":", "-") if os.name == "nt" else name
        return str(find_target(base, f"{own}/x").parent)

    def require(self, path: str, files: Sequence[FileOf], *, is_run: bool = False) -> None:
        """See to it that the bytes of some files are here; raises ``NotDownloaded``."""
        missing = [each for each in files if not each.is_here(self.blobs)]
        if missing and self.fetch is not None:
            glob = missing[0].name if len(missing) == 1 else "*"
            problems = self.fetch(path, _literally(glob), is_run)
            missing = [each for each in missing if not each.is_here(self.blobs)]
            if missing:
                why = next(iter(problems.values()), "upstream does not show it")
                raise NotDownloaded(f"{path}/{missing[0].name} cannot be had: {why}")
        if missing:
            command = f"wandb-mirror download {'--run-files ' if is_run else ''}{path}"
            raise NotDownloaded(
                f"{len(missing)} of {len(files)} files of {path} are not in this mirror, "
                f"{missing[0].name!r} among them; '{command}' fetches them"
            )

    def put(self, files: Sequence[FileOf], root: str | os.PathLike[str]) -> None:
        """Copy files that are here below a folder; what is there with other content is replaced.

        Raises ``BadName`` before anything is written.
        """
        targets = find_targets(Path(root), [each.name for each in files])
        placer = Placer(self.blobs, overwrites=True)
        for each, target in zip(files, targets, strict=True):
            placer.put(each, target)

    def path_in(self, root: str | os.PathLike[str], name: str) -> str:
        """Return where a file lies below a folder; raises ``BadName``."""
        return str(find_target(Path(root), name))


@dataclass(frozen=True, slots=True)
class HeldFile:
    """One file, and where its bytes are had from."""

    shelf: Shelf
    path: str
    """Of the object that it is of."""
    file: FileOf
    is_run: bool = False

    def put(self, root: str) -> str:
        """Copy it below a folder and return where it lies; raises ``NotDownloaded``."""
        self.shelf.require(self.path, [self.file], is_run=self.is_run)
        self.shelf.put([self.file], root)
        return self.shelf.path_in(root, self.file.name)

    def read(self) -> bytes | None:
        """Return its bytes where they are here."""
        if self.file.digest is None or not self.file.is_here(self.shelf.blobs):
            return None
        return self.shelf.blobs.path_of(self.file.digest).read_bytes()


def need_references(files: Sequence[FileOf], root: str, path: str) -> None:
    """Raise ``NotDownloaded`` where a file lies elsewhere and nobody has put it into the folder."""
    for each in files:
        if each.reference is not None and not _is_there(root, each.name):
            raise NotDownloaded(
                f"{path}/{each.name} lies at {each.reference}, not with W&B; "
                f"'wandb-mirror download {path} --to {root} --references' fetches it if it may, "
                "allow_missing_references=True does without"
            )


def _is_there(root: str, name: str) -> bool:
    try:
        return find_target(Path(root), name).exists()
    except BadName:
        return False


def _literally(name: str) -> str:
    """Return the glob that matches a name alone; ``*`` stays what it is."""
    if name == "*":
        return name
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)

"""What is in a version of an artifact: its files, by path (``wandb.sdk.artifacts``)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from wandb_mirror.api.contents import HeldFile, need_references
from wandb_mirror.api.generations import Generation, Generations
from wandb_mirror.api.refusals import UPLOADS, refused
from wandb_mirror.blobs.digest import Digest
from wandb_mirror.blobs.files import FileOf

NO_OWNER = "this entry belongs to no version; take it from one: artifact.get_entry(path)"
"""Said by a ``NotImplementedError``: that is what the real client raises for such an entry."""
ALGORITHM = "alg"
"""Under which an entry's ``extra`` says how its digest was made."""


class Owner(Protocol):
    """The version that a file is of."""

    _generations: Generations

    def _default_root(self, *, include_version: bool = True) -> str: ...

    @property
    def _path(self) -> str: ...


@dataclass
class ArtifactManifestEntry:
    """One file of an artifact."""

    path: str
    digest: str
    ref: str | None
    size: int | None
    extra: dict[str, object] = field(default_factory=dict)
    _owner: Owner | None = field(default=None, repr=False, compare=False)

    def as_file(self) -> FileOf:
        """Return it as a file that may be in the mirror."""
        algorithm = self.extra.get(ALGORITHM)
        known = Digest.read(self.digest, str(algorithm or ""))
        return FileOf(self.path, self.size, None if self.ref else known, self.ref)

    def held(self) -> HeldFile | None:
        """Return where its bytes are had from, None for an entry of no artifact."""
        owner = self._owner
        if owner is None:
            return None
        return HeldFile(owner._generations.shelf, owner._path, self.as_file())

    def download(
        self, root: str | None = None, skip_cache: bool | None = None, executor: object = None
    ) -> str:
        """Copy it below a folder, the artifact's own by default, and return its path.

        Raises ``NotDownloaded`` where its bytes are not in the mirror, ``BadName``.
        """
        del skip_cache, executor
        if self._owner is None:
            raise NotImplementedError(NO_OWNER)
        folder = root or self._owner._default_root()
        file = self.as_file()
        need_references([file], folder, self._owner._path)
        shelf = self._owner._generations.shelf
        if file.reference is None:
            shelf.require(self._owner._path, [file])
            shelf.put([file], folder)
        return shelf.path_in(folder, self.path)

    def parent_artifact(self) -> Any:
        """Return the artifact that it is of."""
        if self._owner is None:
            raise NotImplementedError(NO_OWNER)
        return self._owner

    @property
    def name(self) -> str:
        """The path."""
        return self.path

    def ref_target(self) -> str:
        """Return where a reference points; raises ``ValueError`` where it is a file."""
        if self.ref is None:
            raise ValueError("Only reference entries support ref_target().")
        return self.ref


@dataclass
class ArtifactManifest:
    """The files of an artifact."""

    entries: dict[str, ArtifactManifestEntry]

    add_entry = refused(UPLOADS)
    remove_entry = refused(UPLOADS)

    def get_entry_by_path(self, path: str) -> ArtifactManifestEntry | None:
        """Return the file at a path, None where there is none."""
        return self.entries.get(path)

    def get_entries_in_directory(self, directory: str) -> list[ArtifactManifestEntry]:
        """Return the files below a directory."""
        return [each for path, each in self.entries.items() if path.startswith(f"{directory}/")]

    def size(self) -> int:
        """Return the bytes of all files."""
        return sum(each.size or 0 for each in self.entries.values())

    def __len__(self) -> int:
        """Return how many files there are."""
        return len(self.entries)


def load_manifest(
    generation: Generation, artifact_id: str, owner: Owner | None = None
) -> ArtifactManifest:
    """Return the files of a version; raises ``NotMirrored`` where the file lacks the view."""
    rows = generation.live("artifact_files", "artifact_id = ? ORDER BY path", [artifact_id])
    return ArtifactManifest(
        {
            row["path"]: ArtifactManifestEntry(
                row["path"],
                row["digest"],
                row["reference"],
                row["size_bytes"],
                {ALGORITHM: found} if (found := row.get("digest_algorithm")) else {},
                owner,
            )
            for row in rows
        }
    )

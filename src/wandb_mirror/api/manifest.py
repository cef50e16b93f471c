"""What is in a version of an artifact: its files, by path (``wandb.sdk.artifacts``)."""

from __future__ import annotations

from dataclasses import dataclass, field

from wandb_mirror.api.generations import Generation
from wandb_mirror.api.refusals import BYTES, UPLOADS, refused


@dataclass
class ArtifactManifestEntry:
    """One file of an artifact."""

    path: str
    digest: str
    ref: str | None
    size: int | None
    extra: dict[str, object] = field(default_factory=dict)

    download = refused(BYTES)

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


def load_manifest(generation: Generation, artifact_id: str) -> ArtifactManifest:
    """Return the files of a version; raises ``NotMirrored`` where the file lacks the view."""
    rows = generation.live("artifact_files", "artifact_id = ? ORDER BY path", [artifact_id])
    return ArtifactManifest(
        {
            row["path"]: ArtifactManifestEntry(
                row["path"], row["digest"], row["reference"], row["size_bytes"]
            )
            for row in rows
        }
    )

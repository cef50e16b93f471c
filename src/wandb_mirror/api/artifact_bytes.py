"""The bytes of a version: the part of ``wandb.Artifact`` that downloads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb_mirror.api.contents import need_references
from wandb_mirror.api.generations import Generations
from wandb_mirror.api.manifest import ArtifactManifest
from wandb_mirror.api.refusals import BYTES, refused

SEVERAL = (
    "This artifact contains more than one file, call `.download()` to get "
    'all files or call .get_entry("filename").download()'
)


def _walk(folder: str) -> Iterator[tuple[str, Path]]:
    """Yield the files below a folder with their names there; links are not followed."""
    for place, _, names in os.walk(folder):
        for name in names:
            path = Path(place, name)
            yield path.relative_to(folder).as_posix(), path


class ArtifactBytes:
    """What downloads, mixed into ``Artifact``. Bytes that are not here raise ``NotDownloaded``."""

    get = refused(BYTES)
    __getitem__ = refused(BYTES)

    _generations: Generations
    manifest: Any
    name: Any
    source_name: Any
    source_qualified_name: Any
    qualified_name: Any

    def _default_root(self, *, include_version: bool = True) -> str:
        name = str(self.source_name)
        return self._generations.shelf.default_root(
            name if include_version else name.split(":", maxsplit=1)[0]
        )

    @property
    def _path(self) -> str:
        """The name by which its bytes are asked for."""
        return str(self.source_qualified_name)

    def download(
        self,
        root: str | os.PathLike[str] | None = None,
        allow_missing_references: bool = False,
        skip_cache: bool | None = None,
        path_prefix: str | os.PathLike[str] | None = None,
        multipart: bool | None = None,
    ) -> str:
        """Copy its files into a folder and return it: ``./artifacts/NAME:VERSION`` by default.

        Other files there stay as they are. Raises ``NotDownloaded`` where bytes are not in the
        mirror, ``BadName`` for a name that leads out of the folder.
        """
        del skip_cache, multipart
        folder = str(root or self._default_root())
        prefix = str(path_prefix or "")
        files = [
            each.as_file() for path, each in self._entries().items() if path.startswith(prefix)
        ]
        if not allow_missing_references:
            need_references(files, folder, self._path)
        kept = [each for each in files if each.reference is None]
        shelf = self._generations.shelf
        shelf.require(self._path, kept)
        Path(folder).mkdir(parents=True, exist_ok=True)
        shelf.put(kept, folder)
        return folder

    def _entries(self) -> Any:
        manifest: ArtifactManifest = self.manifest
        return manifest.entries

    def checkout(self, root: str | None = None) -> str:
        """Make a folder hold its files and no others: what is not in it is removed from there."""
        folder = root or self._default_root(include_version=False)
        entries = self._entries()
        shelf = self._generations.shelf
        shelf.require(self._path, [each.as_file() for each in entries.values() if each.ref is None])
        for name, path in _walk(folder):
            if name not in entries:
                path.unlink()
        return self.download(folder)

    def verify(self, root: str | None = None) -> None:
        """Check a folder against its manifest; raises ``ValueError`` where they differ.

        Nothing outside of the folder is read: a name that leads there is a ``BadName``.
        """
        folder = root or self._default_root()
        entries = self._entries()
        for name, found in _walk(folder):
            if name not in entries:
                raise ValueError(
                    f"Found file {found} which is not a member of artifact {self.name}"
                )
        for path, entry in entries.items():
            digest = entry.as_file().digest
            if entry.ref is not None:
                continue
            held = Path(self._generations.shelf.path_in(folder, path))
            if digest is None or not digest.agrees(held):
                raise ValueError(f"Digest mismatch for file: {path}")

    def file(self, root: str | None = None) -> str:
        """Copy its only file and return its path; raises ``ValueError`` where there are several."""
        entries = self._entries()
        if len(entries) > 1:
            raise ValueError(SEVERAL)
        [entry] = entries.values()
        return str(entry.download(root or str(Path("artifacts", str(self.name)))))

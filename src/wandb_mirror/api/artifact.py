"""One version of an artifact, as it stands in a collection (``wandb.Artifact``)."""

from __future__ import annotations

import urllib.parse
from functools import cached_property
from typing import Any

from wandb_mirror.api.artifact_bytes import ArtifactBytes
from wandb_mirror.api.artifact_edits import ArtifactEdits
from wandb_mirror.api.artifact_rows import load_memberships
from wandb_mirror.api.files import File
from wandb_mirror.api.generations import Generation, Generations, Row
from wandb_mirror.api.manifest import ArtifactManifest, ArtifactManifestEntry, load_manifest
from wandb_mirror.api.pages import Held
from wandb_mirror.api.refusals import (
    DELETES,
    EDITS,
    UPLOADS,
    refused,
    refused_property,
)


class Artifact(ArtifactBytes, ArtifactEdits):
    """A version of an artifact. What is set is local until ``save()`` queues it."""

    add = refused(UPLOADS)
    add_dir = refused(UPLOADS)
    add_file = refused(UPLOADS)
    add_reference = refused(UPLOADS)
    new_file = refused(UPLOADS)
    new_draft = refused(UPLOADS)
    remove = refused(UPLOADS)
    finalize = refused(UPLOADS)
    __setitem__ = refused(UPLOADS)
    get_added_local_path_name = refused(UPLOADS)
    delete = refused(DELETES)
    link = refused(EDITS)
    unlink = refused(EDITS)
    distributed_id = refused_property(UPLOADS)
    incremental = refused_property(UPLOADS)
    use_as = refused_property(UPLOADS)

    def __init__(
        self, generations: Generations, generation: Generation, row: Row, alias: str | None = None
    ) -> None:
        self._generations = generations
        self._generation = generation
        self._row = row
        self._alias = alias or row["version"]
        self._begin_edits()

    def _attribute(self, column: str) -> Any:
        return self._row[column]

    id = property(lambda self: self._attribute("artifact_id"), doc="Upstream's id of the version.")
    entity = property(lambda self: self._attribute("entity"), doc="Whose collection it is in.")
    project = property(lambda self: self._attribute("project"), doc="The collection's project.")
    version = property(lambda self: self._attribute("version"), doc="Its version here, like v3.")
    type = property(lambda self: self._attribute("type"), doc="Its type.")
    state = property(lambda self: self._state(), doc="Its state: COMMITTED, PENDING, …")
    commit_hash = property(lambda self: self._attribute("commit_hash"), doc="A short digest.")
    digest = property(lambda self: self._attribute("digest"), doc="The digest of its content.")
    size = property(lambda self: self._attribute("size_bytes"), doc="The bytes of its files.")
    file_count = property(lambda self: self._attribute("file_count"), doc="How many files it has.")
    created_at = property(lambda self: self._attribute("created_at"), doc="When it was made.")
    updated_at = property(lambda self: self._attribute("updated_at"), doc="When it last changed.")

    def _state(self) -> str:
        return str(self._row["state"]).upper()

    @property
    def name(self) -> str:
        """Collection, and the alias it was asked for by, else the version: ``model:v3``."""
        return f"{self._row['collection']}:{self._alias}"

    @property
    def history_step(self) -> int | None:
        """The step logged last before it, as the real client counts: one less than upstream's."""
        step = self._row["history_step"]
        return None if step is None else max(0, step - 1)

    @property
    def qualified_name(self) -> str:
        """Entity, project, collection and version."""
        return f"{self.entity}/{self.project}/{self.name}"

    @property
    def collection(self) -> Any:
        """The collection it was found in."""
        path = tuple(self._row[part] for part in ("entity", "project", "type", "collection"))
        return self._generations.make("collection", self._generation, *path)

    def _of_source(self, part: str) -> str:
        """Return a part of where it was logged; of where it is, on servers that do not say."""
        return str(self._row[f"source_{part}"] or self._row[part])

    @property
    def source_artifact(self) -> Artifact:
        """The version in the collection that it was logged into; itself where it is that."""
        if not self.is_link:
            return self
        for row in load_memberships(self._generation, [self.id]):
            if not row["is_link"]:
                return Artifact(self._generations, self._generation, row)
        # the project that it was logged into is not mirrored
        parts = ("entity", "project", "collection", "version")
        row = self._row | {part: self._of_source(part) for part in parts} | {"is_link": False}
        return Artifact(self._generations, self._generation, row)

    @property
    def source_entity(self) -> str:
        """Whose project it was logged into."""
        return self._of_source("entity")

    @property
    def source_project(self) -> str:
        """The project that it was logged into."""
        return self._of_source("project")

    @property
    def source_version(self) -> str:
        """Its version in the collection that it was logged into."""
        return self._of_source("version")

    @property
    def source_name(self) -> str:
        """Collection and version that it was logged as."""
        return f"{self._of_source('collection')}:{self.source_version}"

    @property
    def source_qualified_name(self) -> str:
        """Entity, project, collection and version that it was logged as."""
        return f"{self.source_entity}/{self.source_project}/{self.source_name}"

    @property
    def source_collection(self) -> Any:
        """The collection that it was logged into."""
        return self.source_artifact.collection

    @property
    def is_link(self) -> bool:
        """Whether this collection only links to it."""
        return bool(self._row["is_link"])

    @property
    def linked_at(self) -> str | None:
        """When it was linked to this collection, None where it was logged into it."""
        return self._row["joined_at"] if self.is_link else None

    @property
    def digest_algorithm(self) -> str:
        """How its digest is made: MANIFEST_MD5 where the server knows no other."""
        return self._row["digest_algorithm"] or "MANIFEST_MD5"

    @property
    def linked_artifacts(self) -> list[Artifact]:
        """Where else it is linked to; empty for a link."""
        if self.is_link:
            return []
        found = [
            Artifact(self._generations, self._generation, row)
            for row in load_memberships(self._generation, [self._row["artifact_id"]])
        ]
        return [each for each in found if each.is_link]

    @property
    def url(self) -> str:
        """Where people look at it."""
        quoted = [urllib.parse.quote(each) for each in (self.type, self._row["collection"])]
        return (
            f"{self._generation.app_url}{self.entity}/{self.project}/artifacts/"
            f"{'/'.join(quoted)}/{self.version}"
        )

    @cached_property
    def manifest(self) -> ArtifactManifest:
        """Its files by path."""
        return load_manifest(self._generation, self._row["artifact_id"], self)

    def files(
        self, names: list[str] | None = None, per_page: int = 50, start: str | None = None
    ) -> ArtifactFiles:
        """Return its files, or those of some names."""
        del start
        return ArtifactFiles(self, names, per_page)

    def get_entry(self, name: str) -> ArtifactManifestEntry:
        """Return one of its files; raises ``KeyError``."""
        entry = self.manifest.get_entry_by_path(name)
        if entry is None:
            raise KeyError(f"Path not contained in artifact: {name}")
        return entry

    get_path = get_entry

    def _runs(self, direction: str) -> list[Any]:
        rows = self._generation.live(
            "artifact_usage",
            "artifact_id = ? AND direction = ? ORDER BY entity, project, run_id",
            [self.id, direction],
        )
        return [
            self._generations.make(
                "run", self._generation, row["entity"], row["project"], row["run_id"]
            )
            for row in rows
        ]

    def used_by(self) -> list[Any]:
        """Return the runs that took it as input."""
        return self._runs("input")

    def logged_by(self) -> Any:
        """Return the run that made it, None where it is not known."""
        found = self._runs("output")
        return found[0] if found else None

    def is_draft(self) -> bool:
        """Return whether it is still being made: what is mirrored never is."""
        return False

    def wait(self, timeout: int | None = None) -> Artifact:
        """Return it at once: it is there."""
        del timeout
        return self

    def json_encode(self) -> dict[str, Any]:
        """Return how W&B writes it into a config."""
        return {
            "_type": "artifactVersion",
            "_version": "v0",
            "id": self.id,
            "version": self.source_version,
            "sequenceName": self.source_name.split(":", 1)[0],
            "usedAs": None,
        }

    def __repr__(self) -> str:
        """Return its id, as W&B's client does."""
        return f"<Artifact {self.id}>"


class ArtifactFiles(Held[File]):
    """The files of a version."""

    def __init__(
        self, artifact: Artifact, names: list[str] | None = None, per_page: int = 50
    ) -> None:
        self.artifact = artifact
        entries = artifact.manifest.entries.values()
        super().__init__(
            [
                File(
                    {
                        "id": None,
                        "name": entry.path,
                        "sizeBytes": entry.size,
                        "mimetype": None,
                        "md5": entry.digest,
                        "digest": entry.digest,
                        "updatedAt": None,
                    },
                    held=entry.held(),
                )
                for entry in entries
                if names is None or entry.path in names
            ],
            per_page,
        )

    @property
    def path(self) -> list[str]:
        """Entity, project and name of the artifact."""
        return [self.artifact.entity, self.artifact.project, self.artifact.name]

    def __repr__(self) -> str:
        """Return whose files they are, and how many."""
        return f"<ArtifactFiles {'/'.join(self.path)} ({len(self)})>"

"""Types, collections and lists of artifacts (``wandb.apis.public.artifacts``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from wandb_mirror.api.artifact import Artifact
from wandb_mirror.api.artifact_rows import load_memberships, load_versions
from wandb_mirror.api.generations import Generation, Generations, Row
from wandb_mirror.api.pages import Held
from wandb_mirror.api.refusals import DELETES, refused
from wandb_mirror.api.saving import Saver
from wandb_mirror.errors import BadEdit, NotMirrored
from wandb_mirror.jsontext import loads
from wandb_mirror.query.row_filters import filter_rows, sort_rows

COLLECTION_NAMES = {"name": "collection"}
VERSION_NAMES = {"size": "size_bytes", "id": "artifact_id"}
COMMITTED = {"state": "COMMITTED"}
"""The filter of W&B's client where none is given."""


class ArtifactCollection:
    """A collection of versions: a sequence that was logged, or a portfolio of links."""

    delete = refused(DELETES)

    def __init__(self, generations: Generations, generation: Generation, row: Row) -> None:
        self._generations = generations
        self._generation = generation
        self._row = row
        self.name = row["collection"]
        self.type = row["type"]
        self.description = row["description"]
        self.entity = row["entity"]
        self.project = row["project"]
        self.id = row.get("collection_id", row.get("storage_id"))
        self.created_at = row["created_at"]
        self.updated_at = row["updated_at"]
        self.tags: list[str] = loads(row["tags"]) if row.get("tags") else []
        self._saver = Saver(
            generations,
            generation,
            "artifact_collections",
            "p.entity = ? AND p.project = ? AND t.collection = ?",
            [self.entity, self.project, self.name],
        )
        self._saver.note(
            name=self.name, description=self.description, tags=self.tags, type=self.type
        )

    @cached_property
    def _place(self) -> Row:
        return self._generation.find_project(self.entity, self.project) or {}

    @property
    def project_id(self) -> str | None:
        """The id of its project that mutations take."""
        return self._place.get("storage_id")

    @property
    def project_internal_id(self) -> str | None:
        """The id that its project keeps when it is renamed."""
        return self._place.get("project_id")

    @cached_property
    def aliases(self) -> list[str]:
        """All aliases of its versions."""
        rows = self._generation.rows(
            "SELECT DISTINCT alias FROM main.artifact_aliases "
            "WHERE entity = ? AND project = ? AND collection = ? ORDER BY alias",
            [self.entity, self.project, self._row["collection"]],
        )
        return [row["alias"] for row in rows]

    def is_sequence(self) -> bool:
        """Return whether versions are logged into it; else it holds links."""
        return bool(self._row["is_sequence"])

    def artifacts(self, per_page: int = 50, start: str | None = None) -> Artifacts:
        """Return its versions, the newest first."""
        del start
        path = (self.entity, self.project, self._row["collection"])
        return Artifacts(self._generations, self._generation, path, self._row["type"], per_page)

    def change_type(self, new_type: str) -> None:
        """Queue another type; see ``save``."""
        self.type = new_type
        self.save()

    def save(self) -> None:
        """Queue what was edited, and nothing else; 'wandb-mirror push' sends it.

        Raises ``BadEdit``.
        """
        if self.type != self._row["type"] and not self.is_sequence():
            raise BadEdit(f"{self!r}: only a collection that runs log into has a type of its own")
        self._saver.save(
            {
                "name": self.name,
                "description": self.description,
                "tags": list(self.tags),
                "type": self.type,
            }
        )

    def __repr__(self) -> str:
        """Return its name and type."""
        return f"<ArtifactCollection {self.name} ({self.type})>"


def find_collection(
    generations: Generations,
    generation: Generation,
    entity: str,
    project: str,
    type_name: str,
    name: str,
) -> ArtifactCollection:
    """Return a collection; raises ``NotMirrored``."""
    rows = generation.live(
        "artifact_collections",
        "entity = ? AND project = ? AND type = ? AND collection = ?",
        [entity, project, type_name, name],
    )
    if not rows:
        raise NotMirrored(
            f"artifact collection {name!r} of type {type_name!r} is not in this mirror of "
            f"{entity}/{project}; 'wandb-mirror sync {entity}/{project}' fetches what is new"
        )
    return ArtifactCollection(generations, generation, rows[0])


class ArtifactCollections(Held[ArtifactCollection]):
    """Collections of a project, of one type or of all."""

    def __init__(
        self,
        generations: Generations,
        path: tuple[str, str],
        type_name: str | None = None,
        per_page: int = 50,
        *,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
    ) -> None:
        self.entity, self.project = path
        self.type_name = type_name
        generation = generations.current()
        generation.need_project(*path)
        if type_name is not None:
            ArtifactType(generations, path, type_name).load()
        rows = generation.live(
            "artifact_collections", "entity = ? AND project = ? ORDER BY created_at DESC", path
        )
        rows = [row for row in rows if type_name is None or row["type"] == type_name]
        found = sort_rows(filter_rows(rows, filters, COLLECTION_NAMES), order, COLLECTION_NAMES)
        super().__init__(
            [ArtifactCollection(generations, generation, row) for row in found], per_page
        )


class ArtifactType:
    """A type of artifacts in a project."""

    def __init__(self, generations: Generations, path: tuple[str, str], name: str) -> None:
        self._generations = generations
        self.entity, self.project = path
        self.type = name

    @property
    def name(self) -> str:
        """Its name."""
        return self.type

    @property
    def id(self) -> str:
        """The id that mutations take; raises ``NotMirrored``."""
        found = self.load()
        return str(found.get("storage_id", found.get("type_id")))

    def load(self) -> Row:
        """Return its row; raises ``NotMirrored``."""
        rows = self._generations.current().live(
            "artifact_types",
            "entity = ? AND project = ? AND type = ?",
            [self.entity, self.project, self.type],
        )
        if not rows:
            raise NotMirrored(
                f"artifact type {self.type!r} is not in this mirror of {self.entity}/"
                f"{self.project}; api.artifact_types() lists those that are, and the setting "
                "artifacts.skip_types leaves some out"
            )
        return rows[0]

    def collections(
        self,
        filters: Mapping[str, Any] | None = None,
        order: str | None = None,
        per_page: int = 50,
        start: str | None = None,
    ) -> ArtifactCollections:
        """Return its collections."""
        del start
        path = (self.entity, self.project)
        return ArtifactCollections(
            self._generations, path, self.type, per_page, filters=filters, order=order
        )

    def collection(self, name: str) -> ArtifactCollection:
        """Return one of its collections; raises ``NotMirrored``."""
        generation = self._generations.current()
        return find_collection(
            self._generations, generation, self.entity, self.project, self.type, name
        )

    def __repr__(self) -> str:
        """Return its name."""
        return f"<ArtifactType {self.type}>"


class ArtifactTypes(Held[ArtifactType]):
    """Types of artifacts in a project."""

    def __init__(self, generations: Generations, path: tuple[str, str], per_page: int = 50) -> None:
        self.entity, self.project = path
        generation = generations.current()
        generation.need_project(*path)
        rows = generation.live("artifact_types", "entity = ? AND project = ? ORDER BY type", path)
        super().__init__([ArtifactType(generations, path, row["type"]) for row in rows], per_page)


class Artifacts(Held[Artifact]):
    """Versions in a collection, the newest first unless an order says otherwise."""

    def __init__(
        self,
        generations: Generations,
        generation: Generation,
        path: tuple[str, str, str],
        type_name: str | None,
        per_page: int = 50,
        *,
        order: str | None = None,
        tags: Sequence[str] = (),
    ) -> None:
        self.entity, self.project, self.collection_name = path
        self.type = type_name
        self.order = order
        self.tags = list(tags)
        rows = load_versions(generation, *path, type_name)
        rows = [row for row in rows if str(row["state"]).upper() == COMMITTED["state"]]
        found = [
            Artifact(generations, generation, row) for row in sort_rows(rows, order, VERSION_NAMES)
        ]
        wanted = set(self.tags)
        super().__init__([each for each in found if wanted <= set(each.tags)], per_page)


class RunArtifacts(Held[Artifact]):
    """What a run took as input, or made."""

    def __init__(
        self,
        generations: Generations,
        generation: Generation,
        path: tuple[str, str, str],
        direction: str,
        per_page: int = 50,
    ) -> None:
        usage = generation.live(
            "artifact_usage",
            "entity = ? AND project = ? AND run_id = ? AND direction = ?",
            [*path, direction],
        )
        order = [row["artifact_id"] for row in usage]
        rows: dict[str, Row] = {}
        for row in load_memberships(generation, order):
            rows.setdefault(row["artifact_id"], row)
        super().__init__(
            [Artifact(generations, generation, rows[each]) for each in order if each in rows],
            per_page,
        )

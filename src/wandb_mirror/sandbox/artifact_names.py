"""What the names and ids of artifacts, collections and aliases stand for."""

from __future__ import annotations

from dataclasses import dataclass

from wandb_mirror.sandbox.artifacts import LATEST, Artifact, Collection, Membership
from wandb_mirror.sandbox.context import Context
from wandb_mirror.sandbox.objects import Project, decode_id, encode_id


@dataclass(frozen=True, slots=True)
class Alias:
    """A name of a version in a collection."""

    alias: str
    place: Membership

    @property
    def storage_id(self) -> str:
        """The opaque id."""
        return encode_id("ArtifactAlias", self.place.number, self.alias)


@dataclass(frozen=True, slots=True)
class ArtifactType:
    """A type, as one project knows it."""

    project: Project
    name: str

    @property
    def storage_id(self) -> str:
        """The opaque id."""
        return encode_id("ArtifactType", self.project.number, self.name)

    @property
    def collections(self) -> list[Collection]:
        """Its collections in that project."""
        return [each for each in self.project.collections.values() if each.type == self.name]


def find_membership(project: Project, name: str) -> Membership | None:
    """Return what ``collection:alias`` names in a project; without an alias, the latest."""
    collection_name, colon, alias = name.rpartition(":")
    if not colon:
        collection_name, alias = alias, LATEST
    collection = project.collections.get(collection_name)
    return None if collection is None else collection.find(alias)


def find_artifact(context: Context, storage_id: str) -> Artifact | None:
    """Return the version of an id, deleted or not, or None."""
    parts = decode_id(storage_id)
    if parts[:1] != ["Artifact"] or not parts[1].isdigit() or not context.is_known:
        return None
    found = context.world.shelf.artifacts.get(int(parts[1]))
    return None if found is None or found.sequence.project.is_hidden else found


def find_collection(context: Context, storage_id: str) -> Collection | None:
    """Return the collection of an id, or None."""
    parts = decode_id(storage_id)
    if len(parts) < 2 or not parts[1].isdigit() or not context.is_known:  # noqa: PLR2004
        return None
    found = context.world.shelf.collections.get(int(parts[1]))
    is_there = found is not None and not found.is_deleted and not found.project.is_hidden
    return found if is_there else None

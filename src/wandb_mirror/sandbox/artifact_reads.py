"""How the fields of artifacts and their collections are answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from wandb_mirror.sandbox.artifact_names import (
    Alias,
    ArtifactType,
    find_artifact,
    find_collection,
    find_membership,
)
from wandb_mirror.sandbox.artifacts import DELETED, INHERITS_TTL, Artifact, Collection, Membership
from wandb_mirror.sandbox.connections import Connection, Edge
from wandb_mirror.sandbox.context import page_of
from wandb_mirror.sandbox.filters import match_fields
from wandb_mirror.sandbox.objects import Project, Run, encode_id
from wandb_mirror.sandbox.problems import QueryProblem
from wandb_mirror.sandbox.projection import Ask, Resolve, constant, plain
from wandb_mirror.sandbox.stored_files import files_of_artifact, manifest_of, page_of_files

COLLECTION_FIELDS = {
    "name": "name",
    "type": "type",
    "description": "description",
    "tag": "tags",
    "createdAt": "created_at",
    "created_at": "created_at",
    "updatedAt": "updated_at",
    "updated_at": "updated_at",
}
VERSION_FIELDS = {
    "state": "state",
    "tag": "tags",
    "digest": "digest",
    "createdAt": "created_at",
    "created_at": "created_at",
    "updatedAt": "updated_at",
    "updated_at": "updated_at",
    "metadata": "metadata",
}


def _ordered(
    rows: Sequence[Any], order: str | None, fields: dict[str, str], *, default: str
) -> list[Any]:
    """Return rows in an order like ``-createdAt``."""
    wanted = order or default
    name = fields.get(wanted.lstrip("+-"))
    if name is None:
        raise QueryProblem(f"cannot order by {wanted}", status=400)
    return sorted(rows, key=lambda row: getattr(row, name), reverse=wanted.startswith("-"))


def collections_of(rows: Sequence[Collection], ask: Ask) -> Connection:
    """Return the page of collections that pass the filters."""
    match = match_fields(ask.get("filters"), COLLECTION_FIELDS)
    found = [each for each in rows if match(each)]
    return page_of(ask, _ordered(found, ask.get("order"), COLLECTION_FIELDS, default="created_at"))


def _types(project: Project, _ask: Ask) -> list[ArtifactType]:
    names = dict.fromkeys(each.type for each in project.collections.values())
    return [ArtifactType(project, name) for name in names]


def _type(project: Project, ask: Ask) -> ArtifactType | None:
    return next((each for each in _types(project, ask) if each.name == ask.get("name")), None)


def _artifact_named(project: Project, ask: Ask) -> Artifact | None:
    found = find_membership(project, ask.get("name"))
    return None if found is None else found.artifact


def _versions(collection: Collection, ask: Ask) -> Connection:
    """Return a page of versions; each edge says which version it is here."""
    match = match_fields(ask.get("filters"), VERSION_FIELDS)
    rows = [each for each in collection.live if match(each.artifact)]
    wanted = ask.get("order") or "-createdAt"
    if wanted.lstrip("+-") not in ("createdAt", "created_at", "versionIndex"):
        raise QueryProblem(f"cannot order by {wanted}", status=400)
    rows.sort(key=lambda each: each.version_index, reverse=wanted.startswith("-"))
    return page_of(ask, rows)


def _aliases_of(places: Sequence[Membership]) -> list[Alias]:
    return [Alias(alias, place) for place in places for alias in place.aliases]


def _artifact_aliases(artifact: Artifact, ask: Ask) -> list[Alias]:
    name = ask.get("artifactCollectionName")
    return [
        each
        for each in _aliases_of(artifact.memberships)
        if name is None or each.place.collection.name == name
    ]


def _version_index(artifact: Artifact, ask: Ask) -> int | None:
    place = artifact.membership_in(ask.get("artifactCollectionName"))
    return None if place is None else place.version_index


def _commit_hash(place: Membership | None) -> str | None:
    return None if place is None else place.artifact.digest[:20]


def _in_organization(entity: Any, ask: Ask) -> list[Collection]:
    """Return the collections of an entity's projects that pass the filters."""
    project_match = match_fields(ask.get("projectFilters"), {"name": "name", "id": "number"})
    kinds = ask.get("collectionTypes") or ["PORTFOLIO", "SEQUENCE"]
    return [
        collection
        for project in ask.context.world.projects
        if project.entity == entity.name and not project.is_hidden and project_match(project)
        for collection in project.collections.values()
        if ("SEQUENCE" if collection.is_sequence else "PORTFOLIO") in kinds
    ]


def _entity_memberships(entity: Any, ask: Ask) -> Connection:
    match = match_fields(ask.get("collectionFilters"), COLLECTION_FIELDS)
    match_version = match_fields(ask.get("filters"), VERSION_FIELDS)
    rows = [
        place
        for collection in _in_organization(entity, ask)
        if match(collection)
        for place in collection.live
        if match_version(place.artifact)
    ]
    return page_of(ask, rows)


def _nodes(pick: Callable[[Any], Sequence[Any]]) -> Resolve:
    """Return a resolver of a connection over what is picked of an object."""
    return lambda value, ask: page_of(ask, pick(value))


def _live(artifacts: Sequence[Artifact]) -> list[Artifact]:
    return [each for each in artifacts if each.state != DELETED]


PROJECT_ARTIFACTS: dict[str, Resolve] = {
    "artifact": _artifact_named,
    "artifactCollection": lambda project, ask: project.collections.get(ask.get("name")),
    "artifactCollectionMembership": lambda project, ask: find_membership(project, ask.get("name")),
    "artifactCollections": lambda project, ask: collections_of(
        list(project.collections.values()), ask
    ),
    "artifactType": _type,
    "artifactTypes": lambda project, ask: page_of(ask, _types(project, ask)),
    "allowAllArtifactTypesInRegistry": plain("allows_all_types"),
}
RUN_ARTIFACTS: dict[str, Resolve] = {
    "inputArtifacts": _nodes(lambda run: _live(run.inputs)),
    "outputArtifacts": _nodes(
        lambda run: [each for each in run.outputs if each.state != "DELETED"]
    ),
}
ENTITY_ARTIFACTS: dict[str, Resolve] = {
    "artifactCollections": lambda entity, ask: collections_of(_in_organization(entity, ask), ask),
    "artifactMemberships": _entity_memberships,
}
QUERY_ARTIFACTS: dict[str, Resolve] = {
    "artifact": lambda _root, ask: find_artifact(ask.context, ask.arguments["id"]),
    "artifactCollection": lambda _root, ask: find_collection(ask.context, ask.arguments["id"]),
}
_COLLECTION: dict[str, Resolve] = {
    "id": plain("storage_id"),
    "name": plain("name"),
    "aliases": _nodes(lambda collection: _aliases_of(collection.live)),
    "artifactMembership": lambda collection, ask: collection.find(ask.arguments["aliasName"]),
    "artifactMemberships": _nodes(lambda collection: collection.live[::-1]),
    "artifacts": _versions,
    "createdAt": plain("created_at"),
    "updatedAt": plain("updated_at"),
    "defaultArtifactType": lambda each, _ask: ArtifactType(each.project, each.type),
    "description": plain("description"),
    "project": plain("project"),
    "state": lambda collection, _ask: "DELETED" if collection.is_deleted else "READY",
    "tags": lambda collection, ask: page_of(ask, collection.tags),
}


def _used_by(artifact: Artifact, ask: Ask) -> Connection:
    runs: list[Run] = [run for run in artifact.used_by if run.deleted_at is None]
    return page_of(ask, runs)


ARTIFACT_READS: dict[str, dict[str, Resolve]] = {
    "ArtifactSequence": {
        **_COLLECTION,
        "latestArtifact": lambda each, _ask: each.live[-1].artifact if each.live else None,
    },
    "ArtifactPortfolio": _COLLECTION,
    "ArtifactType": {
        "id": plain("storage_id"),
        "name": plain("name"),
        "description": constant(None),
        "createdAt": lambda each, _ask: min(one.created_at for one in each.collections),
        "project": plain("project"),
        "artifact": lambda each, ask: _artifact_named(each.project, ask),
        "artifactCollection": lambda each, ask: next(
            (one for one in each.collections if one.name == ask.arguments["name"]), None
        ),
        "artifactCollections": lambda each, ask: collections_of(each.collections, ask),
    },
    "Artifact": {
        "id": plain("storage_id"),
        "aliases": _artifact_aliases,
        "artifactCollections": _nodes(
            lambda artifact: [place.collection for place in artifact.memberships]
        ),
        "artifactMemberships": _nodes(lambda artifact: artifact.memberships),
        "artifactSequence": plain("sequence"),
        "artifactType": lambda each, _ask: ArtifactType(each.sequence.project, each.sequence.type),
        "commitHash": lambda artifact, ask: _commit_hash(
            artifact.membership_in(ask.get("artifactCollectionName"))
        ),
        "createdAt": plain("created_at"),
        "createdBy": plain("created_by"),
        "currentManifest": lambda artifact, _ask: artifact,
        "description": plain("description"),
        "digest": plain("digest"),
        "fileCount": lambda artifact, _ask: len(artifact.entries),
        "historyStep": plain("history_step"),
        "labels": constant(None),
        "metadata": plain("metadata"),
        "size": plain("size"),
        "state": plain("state"),
        "storageBytes": plain("size"),
        "tags": plain("tags"),
        "ttlDurationSeconds": plain("ttl_seconds"),
        "ttlIsInherited": lambda artifact, _ask: artifact.ttl_seconds == INHERITS_TTL,
        "updatedAt": plain("updated_at"),
        "usedBy": _used_by,
        "usedCount": lambda artifact, _ask: len(artifact.used_by),
        "versionIndex": _version_index,
        "digestAlgorithm": constant("MANIFEST_MD5"),
        "files": lambda artifact, ask: page_of_files(files_of_artifact(artifact), ask),
    },
    "ArtifactManifest": {
        "id": lambda artifact, _ask: encode_id("ArtifactManifest", artifact.number),
        "artifact": lambda artifact, _ask: artifact,
        "createdAt": plain("created_at"),
        "digest": plain("digest"),
        "file": lambda artifact, _ask: manifest_of(artifact),
    },
    "ArtifactCollectionMembership": {
        "id": plain("storage_id"),
        "aliases": lambda place, _ask: _aliases_of([place]),
        "artifact": plain("artifact"),
        "artifactCollection": plain("collection"),
        "commitHash": lambda place, _ask: _commit_hash(place),
        "createdAt": plain("created_at"),
        "versionIndex": plain("version_index"),
        "files": lambda place, ask: page_of_files(files_of_artifact(place.artifact), ask),
    },
    "ArtifactAlias": {
        "id": plain("storage_id"),
        "alias": plain("alias"),
        "artifact": plain("place.artifact"),
        "artifactCollection": plain("place.collection"),
        "artifactCollectionName": plain("place.collection.name"),
    },
    "Tag": {
        "id": lambda tag, _ask: encode_id("Tag", tag),
        "name": lambda tag, _ask: tag,
        "attributes": constant("{}"),
        "tagCategoryName": constant("tags"),
    },
    "VersionedArtifactEdge": {
        "node": lambda edge, _ask: _artifact_at(edge),
        "version": lambda edge, _ask: f"v{edge.node.version_index}",
    },
    "InputArtifactEdge": {"usedAs": constant(())},
}


def _artifact_at(edge: Edge) -> Artifact | None:
    return None if edge.node is None else edge.node.artifact

"""The mutations of artifacts: aliases and tags come as differences, all else as whole values."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from wandb_mirror.sandbox.artifact_names import find_artifact, find_collection
from wandb_mirror.sandbox.artifacts import Artifact, Collection, Membership
from wandb_mirror.sandbox.context import Context
from wandb_mirror.sandbox.objects import Project
from wandb_mirror.sandbox.problems import QueryProblem
from wandb_mirror.sandbox.projection import Ask, Resolve

TAG = re.compile(r"[-\w]+( +[-\w]+)*")
LONGEST_NAME = 128
"""Characters of an alias and of a tag."""
MOST_TAGS = 20


def _given(ask: Ask) -> tuple[Context, Mapping[str, Any]]:
    context: Context = ask.context
    if not context.is_known:
        raise QueryProblem("permission denied")
    return context, ask.arguments["input"]


def _payload(given: Mapping[str, Any], **values: Any) -> dict[str, Any]:
    ids = {name: given.get(name) for name in ("clientMutationId", "clientMutationID")}
    return {**values, **ids}


def _artifact(context: Context, storage_id: str | None) -> Artifact:
    found = find_artifact(context, storage_id or "")
    if found is None or found.state == "DELETED":
        raise QueryProblem(f"could not find artifact {storage_id}")
    return found


def _own_artifact(context: Context, storage_id: str | None) -> Artifact:
    """Return a version of a project that takes edits from the viewer."""
    found = _artifact(context, storage_id)
    _check_rights(found.sequence.project)
    return found


def _check_rights(project: Project) -> None:
    if project.is_read_only:
        raise QueryProblem("permission denied")


def _collection(context: Context, storage_id: str | None) -> Collection:
    found = find_collection(context, storage_id or "")
    if found is None:
        raise QueryProblem(f"could not find artifact collection {storage_id}")
    _check_rights(found.project)
    return found


def _tag_names(tags: Sequence[Mapping[str, Any]] | None) -> list[str]:
    names = [tag["tagName"] for tag in tags or ()]
    for name in names:
        if len(name) > LONGEST_NAME or not TAG.fullmatch(name):
            raise QueryProblem(f"invalid tag {name!r}")
    return names


def _with_tags(tags: Sequence[str], add: Sequence[str], remove: Sequence[str]) -> list[str]:
    return [tag for tag in dict.fromkeys([*tags, *add]) if tag not in remove]


def _update_artifact(_root: Any, ask: Ask) -> dict[str, Any]:
    context, given = _given(ask)
    artifact = _own_artifact(context, given["artifactID"])
    values: dict[str, Any] = {}
    for name, field in (
        ("description", "description"),
        ("metadata", "metadata"),
        ("ttlDurationSeconds", "ttl_seconds"),
    ):
        if given.get(name) is not None:
            values[field] = given[name]
    if values.get("ttl_seconds", 1) not in (-1, -2) and values.get("ttl_seconds", 1) <= 0:
        raise QueryProblem(f"{values['ttl_seconds']} is no time to live")
    try:
        json.loads(values.get("metadata", "{}"))
    except ValueError as error:
        raise QueryProblem(f"metadata is not valid JSON: {error}") from error
    add, remove = _tag_names(given.get("tagsToAdd")), _tag_names(given.get("tagsToDelete"))
    if add or remove:
        values["tags"] = _with_tags(artifact.tags, add, remove)
    context.world.shelf.edit_artifact(artifact, **values)
    return _payload(given, artifact=artifact)


def _delete_artifact(_root: Any, ask: Ask) -> dict[str, Any]:
    context, given = _given(ask)
    artifact = _artifact(context, given["artifactID"])
    has_aliases = any(each.aliases for each in artifact.memberships)
    if has_aliases and not given.get("deleteAliases"):
        raise QueryProblem("artifact has aliases; delete them too, or move them first")
    context.world.shelf.delete_artifact(artifact)
    return _payload(given, artifact=artifact)


def _places(
    context: Context, artifact: Artifact, aliases: Sequence[Mapping[str, Any]]
) -> list[tuple[Membership, str]]:
    """Return where each alias is to stand; raises ``QueryProblem``."""
    places = []
    for each in aliases:
        project = context.world.find_project(each["entityName"], each["projectName"])
        name = each["artifactCollectionName"]
        collection = None if project is None else project.collections.get(name)
        place = None if collection is None else artifact.membership_in(collection)
        if place is None:
            raise QueryProblem(f"artifact is not in collection {name}")
        _check_rights(place.collection.project)
        if len(each["alias"]) > LONGEST_NAME or not each["alias"]:
            raise QueryProblem(f"invalid alias {each['alias']!r}")
        if each["alias"] in context.world.shelf.protected_aliases:
            raise QueryProblem(f"permission denied: alias {each['alias']} is protected")
        places.append((place, each["alias"]))
    return places


def _add_aliases(_root: Any, ask: Ask) -> dict[str, Any]:
    context, given = _given(ask)
    artifact = _artifact(context, given["artifactID"])
    for place, alias in _places(context, artifact, given["aliases"]):
        context.world.shelf.add_aliases(place, [alias])
    return _payload(given, success=True)


def _delete_aliases(_root: Any, ask: Ask) -> dict[str, Any]:
    context, given = _given(ask)
    artifact = _artifact(context, given["artifactID"])
    for place, alias in _places(context, artifact, given["aliases"]):
        context.world.shelf.remove_aliases(place, [alias])
    return _payload(given, success=True)


def _link_artifact(_root: Any, ask: Ask) -> dict[str, Any]:
    """Link a version into a portfolio, which is made where it is missing."""
    context, given = _given(ask)
    shelf = context.world.shelf
    artifact = _artifact(context, given.get("artifactID"))
    if given.get("artifactPortfolioID"):
        portfolio = _collection(context, given["artifactPortfolioID"])
    else:
        project = context.world.find_project(given.get("entityName"), given.get("projectName"))
        name = given.get("artifactPortfolioName")
        if project is None or not name:
            raise QueryProblem("could not find the project to link into")
        portfolio = project.collections.get(name) or shelf.create_collection(
            project, name, artifact.sequence.type, is_sequence=False
        )
    if portfolio.is_sequence:
        raise QueryProblem(f"{portfolio.name} is no portfolio")
    place = shelf.link(artifact, portfolio, [each["alias"] for each in given.get("aliases") or ()])
    return _payload(given, versionIndex=place.version_index, artifactMembership=place)


def _unlink_artifact(_root: Any, ask: Ask) -> dict[str, Any]:
    context, given = _given(ask)
    artifact = _artifact(context, given["artifactID"])
    context.world.shelf.unlink(artifact, _collection(context, given["artifactPortfolioID"]))
    return _payload(given, success=True, artifactID=artifact.storage_id)


def _use_artifact(_root: Any, ask: Ask) -> dict[str, Any]:
    context, given = _given(ask)
    artifact = _artifact(context, given["artifactID"])
    project = context.world.find_project(given["entityName"], given["projectName"])
    run = None if project is None else project.runs.get(given["runName"])
    if run is None:
        raise QueryProblem(f"could not find run {given['runName']}")
    context.world.shelf.use_artifact(artifact, run)
    return _payload(given, artifact=artifact)


def _update_collection(id_name: str) -> Resolve:
    def update(_root: Any, ask: Ask) -> dict[str, Any]:
        context, given = _given(ask)
        collection = _collection(context, given[id_name])
        values = {
            name: given[name] for name in ("name", "description") if given.get(name) is not None
        }
        taken = collection.project.collections.get(values.get("name", ""))
        if taken not in (None, collection):
            raise QueryProblem(f"artifact collection {values['name']} exists")
        context.world.shelf.edit_collection(collection, **values)
        return _payload(given, artifactCollection=collection)

    return update


def _move_sequence(_root: Any, ask: Ask) -> dict[str, Any]:
    context, given = _given(ask)
    collection = _collection(context, given["artifactSequenceID"])
    if not collection.is_sequence:
        raise QueryProblem(f"{collection.name} is no sequence")
    context.world.shelf.edit_collection(collection, type=given["destinationArtifactTypeName"])
    return _payload(given, artifactCollection=collection)


def _delete_collection(id_name: str) -> Resolve:
    def delete(_root: Any, ask: Ask) -> dict[str, Any]:
        context, given = _given(ask)
        collection = _collection(context, given[id_name])
        context.world.shelf.delete_collection(collection)
        return _payload(given, artifactCollection=collection)

    return delete


def _tag_collection(*, adds: bool) -> Resolve:
    def tag(_root: Any, ask: Ask) -> dict[str, Any]:
        context, given = _given(ask)
        project = context.world.find_project(given["entityName"], given["projectName"])
        name = given["artifactCollectionName"]
        collection = None if project is None else project.collections.get(name)
        if collection is None:
            raise QueryProblem(f"could not find artifact collection {name}")
        _check_rights(collection.project)
        names = _tag_names(given["tags"])
        if len(names) > MOST_TAGS:
            raise QueryProblem(f"at most {MOST_TAGS} tags at once")
        tags = _with_tags(collection.tags, names if adds else (), () if adds else names)
        context.world.shelf.edit_collection(collection, tags=tags)
        return _payload(given, tags=names, success=True)

    return tag


def _fields(*names: str) -> dict[str, Resolve]:
    return {name: lambda payload, _ask, name=name: payload.get(name) for name in names}  # type: ignore[misc]


ARTIFACT_MUTATIONS: dict[str, Resolve] = {
    "useArtifact": _use_artifact,
    "updateArtifact": _update_artifact,
    "deleteArtifact": _delete_artifact,
    "linkArtifact": _link_artifact,
    "unlinkArtifact": _unlink_artifact,
    "addAliases": _add_aliases,
    "deleteAliases": _delete_aliases,
    "updateArtifactSequence": _update_collection("artifactSequenceID"),
    "updateArtifactPortfolio": _update_collection("artifactPortfolioID"),
    "moveArtifactSequence": _move_sequence,
    "deleteArtifactSequence": _delete_collection("artifactSequenceID"),
    "deleteArtifactPortfolio": _delete_collection("artifactPortfolioID"),
    "createArtifactCollectionTagAssignments": _tag_collection(adds=True),
    "deleteArtifactCollectionTagAssignments": _tag_collection(adds=False),
}
_OWN = "clientMutationId"
ARTIFACT_PAYLOADS: dict[str, dict[str, Resolve]] = {
    "UseArtifactPayload": _fields("artifact", _OWN),
    "UpdateArtifactPayload": _fields("artifact", _OWN),
    "DeleteArtifactPayload": _fields("artifact", _OWN),
    "LinkArtifactPayload": _fields("versionIndex", "artifactMembership", _OWN),
    "UnlinkArtifactPayload": _fields("artifactID", "success", _OWN),
    "AddAliasesPayload": _fields("success", _OWN),
    "DeleteAliasesPayload": _fields("success", _OWN),
    "UpdateArtifactCollectionPayload": _fields("artifactCollection", _OWN),
    "MoveArtifactSequencePayload": _fields("artifactCollection", _OWN),
    "DeleteArtifactCollectionPayload": _fields("artifactCollection", _OWN),
    "CreateArtifactCollectionTagAssignmentsPayload": _fields("tags", "clientMutationID"),
    "DeleteArtifactCollectionTagAssignmentsPayload": _fields("success", "clientMutationID"),
}

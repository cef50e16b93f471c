"""How each field of the schema is answered.

A resolver takes an object and what the field is asked with; mutations are in ``writes.py``.
"""

from __future__ import annotations

from typing import Any

from wandb_mirror.sandbox.artifact_reads import (
    ARTIFACT_READS,
    ENTITY_ARTIFACTS,
    PROJECT_ARTIFACTS,
    QUERY_ARTIFACTS,
)
from wandb_mirror.sandbox.connections import Connection, make_cursor
from wandb_mirror.sandbox.context import COUNTING, Context, page_of
from wandb_mirror.sandbox.filters import match_fields
from wandb_mirror.sandbox.objects import Entity, Organization, Project, Run, User
from wandb_mirror.sandbox.people_reads import (
    ENTITY_PEOPLE,
    PEOPLE_READS,
    PROJECT_PEOPLE,
    QUERY_PEOPLE,
    USER_PEOPLE,
)
from wandb_mirror.sandbox.projection import Ask, Resolve, constant, plain
from wandb_mirror.sandbox.stored_files import FILE_READS
from wandb_mirror.sandbox.sweep_reads import PROJECT_SWEEPS, SWEEP_READS

SERVER_VERSION = "0.84.0"


def _viewer(_root: Any, ask: Ask) -> User | None:
    context: Context = ask.context
    return context.world.viewer if context.is_known else None


def _project(_root: Any, ask: Ask) -> Project | None:
    context: Context = ask.context
    if not context.is_known:
        return None
    entity = ask.get("entityName") or context.world.viewer.entity
    return context.world.find_project(entity, ask.get("name"))


def _projects(_root: Any, ask: Ask) -> Connection | None:
    context: Context = ask.context
    if not context.is_known:
        return None
    return _entity_projects(ask.get("entityName") or context.world.viewer.entity, ask)


def _entity_projects(entity: str, ask: Ask) -> Connection:
    projects = [
        project
        for project in ask.context.world.projects
        if project.entity == entity and not project.is_hidden
    ]
    match = match_fields(ask.get("filters"), {"name": "name", "id": "number"})
    projects = list(filter(match, projects))
    if ask.get("order"):
        is_descending = str(ask.get("order")).startswith("-")
        projects.sort(key=lambda project: project.created_at, reverse=is_descending)
    return page_of(ask, projects)


def _entity(_root: Any, ask: Ask) -> Entity | None:
    context: Context = ask.context
    if not context.is_known:
        return None
    return context.world.entities.get(ask.get("name") or context.world.viewer.entity)


def _teams(user: User, ask: Ask) -> Connection:
    entities = ask.context.world.entities.values()
    return page_of(ask, [each for each in entities if each.is_team and user in each.members])


def _organizations(user: User, ask: Ask) -> list[Organization]:
    return [
        each
        for each in ask.context.world.shelf.organizations.values()
        if any(user in team.members for team in each.teams)
    ]


def _runs(project: Project, ask: Ask) -> Connection:
    context: Context = ask.context
    return page_of(ask, context.selections.load(ask, project, ask.get("order") or ""))


def _run_count(project: Project, ask: Ask) -> int:
    return len(ask.context.selections.load(ask, project, COUNTING))


def _run(project: Project, ask: Ask) -> Run | None:
    run = project.runs.get(ask.get("name") or "")
    return None if run is None or run.deleted_at is not None else run


def _server_features(_root: Any, ask: Ask) -> list[tuple[str, bool]]:
    return [(name, True) for name in sorted(ask.context.behaviour.features)]


READS: dict[str, dict[str, Resolve]] = {
    **SWEEP_READS,
    **ARTIFACT_READS,
    **FILE_READS,
    **PEOPLE_READS,
    "Query": {
        **QUERY_ARTIFACTS,
        **QUERY_PEOPLE,
        "organization": lambda _root, ask: ask.context.world.shelf.organizations.get(
            ask.get("name") if ask.context.is_known else None
        ),
        "viewer": _viewer,
        "entity": _entity,
        "project": _project,
        "model": _project,
        "projects": _projects,
        "models": _projects,
        "serverInfo": constant("server"),
    },
    "ServerInfo": {
        "cliVersionInfo": constant({"max_cli_version": "0.31.0"}),
        "latestLocalVersionInfo": constant("version"),
        "features": _server_features,
    },
    "LocalVersionInfo": {
        "outOfDate": constant(False),
        "latestVersionString": constant(SERVER_VERSION),
        "versionOnThisInstanceString": constant(SERVER_VERSION),
    },
    "ServerFeature": {
        "name": lambda feature, _ask: feature[0],
        "isEnabled": lambda feature, _ask: feature[1],
    },
    "Entity": {
        "id": plain("storage_id"),
        "name": plain("name"),
        "isTeam": plain("is_team"),
        "entityType": plain("form"),
        "photoUrl": constant(None),
        "readOnly": constant(False),
        "organization": plain("organization"),
        "user": lambda entity, _ask: None if entity.is_team else entity.members[0],
        **ENTITY_ARTIFACTS,
        **ENTITY_PEOPLE,
        "project": lambda entity, ask: ask.context.world.find_project(entity.name, ask.get("name")),
        "projects": lambda entity, ask: _entity_projects(entity.name, ask),
        "projectCount": lambda entity, ask: sum(
            project.entity == entity.name and not project.is_hidden
            for project in ask.context.world.projects
        ),
    },
    "Organization": {
        "id": plain("storage_id"),
        "name": plain("name"),
        "orgEntity": plain("entity"),
        "coreWeaveOrganizationId": constant(None),
    },
    "User": {
        "id": plain("storage_id"),
        "name": plain("name"),
        "username": plain("username"),
        "email": plain("email"),
        "admin": plain("is_admin"),
        "photoUrl": constant(None),
        "deletedAt": constant(None),
        "createdAt": plain("created_at"),
        "accountType": constant("USER"),
        "flags": constant("{}"),
        "entity": plain("entity"),
        "defaultEntity": lambda user, ask: ask.context.world.entities.get(user.entity),
        **USER_PEOPLE,
        "teams": _teams,
        "organizations": _organizations,
    },
    "Project": {
        "id": plain("storage_id"),
        "internalId": plain("internal_id"),
        "name": plain("name"),
        "entityName": plain("entity"),
        "entity": lambda project, ask: ask.context.world.entities[project.entity],
        "description": plain("description"),
        "access": plain("access"),
        "createdAt": plain("created_at"),
        "updatedAt": plain("updated_at"),
        "isBenchmark": constant(False),
        "readOnly": plain("is_read_only"),
        "user": plain("owner"),
        "totalRuns": lambda project, _ask: len(project.live_runs),
        **PROJECT_SWEEPS,
        **PROJECT_ARTIFACTS,
        **PROJECT_PEOPLE,
        "runCount": _run_count,
        "run": _run,
        "bucket": _run,
        "runs": _runs,
    },
    "PageInfo": {
        "endCursor": plain("end_cursor"),
        "hasNextPage": plain("has_next"),
        "hasPreviousPage": lambda page, _ask: page.start > 0,
        "startCursor": lambda page, _ask: make_cursor(page.edges[0].place) if page.edges else None,
    },
}
for _name in (
    "Project", "Run", "Entity", "ApiKey", "Sweep", "Agent", "File", "Artifact", "InputArtifact",
    "VersionedArtifact", "ArtifactCollection", "ArtifactCollectionMembership", "ArtifactType",
    "ArtifactAlias", "Tag", "View", "User", "Integration", "Trigger",
):  # fmt: skip
    READS[f"{_name}Connection"] = {
        "edges": plain("edges"),
        "pageInfo": lambda page, _ask: page,
        "totalCount": plain("total"),
    }
    READS[f"{_name}Edge"] = {
        "node": plain("node"),
        "cursor": lambda edge, _ask: make_cursor(edge.place),
        **READS.get(f"{_name}Edge", {}),
    }

"""How each field of the schema is answered.

A resolver takes an object and what the field is asked with; mutations are in ``writes.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wandb_mirror.sandbox.connections import Connection, make_cursor, make_page
from wandb_mirror.sandbox.context import COUNTING, Context
from wandb_mirror.sandbox.objects import Entity, Project, Run, User, encode_id
from wandb_mirror.sandbox.projection import Ask, Resolve, constant, plain

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


def _page(ask: Ask, rows: Sequence[Any]) -> Connection:
    context: Context = ask.context
    return make_page(
        rows,
        first=ask.get("first"),
        after=ask.get("after"),
        max_page=context.behaviour.max_page,
        tricks=context.tricks,
    )


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
    if ask.get("order"):
        is_descending = str(ask.get("order")).startswith("-")
        projects.sort(key=lambda project: project.created_at, reverse=is_descending)
    return _page(ask, projects)


def _entity(_root: Any, ask: Ask) -> Entity | None:
    context: Context = ask.context
    if not context.is_known:
        return None
    return context.world.entities.get(ask.get("name") or context.world.viewer.entity)


def _teams(user: User, ask: Ask) -> Connection:
    entities = ask.context.world.entities.values()
    return _page(ask, [each for each in entities if each.is_team and user in each.members])


def _runs(project: Project, ask: Ask) -> Connection:
    context: Context = ask.context
    return _page(ask, context.selections.load(ask, project, ask.get("order") or ""))


def _run_count(project: Project, ask: Ask) -> int:
    return len(ask.context.selections.load(ask, project, COUNTING))


def _run(project: Project, ask: Ask) -> Run | None:
    run = project.runs.get(ask.get("name") or "")
    return None if run is None or run.deleted_at is not None else run


def _server_features(_root: Any, _ask: Ask) -> list[tuple[str, bool]]:
    return []


READS: dict[str, dict[str, Resolve]] = {
    "Query": {
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
        "entityType": lambda entity, _ask: "team" if entity.is_team else "user",
        "photoUrl": constant(None),
        "readOnly": constant(False),
        "organization": lambda entity, _ask: entity if entity.is_team else None,
        "project": lambda entity, ask: ask.context.world.find_project(entity.name, ask.get("name")),
        "projects": lambda entity, ask: _entity_projects(entity.name, ask),
        "projectCount": lambda entity, ask: sum(
            project.entity == entity.name and not project.is_hidden
            for project in ask.context.world.projects
        ),
    },
    "Organization": {
        "id": lambda entity, _ask: encode_id("Organization", entity.number),
        "name": plain("name"),
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
        "apiKeys": constant(Connection((), 0, 0, has_next=False, end_cursor=None)),
        "teams": _teams,
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
        "totalSweeps": constant(0),
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
for _name in ("ProjectConnection", "RunConnection", "EntityConnection", "ApiKeyConnection"):
    READS[_name] = {
        "edges": plain("edges"),
        "pageInfo": lambda page, _ask: page,
        "totalCount": plain("total"),
    }
for _name in ("ProjectEdge", "RunEdge", "EntityEdge", "ApiKeyEdge"):
    READS[_name] = {
        "node": plain("node"),
        "cursor": lambda edge, _ask: make_cursor(edge.place),
    }
READS["ApiKey"] = {"id": constant(None), "name": constant(None), "description": constant(None)}

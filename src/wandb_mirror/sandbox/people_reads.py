"""How the fields of reports, members, automations and integrations are answered."""

from __future__ import annotations

from typing import Any

from wandb_mirror.sandbox.connections import Connection
from wandb_mirror.sandbox.context import Context, page_of
from wandb_mirror.sandbox.objects import (
    Entity,
    Organization,
    Project,
    User,
    decode_id,
    encode_id,
)
from wandb_mirror.sandbox.people import PLANTED, REPORT, Member, Report, members_of
from wandb_mirror.sandbox.problems import QueryProblem
from wandb_mirror.sandbox.projection import Ask, Resolve, constant, plain
from wandb_mirror.sandbox.shelf import REGISTRY_PREFIX
from wandb_mirror.sandbox.world import World


def _views(project: Project, ask: Ask) -> Connection:
    context: Context = ask.context
    wanted, name = ask.get("viewType") or REPORT, ask.get("viewName")
    rows = [
        report
        for report in context.world.arrangements.reports.values()
        if report.project is project and report.type == wanted and name in (None, report.title)
    ]
    return page_of(ask, rows)


def _views_by_id(_root: Any, ask: Ask) -> Connection:
    context: Context = ask.context
    wanted = set(ask.arguments["ids"])
    reports = context.world.arrangements.reports.values() if context.is_known else ()
    rows = [each for each in reports if each.storage_id in wanted and not each.project.is_hidden]
    return page_of(ask, rows)


def _integrations(entity: Entity, ask: Ask) -> Connection:
    rows = ask.context.world.arrangements.integrations.values()
    return page_of(ask, [each for each in rows if each.entity is entity])


def _entity_automations(entity: Entity, ask: Ask) -> Connection:
    """Return the automations of an entity, those of its projects and their collections too."""
    rows = []
    for each in ask.context.world.arrangements.automations.values():
        place = each.scope
        owner = place if isinstance(place, Project) else getattr(place, "project", None)
        if place is entity or (owner is not None and owner.entity == entity.name):
            rows.append(each)
    return page_of(ask, rows)


def _users(_root: Any, ask: Ask) -> Connection:
    """Return users by the beginning of their name or mail address."""
    context: Context = ask.context
    wanted = ask.get("query") or ""
    rows = [
        user
        for user in context.world.users
        if context.is_known and (user.username.startswith(wanted) or user.email == wanted)
    ]
    return page_of(ask, rows)


def _api_keys(user: User, ask: Ask) -> Connection:
    """Return keys of a user: nobody who mirrors has any business with them."""
    return page_of(ask, [f"{PLANTED}-user-{user.number}"])


def _delete_automation(_root: Any, ask: Ask) -> dict[str, Any]:
    context: Context = ask.context
    if not context.is_known:
        raise QueryProblem("permission denied")
    given = ask.arguments["input"]
    number = decode_id(given["triggerID"])[1:]
    arranged = context.world.arrangements
    for automation in list(arranged.automations.values()):
        if [str(automation.number)] == number:
            arranged.delete_automation(automation)
            return {"success": True, "clientMutationId": given.get("clientMutationId")}
    raise QueryProblem(f"could not find automation {given['triggerID']}")


def _upsert_view(_root: Any, ask: Ask) -> dict[str, Any]:
    """Change the fields of a report that are given, each as a whole; the absent ones stay."""
    context: Context = ask.context
    given = ask.arguments["input"]
    reports = context.world.arrangements.reports.values() if context.is_known else ()
    for report in reports:
        if report.storage_id == given.get("id") and not report.project.is_hidden:
            if report.project.is_read_only:
                raise QueryProblem("permission denied")
            names = {"displayName": "title", "description": "description", "spec": "spec"}
            values = {names[name]: given[name] for name in names if given.get(name) is not None}
            context.world.arrangements.edit_report(report, **values)
            return {"view": report, "inserted": False, **_own_id(given)}
    raise QueryProblem(f"could not find view {given.get('id')}")


def _own_id(given: Any) -> dict[str, Any]:
    return {"clientMutationId": given.get("clientMutationId")}


def _registry_users(project: Project, world: World) -> list[Member]:
    """Return who has a role of their own in a registry; nobody has in other projects."""
    found = _organization_of(project, world)
    return [] if found is None else members_of(found.teams[0])[:2]


def _registry_teams(project: Project, world: World) -> list[Entity]:
    found = _organization_of(project, world)
    return [] if found is None else found.teams


def _organization_of(project: Project, world: World) -> Organization | None:
    if not project.name.startswith(REGISTRY_PREFIX):
        return None
    return world.entities[project.entity].organization


QUERY_PEOPLE: dict[str, Resolve] = {"views": _views_by_id, "users": _users}
PROJECT_PEOPLE: dict[str, Resolve] = {
    "allViews": _views,
    "members": lambda project, ask: _registry_users(project, ask.context.world),
    "teamMembers": lambda project, ask: _registry_teams(project, ask.context.world),
    "triggers": lambda project, ask: ask.context.world.arrangements.automations_of(project),
}
ENTITY_PEOPLE: dict[str, Resolve] = {
    "members": lambda entity, _ask: members_of(entity),
    "integrations": _integrations,
    "triggers": _entity_automations,
    "available": constant(False),
    "readOnlyAdmin": constant(False),
    "privateOnly": constant(False),
    "storageBytes": constant(0),
    "codeSavingEnabled": constant(True),
    "defaultAccess": constant("PRIVATE"),
    "isPaid": constant(True),
    "limits": constant("{}"),
}
USER_PEOPLE: dict[str, Resolve] = {"apiKeys": _api_keys}
PEOPLE_WRITES: dict[str, Resolve] = {
    "deleteTrigger": _delete_automation,
    "upsertView": _upsert_view,
}


def _project_of(report: Report, _ask: Ask) -> Project:
    return report.project


PEOPLE_READS: dict[str, dict[str, Resolve]] = {
    "View": {
        "id": plain("storage_id"),
        "name": plain("title"),
        "displayName": plain("title"),
        "description": plain("description"),
        "type": plain("type"),
        "spec": plain("spec"),
        "user": plain("user"),
        "createdAt": plain("created_at"),
        "updatedAt": plain("updated_at"),
        "project": _project_of,
        "projectName": plain("project.name"),
        "entityName": plain("project.entity"),
    },
    "Member": {
        "id": lambda member, _ask: encode_id("Member", member.user.number),
        "role": plain("role"),
        "username": plain("user.username"),
        "name": plain("user.name"),
        "email": plain("user.email"),
        "admin": lambda member, _ask: member.role == "admin",
        "pending": constant(False),
        "photoUrl": constant(None),
        "accountType": constant("USER"),
        "apiKey": plain("api_key"),
    },
    "ProjectMember": {
        "id": lambda member, _ask: encode_id("User", member.user.number),
        "username": plain("user.username"),
        "name": plain("user.name"),
        "email": plain("user.email"),
        "role": plain("role"),
    },
    "ProjectTeamMember": {"team": lambda team, _ask: team, "role": constant("member")},
    "Role": {"name": lambda role, _ask: role},
    "ApiKey": {
        "id": lambda key, _ask: encode_id("ApiKey", key),
        "name": lambda key, _ask: key,
        "description": constant(None),
    },
    "SlackIntegration": {
        "id": plain("storage_id"),
        "teamName": plain("name"),
        "channelName": plain("target"),
    },
    "GenericWebhookIntegration": {
        "id": plain("storage_id"),
        "name": plain("name"),
        "urlEndpoint": plain("target"),
        "accessTokenRef": plain("access_token_ref"),
        "secretRef": plain("secret_ref"),
    },
    "Trigger": {
        "id": plain("storage_id"),
        "createdAt": plain("created_at"),
        "createdBy": plain("created_by"),
        "updatedAt": plain("updated_at"),
        "name": plain("name"),
        "description": plain("description"),
        "enabled": plain("is_enabled"),
        "scope": plain("scope"),
        "triggeringCondition": plain("event"),
        "triggeredAction": plain("action"),
    },
    "FilterEventTriggeringCondition": {
        "eventType": plain("event_type"),
        "filter": plain("filter"),
    },
    "NotificationTriggeredAction": {
        "integration": plain("integration"),
        "title": plain("title"),
        "message": plain("message"),
        "severity": constant("INFO"),
    },
    "GenericWebhookTriggeredAction": {
        "integration": plain("integration"),
        "requestPayload": plain("payload"),
    },
    "NoOpTriggeredAction": {"noOp": constant(True)},
    "ARIATriggeredAction": {"prompt": plain("message")},
    "QueueJobTriggeredAction": {"queue": constant(None), "template": plain("payload")},
    "RunQueue": {"id": constant(None), "name": constant(None)},
    "DeleteTriggerPayload": {
        name: lambda payload, _ask, name=name: payload.get(name)  # type: ignore[misc]
        for name in ("success", "clientMutationId")
    },
    "UpsertViewPayload": {
        name: lambda payload, _ask, name=name: payload.get(name)  # type: ignore[misc]
        for name in ("view", "inserted", "clientMutationId")
    },
}

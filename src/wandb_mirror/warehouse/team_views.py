"""The views of people and what belongs to no project: users, teams, integrations, registries."""

from __future__ import annotations

from wandb_mirror.kinds import kind_named
from wandb_mirror.warehouse.tables import COLUMN_TYPES
from wandb_mirror.warehouse.view_parts import View, ViewColumn


def team_views() -> list[View]:
    """Return the views of what belongs to no project."""
    return [
        _users(),
        _teams(),
        _team_members(),
        _integrations(),
        _registries(),
        _registry_members(),
    ]


def _text(name: str, expression: str, about: str) -> ViewColumn:
    return ViewColumn(name, "VARCHAR", expression, about)


def _users() -> View:
    columns = [
        _text("username", "t.username", "The user's handle."),
        _text("name", "max(t.name)", "The user's name as shown."),
        _text("email", "max(t.email)", "The user's mail address."),
        _text("user_id", "max(t.user_id)", "Upstream's id of the user, where it says that."),
        ViewColumn(
            "admin",
            "BOOLEAN",
            "bool_or(t.is_admin)",
            "Whether the user administers the server; known of whose key is used alone.",
        ),
    ]
    tail = (
        "FROM (SELECT username, name, email, user_id, is_admin FROM _data.viewers UNION ALL "
        "SELECT username, name, email, NULL, NULL FROM _data.team_members UNION ALL "
        "SELECT username, name, email, member_id, NULL FROM _data.registry_members) t "
        "WHERE t.username IS NOT NULL GROUP BY t.username"
    )
    about = "The users seen: whose key was used, and members of teams and registries."
    return View("main", "users", about, columns, tail)


def _teams() -> View:
    columns = [
        ViewColumn(field.column, COLUMN_TYPES[field.type], f't."{field.column}"', field.about)
        for field in kind_named("teams").fields
    ]
    about = "The entities that are mirrored."
    return View("main", "teams", about, columns, "FROM _data.teams t")


def _team_members() -> View:
    columns = [
        _text("team", "t.entity", "The team."),
        _text("username", "t.username", "The member's handle."),
        _text("role", "t.role", "admin, member, …"),
        _text("name", "t.name", "The member's name as shown."),
        _text("email", "t.email", "The member's mail address."),
        ViewColumn("is_admin", "BOOLEAN", "t.is_admin", "Whether the member runs the team."),
        ViewColumn("is_pending", "BOOLEAN", "t.is_pending", "Invited and not yet there."),
        _text("account_type", "t.account_type", "A person or a service."),
        _text("photo_url", "t.photo_url", "Where the member's picture lies."),
        _text("membership_id", "t.member_id", "Upstream's id of the membership."),
    ]
    about = "The members of each team."
    return View("main", "team_members", about, columns, "FROM _data.team_members t")


def _integrations() -> View:
    slack = "t.slack_team || '/' || t.slack_channel"
    kind = (
        "CASE t.form WHEN 'SlackIntegration' THEN 'slack' "
        "WHEN 'GenericWebhookIntegration' THEN 'webhook' ELSE t.form END"
    )
    columns = [
        _text("id", "t.integration_id", "The integration's id."),
        _text("entity", "t.entity", "The entity that has it."),
        _text("kind", kind, "slack or webhook."),
        _text("name", "coalesce(t.webhook_name, t.slack_channel)", "Its name."),
        _text(
            "target",
            f"coalesce(t.webhook_address, {slack})",
            "Where it sends to: an address without secrets, or workspace/channel.",
        ),
    ]
    about = "Where automations send messages."
    return View("main", "integrations", about, columns, "FROM _data.integrations t")


def _registries() -> View:
    columns = [
        _text("organization", "o.organization", "The organization."),
        _text("registry", "replace(t.project, 'wandb-registry-', '')", "The registry's name."),
        _text("visibility", "t.visibility", "Who may see it, as upstream spells it."),
        _text("description", "t.description", "What people wrote about it."),
        ViewColumn(
            "allow_all_artifact_types",
            "BOOLEAN",
            "t.allow_all_artifact_types",
            "Whether it takes artifacts of any type.",
        ),
        ViewColumn("created_at", "TIMESTAMP", "t.created_at", "When it was made."),
        ViewColumn("updated_at", "TIMESTAMP", "t.updated_at", "When upstream last changed it."),
        _text("entity", "t.org_entity", "The entity of its project."),
        _text("project", "t.project", "The project that holds its collections."),
        _text("registry_id", "t.registry_id", "The id that mutations take."),
        _text("project_id", "t.storage_id", "The id a registry keeps."),
        ViewColumn(
            "inaccessible_since",
            "TIMESTAMP",
            "t.inaccessible_since",
            "Since when upstream shows it no more to the key in use; what was mirrored is kept.",
        ),
    ]
    tail = (
        "FROM _data.registries t LEFT JOIN (SELECT org_entity, max(organization) AS organization "
        "FROM _data.teams GROUP BY org_entity) o ON o.org_entity = t.org_entity"
    )
    about = "The registries of the organizations that are mirrored."
    return View("main", "registries", about, columns, tail)


def _registry_members() -> View:
    columns = [
        _text("organization", "o.organization", "The organization."),
        _text("registry", "replace(t.project, 'wandb-registry-', '')", "The registry's name."),
        _text("role", "t.role", "admin, member, viewer, restricted_viewer."),
        _text("username", "t.username", "The user's handle; NULL for a team."),
        _text("team", "t.team", "The team; NULL for a user."),
        _text("name", "t.name", "The user's name as shown."),
        _text("email", "t.email", "The user's mail address."),
        _text("member_id", "t.member_id", "Upstream's id of the user."),
        _text("entity", "t.org_entity", "The entity of the registry's project."),
        _text("project", "t.project", "The registry's project."),
    ]
    tail = (
        "FROM (SELECT org_entity, project, role, username, NULL AS team, name, email, member_id "
        "FROM _data.registry_members UNION ALL "
        "SELECT org_entity, project, role, NULL, team, NULL, NULL, NULL FROM _data.registry_teams) "
        "t LEFT JOIN (SELECT org_entity, max(organization) AS organization FROM _data.teams "
        "GROUP BY org_entity) o ON o.org_entity = t.org_entity"
    )
    about = "The users and the teams that have a role in a registry."
    return View("main", "registry_members", about, columns, tail)

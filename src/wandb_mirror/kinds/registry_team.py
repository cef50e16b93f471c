"""A team that has a role in a registry.

Order: upstream's own.   Resumable: no.   Cost: one request for 20 registries.
Gone: a team that is not listed any more goes.
Older servers: without teams of projects there are none.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_REGISTRY, At, Field, Follow, Kind

REGISTRY_TEAM = Kind(
    name="registry_team",
    plural="registry_teams",
    about="The teams that have a role in each registry.",
    upstream_type="ProjectTeamMember",
    shape="list",
    scope="registry",
    path=(IN_REGISTRY, At("teamMembers")),
    follows=Follow("registries", by=""),
    key=("org_entity", "project", "team"),
    fields=(
        Field("team", "team.name", about="The team."),
        Field("role", "role.name", about="admin, member, viewer, restricted_viewer."),
    ),
)

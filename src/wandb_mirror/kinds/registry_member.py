"""A user who has a role in a registry.

Order: upstream's own.   Resumable: no.   Cost: one request for 20 registries.
Names: ``role`` is the role in this registry, whatever the user's roles elsewhere.
Gone: a member who is not listed any more goes.
Older servers: without members of projects there are none.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_REGISTRY, At, Field, Follow, Kind

REGISTRY_MEMBER = Kind(
    name="registry_member",
    plural="registry_members",
    about="The users who have a role in each registry.",
    upstream_type="ProjectMember",
    shape="list",
    scope="registry",
    path=(IN_REGISTRY, At("members")),
    follows=Follow("registries", by=""),
    key=("org_entity", "project", "member_id"),
    fields=(
        Field("member_id", "id", about="Upstream's id of the user."),
        Field("username", "username", about="The user's handle."),
        Field("name", "name", about="The user's name as shown."),
        Field("email", "email", about="The user's mail address."),
        Field("role", "role.name", about="admin, member, viewer, restricted_viewer."),
    ),
)

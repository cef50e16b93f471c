"""A member of a team.

Order: upstream's own.   Resumable: no.
Cost: one request for all that an entity lists.
Keys (``apiKey``) are never asked for.
Gone: who is not listed any more goes.
Older servers: what they lack is NULL.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import At, Field, Kind, Type

TEAM_MEMBER = Kind(
    name="team_member",
    plural="team_members",
    about="The members of each team.",
    upstream_type="Member",
    shape="list",
    scope="team",
    path=(At("entity", (("name", "entity"),)), At("members")),
    key=("entity", "member_id"),
    fields=(
        Field("member_id", "id", about="Upstream's id of the membership.", fallback="username"),
        Field("username", "username", about="The member's handle."),
        Field("name", "name", about="The member's name as shown."),
        Field("email", "email", about="The member's mail address."),
        Field("role", "role", about="admin, member, …"),
        Field("is_admin", "admin", Type.BOOLEAN, about="Whether the member runs the team."),
        Field("is_pending", "pending", Type.BOOLEAN, about="Invited and not yet there."),
        Field("photo_url", "photoUrl", Type.ADDRESS, about="Where the member's picture lies."),
        Field("account_type", "accountType", about="A person or a service."),
    ),
)

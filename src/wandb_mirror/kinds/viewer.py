"""The viewer: the user whose key is in use.

Order: one object.   Resumable: nothing to resume.   Cost: one request a sync.
Names: upstream's ``entity`` is the *name* of the default entity.
Gone: the user of another key goes when the key changes.
Older servers: what they lack is NULL; one without such a query lets in whom it lets in.
A wrong key is answered with HTTP 200 and ``viewer: null``. Keys (``apiKeys``) are never asked for.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import At, Field, Kind, Type

VIEWER = Kind(
    name="viewer",
    plural="viewers",
    about="The user whose API key the mirror was synced with.",
    upstream_type="User",
    shape="node",
    scope="server",
    path=(At("viewer"),),
    key=("user_id",),
    fields=(
        Field("user_id", "id", about="Upstream's id of the user."),
        Field("username", "username", about="The user's handle."),
        Field("name", "name", about="The user's name as shown."),
        Field("email", "email", about="The user's mail address."),
        Field("is_admin", "admin", Type.BOOLEAN, about="Whether the user administers the server."),
        Field("default_entity", "entity", about="The entity used where none is named."),
        Field(
            "user_deleted_at", "deletedAt", Type.TIME, about="When the account was closed upstream."
        ),
        Field("flags", "flags", Type.JSON_TEXT, about="What upstream notes of it, as JSON."),
        Field(
            "teams",
            "teams",
            Type.JSON,
            selection="{ edges { node { name } } }",
            pluck="name",
            about="Names of the user's teams, a JSON array.",
        ),
    ),
)

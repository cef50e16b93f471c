"""An entity: a team, or a person's own; with the organization that it is part of.

Order: one object.   Resumable: nothing to resume.
Cost: one request for all that an entity lists.
Gone: nobody can tell absent from invisible; the row stays.
Older servers: without organizations these columns are NULL.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import At, Field, Kind, Type

TEAM = Kind(
    name="team",
    plural="teams",
    about="The entities that are mirrored, and their organizations.",
    upstream_type="Entity",
    shape="node",
    scope="team",
    path=(At("entity", (("name", "entity"),)),),
    key=("entity", "team"),
    when_gone="inaccessible",
    fields=(
        Field("team", "name", about="The entity's name."),
        Field("storage_id", "id", about="Upstream's id."),
        Field("is_team", "isTeam", Type.BOOLEAN, about="Whether it is a team, not a person."),
        Field("entity_type", "entityType", about="team, user, organization."),
        Field("available", "available", Type.BOOLEAN, about="Whether its name is still free."),
        Field("photo_url", "photoUrl", Type.ADDRESS, about="Where its picture lies."),
        Field("read_only", "readOnly", Type.BOOLEAN, about="Whether upstream takes no edits."),
        Field(
            "read_only_admin",
            "readOnlyAdmin",
            Type.BOOLEAN,
            about="Whether its admins cannot change it either.",
        ),
        Field(
            "private_only",
            "privateOnly",
            Type.BOOLEAN,
            about="Whether its projects cannot be made public.",
        ),
        Field("storage_bytes", "storageBytes", Type.INTEGER, about="Bytes that it keeps upstream."),
        Field(
            "code_saving_enabled",
            "codeSavingEnabled",
            Type.BOOLEAN,
            about="Whether its runs' code is saved.",
        ),
        Field(
            "default_access",
            "defaultAccess",
            about="Who may see a new project, as upstream spells it.",
        ),
        Field("is_paid", "isPaid", Type.BOOLEAN, about="Whether somebody pays for it."),
        Field("organization_id", "organization.id", about="Upstream's id of its organization."),
        Field("organization", "organization.name", about="The organization it is part of."),
        Field(
            "org_entity_id",
            "organization.orgEntity.id",
            about="Upstream's id of the entity that owns that organization's registries.",
        ),
        Field(
            "org_entity",
            "organization.orgEntity.name",
            about="The entity that owns that organization's registries.",
        ),
    ),
)

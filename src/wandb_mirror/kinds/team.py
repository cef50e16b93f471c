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
        Field("organization", "organization.name", about="The organization it is part of."),
        Field(
            "org_entity",
            "organization.orgEntity.name",
            about="The entity that owns that organization's registries.",
        ),
    ),
)

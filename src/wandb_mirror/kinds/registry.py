"""A registry: a project of an organization that holds collections for all of its teams.

Order: upstream's own.   Resumable: no.   Cost: one request an organization.
Names: upstream's project is ``wandb-registry-NAME`` of the organization's own entity. Where a whole
entity is synced, the registries' collections and versions are too, as those of any project.
Gone: a registry that is not listed any more stays, with ``inaccessible_since``.
Older servers: without organizations there are none.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import At, Field, Follow, Kind, Type

REGISTRY = Kind(
    name="registry",
    plural="registries",
    about="The registries of each organization.",
    upstream_type="Project",
    shape="connection",
    scope="organization",
    path=(
        At("entity", (("name", "org_entity"),)),
        At("projects", constants=(("filters", r'"{\"name\":{\"$regex\":\"^wandb-registry-\"}}"'),)),
    ),
    follows=Follow("teams", by=""),
    key=("org_entity", "storage_id"),
    page_size=100,
    when_gone="inaccessible",
    leads_to=("org_entity", "project"),
    fields=(
        Field("storage_id", "internalId", fallback="id", about="The id a registry keeps."),
        Field("registry_id", "id", about="The id that mutations take."),
        Field("project", "name", about="The project that it is: wandb-registry-NAME."),
        Field("visibility", "access", about="Who may see it, as upstream spells it."),
        Field("description", "description", about="What people wrote about it."),
        Field(
            "allow_all_artifact_types",
            "allowAllArtifactTypesInRegistry",
            Type.BOOLEAN,
            about="Whether it takes artifacts of any type.",
        ),
        Field("created_at", "createdAt", Type.TIME, about="When it was made."),
        Field("updated_at", "updatedAt", Type.TIME, about="When upstream last changed it."),
    ),
)

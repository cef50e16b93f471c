"""A type of artifacts in a project: dataset, model.

Order: upstream's own.   Resumable: no, a listing is short.
Cost: one request for 20 lists, four projects with all that they list.
Gone: a type that a complete listing does not show goes; it is but a word.
Older servers: what they lack is NULL.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Kind, Type

ARTIFACT_TYPE = Kind(
    name="artifact_type",
    plural="artifact_types",
    about="The types of artifacts in each project.",
    upstream_type="ArtifactType",
    shape="connection",
    scope="project",
    path=(IN_PROJECT, At("artifactTypes")),
    key=("project_id", "type"),
    page_size=100,
    fields=(
        Field("type", "name", about="The type's name."),
        Field("description", "description", about="What people wrote about it."),
        Field("created_at", "createdAt", Type.TIME, about="When it was first used."),
    ),
)

"""A collection of artifact versions: a sequence that runs log into, or a portfolio of links.

Order: upstream's own.   Resumable: no, a listing is short.
Cost: one request for 20 lists, four projects with all that they list; a page
holds 50. It brings every alias and the newest 100 versions in short, so no collection is asked for
by itself to learn that nothing changed.
Nobody states that ``updatedAt`` moves with an alias, so aliases are compared by every sync.
Gone: a collection that a complete listing does not show is marked deleted, with its versions.
Left out: collections of the types in ``artifacts.skip_types``.
Older servers: without ``artifactCollections`` of a project there are no artifacts.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Kind, Type

ARTIFACT_COLLECTION = Kind(
    name="artifact_collection",
    plural="artifact_collections",
    about="Collections of artifact versions.",
    upstream_type="ArtifactCollection",
    shape="connection",
    scope="project",
    path=(IN_PROJECT, At("artifactCollections")),
    holds="collection",
    key=("project_id", "collection"),
    page_size=50,
    when_gone="deleted",
    left_out_by=("type", "artifacts.skip_types"),
    remembered=("tags", "state", "description"),
    fields=(
        Field("collection", "name", about="The collection's name, unique within its project."),
        Field("storage_id", "id", about="The id that mutations take."),
        Field("type", "defaultArtifactType.name", about="The type of its artifacts."),
        Field("form", "__typename", about="ArtifactSequence or ArtifactPortfolio."),
        Field("description", "description", about="What people wrote about it."),
        Field("state", "state", about="ready or deleted.", is_lower=True),
        Field("created_at", "createdAt", Type.TIME, about="When it was made."),
        Field("updated_at", "updatedAt", Type.TIME, about="When upstream last changed it."),
        Field(
            "tags",
            "tags",
            Type.JSON,
            selection="{ edges { node { name } } }",
            pluck="name",
            about="Its tags, a JSON array.",
        ),
        Field(
            "aliases",
            "aliases",
            Type.JSON,
            arguments="(first: 1000)",
            selection="{ edges { node { alias artifact { id } } } }",
            about="Its aliases and the versions they name, a JSON array.",
        ),
        Field(
            "newest",
            "artifacts",
            Type.JSON,
            arguments='(first: 100, order: "-createdAt")',
            selection="{ totalCount edges { node "
            "{ id state updatedAt description ttlDurationSeconds tags { name } } } }",
            about="How many versions there are, and the newest in short: tells what changed.",
        ),
    ),
)

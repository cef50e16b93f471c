"""A project.

Order: upstream's own; starts over if cut off.   Resumable: no, a listing is short.
Cost: one request a project, or one for 200 projects of an entity.
Names: ``project_id`` is upstream's ``internalId`` (its ``id`` changes when it is renamed).
``description`` and the rest are what the real client reads (GetProject) plus ``updatedAt``.
Gone: nobody can tell absent from invisible; the row stays, with ``inaccessible_since``, and so does
all that was mirrored of it.
Older servers: without ``internalId`` the ``id`` is taken, and a renamed project is another one.
Not read: ``views``, how the web page once arranged its panels.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_ENTITY, IN_PROJECT, At, Field, Kind, Type

PROJECT = Kind(
    name="project",
    plural="projects",
    about="A project of an entity.",
    upstream_type="Project",
    shape="connection",
    scope="entity",
    path=(At("models", IN_ENTITY),),
    node_path=(IN_PROJECT,),
    holds="project",
    key=("project_id",),
    when_gone="inaccessible",
    remembered=("project", "description"),
    fields=(
        Field(
            "project_id",
            "internalId",
            about="The id a project keeps when it is renamed.",
            fallback="id",
        ),
        Field("storage_id", "id", about="The id that mutations take."),
        Field("entity", "entityName", about="The entity that owns the project."),
        Field("project", "name", about="The project's name."),
        Field("description", "description", about="What its owner wrote about it."),
        Field("access", "access", about="Who may see it, as upstream spells it."),
        Field("username", "user.username", about="Who made it."),
        Field("read_only", "readOnly", Type.BOOLEAN, about="Whether upstream takes no edits."),
        Field(
            "is_benchmark", "isBenchmark", Type.BOOLEAN, about="Whether it is a public benchmark."
        ),
        Field("created_at", "createdAt", Type.TIME, about="When it was made."),
        Field("updated_at", "updatedAt", Type.TIME, about="When upstream last changed it."),
        Field("run_count", "runCount", Type.INTEGER, about="Its runs, as upstream counts them."),
    ),
)

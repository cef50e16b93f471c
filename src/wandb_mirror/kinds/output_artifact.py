"""An artifact version that a run logged.

Order: upstream's own.   Resumable: by run; those read are not read again.
Cost: one request for 20 runs that changed. None without changes.
Gone: with the run's next reading.
Left out: versions of the types in ``artifacts.skip_types``.
Older servers: without ``outputArtifacts`` there is no such lineage.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Follow, Kind, Type

OUTPUT_ARTIFACT = Kind(
    name="output_artifact",
    plural="output_artifacts",
    about="The artifact versions that each run logged.",
    upstream_type="Artifact",
    shape="connection",
    scope="run",
    path=(IN_PROJECT, At("run", (("name", "run_id"),)), At("outputArtifacts")),
    follows=Follow("runs"),
    key=("project_id", "run_id", "artifact_id"),
    page_size=100,
    left_out_by=("type", "artifacts.skip_types"),
    fields=(
        Field("artifact_id", "id", about="The version's id."),
        Field("type", "artifactType.name", about="The artifact's type."),
        Field("source_collection", "artifactSequence.name", about="The sequence it is of."),
        Field("source_project", "artifactSequence.project.name", about="That sequence's project."),
        Field(
            "source_entity",
            "artifactSequence.project.entityName",
            about="That project's entity.",
        ),
        Field("version_index", "versionIndex", Type.INTEGER, about="Its number in the sequence."),
    ),
)

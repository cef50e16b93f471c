"""A version of an artifact in a collection: one row a membership.

Order: upstream's own.   Resumable: by collection; those read are not read again.
Cost: one request for 10 collections that changed; a page holds 100 versions. None without changes.
A version that is linked into other collections has a row in each, with one ``artifact_id``; its
source is the sequence that it was logged into.
Gone: a version that its collection does not show any more is marked deleted.
Older servers: without ``artifactMemberships`` there are no versions.
An edit of a version older than the newest 100 of its collection is found when those change, or by a
full refresh.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Follow, Kind, Type

ARTIFACT = Kind(
    name="artifact",
    plural="artifacts",
    about="Versions of artifacts, a row a membership in a collection.",
    upstream_type="ArtifactCollectionMembership",
    shape="connection",
    scope="collection",
    path=(
        IN_PROJECT,
        At("artifactCollection", (("name", "collection"),)),
        At("artifactMemberships"),
    ),
    follows=Follow("artifact_collections"),
    key=("project_id", "collection", "artifact_id"),
    page_size=100,
    together=10,
    when_gone="deleted",
    remembered=("aliases", "tags", "state", "description"),
    fields=(
        Field("artifact_id", "artifact.id", about="The version's id, the same in all collections."),
        Field("membership_id", "id", about="The id of its place in this collection."),
        Field("version_index", "versionIndex", Type.INTEGER, about="Its number in the collection."),
        Field("joined_at", "createdAt", Type.TIME, about="When it came into the collection."),
        Field(
            "aliases",
            "aliases",
            Type.JSON,
            selection="{ alias }",
            pluck="alias",
            about="Its aliases in this collection, a JSON array.",
        ),
        Field("type", "artifact.artifactType.name", about="The artifact's type."),
        Field("digest", "artifact.digest", about="The digest of its manifest."),
        Field(
            "digest_algorithm",
            "artifact.digestAlgorithm",
            about="How that digest is made; NULL on servers that know one way only.",
        ),
        Field("size_bytes", "artifact.size", Type.INTEGER, about="Its size in bytes."),
        Field("file_count", "artifact.fileCount", Type.INTEGER, about="Its files."),
        Field("state", "artifact.state", about="committed, deleted, …", is_lower=True),
        Field("description", "artifact.description", about="What people wrote about it."),
        Field("metadata", "artifact.metadata", Type.JSON_TEXT, about="Its metadata."),
        Field(
            "tags",
            "artifact.tags",
            Type.JSON,
            selection="{ name }",
            pluck="name",
            about="Its tags, a JSON array.",
        ),
        Field(
            "ttl_seconds",
            "artifact.ttlDurationSeconds",
            Type.INTEGER,
            about="Seconds it is kept; -1 as its collection says, -2 for ever.",
        ),
        Field("commit_hash", "artifact.commitHash", about="A short name of its content."),
        Field(
            "history_step",
            "artifact.historyStep",
            Type.INTEGER,
            about="The step of the run that logged it; NULL where there was none.",
        ),
        Field("created_at", "artifact.createdAt", Type.TIME, about="When it was logged."),
        Field("updated_at", "artifact.updatedAt", Type.TIME, about="When it last changed."),
        Field(
            "source_version_index",
            "artifact.versionIndex",
            Type.INTEGER,
            about="Its number in the sequence that it was logged into.",
        ),
        Field(
            "source_collection",
            "artifact.artifactSequence.name",
            about="The sequence that it was logged into.",
        ),
        Field(
            "source_project",
            "artifact.artifactSequence.project.name",
            about="The project of that sequence.",
        ),
        Field(
            "source_entity",
            "artifact.artifactSequence.project.entityName",
            about="The entity of that project.",
        ),
    ),
)

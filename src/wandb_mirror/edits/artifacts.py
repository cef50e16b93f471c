"""How versions of artifacts and their collections are edited.

A version is one object in all collections that hold it: its description, metadata, tags and time to
live are those of the version that was logged. An alias belongs to a collection, where it points to
one version: an edit of it is an edit of the collection, so somebody who moved it meanwhile is not
overruled unseen.
"""

from __future__ import annotations

from dataclasses import replace

from wandb_mirror.edits.spec import Call, Copied, Editable, EditField, Pointed, Write
from wandb_mirror.kinds.artifact import ARTIFACT
from wandb_mirror.kinds.artifact_collection import ARTIFACT_COLLECTION
from wandb_mirror.kinds.spec import At, Field, Kind, Type

READ_ONLY = "Whether upstream takes no edits of it."
TAG = r"[-\w]+( +[-\w]+)*"
TAG_WORDS = "letters, digits, - and _, with spaces between"
LONGEST_NAME = 128
OF_VERSION = "artifact."

VERSION = Kind(
    name="version",
    plural="versions",
    about="A version of an artifact: what its memberships share.",
    upstream_type="Artifact",
    shape="connection",
    scope="server",
    path=(At("artifact", (("id", "artifact_id"),)),),
    node_path=(At("artifact", (("id", "artifact_id"),)),),
    key=("artifact_id",),
    fields=(
        *(
            replace(each, source=each.source.removeprefix(OF_VERSION))
            for each in ARTIFACT.fields
            if each.source.startswith(OF_VERSION)
        ),
        Field("read_only", "artifactSequence.project.readOnly", Type.BOOLEAN, READ_ONLY),
    ),
)
"""How a version is read by its id."""

VERSIONS = Editable(
    kind="artifacts",
    word="artifact",
    noun="version",
    path="artifact:{entity}/{project}/{collection}:v{version_index}",
    read=VERSION,
    write=Write("updateArtifact", "UpdateArtifactInput!", "artifactID"),
    id_column="artifact_id",
    reply="artifact",
    home=(
        ("source_collection", "collection"),
        ("source_project", "project"),
        ("source_entity", "entity"),
    ),
    gone_while=("state", frozenset({"deleted"})),
    fields=(
        EditField("description", "description", "scalar", "description", cleared=""),
        EditField(
            "metadata",
            "metadata",
            "map",
            "metadata",
            "JSONString",
            wire="json text",
            most_keys=100,
        ),
        EditField(
            "tags",
            "tags",
            "set",
            "tagsToAdd",
            "[TagInput!]",
            gone_argument="tagsToDelete",
            member="tagName",
            longest=LONGEST_NAME,
            pattern=TAG,
            pattern_words=TAG_WORDS,
        ),
        EditField("ttl", "ttl_seconds", "scalar", "ttlDurationSeconds", "Int64"),
    ),
)

IN_COLLECTION = (
    ("entityName", "entity"),
    ("projectName", "project"),
    ("artifactCollectionName", "collection"),
)
TAGS = "tags { name }"

IN_SOURCE = ("source_collection", "source_project", "source_entity")
COPIES = (
    Copied("artifacts", "collection"),
    Copied("artifacts", *IN_SOURCE),
    Copied("input_artifacts", *IN_SOURCE),
    Copied("output_artifacts", *IN_SOURCE),
)

COLLECTION: Kind = replace(
    ARTIFACT_COLLECTION,
    node_path=(At("artifactCollection", (("id", "storage_id"),)),),
    key=("project_id", "storage_id"),
    fields=(
        *ARTIFACT_COLLECTION.fields,
        Field("read_only", "project.readOnly", Type.BOOLEAN, READ_ONLY),
    ),
)
"""How a collection is read by its id, which stays when it is renamed."""

COLLECTIONS = Editable(
    kind="artifact_collections",
    word="collection",
    noun="collection",
    path="collection:{entity}/{project}/{collection}",
    read=COLLECTION,
    write=Write("updateArtifactSequence", "UpdateArtifactSequenceInput!", "artifactSequenceID"),
    writes=(
        "form",
        {
            "ArtifactPortfolio": Write(
                "updateArtifactPortfolio", "UpdateArtifactPortfolioInput!", "artifactPortfolioID"
            )
        },
    ),
    id_column="storage_id",
    reply="artifactCollection",
    asked_by=("collection",),
    together=20,
    gone_while=("state", frozenset({"deleted"})),
    fields=(
        EditField(
            "aliases",
            "aliases",
            "map",
            wire="pointers",
            points_to=Pointed(
                "artifacts", "collection", "artifact_id", "version_index", "aliases", "artifact"
            ),
            comes=Call(
                "addAliases",
                "AddAliasesInput!",
                "aliases",
                member="alias",
                member_fills=IN_COLLECTION,
                pointed="artifactID",
            ),
            goes=Call(
                "deleteAliases",
                "DeleteAliasesInput!",
                "aliases",
                member="alias",
                member_fills=IN_COLLECTION,
                pointed="artifactID",
            ),
            longest=LONGEST_NAME,
            pattern=r"(?!v\d+$)[^/:]+",
            pattern_words="no / and no :, and not a version like v3",
        ),
        EditField(
            "name",
            "collection",
            "scalar",
            "name",
            longest=LONGEST_NAME,
            pattern=r"[^/:]+",
            pattern_words="no / and no :",
            copies=COPIES,
        ),
        EditField("description", "description", "scalar", "description", cleared=""),
        EditField(
            "tags",
            "tags",
            "set",
            member="tagName",
            comes=Call(
                "createArtifactCollectionTagAssignments",
                "CreateArtifactCollectionTagAssignmentsInput!",
                "tags",
                fills=IN_COLLECTION,
                member="tagName",
                reply=TAGS,
            ),
            goes=Call(
                "deleteArtifactCollectionTagAssignments",
                "DeleteArtifactCollectionTagAssignmentsInput!",
                "tags",
                fills=IN_COLLECTION,
                member="tagName",
            ),
            longest=LONGEST_NAME,
            pattern=TAG,
            pattern_words=TAG_WORDS,
        ),
        EditField(
            "type",
            "type",
            "scalar",
            comes=Call(
                "moveArtifactSequence",
                "MoveArtifactSequenceInput!",
                "destinationArtifactTypeName",
                fills=(("artifactSequenceID", "storage_id"),),
                reply="artifactCollection { id }",
            ),
            longest=LONGEST_NAME,
            pattern=r"(?!wandb-)[^/:]+",
            pattern_words="no / and no :, and not one of W&B's own, which begin with wandb-",
            only_where=(
                "form",
                "ArtifactSequence",
                "only a collection that runs log into has a type of its own",
            ),
        ),
    ),
)

"""A file in an artifact version, as the manifest lists it.

Order: the manifest's.   Resumable: by version; a manifest never changes and is read once.
Cost: one request for 20 versions, and the manifest of each from its signed URL, outside the
request limit; the key is not sent there, and the URL is kept nowhere.
Gone: the list stays when the version goes.
Older servers: without manifests there are no files.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import At, Field, Follow, Kind, Type

ARTIFACT_FILE = Kind(
    name="artifact_file",
    plural="artifact_files",
    about="The files of each artifact version.",
    upstream_type="ArtifactManifest",
    shape="manifest",
    scope="version",
    path=(At("artifact", (("id", "artifact_id"),)), At("currentManifest"), At("file")),
    contents=(At("artifact", (("id", "artifact_id"),)), At("files", (("names", "own_keys"),))),
    follows=Follow("artifacts", by="digest", when=("state", frozenset({"committed"})), keeps=True),
    key=("project_id", "artifact_id", "path"),
    fields=(
        Field("path", "path", about="The file's path in the artifact."),
        Field("size_bytes", "size", Type.INTEGER, about="Its size in bytes."),
        Field("digest", "digest", about="Its digest; base64 of the MD5 of what W&B stores."),
        Field(
            "digest_algorithm",
            "extra.alg",
            about="How the digest was made, where not by MD5.",
        ),
        Field("reference", "ref", about="Where it lies, if not with W&B."),
    ),
)

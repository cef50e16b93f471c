"""A file of a run: its name, size and checksum, not its content.

Order: upstream's own.   Resumable: by run; those read are not read again.
Cost: one request for 20 runs that changed. None without changes.
Signed URLs (``directUrl``, ``url``) are never asked for.
Gone: a file that its run does not show any more is marked deleted.
Older servers: what they lack is NULL.
"""

from __future__ import annotations

from wandb_mirror.kinds.spec import IN_PROJECT, At, Field, Follow, Kind, Type

RUN_FILE = Kind(
    name="run_file",
    plural="run_files",
    about="The files of each run, without their content.",
    upstream_type="File",
    shape="connection",
    scope="run",
    path=(IN_PROJECT, At("run", (("name", "run_id"),)), At("files")),
    contents=(
        IN_PROJECT,
        At("run", (("name", "run_id"),)),
        At("files", (("names", "own_keys"),)),
    ),
    follows=Follow("runs"),
    key=("project_id", "run_id", "name"),
    page_size=100,
    when_gone="deleted",
    fields=(
        Field("name", "name", about="The file's path in the run."),
        Field("storage_id", "id", about="The id that mutations take."),
        Field("size_bytes", "sizeBytes", Type.INTEGER, about="Its size in bytes."),
        Field("mimetype", "mimetype", about="Its type, as upstream guesses it."),
        Field("md5", "md5", about="Base64 of the MD5 of its content."),
        Field("updated_at", "updatedAt", Type.TIME, about="When it was last written."),
    ),
)

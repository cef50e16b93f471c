"""What can be edited: an entry a kind.

Evidence for each input: W&B's own client (wandb 0.31: ``apis/public/runs.py``, ``artifacts.py``,
``sweeps.py``, ``sdk/artifacts/artifact.py``; the package wandb-workspaces for reports) and its
input types. A mutation replaces each field that it is given as a whole; absent or null leaves a
field as it is, so an empty text clears it. Aliases and the tags of artifacts are sent as
differences.
"""

from __future__ import annotations

from wandb_mirror.edits.artifacts import COLLECTIONS, VERSIONS
from wandb_mirror.edits.pages import PROJECTS, REPORTS, SWEEPS
from wandb_mirror.edits.spec import Deletion, Editable, EditField, Write
from wandb_mirror.errors import OnlyUpstream
from wandb_mirror.kinds.run import RUN

RUNS = Editable(
    kind="runs",
    word="run",
    noun="run",
    path="{entity}/{project}/{run_id}",
    read=RUN,
    write=Write("upsertBucket", "UpsertBucketInput!", "id"),
    id_column="storage_id",
    reply="bucket",
    asked_by=("run_id",),
    fields=(
        EditField("tags", "tags", "set", "tags", "[String]"),
        EditField("notes", "notes", "scalar", "notes", cleared=""),
        EditField("name", "name", "scalar", "displayName", cleared=""),
        EditField("group", "run_group", "scalar", "groupName", longest=128, cleared=""),
        EditField("job_type", "job_type", "scalar", "jobType", longest=64, cleared=""),
        EditField("description", "description", "scalar", "description", cleared=""),
        EditField("config", "config", "map", "config", "JSONString", wire="config", waits=True),
        EditField(
            "summary",
            "summary",
            "map",
            "summaryMetrics",
            "JSONString",
            wire="json text",
            waits=True,
        ),
    ),
    runs_while=("state", frozenset({"running", "pending", "preempting"})),
)

EDITABLES: tuple[Editable, ...] = (RUNS, VERSIONS, COLLECTIONS, REPORTS, SWEEPS, PROJECTS)
"""Every kind that can be edited."""


DELETIONS: dict[str, Deletion] = {
    "runs": Deletion("deleteRun", "DeleteRunInput!", "id", "storage_id"),
    "run_files": Deletion(
        "deleteFiles", "DeleteFilesInput!", "files", "storage_id", takes_several=True
    ),
    "artifacts": Deletion(
        "deleteArtifact", "DeleteArtifactInput!", "artifactID", "artifact_id", "artifact { id }"
    ),
}
"""By kind: how its objects are deleted upstream (``Run.delete``, ``File.delete``,
``Artifact.delete`` of wandb 0.31)."""


def editable_of(kind: str) -> Editable:
    """Return how objects of a kind are edited; raises ``OnlyUpstream`` where they are not."""
    for each in EDITABLES:
        if each.kind == kind:
            return each
    raise OnlyUpstream(f"{kind} cannot be edited here; make the change with wandb.Api, then sync")

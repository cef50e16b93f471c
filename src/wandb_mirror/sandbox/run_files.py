"""Places for the files that logging clients upload."""

from __future__ import annotations

from typing import Any

from wandb_mirror.sandbox.artifacts import Entry
from wandb_mirror.sandbox.context import Context
from wandb_mirror.sandbox.problems import QueryProblem
from wandb_mirror.sandbox.projection import Ask, Resolve
from wandb_mirror.sandbox.stored_files import StoredFile

UPLOADS = "/uploads/"
"""Where files are put: by signed URL, without a key."""


def create_run_files(_root: Any, ask: Ask) -> dict[str, Any]:
    """Promise places for files of a run; raises ``QueryProblem``."""
    context: Context = ask.context
    given = ask.arguments["input"]
    names = (given["entityName"], given["projectName"], given["runName"])
    project = context.world.find_project(*names[:2]) if context.is_known else None
    run = None if project is None else project.runs.get(names[2])
    if run is None or run.deleted_at is not None:
        raise QueryProblem(f"could not find run {'/'.join(names)}")
    return {
        "run_id": run.storage_id,
        "files": [
            StoredFile(
                name, Entry(name), context.world.now, f"{UPLOADS}{run.path}/{name}", run.path
            )
            for name in given["files"]
        ],
        "clientMutationId": given.get("clientMutationId"),
    }


RUN_FILE_READS: dict[str, dict[str, Resolve]] = {
    "CreateRunFilesPayload": {
        "runID": lambda payload, _ask: payload["run_id"],
        "uploadHeaders": lambda _payload, _ask: (),
        "files": lambda payload, _ask: payload["files"],
        "clientMutationId": lambda payload, _ask: payload["clientMutationId"],
    },
}

"""Files that are listed: those of runs and of artifact versions, each behind a signed URL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from mimetypes import guess_type
from typing import Any
from urllib.parse import quote

from wandb_mirror.sandbox.artifacts import Artifact, Entry
from wandb_mirror.sandbox.connections import Connection
from wandb_mirror.sandbox.context import Context, page_of
from wandb_mirror.sandbox.objects import Run, decode_id, encode_id
from wandb_mirror.sandbox.problems import QueryProblem
from wandb_mirror.sandbox.projection import Ask, Resolve, plain

ARTIFACT_FILES = "/artifact-files/"
MANIFESTS = "/manifests/"
RUN_FILES = "/run-files/"
"""Where files are fetched: by signed URL, without a key."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file and where it is fetched."""

    name: str
    entry: Entry
    updated_at: datetime
    place: str
    """The path behind which its bytes are, unquoted."""
    owner: str
    """The storage id of the run or the version."""

    @property
    def storage_id(self) -> str:
        """The id that mutations take."""
        return encode_id("File", self.owner, self.name)

    def sign(self, ask: Ask) -> str:
        """Return a URL that opens it; of a reference, the reference."""
        if self.entry.ref is not None:
            return self.entry.ref
        context: Context = ask.context
        context.is_passing = True
        seconds = context.behaviour.url_seconds
        return context.store_url + context.world.tickets.sign(quote(self.place), seconds)


def files_of_run(run: Run) -> list[StoredFile]:
    """Return the files that a run's client uploaded."""
    updated_at = run.updated_at or run.created_at
    return [
        StoredFile(
            name, Entry(name, content), updated_at, f"{RUN_FILES}{run.path}/{name}", run.path
        )
        for name, content in sorted(run.uploads.items())
    ]


def files_of_artifact(artifact: Artifact) -> list[StoredFile]:
    """Return the files of a version."""
    root = f"{ARTIFACT_FILES}{artifact.number}/"
    return [
        StoredFile(path, entry, artifact.created_at, root + path, artifact.storage_id)
        for path, entry in artifact.entries.items()
    ]


def manifest_of(artifact: Artifact) -> StoredFile:
    """Return the manifest of a version as a file."""
    entry = Entry("wandb_manifest.json", artifact.manifest)
    place = f"{MANIFESTS}{artifact.number}/wandb_manifest.json"
    return StoredFile(entry.path, entry, artifact.created_at, place, artifact.storage_id)


def page_of_files(files: Sequence[StoredFile], ask: Ask) -> Connection:
    """Return the page of files that is asked for, by exact names or by a pattern of LIKE."""
    names, pattern = ask.get("names"), ask.get("pattern")
    if names:
        files = [file for file in files if file.name in names]
    if pattern:
        glob = pattern.replace("[", "[[]").replace("*", "[*]").replace("?", "[?]")
        glob = glob.replace("%", "*").replace("_", "?")
        files = [file for file in files if fnmatchcase(file.name, glob)]
    return page_of(ask, files)


def delete_files(_root: Any, ask: Ask) -> dict[str, Any]:
    """Delete files of runs; raises ``QueryProblem``."""
    context: Context = ask.context
    given = ask.arguments["input"]
    for file_id in given["files"] if context.is_known else ():
        parts = decode_id(file_id)
        try:
            run = context.world.run(parts[1])
            context.world.remove_upload(run, ":".join(parts[2:]))
        except (KeyError, IndexError, ValueError) as error:
            raise QueryProblem(f"could not find file {file_id}") from error
    return {"success": context.is_known, "clientMutationId": given.get("clientMutationId")}


FILE_READS: dict[str, dict[str, Resolve]] = {
    "File": {
        "id": plain("storage_id"),
        "name": plain("name"),
        "displayName": plain("name"),
        "url": lambda file, ask: file.sign(ask),
        "directUrl": lambda file, ask: file.sign(ask),
        "sizeBytes": plain("entry.size"),
        "mimetype": lambda file, _ask: guess_type(file.name)[0],
        "updatedAt": plain("updated_at"),
        "md5": plain("entry.digest"),
        "digest": plain("entry.digest"),
        "storagePath": plain("place"),
        "uploadUrl": lambda file, ask: file.sign(ask),
    },
}

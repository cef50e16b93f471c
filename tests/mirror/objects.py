"""Objects that are no runs, as a fake server holds them, and a mirror of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from fakes.serving import FILES, Server
from mirror.making import rows
from wandb_mirror.mirror.mirror import Mirror

SWEEP_YAML = """
method: bayes
metric: {name: val/loss, goal: minimize}
parameters:
  lr: {min: 0.001, max: 0.1}
  day: {value: 2024-01-02}
"""


def make_sweep(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{name}",
        "name": name,
        "displayName": f"Sweep {name}",
        "state": "RUNNING",
        "method": "bayes",
        "bestLoss": 0.25,
        "runCount": 2,
        "config": SWEEP_YAML,
        "createdAt": "2024-01-01T00:00:00Z",
        "updatedAt": "2024-01-02T00:00:00Z",
        **more,
    }


def make_project(name: str, **lists: Any) -> dict[str, Any]:
    return {
        "id": f"id-{name}",
        "internalId": f"internal-{name}",
        "name": name,
        "entityName": "team",
        "createdAt": "2024-01-01T00:00:00Z",
        "sweeps": [],
        **lists,
    }


@dataclass
class Setting:
    """A mirror of a fake server."""

    server: Server
    mirror: Mirror
    asked: list[int] = field(default_factory=list)

    def sync(self, **options: Any) -> Any:
        before = len(self.server.documents)
        report = self.mirror.sync(["team"], **options)
        self.asked.append(len(self.server.documents) - before)
        return report

    def change(self, setting: str, value: object) -> None:
        """Open the mirror again with a setting."""
        old = self.mirror
        self.mirror = Mirror.open(old.folder, environ=old.environ, overrides={setting: value})

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return rows(self.mirror, sql)

    @property
    def documents(self) -> list[str]:
        """What the latest sync sent."""
        return self.server.documents[-self.asked[-1] :]


def make_run(name: str, **more: Any) -> dict[str, Any]:
    return {
        "id": f"id-{name}",
        "name": name,
        "displayName": name,
        "state": "finished",
        "createdAt": "2024-01-01T00:00:00Z",
        "heartbeatAt": "2024-01-01T01:00:00Z",
        "historyLineCount": 0,
        "config": "{}",
        "summaryMetrics": "{}",
        **more,
    }


def make_collection(project: dict[str, Any], name: str, kind: str, **more: Any) -> dict[str, Any]:
    made = {
        "__typename": "ArtifactSequence",
        "id": f"id-{name}",
        "name": name,
        "defaultArtifactType": {"name": kind},
        "project": {"name": project["name"], "entityName": project["entityName"]},
        "state": "READY",
        "createdAt": "2024-01-01T00:00:00Z",
        "artifactMemberships": [],
        "artifacts": [],
        "aliases": [],
        **more,
    }
    project.setdefault("artifactCollections", []).append(made)
    return made


def add_version(
    server: Server, collection: dict[str, Any], *aliases: str, **more: Any
) -> dict[str, Any]:
    """Log a version into a sequence; its manifest lies at a signed URL."""
    index = len(collection["artifactMemberships"])
    artifact_id = f"{collection['name']}-{index}"
    contents = {
        "model.pt": {"digest": "abc==", "size": 10},
        "data": {"digest": "etag", "size": 5, "ref": "s3://bucket/data"},
    }
    server.files[artifact_id] = json.dumps({"version": 1, "contents": contents}).encode()
    artifact = {
        "id": artifact_id,
        "artifactType": collection["defaultArtifactType"],
        "artifactSequence": collection,
        "versionIndex": index,
        "digest": f"digest-{artifact_id}",
        "size": 15,
        "fileCount": 2,
        "state": "COMMITTED",
        "metadata": '{"epochs": 3}',
        "tags": [],
        "ttlDurationSeconds": -2,
        "createdAt": "2024-01-01T00:00:00Z",
        "currentManifest": {
            "file": {"directUrl": f"{FILES}/{artifact_id}?X-Amz-Signature=planted-signature"}
        },
        **more,
    }
    server.artifacts[artifact_id] = artifact
    link_version(collection, artifact, *aliases)
    return artifact


def link_version(collection: dict[str, Any], artifact: dict[str, Any], *aliases: str) -> None:
    """Put a version into a collection."""
    index = len(collection["artifactMemberships"])
    membership = {
        "id": f"m-{collection['name']}-{index}",
        "versionIndex": index,
        "createdAt": "2024-01-01T00:00:00Z",
        "artifact": artifact,
        "aliases": [],
    }
    collection["artifactMemberships"].append(membership)
    collection["artifacts"].append(artifact)
    for alias in aliases:
        move_alias(collection, alias, index)


def move_alias(collection: dict[str, Any], alias: str, index: int) -> None:
    """Give an alias to one version of a collection, and take it from the others."""
    for membership in collection["artifactMemberships"]:
        membership["aliases"] = [each for each in membership["aliases"] if each["alias"] != alias]
    membership = collection["artifactMemberships"][index]
    membership["aliases"] = [*membership["aliases"], {"alias": alias}]
    collection["aliases"] = [
        {"alias": each["alias"], "artifact": membership["artifact"]}
        for membership in collection["artifactMemberships"]
        for each in membership["aliases"]
    ]

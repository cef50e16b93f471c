"""The mutations.

``upsertBucket`` replaces each field it is given as a whole; what is absent or null stays.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from wandb_mirror.sandbox.artifact_writes import ARTIFACT_MUTATIONS, ARTIFACT_PAYLOADS
from wandb_mirror.sandbox.objects import STATES, Run, decode_id
from wandb_mirror.sandbox.people_reads import PEOPLE_WRITES
from wandb_mirror.sandbox.problems import QueryProblem
from wandb_mirror.sandbox.projection import Ask, Resolve
from wandb_mirror.sandbox.run_files import RUN_FILE_READS, create_run_files
from wandb_mirror.sandbox.stored_files import delete_files
from wandb_mirror.sandbox.sweep_reads import SWEEP_WRITES
from wandb_mirror.sandbox.world import World

_RUN_ID_PARTS = 5
_FIELDS = {
    "groupName": "group",
    "displayName": "display_name",
    "notes": "notes",
    "description": "description",
    "sweep": "sweep_name",
    "config": "config",
    "summaryMetrics": "summary",
    "commit": "commit",
    "state": "state",
    "host": "host",
    "jobType": "job_type",
    "tags": "tags",
}
LONGEST = {"groupName": 128, "jobType": 64, "sweep": 64, "commit": 64, "host": 64, "name": 128}
"""Limits of the real input type, in characters."""


def find_by_storage_id(world: World, storage_id: str) -> Run:
    """Return the live run of a storage id; raises ``QueryProblem``."""
    parts = decode_id(storage_id)
    if len(parts) >= _RUN_ID_PARTS and parts[:2] == ["Run", "v1"]:
        *_, project_name, entity = parts
        project = world.find_project(entity, project_name)
        run = project.runs.get(":".join(parts[2:-2])) if project else None
        if run is not None and run.deleted_at is None:
            if run.project.is_read_only:
                raise QueryProblem("permission denied")
            return run
    raise QueryProblem(f"could not find run {storage_id}")


def _world(ask: Ask) -> World:
    """Return the world, for somebody with a key."""
    if not ask.context.is_known:
        raise QueryProblem("permission denied")
    world: World = ask.context.world
    return world


def _upsert_bucket(_root: Any, ask: Ask) -> dict[str, Any]:
    world = _world(ask)
    given = {key: value for key, value in ask.arguments["input"].items() if value is not None}
    values = _read_values(given)
    if "id" in given:
        run = find_by_storage_id(world, given["id"])
        world.edit(run, **values)
        return _payload(ask, bucket=run, inserted=False)
    entity = given.get("entityName") or world.viewer.entity
    project_name = given.get("modelName") or "uncategorized"
    project = world.find_project(entity, project_name)
    if project is None:
        project = world.create_project(entity, project_name)
    run_id = given.get("name")
    found = project.runs.get(run_id) if run_id else None
    if found is not None and found.deleted_at is not None:
        raise QueryProblem(f"run {run_id} was previously deleted; ids are never used again")
    if found is not None:
        return _payload(ask, bucket=world.edit(found, **values), inserted=False)
    values.setdefault("state", "running")
    run = world.create_run(project, run_id, **values)
    return _payload(ask, bucket=run, inserted=True)


def _read_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that an input changes."""
    for name, longest in LONGEST.items():
        if len(given.get(name, "")) > longest:
            raise QueryProblem(f"{name} is longer than {longest} characters")
    for name in ("config", "summaryMetrics"):
        try:
            json.loads(given.get(name, "{}"))
        except ValueError as error:
            raise QueryProblem(f"{name} is not valid JSON: {error}") from error
    values = {column: given[name] for name, column in _FIELDS.items() if name in given}
    if "tags" in values:
        values["tags"] = [tag for tag in values["tags"] if tag is not None]
    return values


def _payload(ask: Ask, **values: Any) -> dict[str, Any]:
    return {**values, "clientMutationId": ask.arguments["input"].get("clientMutationId")}


def _delete_run(_root: Any, ask: Ask) -> dict[str, Any]:
    world = _world(ask)
    world.delete(find_by_storage_id(world, ask.arguments["input"]["id"]))
    return _payload(ask, success=True)


def _update_run_state(_root: Any, ask: Ask) -> dict[str, Any]:
    world = _world(ask)
    state = str(ask.arguments["input"]["state"])
    if state not in STATES:
        raise QueryProblem(f"{state} is not a state")
    world.edit(find_by_storage_id(world, ask.arguments["input"]["id"]), state=state)
    return _payload(ask, success=True)


def _rename_project(_root: Any, ask: Ask) -> dict[str, Any]:
    world = _world(ask)
    given = ask.arguments["input"]
    project = world.find_project(given["entityName"], given["oldProjectName"])
    if project is None:
        raise QueryProblem(f"could not find project {given['oldProjectName']}")
    if world.find_project(given["entityName"], given["newProjectName"]) is not None:
        raise QueryProblem(f"project {given['newProjectName']} exists")
    world.rename_project(project, given["newProjectName"])
    return _payload(ask, project=project, inserted=False)


def _upsert_model(_root: Any, ask: Ask) -> dict[str, Any]:
    """Change the fields of a project that are given; the absent ones stay."""
    world = _world(ask)
    given = ask.arguments["input"]
    for project in world.projects:
        if project.storage_id == given.get("id") and not project.is_hidden:
            if project.is_read_only:
                raise QueryProblem("permission denied")
            names = ("description", "access")
            values = {name: given[name] for name in names if given.get(name) is not None}
            world.edit_project(project, **values)
            return _payload(ask, project=project, inserted=False)
    raise QueryProblem(f"could not find project {given.get('id')}")


def _entry(name: str) -> Resolve:
    return lambda payload, _ask: payload.get(name)


WRITES: dict[str, dict[str, Resolve]] = {
    **RUN_FILE_READS,
    **ARTIFACT_PAYLOADS,
    "Mutation": {
        **SWEEP_WRITES,
        **PEOPLE_WRITES,
        **ARTIFACT_MUTATIONS,
        "deleteFiles": delete_files,
        "upsertBucket": _upsert_bucket,
        "deleteRun": _delete_run,
        "updateRunState": _update_run_state,
        "renameProject": _rename_project,
        "upsertModel": _upsert_model,
        "createRunFiles": create_run_files,
    },
    "UpsertBucketPayload": {
        name: _entry(name) for name in ("bucket", "inserted", "clientMutationId")
    },
    "DeleteFilesPayload": {name: _entry(name) for name in ("success", "clientMutationId")},
    "DeleteRunPayload": {name: _entry(name) for name in ("success", "clientMutationId")},
    "UpdateRunStatePayload": {name: _entry(name) for name in ("success", "clientMutationId")},
    "UpsertModelPayload": {
        "model": _entry("project"),
        "project": _entry("project"),
        "inserted": _entry("inserted"),
        "clientMutationId": _entry("clientMutationId"),
    },
}

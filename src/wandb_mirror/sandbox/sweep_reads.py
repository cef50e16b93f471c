"""How the fields of sweeps are answered, and how they are edited."""

from __future__ import annotations

from typing import Any

from wandb_mirror.sandbox.connections import Connection
from wandb_mirror.sandbox.context import Context, page_of
from wandb_mirror.sandbox.filters import match_fields
from wandb_mirror.sandbox.objects import Project, decode_id
from wandb_mirror.sandbox.problems import QueryProblem
from wandb_mirror.sandbox.projection import Ask, Resolve, plain
from wandb_mirror.sandbox.sweeps import SWEEP_STATES, Agent, Sweep, agents_of

SWEEP_FIELDS = {
    "name": "sweep_id",
    "displayName": "display_name",
    "display_name": "display_name",
    "state": "state",
    "createdAt": "created_at",
    "created_at": "created_at",
}


def _sweeps(project: Project, ask: Ask) -> Connection:
    """Return sweeps, the newest first; filters name a sweep's own fields."""
    rows = sorted(project.sweeps.values(), key=lambda sweep: (sweep.created_at, sweep.number))
    return page_of(ask, list(filter(match_fields(ask.get("filters"), SWEEP_FIELDS), rows[::-1])))


def _sweep_runs(sweep: Sweep, ask: Ask) -> Connection:
    context: Context = ask.context
    runs = context.selections.load(ask, sweep.project, ask.get("order") or "")
    return page_of(ask, [run for run in runs if run.sweep_name == sweep.sweep_id])


def _agent(sweep: Sweep, ask: Ask) -> Agent | None:
    wanted = ask.get("agentName")
    return next((each for each in agents_of(sweep) if wanted in (each.storage_id, each.host)), None)


def _upsert_sweep(_root: Any, ask: Ask) -> dict[str, Any]:
    """Change a sweep's own fields, each as a whole; the absent ones stay."""
    context: Context = ask.context
    if not context.is_known:
        raise QueryProblem("permission denied")
    given = ask.arguments["input"]
    names = {
        "config": "config",
        "description": "description",
        "displayName": "display_name",
        "state": "state",
    }
    values = {ours: given[name] for name, ours in names.items() if given.get(name) is not None}
    if values.get("state", SWEEP_STATES[0]) not in SWEEP_STATES:
        raise QueryProblem(f"{values['state']} is not a state of a sweep")
    if given.get("id"):
        sweep = find_sweep(context, given["id"])
        if sweep.project.is_read_only:
            raise QueryProblem("permission denied")
        context.world.shelf.edit_sweep(sweep, **values)
    else:
        project = context.world.find_project(given.get("entityName"), given.get("projectName"))
        if project is None:
            raise QueryProblem("could not find the project")
        sweep = context.world.shelf.create_sweep(project, **values)
    return {"sweep": sweep, "clientMutationId": given.get("clientMutationId")}


def find_sweep(context: Context, storage_id: str) -> Sweep:
    """Return the sweep of a storage id or a name; raises ``QueryProblem``."""
    number = decode_id(storage_id)[1:]
    for project in context.world.projects:
        for sweep in project.sweeps.values():
            if [str(sweep.number)] == number and not project.is_hidden:
                return sweep
    raise QueryProblem(f"could not find sweep {storage_id}")


SWEEP_WRITES: dict[str, Resolve] = {"upsertSweep": _upsert_sweep}
PROJECT_SWEEPS: dict[str, Resolve] = {
    "totalSweeps": lambda project, _ask: len(project.sweeps),
    "sweep": lambda project, ask: project.sweeps.get(ask.get("sweepName")),
    "sweeps": _sweeps,
}
SWEEP_READS: dict[str, dict[str, Resolve]] = {
    "Sweep": {
        "id": plain("storage_id"),
        "name": plain("sweep_id"),
        "displayName": plain("display_name"),
        "method": lambda sweep, _ask: str(sweep.values.get("method", "")),
        "state": plain("state"),
        "description": plain("description"),
        "bestLoss": plain("best_loss"),
        "config": plain("config"),
        "createdAt": plain("created_at"),
        "updatedAt": plain("updated_at"),
        "runCount": lambda sweep, _ask: len(sweep.runs),
        "runCountExpected": plain("expected_runs"),
        "runs": _sweep_runs,
        "project": plain("project"),
        "agent": _agent,
        "agents": lambda sweep, ask: page_of(ask, agents_of(sweep)),
    },
    "Agent": {
        "id": plain("storage_id"),
        "name": plain("host"),
        "host": plain("host"),
        "state": lambda agent, _ask: "RUNNING" if agent.sweep.state == "RUNNING" else "FINISHED",
        "totalRuns": lambda agent, _ask: len(agent.runs),
        "createdAt": lambda agent, _ask: agent.sweep.created_at,
        "heartbeatAt": lambda agent, _ask: agent.sweep.updated_at,
        "runs": lambda agent, ask: page_of(ask, agent.runs),
    },
    "UpsertSweepPayload": {
        name: lambda payload, _ask, name=name: payload.get(name)  # type: ignore[misc]
        for name in ("sweep", "configValidationWarnings", "clientMutationId")
    },
}

"""How a world is made, and what changes do to it."""

from __future__ import annotations

import ast
import json
import math
from collections import Counter
from pathlib import Path

import pytest

import wandb_mirror.sandbox
from wandb_mirror.sandbox import generate_world
from wandb_mirror.sandbox.behaviour import Behaviour
from wandb_mirror.sandbox.engine import Engine
from wandb_mirror.sandbox.world import _run_id

EVERYTHING = """query E($p: String!) { project(entityName: "demo-team", name: $p) { internalId
  runs(first: 1000, order: "+created_at") { edges { node { id name displayName state tags notes
  config summaryMetrics createdAt updatedAt user { name } history(samples: 100000) } } } } }"""
RUN = """query R($p: String!, $r: String!) { project(entityName: "demo-team", name: $p) { internalId
  run(name: $r) { id name displayName notes tags group jobType config summaryMetrics state updatedAt
    createdAt heartbeatAt historyLineCount historyKeys } } }"""
UPSERT = """mutation U($input: UpsertBucketInput!) { upsertBucket(input: $input) {
  inserted clientMutationId bucket { id name displayName notes tags group jobType config
  summaryMetrics state updatedAt } } }"""


def reply_of(world, document=EVERYTHING, **variables):
    variables = variables or {"p": "mnist-baselines"}
    engine = Engine(world, Behaviour())
    body = json.dumps({"query": document, "variables": variables}).encode()
    return engine.answer(body, is_known=True).body


def test_a_seed_gives_one_world_byte_for_byte():
    options = {"projects": 1, "runs": 6, "steps": 9, "has_oddities": True}
    first, second, other = (generate_world(**options, seed=seed) for seed in (7, 7, 8))
    assert reply_of(first) == reply_of(second) != reply_of(other)
    assert first.api_key == second.api_key != other.api_key


def test_a_world_is_as_large_as_asked_for():
    world = generate_world(projects=3, runs=7, steps=11, metrics=9, config_keys=25)
    assert [len(project.live_runs) for project in world.projects] == [7, 7, 7]
    run = next(run for run in world.projects[2].live_runs if run.state != "running")
    assert run.history.line_count == 11
    assert len(json.loads(run.history.lines()[0])) == 3 + 9
    assert len(run.config_values) == 25 + 1


def test_generated_runs_are_of_many_sorts():
    runs = generate_world(projects=1, runs=200, steps=2).projects[0].live_runs
    assert len({run.state for run in runs}) == 5
    assert len({run.user for run in runs}) == 4
    assert {run.group is None for run in runs} == {True, False}
    assert {run.notes is None for run in runs} == {True, False}
    assert {len(run.tags) for run in runs} == {0, 1, 2, 3}
    assert max(Counter(run.created_at for run in runs).values()) > 1
    assert {run.created_at.microsecond for run in runs} == {0}


def test_the_oddities_are_all_there():
    world = generate_world(projects=0, has_oddities=True)
    runs = world.project("demo-team", "oddities").runs
    odd = runs["odd-values"].summary_values
    assert math.isnan(odd["nan"])
    assert odd["beyond_uint64"] == 2**64 + 1
    assert odd["overflow"] == math.inf
    assert odd["surrogate"] == "\ud800 alone"
    assert "NaN" in runs["odd-values"].history.lines()[0]
    assert runs["no-config"].config is None
    assert (runs["null-texts"].tags, runs["empty-texts"].tags) == (None, [])
    assert (runs["null-texts"].notes, runs["empty-texts"].notes) == (None, "")


@pytest.fixture
def world():
    return generate_world(projects=2, runs=4, steps=5)


@pytest.fixture
def run(world):
    return world.projects[0].live_runs[1]


@pytest.mark.parametrize(
    ("mode", "is_moved_by_edit"), [("moves", True), ("still", False)], ids=["moves", "still"]
)
def test_an_edit_moves_updated_at_or_not(sandbox, world, run, mode, is_moved_by_edit):
    box = sandbox(world, updated_at=mode)
    before = run.updated_at
    box.world.edit(run, tags=["x"])
    assert (run.updated_at > before) == is_moved_by_edit
    box.world.log(run, {"loss": 1})
    assert run.updated_at == run.heartbeat_at == world.now


def test_updated_at_may_be_unknown_to_queries_and_filters(sandbox, ask):
    box = sandbox(updated_at="absent")
    reply = ask(box, RUN, p="mnist-baselines", r="x").json()
    assert 'Cannot query field "updatedAt"' in reply["errors"][0]["message"]
    count = """{ project(entityName: "demo-team", name: "mnist-baselines") { runCount(
                 filters: "{\\"updatedAt\\":{\\"$gte\\":\\"2000-01-01T00:00:00Z\\"}}") } }"""
    assert ask(box, count).json()["data"]["project"]["runCount"] == 0


def test_logging_adds_rows_and_moves_the_summary(world, run):
    before = run.history.last_step
    world.log(run, {"loss": math.nan})
    world.log(run, '{"loss": 18446744073709551617}', step=before + 500)
    world.log(run, {"extra": 1}, step=before + 500)
    assert run.history.last_step == before + 500
    assert run.history.line_count == before + 3
    last = json.loads(run.history.lines()[-1])
    assert (last["loss"], last["extra"]) == (2**64 + 1, 1)
    assert run.summary_values["_step"] == before + 500
    assert run.summary_values["accuracy"] > 0
    assert '"loss": NaN' in run.history.lines()[-2]
    with pytest.raises(ValueError, match="only grow"):
        world.log(run, {"loss": 1}, step=0)


def test_a_rewound_run_is_shorter_and_runs_again(world, run):
    world.rewind(run, 2)
    assert (run.history.last_step, run.history.line_count, run.state) == (2, 3, "running")
    world.finish(run, "failed")
    assert run.state == "failed"


def test_a_deleted_run_is_null_until_it_is_restored(world, run):
    project = run.project
    world.delete(run.path)
    assert run not in project.live_runs
    assert json.loads(reply_of(world, RUN, p=project.name, r=run.run_id))["data"]["project"][
        "run"
    ] is None  # fmt: skip
    with pytest.raises(ValueError, match="never used again"):
        world.create_run(project, run.run_id)
    world.restore(run)
    assert run in project.live_runs


def test_a_renamed_project_keeps_its_internal_id(world, run):
    before, storage_id = run.project.internal_id, run.storage_id
    world.rename_project(run.project, "renamed")
    assert world.find_project("demo-team", "mnist-baselines") is None
    assert run.project.internal_id == before
    assert run.storage_id != storage_id


def test_a_moved_run_keeps_its_id_and_creation(world, run):
    created_at, storage_id = run.created_at, run.storage_id
    world.move_run(run, world.projects[1])
    assert run not in world.projects[0].live_runs
    assert world.run(f"demo-team/resnet-ablations/{run.run_id}") is run
    assert (run.created_at, run.storage_id != storage_id) == (created_at, True)


def test_upsert_bucket_replaces_whole_values_and_leaves_the_rest(sandbox, ask, world, run):
    box = sandbox(world)
    before = run.config
    given = {"id": run.storage_id, "tags": ["only"], "notes": "", "summaryMetrics": '{"a":NaN}',
             "displayName": None, "clientMutationId": "m1"}  # fmt: skip
    payload = ask(box, UPSERT, input=given).json()["data"]["upsertBucket"]
    assert (payload["inserted"], payload["clientMutationId"]) == (False, "m1")
    assert (run.tags, run.notes, run.config) == (["only"], "", before)
    assert math.isnan(run.summary_values["a"])
    assert list(run.summary_values) == ["a"]
    assert payload["bucket"]["displayName"] == run.display_name is not None
    ask(box, UPSERT, input={"id": run.storage_id, "config": '{"k":{"value":1}}', "groupName": "g"})
    assert (run.config, run.group) == ('{"k":{"value":1}}', "g")


def test_upsert_bucket_makes_runs(sandbox, ask, world):
    box = sandbox(world)
    given = {"entityName": "demo-team", "modelName": "new", "name": "abc", "jobType": "train"}
    assert ask(box, UPSERT, input=given).json()["data"]["upsertBucket"]["inserted"] is True
    assert ask(box, UPSERT, input=given).json()["data"]["upsertBucket"]["inserted"] is False
    made = world.run("demo-team/new/abc")
    assert (made.state, made.job_type) == ("running", "train")
    world.delete(made)
    again = ask(box, UPSERT, input=given).json()
    assert "previously deleted" in again["errors"][0]["message"]
    assert again["data"] == {"upsertBucket": None}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"id": "bm9uZQ=="}, "could not find run"),
        ({"id": "!"}, "could not find run"),
        ({"name": "x" * 129}, "longer than 128"),
        ({"name": "x", "config": "{"}, "not valid JSON"),
    ],
    ids=["another id", "no id", "too long", "no JSON"],
)
def test_a_write_that_makes_no_sense_is_refused(sandbox, ask, given, message):
    reply = ask(sandbox(), UPSERT, input=given).json()
    assert message in reply["errors"][0]["message"]
    assert reply["data"] == {"upsertBucket": None}


def test_several_writes_go_one_after_another_and_fail_alone(sandbox, ask, world, run):
    document = """mutation M($id: ID!, $state: UpdateRunStateInput!) {
      bad: deleteRun(input: {id: "eA=="}) { success }
      state: updateRunState(input: $state) { success }
      good: deleteRun(input: {id: $id}) { success clientMutationId }
      renamed: renameProject(input: {entityName: "demo-team", oldProjectName: "mnist-baselines",
        newProjectName: "n"}) { project { name } model { name } inserted } }"""
    state = {"id": run.storage_id, "state": "pending"}
    reply = ask(sandbox(world), document, id=run.storage_id, state=state).json()
    assert [error["path"] for error in reply["errors"]] == [["bad"]]
    assert reply["data"]["bad"] is None
    assert reply["data"]["good"]["success"] is True
    assert reply["data"]["renamed"]["project"] == {"name": "n"}
    assert run.state == "pending"
    assert run.deleted_at is not None


def test_nobody_writes_without_a_key(sandbox, ask, world, run):
    reply = ask(sandbox(world), UPSERT, key="x" * 40, input={"id": run.storage_id, "notes": "x"})
    assert reply.json()["errors"][0]["message"] == "permission denied"


def test_what_cannot_be_edited_is_a_mistake(world, run):
    with pytest.raises(ValueError, match="not editable: nonsense"):
        world.edit(run, nonsense=1)


def test_the_sandbox_knows_nothing_of_the_other_rooms():
    folder = Path(wandb_mirror.sandbox.__file__).parent
    imported = set()
    for module in folder.glob("*.py"):
        for node in ast.walk(ast.parse(module.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("wandb_mirror"):
                imported.add(".".join((node.module or "").split(".")[:2]))
            elif isinstance(node, ast.Import):
                imported |= {name.name for name in node.names if "wandb_mirror" in name.name}
    assert imported == {"wandb_mirror.sandbox"}


def test_no_run_id_comes_twice():
    ids = [_run_id(seed, number) for seed in (0, 1) for number in range(0, 40_000, 2)]
    assert len(set(ids)) == len(ids)
    assert {len(run_id) for run_id in ids} == {8}


def test_a_reply_is_rendered_once_for_as_long_as_the_world_stands_still(world, run):
    engine = Engine(world, Behaviour())
    body = json.dumps({"query": EVERYTHING, "variables": {"p": "mnist-baselines"}}).encode()
    first = engine.answer(body, is_known=True).body
    assert engine.answer(body, is_known=True).body is first
    world.edit(run, notes="new")
    changed = engine.answer(body, is_known=True).body
    assert changed != first
    assert engine.answer(body, is_known=True).body is changed
    assert engine.answer(body, is_known=False).body != changed


def test_kept_replies_are_bounded(world):
    engine = Engine(world, Behaviour(cache_bytes=3_000))
    bodies = [
        json.dumps({"query": "{ viewer { name } }" + " " * number}).encode()
        for number in range(100)
    ]
    first = [engine.answer(body, is_known=True).body for body in bodies]
    again = [engine.answer(body, is_known=True).body for body in reversed(bodies)]
    are_kept = [one is other for one, other in zip(first, reversed(again), strict=True)]
    assert are_kept[-1]
    assert not are_kept[0]


def test_a_dataset_is_used_by_ten_runs_that_log_models():
    world = generate_world(projects=1, runs=60, steps=1, datasets=1, models=3)
    [project] = world.projects
    dataset = project.collections["mnist-0"]
    for place in dataset.live:
        users = place.artifact.used_by
        assert len(users) == 10
        assert place.artifact.created_by not in users
        logged = [made for run in users for made in run.outputs if made.sequence.type == "model"]
        assert len(logged) >= 3

"""The real ``wandb.Api`` reads and writes the sandbox."""

from __future__ import annotations

import json
import math

import pytest

from wandb_mirror.sandbox.objects import Run

pytestmark = [pytest.mark.sdk, pytest.mark.enable_socket]
TEAM = "demo-team"
PATH = f"{TEAM}/mnist-baselines"


def first_run(box) -> Run:
    return box.world.project(TEAM, "mnist-baselines").live_runs[0]


def test_the_viewer_is_read(sdk):
    box, api = sdk
    assert api.viewer.username == box.world.viewer.username
    assert api.viewer.teams == [TEAM]
    assert api.default_entity == box.world.viewer.entity


def test_projects_are_listed(sdk):
    box, api = sdk
    assert [project.name for project in api.projects(TEAM)] == [
        project.name for project in box.world.projects
    ]


def test_a_project_is_read(sdk):
    box, api = sdk
    project = api.project("mnist-baselines", TEAM)
    assert project.id == box.world.project(TEAM, "mnist-baselines").storage_id
    assert project.created_at == "2024-01-01T00:00:00Z"


def test_runs_are_paged_and_counted(sdk):
    box, api = sdk
    runs = api.runs(PATH, per_page=7)
    assert len(runs) == 25
    assert [run.id for run in runs] == [run.run_id for run in first_run(box).project.live_runs]


@pytest.mark.parametrize(
    ("filters", "is_wanted"),
    [
        ({"state": "finished"}, lambda run: run.state == "finished"),
        ({"tags": {"$in": ["best", "paper"]}}, lambda run: {"best", "paper"} & set(run.tags)),
        ({"config.lr": {"$lt": 0.01}}, lambda run: run.config_values["lr"]["value"] < 0.01),
        (
            {"config.model.value.depth": {"$gte": 12}},
            lambda run: run.config_values["model"]["value"]["depth"] >= 12,
        ),
        (
            {"$or": [{"group": "group-000"}, {"jobType": "eval"}]},
            lambda run: run.group == "group-000" or run.job_type == "eval",
        ),
        ({"summary_metrics.loss": {"$gt": 0.3}}, lambda run: run.summary_values["loss"] > 0.3),
    ],
    ids=["state", "tags", "config", "config with value", "or", "summary"],
)
def test_filters_choose_runs(sdk, filters, is_wanted):
    box, api = sdk
    wanted = {run.run_id for run in first_run(box).project.live_runs if is_wanted(run)}
    runs = api.runs(PATH, filters=filters)
    assert 0 < len(runs) < 25
    assert {run.id for run in runs} == wanted


def test_an_order_is_kept(sdk):
    _, api = sdk
    losses = [run.summary["loss"] for run in api.runs(PATH, order="-summary_metrics.loss")]
    assert losses == sorted(losses, reverse=True)


def test_a_run_has_its_config_and_summary(sdk):
    box, api = sdk
    run = first_run(box)
    read = api.run(f"{PATH}/{run.run_id}")
    assert read.config == {
        key: entry["value"] for key, entry in run.config_values.items() if key != "_wandb"
    }
    assert dict(read.summary_metrics) == run.summary_values
    assert (read.name, read.state, read.group) == (run.display_name, run.state, run.group)
    assert read.user.username == run.user.username


def test_history_is_sampled_unless_scanned(sdk):
    box, api = sdk
    run = first_run(box)
    read = api.run(f"{PATH}/{run.run_id}")
    assert read.lastHistoryStep == run.history.last_step
    assert len(read.history(samples=40, pandas=False)) == 40
    assert [set(row) for row in read.history(keys=["loss"], pandas=False)[:1]] == [
        {"_step", "loss"}
    ]
    rows = [json.loads(line) for line in run.history.lines()]
    assert list(read.scan_history(use_cache=False)) == rows
    assert list(read.scan_history(keys=["loss"], use_cache=False)) == [
        {"_step": row["_step"], "loss": row["loss"]} for row in rows
    ]


def test_a_tag_goes_there_and_back(sdk):
    box, api = sdk
    run = first_run(box)
    read = api.run(f"{PATH}/{run.run_id}")
    read.tags.append("from the sdk")
    read.notes = "said so"
    read.summary["score"] = 5
    read.update()
    assert run.tags[-1] == "from the sdk"
    assert run.notes == "said so"
    assert run.summary_values["score"] == 5
    assert run.config_values["lr"]["value"] == read.config["lr"]
    assert api.run(f"{PATH}/{run.run_id}").tags == run.tags


def test_a_deleted_run_is_gone(sdk):
    box, api = sdk
    project = box.world.project(TEAM, "resnet-ablations")
    run = project.live_runs[-1]
    api.run(f"{TEAM}/resnet-ablations/{run.run_id}").delete()
    assert run.run_id not in {each.id for each in api.runs(f"{TEAM}/resnet-ablations")}
    assert len(project.live_runs) == 24


def test_every_odd_run_is_read(sdk):
    box, api = sdk
    # W&B's client crashes on a run without a user.
    runs = api.runs(f"{TEAM}/oddities", filters={"name": {"$ne": "nobody"}})
    world = {run.run_id: run for run in box.world.project(TEAM, "oddities").live_runs}
    assert len(runs) == len(world) - 1
    for run in runs:
        odd = world[run.id]
        assert run.lastHistoryStep == (
            -1 if odd.history.last_step is None else odd.history.last_step
        )
        assert run.history_line_count == odd.history.line_count
        if (odd.history.last_step or 0) < 10_000:
            steps = [row["_step"] for row in run.scan_history(use_cache=False)]
            assert steps == [json.loads(line)["_step"] for line in odd.history.lines()]


def test_odd_values_arrive(sdk):
    _, api = sdk
    run = api.run(f"{TEAM}/oddities/odd-values")
    assert math.isnan(run.config["nan"])
    assert run.summary_metrics["beyond_uint64"] == 2**64 + 1
    assert run.summary_metrics["overflow"] == math.inf
    row = run.history(pandas=False)[0]
    assert math.isnan(row["nan"])
    assert row["nan_as_text"] == "NaN"

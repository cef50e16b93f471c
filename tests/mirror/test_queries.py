"""The questions of docs/queries.md, answered by SQL and by walking what upstream has."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mirror.making import TEAM, make_world, open_mirror, rows
from wandb_mirror.cli.terminal import print_object
from wandb_mirror.sandbox import Sandbox
from wandb_mirror.sandbox.people import Action, Event
from wandb_mirror.sandbox.sweeps import agents_of

PAGE = Path(__file__).parents[2] / "docs" / "queries.md"
QUESTIONS = {
    title.strip(): re.findall(r"```sql\n(.*?)```", text, re.DOTALL)
    for title, text in re.findall(
        r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.MULTILINE | re.DOTALL
    )
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    world = make_world(
        runs=24, steps=5, sweeps=3, datasets=1, models=2, reports=3, has_automations=True,
        has_registry=True,
    )  # fmt: skip
    arranged = world.arrangements
    arranged.create_automation(
        "tell of everything",
        world.entities[TEAM],
        Event("RUN_STATE", "{}"),
        Action("NotificationTriggeredAction", next(iter(arranged.integrations.values()))),
    )
    first = world.projects[0]
    derived = world.shelf.log_artifact(
        first, "mnist-small", "dataset", {"a": b"a"}, run=user_of(first, "mnist-0", 2)[0]
    )
    world.shelf.use_artifact(derived, next(iter(first.runs.values())))
    world.shelf.log_artifact(
        first, "tiny", "model", {"m": b"m"}, run=next(iter(first.runs.values()))
    )
    for project in own_projects(world):
        reports = world.arrangements.reports.values()
        report = next(each for each in reports if each.project is project)
        world.now = datetime.now(UTC) - timedelta(days=2)
        world.arrangements.edit_report(report, title="Fresh")
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path_factory.mktemp("queries") / "mirror", box)
        assert not mirror.sync([TEAM]).has_skips
        yield world, mirror


def own_projects(world):
    """Return the team's projects; its organization's registry is another."""
    return [project for project in world.projects if project.entity == TEAM]


def user_of(project, collection, version):
    return project.collections[collection].memberships[version].artifact.used_by


def models_of(run):
    return [
        (run.project.entity, run.project.name, made.sequence.name, version_of(made), run.run_id)
        for made in run.outputs
        if made.sequence.type == "model"
    ]


def version_of(artifact):
    return f"v{artifact.memberships[0].version_index}"


def answers(filled, title):
    return [rows(filled[1], question) for question in QUESTIONS[title]]


def test_models_trained_from_a_dataset_are_found_over_two_hops_and_over_any_number(filled):
    world, _ = filled
    near = {
        model
        for project in own_projects(world)
        for run in user_of(project, "mnist-0", 2)
        for model in models_of(run)
    }
    two, any_number = answers(filled, "Which models were trained from a dataset")
    assert near
    assert set(two) == near
    waiting = [
        project.collections["mnist-0"].memberships[2].artifact for project in own_projects(world)
    ]
    reached = []
    for artifact in waiting:
        runs = [run for run in artifact.used_by if run not in reached]
        reached += runs
        waiting += [made for run in runs for made in run.outputs]
    everywhere = {model[:4] for run in reached for model in models_of(run)}
    assert "tiny" in {model for _, _, model, _ in everywhere} - {each[2] for each in near}
    assert set(any_number) == everywhere


def test_each_collections_production_version_is_found_with_who_logged_it(filled):
    world, _ = filled
    wanted = set()
    for project in world.projects:
        for collection in project.collections.values():
            if (place := collection.find("production")) is not None:
                run = place.artifact.created_by
                version = f"v{place.version_index}"
                path = (project.entity, project.name, collection.name, version)
                wanted.add((*path, run.run_id, run.user.username))
    [found] = answers(
        filled, "Which version of each collection is in production, and who logged it"
    )
    assert wanted
    assert set(found) == wanted


def test_versions_in_a_registry_are_found_with_where_they_were_logged(filled):
    [found] = answers(filled, "What a registry's versions are, and where they were logged")
    registry = filled[0].projects[-1]
    wanted = []
    for collection in registry.collections.values():
        for place in collection.live:
            source = place.artifact.memberships[0]
            home = place.artifact.sequence
            wanted.append(
                (TEAM, "model", collection.name, f"v{place.version_index}",
                 f"{home.project.entity}/{home.project.name}/{home.name}:v{source.version_index}")
            )  # fmt: skip
    assert len(wanted) == 8
    assert [(*row[:4], row[5]) for row in found] == sorted(wanted)
    assert ["staging"] in [json.loads(row[4]) for row in found]


def test_reports_that_changed_last_week_are_found(filled):
    [found] = answers(filled, "Which reports changed last week")
    assert [(project, title) for _, project, title, *_ in found] == [
        (project.name, "Fresh") for project in reversed(own_projects(filled[0]))
    ]


def test_the_best_run_of_every_sweep_is_found_by_the_sweeps_own_metric(filled):
    world, _ = filled
    wanted = {}
    for project in world.projects:
        for sweep in project.sweeps.values():
            is_up = "goal: maximize" in sweep.config
            metric = "accuracy" if is_up else "loss"
            values = {
                run.run_id: json.loads(run.summary)[metric]
                for run in project.runs.values()
                if run.sweep_name == sweep.sweep_id and metric in json.loads(run.summary)
            }
            values = {key: each for key, each in values.items() if isinstance(each, float)}
            values = {key: each for key, each in values.items() if math.isfinite(each)}
            if values:
                best = (max if is_up else min)(values, key=values.__getitem__)
                wanted[project.name, sweep.sweep_id] = (metric, best, values[best])
    [found] = answers(filled, "The best run of every sweep")
    assert len(wanted) > 3
    assert {(project, sweep): tuple(rest) for _, project, sweep, *rest in found} == wanted


def test_which_runs_each_agent_of_a_sweep_ran_is_found(filled):
    world, mirror = filled
    wanted = {
        (project.name, sweep.sweep_id, agent.host, run.run_id)
        for project in world.projects
        for sweep in project.sweeps.values()
        for agent in agents_of(sweep)
        for run in agent.runs
    }
    assert wanted
    assert set(rows(mirror, "SELECT project, sweep_id, agent, run_id FROM agent_runs")) == wanted
    with mirror.read() as published:
        found = mirror.load_object(published, "sweep:team/mnist-baselines/swp01000")["agents"]
    (first, *_) = [each for each in sorted(wanted) if each[:2] == ("mnist-baselines", "swp01000")]
    count = sum(each[:3] == first[:3] for each in wanted)
    assert f", {count} run" in found[first[2]]


def test_automations_that_act_on_a_collection_are_found(filled):
    [found] = answers(filled, "Which automations act on a collection")
    wanted = [
        (project.name, each.name, each.is_enabled, each.scope.typename, each.event.event_type)
        for project in filled[0].projects
        if "classifier-0" in project.collections
        for each in filled[0].arrangements.automations.values()
        if each.scope
        in (project, project.collections["classifier-0"], filled[0].entities[project.entity])
    ]
    assert len(wanted) == 6
    assert found == sorted(wanted)


@pytest.mark.parametrize(
    ("path", "wanted"),
    [
        ("collection:team/mnist-baselines/classifier-0", {"aliases": {"latest": "v2"}}),
        (
            "collection:team/mnist-baselines/classifier-0",
            {"versions": {"v2": "2 files, 234 bytes"}},
        ),
        ("team/mnist-baselines/classifier-0:latest", {"version": "v2", "type": "model"}),
        ("automation:team/mnist-baselines/deploy classifier-0", {"enabled": True}),
        ("automation:team/tell of everything", {"project": None, "enabled": True}),
        ("integration:team/deploy", {"kind": "webhook"}),
        ("registry:team/model", {"entity": "team-org"}),
        ("registry:team-org/model", {"collections": {"mnist-baselines-encoder-1": "2 versions"}}),
        ("team:team", {"is_team": True, "members": {"ada": "admin"}}),
        ("user:grace@example.com", {"username": "grace", "teams": {"team": "viewer"}}),
    ],
)
def test_an_object_of_any_kind_is_shown_by_its_path(filled, path, wanted):
    with filled[1].read() as published:
        found = filled[1].load_object(published, path)
    for name, value in wanted.items():
        if isinstance(value, dict):
            assert value.items() <= found[name].items()
        else:
            assert found[name] == value


def named(artifacts):
    return sorted(
        f"{each.sequence.type} {each.sequence.project.entity}/{each.sequence.project.name}/"
        f"{each.sequence.name}:{version_of(each)}"
        for each in artifacts
        if each.sequence.type != "run_table"
    )


def test_the_lineage_of_a_version_is_shown_both_ways_and_of_many_runs_the_first(filled, capsys):
    world, mirror = filled
    artifact = world.projects[0].collections["mnist-0"].memberships[2].artifact
    with mirror.read() as published:
        found = mirror.load_object(published, "team/mnist-baselines/mnist-0:v2")["lineage"]
    maker = artifact.created_by
    assert found["logged_by"] == {maker.path: named(maker.inputs)}
    assert found["used_by"] == {run.path: named(run.outputs) for run in artifact.used_by}
    assert any(found["used_by"].values())
    print_object({"lineage": {"used_by": {f"r{n}": ["model m:v0"] * (n == 24) for n in range(25)}}})
    _, title, first, made, *rest = capsys.readouterr().out.splitlines()[1:]
    assert (title.split(), first.split()[-1], made.split()[-1]) == (["used", "by"], "r24", "m:v0")
    assert len(rest) == 20
    assert "5 more" in rest[-1]


def test_every_view_and_column_of_the_file_says_what_it_is(filled):
    _, mirror = filled
    for catalog in ("duckdb_views", "duckdb_columns"):
        [(count, nameless)] = rows(
            mirror,
            f"SELECT count(*), count(*) FILTER (coalesce(comment, '') = '') FROM {catalog}() "
            "WHERE database_name = 'mirror' AND schema_name <> '_data' AND NOT internal",
        )
        assert count > 30
        assert nameless == 0

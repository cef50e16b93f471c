"""``Api`` answers from the published file: lists, single objects, paths, generations."""

from __future__ import annotations

import gc
import math
import subprocess
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from mirror.making import TEAM, first_runs, make_world, open_mirror, own_id
from wandb_mirror import Api
from wandb_mirror.api.paths import parse_object_path, parse_project_path
from wandb_mirror.errors import BadFilter, BadPath, NotMirrored, OnlyUpstream
from wandb_mirror.sandbox import Sandbox

USUAL = f"{TEAM}/mnist-baselines"
ODD = f"{TEAM}/oddities"


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("e/p/runs/r", ("e", "p", "r")),
        ("/e/p/r/", ("e", "p", "r")),
        ("e/p/sweeps/s", ("e", "p", "s")),
        ("e/p:r", ("e", "p", "r")),
        ("p/r", ("me", "p", "r")),
        ("p:r", ("me", "p", "r")),
        ("r", ("me", "set", "r")),
        ("e / p / r ", ("e", "p", "r")),
    ],
)
def test_paths_are_read_as_the_real_client_reads_them(path, parts):
    assert parse_object_path(path, lambda: "me", "set") == parts


@pytest.mark.parametrize("path", ["", "/", "a/b/c/d", "e//r"])
def test_a_path_that_cannot_be_read_says_what_is_missing(path):
    with pytest.raises(BadPath, match="Invalid path"):
        parse_object_path(path, lambda: None, None)


def test_a_project_may_be_named_without_its_entity():
    assert parse_project_path("p", lambda: "me", None) == ("me", "p")
    assert parse_project_path("e/p", lambda: None, None) == ("e", "p")
    assert parse_project_path(None, lambda: "me", None) == ("me", "uncategorized")
    with pytest.raises(BadPath, match="missing entity"):
        parse_project_path("p", lambda: None, None)


def test_a_folder_without_a_mirror_says_how_to_make_one(tmp_path):
    with pytest.raises(NotMirrored, match="wandb-mirror sync"):
        Api(mirror=tmp_path)


def test_the_mirror_is_found_by_the_environment(mirror, monkeypatch, offline):
    monkeypatch.setenv("WANDB_MIRROR", str(mirror.folder))
    monkeypatch.setenv("WANDB_ENTITY", TEAM)
    api = Api()
    assert len(api.runs("mnist-baselines")) == 40
    assert len(Api(overrides={"project": "oddities"}).runs()) == 29


def test_a_list_of_runs_has_a_length_slices_and_goes_on(api):
    runs = api.runs(USUAL, per_page=7)
    assert (len(runs), len(runs.objects), runs.more) == (40, 0, True)
    first = runs[0]
    assert len(runs.objects) == 7
    assert [run.id for run in runs[1:3]] == [runs[1].id, runs[2].id]
    ids = [run.id for run in runs]
    assert ids[0] == first.id
    assert len(set(ids)) == 40
    assert (runs.more, runs[-1].id, runs[39].id) == (False, ids[-1], ids[-1])
    with pytest.raises(IndexError):
        runs[40]
    assert repr(runs) == f"<Runs {USUAL}>"


def test_a_page_that_is_just_full_is_the_last(api):
    runs = api.runs(USUAL, per_page=40)
    assert runs[0]
    assert (len(runs.objects), runs.more) == (40, False)


def test_filters_and_orders_are_upstreams(api):
    runs = api.runs(
        USUAL, {"state": "finished", "config.lr": {"$gte": 0.001}}, "-summary_metrics.loss"
    )
    found = [(run.config["lr"], run.summary["loss"]) for run in runs]
    assert found
    assert all(lr >= 0.001 for lr, _ in found)
    losses = [loss for _, loss in found if not math.isnan(loss)]
    assert losses == sorted(losses, reverse=True)


def test_config_and_summary_of_a_page_are_read_together(api, monkeypatch):
    runs = list(api.runs(USUAL))
    asked = []
    published = runs[0]._generation.published
    join = type(published).join
    monkeypatch.setattr(
        type(published),
        "join",
        lambda self, sql, *rest: asked.append(sql) or join(self, sql, *rest),
    )
    assert all(run.config and run.summary and run.system_metrics for run in runs)
    assert len(asked) == 1


def test_what_is_not_here_is_said_when_it_is_looked_for(api):
    runs = api.runs(f"{TEAM}/nope")
    with pytest.raises(ValueError, match="Could not find project nope"):
        len(runs)
    with pytest.raises(NotMirrored, match="Could not find run"):
        api.run(f"{USUAL}/nope")
    with pytest.raises(BadFilter, match=r"\$gt"):
        list(api.runs(USUAL, {"config.lr": {"$gtt": 1}}))
    with pytest.raises(AttributeError):
        _ = api.run(first_path(api)).nonsense


def first_path(api):
    return "/".join(api.runs(USUAL)[0].path)


def test_nothing_found_is_an_empty_list(api):
    runs = api.runs(USUAL, {"config.lr": -1})
    assert (len(runs), list(runs), bool(runs)) == (0, [], False)


def test_a_run_answers_to_every_form_of_its_path(api):
    run = api.runs(USUAL)[0]
    for path in (f"{USUAL}/{run.id}", f"{USUAL}:{run.id}", f"{USUAL}/runs/{run.id}"):
        assert api.run(path).id == run.id
    assert api.run(run.id if api.settings["project"] else f"{USUAL}/{run.id}") is api.run(
        f"{USUAL}/{run.id}"
    )


def test_a_summary_answers_to_dots_and_keeps_nested_values(api):
    summary = api.run(f"{ODD}/odd-values").summary
    assert summary.word == summary["word"] == summary.get(" word ") == "word"
    assert summary.nested.a.b.c == 1
    assert "nested" in summary
    assert math.isnan(summary["nan"])
    assert dict(summary).keys() == api.run(f"{ODD}/odd-values").summary_metrics.keys()
    with pytest.raises(KeyError):
        _ = summary.nonsense
    summary["word"] = "other"
    assert api.run(f"{ODD}/odd-values").summary["word"] == "other"
    api.flush()
    assert api.run(f"{ODD}/odd-values").summary["word"] == "word"


def test_what_a_mirror_cannot_do_says_what_to_use(api):
    run = api.run(first_path(api))
    for refuse in (run.stop, run.delete, lambda: run.upload_file("x"), api.create_run):
        with pytest.raises(OnlyUpstream, match=r"use|kept"):
            refuse()
    with pytest.raises(OnlyUpstream, match="never mirrored"):
        _ = api.viewer.api_keys


def test_who_looks_is_the_viewer_and_names_the_default_entity(api):
    assert repr(api.viewer) == "<User ada@example.com>"
    assert (api.viewer.username, api.default_entity) == ("ada", "ada")


def test_projects_of_an_entity(api):
    projects = api.projects(TEAM)
    assert [project.name for project in projects] == ["mnist-baselines", "oddities"]
    assert (len(projects), projects.length, repr(projects)) == (2, None, f"<Projects {TEAM}>")
    project = api.project("oddities", TEAM)
    assert repr(project) == f"<Project {ODD}>"
    assert project.id == projects[1].id
    assert project.created_at.endswith("Z")
    with pytest.raises(ValueError, match="not found"):
        _ = api.project("nope", TEAM).id


def test_a_listing_keeps_its_generation_and_the_next_sees_the_new_one(tmp_path):
    world = make_world(runs=30)
    path = f"{TEAM}/{world.projects[0].name}"
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        api = Api(mirror=mirror.folder)
        before = api.runs(path, per_page=5)
        first = before[0]
        assert api.runs(path, per_page=5) is before
        gone = first_runs(world)[1]
        for each in first_runs(world)[1:3]:
            world.delete(each)
        world.edit(first_runs(world)[0], display_name="renamed", config='{"lr": {"value": 99}}')
        mirror.sync([TEAM])
        assert len([run.id for run in before]) == len(before) == 30
        assert (first.name, first.config["lr"]) != ("renamed", 99)
        after = api.runs(path, per_page=5)
        assert (len(after), len(list(after)), after[0].name) == (28, 28, "renamed")
        assert first.name != "renamed"
        first.load(force=True)
        assert (first.name, first.config) == ("renamed", {"lr": 99})
        with pytest.raises(NotMirrored, match="deleted"):
            api.run(gone)
        kept = Api(mirror=mirror.folder, include_deleted=True)
        assert len(kept.runs(path)) == 30
        assert kept.run(gone).id == own_id(gone)


def test_pandas_is_imported_only_for_a_frame(mirror):
    code = (
        "import sys\nfrom wandb_mirror import Api\n"
        f"runs = Api(mirror={str(mirror.folder)!r}).runs({USUAL!r})\n"
        "runs[0].config, runs[0].history(pandas=False), list(runs[0].scan_history()), runs.to_arrow()\n"
        "print([name for name in ('pandas', 'polars', 'sqlalchemy', 'httpx', 'wandb') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_lone_surrogate_does_not_fail_a_filter(api):
    for source in ("config", "summary_metrics"):
        for operand in (1, "a", True, None):
            assert len(api.runs(ODD, {f"{source}.surrogate": operand})) in range(30)


def test_a_generation_that_nobody_holds_is_let_go(tmp_path):
    world = make_world(runs=3)
    path = f"{TEAM}/{world.projects[0].name}"
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        api = Api(mirror=mirror.folder)
        old = weakref.ref(api.runs(path).generation)
        assert len(api.run(first_runs(world)[0]).config) > 0
        world.edit(first_runs(world)[0], display_name="renamed")
        mirror.sync([TEAM])
        assert api.runs(path)[0].name == "renamed"
    gc.collect()
    assert old() is None


def test_several_threads_may_ask_at_once(api):
    def ask(number):
        runs = api.runs(USUAL, {"config.lr": {"$gt": number / 1e9}})
        return [(run.id, run.config["lr"], len(list(run.scan_history()))) for run in runs[:5]]

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, range(24)))
    assert all(answer == answers[0] for answer in answers)
    assert len(answers[0]) == 5


def test_a_project_without_runs_is_an_empty_list(tmp_path):
    world = make_world(projects=1, runs=1)
    world.create_project(TEAM, "empty")
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
    api = Api(mirror=mirror.folder)
    runs = api.runs(f"{TEAM}/empty", {"config.lr": 1}, "-summary_metrics.loss")
    assert (len(runs), list(runs), runs.to_arrow().num_rows) == (0, [], 0)
    assert list(runs.scan_histories(["loss"])) == runs.histories(keys=["loss"]) == []
    assert len(runs.histories(format="pandas")) == 0
    with pytest.raises(BadFilter):
        list(api.runs(f"{TEAM}/empty", {"$bad": 1}))

"""Servers that lack things, refuse keys, hide projects or break: what is left is still right."""

from __future__ import annotations

from datetime import timedelta

import pytest

from mirror.making import (
    TEAM,
    assert_consistent,
    assert_equal,
    first_runs,
    make_world,
    open_mirror,
    own_id,
    rows,
    snapshot,
)
from wandb_mirror.errors import MirrorError, NotFound, Retry, Unauthorized, WrongServer
from wandb_mirror.sandbox import Sandbox
from wandb_mirror.sandbox import faults as f
from wandb_mirror.upstream.client import Client
from wandb_mirror.upstream.pace import Pace

VALUES = "SELECT project, run_id, step, key, value, text, json FROM metrics ORDER BY ALL"
CONFIG = "SELECT project, run_id, key, value FROM run_config ORDER BY ALL"
RUNS = "SELECT project, run_id, name, state, tags, created_at, history_rows FROM runs ORDER BY ALL"
LACKS = {
    "no history index": {"Run.historyKeys", "Run.historyLineCount"},
    "no filters and orders": {"Project.runs(filters)", "Project.runs(order)"},
    "no ids and counts": {"Project.internalId", "Project.runCount", "Run.projectId"},
    "no extras": {"Run.updatedAt", "Run.computeSeconds", "Run.systemMetrics", "Run.host"},
    "all of that": {
        "Run.historyKeys",
        "Run.historyLineCount",
        "Run.parquetHistory",
        "Run.updatedAt",
        "Run.computeSeconds",
        "Run.systemMetrics",
        "Run.sweepName",
        "Run.commit",
        "Project.runs(filters)",
        "Project.runs(order)",
        "Project.internalId",
        "Project.runCount",
        "Project.updatedAt",
        "Project.access",
    },
}
NOT_ASKED_FOR = {"Run.parquetHistory", "Run.projectId"}


@pytest.fixture
def no_waiting(monkeypatch):
    """Let nobody wait before a retry."""
    monkeypatch.setattr(Client, "_sleep", lambda _self, _seconds: None)
    monkeypatch.setattr(Pace, "pause", lambda _self, _seconds: None)


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    """Return a mirror of the usual world behind a complete server."""
    with Sandbox(make_world()) as box:
        mirror = open_mirror(tmp_path_factory.mktemp("complete") / "mirror", box)
        mirror.sync([TEAM])
        return mirror


@pytest.mark.parametrize("lacks", LACKS.values(), ids=LACKS)
@pytest.mark.parametrize("introspects", [True, False], ids=["introspecting", "silent"])
def test_what_a_poorer_server_has_is_mirrored_whole_and_what_it_lacks_is_said(
    tmp_path, complete, lacks, introspects
):
    with Sandbox(make_world(), lacks=frozenset(lacks), allows_introspection=introspects) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        report = mirror.sync([TEAM])
        assert not report.has_skips
        told = {each.lower() for each in report.lacking}
        assert {each for each in lacks - NOT_ASKED_FOR if each.lower() not in told} == set()
        for sql in (RUNS, VALUES, CONFIG):
            assert rows(mirror, sql) == rows(complete, sql)
        again = mirror.sync([TEAM])
        assert again.published is None


def test_a_server_that_ignores_cursors_is_left_after_a_few_pages(tmp_path, no_waiting):
    world = make_world(projects=1, runs=8, steps=3)
    name = f"{TEAM}/{world.projects[0].name}"
    lacks = frozenset({"Project.runs(filters)", "Project.runs(order)"})
    with Sandbox(world, ignores_after=True, max_page=5, lacks=lacks) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        report = mirror.sync([name])
        assert "deletions were not looked for" in " ".join(report.projects[0].notes)
        assert report.requests < 60
        found = rows(mirror, "SELECT run_id FROM runs WHERE deleted_at IS NULL")
        assert len(found) == 5
        assert set(found) <= {(own_id(path),) for path in first_runs(world)}
        # what is not shown once is not taken for deleted
        mirror.sync([name])
        assert rows(mirror, "SELECT count(*) FROM runs WHERE deleted_at IS NOT NULL") == [(0,)]


def tied_world(sizes):
    """Return a world of one project, as many runs begun in each second as ``sizes`` says."""
    world = make_world(projects=1, runs=0)
    for second, size in enumerate(sizes):
        at = world.now + timedelta(seconds=second)
        for number in range(size):
            world.create_run(world.projects[0], f"run-{second}-{number}", created_at=at)
    return world


def test_runs_begun_in_the_same_second_that_change_places_are_all_seen(tmp_path):
    world = tied_world([1, 3, 4, 2, 3, 1, 4])
    with Sandbox(world, ties="shuffled", max_page=5) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        report = mirror.sync([TEAM])
        assert report.projects[0].notes == []
        assert rows(mirror, "SELECT count(*) FROM runs WHERE deleted_at IS NULL") == [(18,)]


def test_more_runs_of_one_second_than_a_page_holds_are_never_taken_for_deleted(tmp_path):
    with Sandbox(tied_world([23]), ties="shuffled", max_page=5) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        for _ in range(4):
            report = mirror.sync([TEAM])
            seen = report.projects[0].seen["runs"]
            assert seen == 23 or "deletions were not looked for" in report.projects[0].notes[0]
            assert rows(mirror, "SELECT count(*) FROM runs WHERE deleted_at IS NOT NULL") == [(0,)]


@pytest.mark.parametrize("bad_key", ["null", "401"])
def test_a_wrong_key_is_refused_and_leaves_no_folder(tmp_path, world, bad_key):
    wrong = "f" * 40
    with Sandbox(world, bad_key=bad_key) as box:
        mirror = open_mirror(tmp_path / "mirror", box, api_key=wrong)
        with pytest.raises(Unauthorized) as caught:
            mirror.sync([TEAM])
        assert wrong not in str(caught.value)
        assert not mirror.folder.exists()
        assert len(box.requests) <= 2


@pytest.mark.parametrize("bad_key", ["null", "401"])
def test_a_key_that_was_withdrawn_changes_nothing_of_a_mirror(tmp_path, world, bad_key):
    with Sandbox(world, bad_key=bad_key) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        before = snapshot(mirror.published_path)
        with pytest.raises(Unauthorized):
            open_mirror(mirror.folder, box, api_key="f" * 40).sync()
        assert snapshot(mirror.published_path) == before
        mirror.sync()
        assert snapshot(mirror.published_path) == before


def test_a_project_that_is_not_shown_any_more_keeps_everything_and_comes_back(mirror, world):
    project = world.projects[0]
    target = f"{TEAM}/{project.name}"
    mirror.sync([target])
    values, runs = rows(mirror, VALUES), rows(mirror, RUNS)
    since = "SELECT inaccessible_since IS NULL FROM projects"
    world.hide_project(project)
    with pytest.raises(NotFound, match=project.name):
        mirror.sync([target])
    assert rows(mirror, since) == [(False,)]
    assert (rows(mirror, VALUES), rows(mirror, RUNS)) == (values, runs)
    assert rows(mirror, "SELECT kind, key FROM sync_errors") == [("projects", target)]
    world.show_project(project)
    mirror.sync([target])
    assert rows(mirror, since) == [(True,)]
    assert rows(mirror, "FROM sync_errors") == []
    assert (rows(mirror, VALUES), rows(mirror, RUNS)) == (values, runs)


def test_one_hidden_project_among_others_does_not_stop_them(mirror, world):
    mirror.sync([TEAM])
    world.hide_project(world.projects[0])
    path = first_runs(world, 1)[0]
    world.edit(path, tags=["later"])
    mirror.sync()
    assert rows(mirror, "SELECT project FROM projects WHERE inaccessible_since IS NOT NULL") == [
        (world.projects[0].name,)
    ]
    assert rows(mirror, "SELECT count(*) FROM runs WHERE deleted_at IS NOT NULL") == [(0,)]
    assert rows(mirror, "SELECT tags FROM runs WHERE run_id = ?", own_id(path)) == [('["later"]',)]


def test_a_project_that_never_was_is_not_found_and_named(mirror):
    with pytest.raises(NotFound, match="team/typo"):
        mirror.sync([f"{TEAM}/typo"])


def test_a_mirror_of_another_server_is_refused(tmp_path, mirror, box):
    mirror.sync([TEAM])
    with Sandbox(make_world()) as other:
        with pytest.raises(WrongServer, match="belongs to"):
            open_mirror(mirror.folder, other).sync([TEAM])
        assert all("runs" not in each.document for each in other.requests)


@pytest.mark.parametrize(
    "fault",
    [f.html_page(), f.status(502), f.status(504), f.throttle(), f.truncate(), f.reset()],
    ids=["html", "502", "504", "429", "truncated", "reset"],
)
def test_a_server_that_breaks_now_and_then_is_mirrored_all_the_same(tmp_path, no_waiting, fault):
    world = make_world(projects=1, runs=12, steps=20)
    with Sandbox(world, max_page=4) as box:
        box.faults.add(fault, times=None, probability=0.1)
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        for _ in range(6):
            if not mirror.sync([TEAM]).has_skips:
                break
        box.faults.clear()
        clean = open_mirror(tmp_path / "clean", box)
        clean.sync([TEAM])
        assert_equal(mirror.published_path, clean.published_path)


@pytest.mark.parametrize(
    "fault",
    [f.html_page(), f.status(500), f.status(400), f.throttle(), f.bad_json(), f.reset()],
    ids=["html", "500", "400", "429", "bad JSON", "reset"],
)
def test_a_server_that_breaks_for_good_ends_the_sync_and_leaves_what_was_there(
    no_waiting, mirror, world, box, fault
):
    mirror.sync([TEAM])
    before = rows(mirror, VALUES)
    world.edit(first_runs(world)[0], tags=["unseen"])
    box.faults.add(fault, times=None)
    with pytest.raises(MirrorError) as caught:
        mirror.sync()
    assert box.api_key not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert rows(mirror, VALUES) == before
    with mirror.read() as published:
        assert_consistent(published)
    box.faults.clear()
    mirror.sync()
    assert rows(mirror, "SELECT count(*) FROM runs WHERE tags = '[\"unseen\"]'") == [(1,)]


@pytest.mark.parametrize("message", ["this run is corrupt", "internal error"])
def test_a_run_whose_history_cannot_be_read_is_set_aside_and_read_by_the_next_sync(
    tmp_path, no_waiting, mirror, world, box, message
):
    bad = own_id(first_runs(world)[1])
    box.faults.add(
        f.graphql_error(message, ["project"]),
        times=None,
        when=lambda seen: "history(" in seen.document and bad in str(seen.variables),
    )
    report = mirror.sync([TEAM])
    assert report.problems == 1
    path = f"{TEAM}/{world.projects[0].name}/{bad}"
    assert rows(mirror, "SELECT kind, key FROM sync_errors") == [("history", path)]
    read = "SELECT count(*) FROM runs WHERE history_status IN ('complete', 'live')"
    assert rows(mirror, read) == [(5,)]
    box.faults.clear()
    assert not mirror.sync().has_skips
    clean = open_mirror(tmp_path / "clean", box)
    clean.sync([TEAM])
    assert_equal(mirror.published_path, clean.published_path)


def test_no_network_is_a_thing_to_try_again_and_leaves_no_folder(tmp_path, no_waiting, world):
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
    with pytest.raises(Retry):
        mirror.sync([TEAM])
    assert not mirror.folder.exists()

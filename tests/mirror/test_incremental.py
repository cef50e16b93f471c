"""The second sync and those after it: they find what changed, and touch nothing else."""

from __future__ import annotations

import json
from datetime import timedelta
from math import ceil

import pytest

from mirror.making import (
    TEAM,
    assert_equal,
    first_runs,
    make_world,
    open_mirror,
    own_id,
    rows,
    written_by_nobody,
)
from wandb_mirror.errors import DiskFull, NotMirrored
from wandb_mirror.mirror import readings
from wandb_mirror.mirror.mirror import utc_now
from wandb_mirror.sandbox import Sandbox
from wandb_mirror.warehouse.warehouse import Warehouse


@pytest.fixture
def synced(mirror):
    """Return a mirror that has all of its world."""
    report = mirror.sync([TEAM])
    assert not report.has_skips
    return mirror


def fresh_sync(folder, box):
    """Return a mirror that was made by one sync just now."""
    mirror = open_mirror(folder, box)
    mirror.sync([TEAM])
    return mirror


def run_row(mirror, path, columns):
    """Return some columns of one run, whatever project it is in now."""
    found = rows(mirror, f"SELECT {columns} FROM runs WHERE run_id = ?", own_id(path))
    assert len(found) == 1
    return found[0]


def test_a_sync_without_news_asks_little_publishes_nothing_and_writes_nothing(tmp_path):
    world = make_world(projects=1, runs=1005, steps=2, metrics=1, config_keys=1)
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box, overrides={"sync.history": False})
        target = f"{TEAM}/{world.projects[0].name}"
        mirror.sync([target])
        with written_by_nobody(mirror.folder):
            report = mirror.sync([target])
        assert report.requests <= 10 + ceil(1005 / 1000)
        assert (report.published, report.rows, report.retries) == (None, 0, 0)


def test_a_sync_with_history_and_without_news_writes_nothing(synced, world):
    with written_by_nobody(synced.folder):
        report = synced.sync([f"{TEAM}/{world.projects[0].name}"])
    running = sum(run.state == "running" for run in world.projects[0].runs.values())
    assert report.requests <= 12 + running
    assert report.published is None


def test_tags_and_notes_of_a_finished_run_are_found_and_nothing_else_is_written(synced, world):
    path, other = first_runs(world)[:2]
    before = run_row(synced, other, "synced_at")
    world.edit(path, tags=["best", "paper"], notes="look here")
    report = synced.sync()
    assert report.published is not None
    assert run_row(synced, path, "tags, notes") == ('["best","paper"]', "look here")
    tags = rows(synced, "SELECT tag FROM run_tags WHERE run_id = ? ORDER BY tag", own_id(path))
    assert tags == [("best",), ("paper",)]
    assert run_row(synced, other, "synced_at") == before


@pytest.mark.parametrize("updated_at", ["moves", "still", "absent"])
def test_an_edited_config_is_found_within_the_deep_period(tmp_path, world, updated_at):
    with Sandbox(world, updated_at=updated_at) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        path = first_runs(world)[0]
        world.edit(path, config={"lr": 0.5, "added": "later"})
        mirror.now = lambda: utc_now() + timedelta(hours=25)
        mirror.sync()
        found = dict(
            rows(mirror, "SELECT key, value FROM run_config WHERE run_id = ?", own_id(path))
        )
        assert found == {"lr": "0.5", "added": '"later"'}
        assert json.loads(run_row(mirror, path, "config")[0]) == {"lr": 0.5, "added": "later"}


def test_what_a_running_run_logs_is_found_until_it_has_ended(tmp_path, synced, world, box):
    run = world.create_run(world.projects[0], "growing", state="running")
    for step in range(5):
        world.log(run, {"m": step}, step=step)
    synced.sync()
    assert run_row(synced, "x/growing", "history_rows, history_status") == (5, "live")
    for step in range(5, 12):
        world.log(run, {"m": step}, step=step)
    synced.sync()
    assert run_row(synced, "x/growing", "history_rows, last_step") == (12, 11)
    world.log(run, {"m": 12}, step=12)
    world.finish(run)
    synced.sync()
    found = run_row(synced, "x/growing", "history_rows, history_status, state")
    assert found == (13, "complete", "finished")
    assert_equal(synced.published_path, fresh_sync(tmp_path / "fresh", box).published_path)


def test_a_row_that_is_merged_into_the_last_step_later_is_whole(synced, world):
    run = world.create_run(world.projects[0], "merging", state="running")
    world.log(run, {"a": 1}, step=0)
    synced.sync()
    world.log(run, {"a": 2}, step=1)
    world.finish(run)
    synced.sync()
    found = rows(synced, "SELECT step, key, value FROM metrics WHERE run_id = 'merging' ORDER BY 1")
    assert found == [(0, "a", 1.0), (1, "a", 2.0)]


def test_a_rewound_run_loses_the_steps_that_upstream_lost(tmp_path, synced, world, box):
    run = world.create_run(world.projects[0], "rewound", state="running")
    for step in range(10):
        world.log(run, {"m": step}, step=step)
    synced.sync()
    world.rewind(run, 3)
    world.log(run, {"m": -1}, step=4)
    world.finish(run)
    synced.sync()
    fresh = fresh_sync(tmp_path / "fresh", box)
    sql = "SELECT step, value FROM metrics WHERE run_id = 'rewound' AND key = 'm' ORDER BY step"
    assert rows(synced, sql) == rows(fresh, sql)
    assert_equal(synced.published_path, fresh.published_path)


def test_a_deleted_run_keeps_its_row_and_leaves_the_metrics_until_it_is_restored(synced, world):
    path = first_runs(world)[0]
    counts = "SELECT (SELECT count(*) FROM metrics), (SELECT count(*) FROM metric_stats)"
    before = rows(synced, counts)
    world.delete(path)
    report = synced.sync()
    assert sum(each.missing["runs"] for each in report.projects) == 1
    assert run_row(synced, path, "deleted_at")[0] is not None
    own = "SELECT count(*) FROM metrics WHERE run_id = ?"
    assert rows(synced, own, own_id(path)) == [(0,)]
    world.restore(path)
    synced.sync()
    assert run_row(synced, path, "deleted_at") == (None,)
    assert rows(synced, counts) == before


def test_a_renamed_project_takes_its_runs_and_its_schema_along(tmp_path, synced, world, box):
    project = world.projects[0]
    old = project.name
    world.rename_project(project, "renamed")
    synced.sync()
    assert {name for (name,) in rows(synced, "SELECT DISTINCT project FROM runs")} == {
        "renamed",
        world.projects[1].name,
    }
    assert rows(synced, f'SELECT count(*) FROM "{TEAM}/renamed".runs') == [(3,)]
    schemas = rows(synced, "SELECT schema_name FROM duckdb_schemas()")
    assert (f"{TEAM}/{old}",) not in schemas
    assert_equal(synced.published_path, fresh_sync(tmp_path / "fresh", box).published_path)


def test_a_moved_run_is_gone_from_one_project_and_whole_in_the_other(synced, world):
    path = first_runs(world)[0]
    there = world.projects[1]
    world.move_run(path, there)
    synced.sync()
    found = rows(
        synced,
        "SELECT project, deleted_at IS NULL, history_rows > 0 FROM runs WHERE run_id = ?",
        own_id(path),
    )
    assert sorted(found, key=lambda row: row[1]) == [
        (world.projects[0].name, False, True),
        (there.name, True, True),
    ]
    places = "SELECT DISTINCT project FROM metrics WHERE run_id = ?"
    assert rows(synced, places, own_id(path)) == [(there.name,)]


def test_a_forgotten_project_leaves_nothing_and_comes_back_whole(tmp_path, synced, world, box):
    name = world.projects[0].name
    synced.forget(f"{TEAM}/{name}")
    for table in ("projects", "runs", "metrics", "metric_stats", "run_config", "run_tags"):
        assert rows(synced, f"SELECT count(*) FROM {table} WHERE project = ?", name) == [(0,)]
    assert (f"{TEAM}/{name}",) not in rows(synced, "SELECT schema_name FROM duckdb_schemas()")
    with pytest.raises(NotMirrored):
        synced.forget(f"{TEAM}/{name}")
    synced.sync([f"{TEAM}/{name}"])
    assert_equal(synced.published_path, fresh_sync(tmp_path / "fresh", box).published_path)


def test_a_full_refresh_of_an_unchanged_project_changes_nothing_that_readers_see(
    tmp_path, synced, box
):
    synced.sync(is_full_refresh=True)
    assert_equal(synced.published_path, fresh_sync(tmp_path / "fresh", box).published_path)


def test_what_is_renamed_and_edited_and_logged_at_once_ends_as_a_fresh_mirror(
    tmp_path, synced, world, box
):
    first, second, third = first_runs(world)
    world.edit(first, tags=["a"], display_name="renamed", config={"lr": 7})
    world.edit(second, summary={"m": 1})
    world.edit(third, group="other")
    world.create_run(world.projects[1], "new", config={"z": 1})
    world.create_project(TEAM, "newcomer")
    synced.now = lambda: utc_now() + timedelta(hours=25)
    synced.sync()
    assert_equal(synced.published_path, fresh_sync(tmp_path / "fresh", box).published_path)


def test_wide_rows_are_asked_for_a_few_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(readings, "BYTES_A_WINDOW", 1_000_000)
    world = make_world(projects=1, runs=6, steps=60)
    wide = world.create_run(world.projects[0], "wide")
    row = {f"layer-{number}/gradient-norm": number / 7 for number in range(600)}
    for step in range(60):
        world.log(wide, row, step=step)
    world.finish(wide)
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "m", box)
        mirror.sync([TEAM])
        sent = [each.variables for each in box.requests if each.operation == "Steps"]
        wide = [
            each[f"samples_{name.removeprefix('run_id_')}"]
            for each in sent
            for name, value in each.items()
            if value == "wide"
        ]
        assert len(wide) >= 2
        assert all(25 <= rows_asked <= 40 for rows_asked in wide[:-1])  # of 27 KB each
    assert rows(mirror, "SELECT history_rows FROM runs WHERE run_id = 'wide'") == [(60,)]


def test_a_window_that_was_fetched_and_not_saved_is_not_taken_of_a_run_that_was_rewound_since(
    tmp_path, monkeypatch
):
    world = make_world(projects=1, runs=3, steps=30)
    run = world.create_run(world.projects[0], "to-rewind", state="running")
    for step in range(30):
        world.log(run, {"loss": 1.0}, step=step)

    def save_nothing(*_):
        raise DiskFull("no room")

    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "m", box)
        with monkeypatch.context() as patch:
            patch.setattr(Warehouse, "save_steps", save_nothing)
            with pytest.raises(DiskFull):
                mirror.sync([TEAM])
        assert list(mirror.folder.glob("*.journal"))
        world.rewind(run, 9)  # and as many lines again as there were
        for step in range(10, 30):
            world.log(run, {"loss": 2.0}, step=step)
        before = len(box.requests)
        mirror.sync([TEAM])
        sent = [each.variables for each in box.requests[before:] if each.operation == "Steps"]
        asked = {value for each in sent for name, value in each.items() if "run_id" in name}
        assert asked == {"to-rewind"}  # the others' windows are in the journal
        assert_equal(mirror.published_path, fresh_sync(tmp_path / "fresh", box).published_path)

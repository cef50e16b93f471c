"""What the machines of runs measured of themselves."""

from __future__ import annotations

import json

import pytest

from mirror.making import TEAM, first_runs, make_world, open_mirror, own_id, rows
from wandb_mirror.sandbox import Sandbox

COUNTED = "SELECT run_id, count(DISTINCT runtime), any_value(sampled_from) FROM system_metrics GROUP BY ALL"


@pytest.fixture
def world():
    return make_world(projects=1)


def asked(box, operation="Samples"):
    return [each for each in box.requests if each.operation == operation]


def test_every_sample_is_there_value_by_value(world, box, mirror):
    mirror.sync([TEAM])
    run = world.run(first_runs(world)[0])
    assert run.events
    found = {
        (runtime, key): value
        for runtime, key, value in rows(
            mirror, "SELECT runtime, key, value FROM system_metrics WHERE run_id = ?", run.run_id
        )
    }
    wanted = {}
    for sample in map(json.loads, run.events):
        runtime = sample["_runtime"]
        wanted |= {(runtime, key): float(value) for key, value in sample.items() if key[0] != "_"}
    assert found == wanted
    assert {count for _, _, count in rows(mirror, COUNTED)} == {len(run.events)}


def test_what_did_not_grow_is_not_asked_for_again(world, box, mirror):
    mirror.sync([TEAM])
    first = len(asked(box))
    assert first == 1
    mirror.sync([TEAM])
    assert len(asked(box)) == first


def test_a_run_that_measured_more_is_read_whole_again(world, box, mirror):
    mirror.sync([TEAM])
    path = first_runs(world)[0]
    run = world.run(path)
    run.events.append('{"_timestamp":1,"_runtime":1000000,"system.cpu":"NaN","note":"text"}')
    world.edit(path, notes="so that it is listed")
    mirror.sync([TEAM])
    (found,) = [each for each in rows(mirror, COUNTED) if each[0] == own_id(path)]
    assert found[1:] == (len(run.events), len(run.events))
    sql = "SELECT key, isnan(value) FROM system_metrics WHERE runtime = 1000000"
    assert rows(mirror, sql) == [("system.cpu", True)]


def test_fewer_samples_than_there_were_say_how_many_there_were(world, tmp_path, monkeypatch):
    monkeypatch.setattr("wandb_mirror.sandbox.run_reads.sample", lambda lines, _count: lines[:2])
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "m", box)
        mirror.sync([TEAM])
    run = world.run(first_runs(world)[0])
    assert {each[1:] for each in rows(mirror, COUNTED)} == {(2, len(run.events))}


def test_a_sample_that_is_none_sets_its_run_aside_and_no_other(world, box, mirror):
    bad, good = (own_id(path) for path in first_runs(world)[:2])
    world.run(first_runs(world)[0]).events.append("[1]")
    report = mirror.sync([TEAM])
    assert report.problems == 1
    assert good in {each[0] for each in rows(mirror, COUNTED)}
    assert bad not in {each[0] for each in rows(mirror, COUNTED)}


def test_a_server_without_samples_and_a_setting_against_them_leave_the_table_empty(world, tmp_path):
    with Sandbox(world, lacks=frozenset({"Run.events", "Run.eventsLineCount"})) as box:
        mirror = open_mirror(tmp_path / "older", box)
        report = mirror.sync([TEAM])
        assert "system_metrics" in report.projects[0].not_offered
        assert rows(mirror, COUNTED) == []
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "off", box, overrides={"sync.system_metrics": False})
        mirror.sync([TEAM])
        assert rows(mirror, COUNTED) == []
        assert asked(box) == []
        mirror.sync([TEAM], only=["system_metrics"])
        assert len(rows(mirror, COUNTED)) == 3


def test_the_samples_of_a_deleted_run_are_shown_no_more(world, box, mirror):
    mirror.sync([TEAM])
    path = first_runs(world)[0]
    world.delete(path)
    mirror.sync([TEAM])
    assert own_id(path) not in {each[0] for each in rows(mirror, COUNTED)}

"""Past names, tags, notes, aliases and states are kept, with when, where the settings ask for it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from mirror.making import TEAM, first_runs, make_world, open_mirror, own_id, rows
from wandb_mirror.sandbox import Sandbox

KEPT = {"sync.past_values": True}
START = datetime(2030, 1, 1)  # noqa: DTZ001  (naive UTC)


def hour(number):
    """Return when the sync of that number runs."""
    return START + timedelta(hours=number)


@pytest.fixture
def world():
    return make_world(projects=1, runs=2, steps=2, models=1)


def sync_at(mirror, number, only=("runs",)):
    """Sync as if it were that hour."""
    mirror.now = lambda: hour(number)
    return mirror.sync([TEAM], only=only)


def lives(mirror, own_key, field):
    """Return what a field of an object was, the oldest first, with the hours from and until."""
    found = rows(
        mirror,
        "SELECT value, text, valid_from, valid_to FROM past_values WHERE id = ? AND field = ? "
        "ORDER BY valid_from",
        own_key,
        field,
    )
    spelled = []
    for value, text, since, until in found:
        said = json.loads(value)
        assert text == (said if isinstance(said, str) else value)
        ends = None if until is None else (until - START) / timedelta(hours=1)
        spelled.append((said, (since - START) / timedelta(hours=1), ends))
    return spelled


def test_what_was_edited_is_kept_with_the_time_until_another_value_was_found(tmp_path, world):
    path = first_runs(world)[0]
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box, overrides=KEPT)
        world.edit(path, tags=["a"], notes="first")
        sync_at(mirror, 0)
        world.edit(path, tags=["a", "b"])
        sync_at(mirror, 1)
        world.edit(path, tags=[], notes="second")
        sync_at(mirror, 2)
        run_id = own_id(path)
        assert lives(mirror, run_id, "tags") == [(["a"], 0, 1), (["a", "b"], 1, 2), ([], 2, None)]
        assert lives(mirror, run_id, "notes") == [("first", 0, 2), ("second", 2, None)]
        as_of = "SELECT text FROM past_values WHERE id = ? AND field = 'notes' AND valid_from <= ?"
        assert rows(mirror, as_of, run_id, hour(1)) == [("first",)]
        assert sync_at(mirror, 3).published is None


def test_what_is_deleted_ends_and_what_is_restored_begins_again(tmp_path, world):
    path = first_runs(world)[0]
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box, overrides=KEPT)
        sync_at(mirror, 0)
        world.delete(path)
        sync_at(mirror, 1)
        [(state, *times)] = lives(mirror, own_id(path), "state")
        assert times == [0, 1]
        world.restore(path)
        sync_at(mirror, 2)
        assert lives(mirror, own_id(path), "state") == [(state, 0, 1), (state, 2, None)]


def test_aliases_and_names_of_projects_are_kept_too(tmp_path, world):
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box, overrides=KEPT)
        sync_at(mirror, 0, only=())
        before = world.projects[0].name
        world.rename_project(world.projects[0], "another")
        sync_at(mirror, 1)
        [(project_id,)] = rows(mirror, "SELECT project_id FROM projects")
        assert lives(mirror, project_id, "project") == [(before, 0, 1), ("another", 1, None)]
        now = rows(
            mirror,
            "SELECT id, collection, value FROM past_values WHERE kind = 'artifacts' "
            "AND field = 'aliases' AND project = 'another' AND valid_to IS NULL",
        )
        aliases = {(own, place, each) for own, place, text in now for each in json.loads(text)}
        listed = "SELECT artifact_id, collection, alias FROM artifact_aliases"
        assert aliases == set(rows(mirror, listed)) != set()


def test_nothing_is_kept_unasked_and_what_is_there_is_taken_down_when_it_is(tmp_path, world):
    first, second = first_runs(world)
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        sync_at(mirror, 0)
        assert rows(mirror, "SELECT count(*) FROM past_values") == [(0,)]
        kept = open_mirror(tmp_path / "mirror", box, overrides=KEPT)
        sync_at(kept, 1)
        [name] = rows(kept, "SELECT name FROM runs WHERE run_id = ?", own_id(first))[0]
        assert lives(kept, own_id(first), "name") == [(name, 0, None)]
        world.edit(first, display_name="unseen")
        world.delete(second)
        sync_at(mirror, 2)
        sync_at(kept, 3)
        assert lives(kept, own_id(first), "name") == [(name, 0, 2), ("unseen", 2, None)]
        assert [until for *_, until in lives(kept, own_id(second), "name")] == [2]


def test_a_project_that_is_forgotten_leaves_no_past(tmp_path, world):
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box, overrides=KEPT)
        sync_at(mirror, 0)
        assert rows(mirror, "SELECT count(*) > 0 FROM past_values") == [(True,)]
        mirror.forget(f"{TEAM}/{world.projects[0].name}")
        assert rows(mirror, "SELECT count(*) FROM past_values") == [(0,)]
        assert rows(mirror, "SELECT count(*) FROM _data.past_values") == [(0,)]

"""Whatever one reply in ten is, a sync ends as a clean one would, or says what is missing."""

from __future__ import annotations

from contextlib import suppress

import pytest

from mirror.faulty import FAULTS, sync_through
from mirror.making import TEAM, assert_equal, first_runs, make_world, open_mirror, own_id, rows
from wandb_mirror.errors import NotFound, Throttled, UpstreamBroken
from wandb_mirror.sandbox import Sandbox
from wandb_mirror.sandbox import faults as f
from wandb_mirror.upstream.client import Client
from wandb_mirror.upstream.pace import Pace


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    """Let nobody wait before a retry."""
    monkeypatch.setattr(Client, "_sleep", lambda _self, _seconds: None)
    monkeypatch.setattr(Pace, "pause", lambda _self, _seconds: None)


@pytest.mark.parametrize("seed", range(2))
def test_with_every_sort_of_fault_in_one_reply_of_ten_the_mirror_ends_as_a_clean_one(
    tmp_path, seed
):
    assert sync_through(tmp_path, FAULTS, seed=seed) >= 1


@pytest.mark.parametrize("name", ["partial data", "null node", "same page", "empty page"])
def test_with_one_sort_of_lie_in_one_reply_of_ten_the_mirror_ends_as_a_clean_one(tmp_path, name):
    assert sync_through(tmp_path, {name: FAULTS[name]}, seed=3) >= 1


def test_an_error_without_a_reason_at_any_request_is_no_end_that_somebody_must_mend(tmp_path):
    """Each request of a first sync is answered so in turn, as often as it is asked."""
    kinds = ["runs", "history"]
    with Sandbox(make_world(projects=1, runs=2, steps=4)) as box:
        clean = open_mirror(tmp_path / "clean", box)
        clean.sync([TEAM], only=kinds)
        documents = list(dict.fromkeys(each.document for each in box.requests))
        assert len(documents) > 3
        for number, document in enumerate(documents):
            box.faults.add(
                f.graphql_error("something broke", ["project"]),
                times=None,
                when=lambda seen, document=document: seen.document == document,
            )
            mirror = open_mirror(tmp_path / f"mirror-{number}", box)
            with suppress(UpstreamBroken):
                mirror.sync([TEAM], only=kinds)
            box.faults.clear()
            assert not mirror.sync([TEAM], only=kinds).has_skips
            assert_equal(mirror.published_path, clean.published_path)


def test_one_target_that_cannot_be_looked_into_does_not_stop_the_others(tmp_path):
    world = make_world(runs=1, steps=4)
    one, other = (f"{TEAM}/{project.name}" for project in world.projects)
    with Sandbox(world) as box:
        name = one.split("/")[1]
        box.faults.add(
            f.graphql_error("permission denied"),
            times=None,
            when=lambda seen: name in str(seen.variables),
        )
        mirror = open_mirror(tmp_path / "mirror", box)
        with pytest.raises(NotFound, match="permission denied"):
            mirror.sync([one])
        assert mirror.sync([one, other]).problems == 1
        assert rows(mirror, "SELECT kind, key FROM sync_errors") == [("projects", one)]
        assert rows(mirror, "SELECT count(*) FROM runs") == [(1,)]
        box.faults.clear()
        assert not mirror.sync([one, other]).has_skips
        assert rows(mirror, "FROM sync_errors") == []


def test_a_reply_that_never_comes_is_given_up_and_asked_for_again(tmp_path):
    world = make_world(projects=1)
    with Sandbox(world) as box:
        overrides = {"upstream.timeout_seconds": 0.3}
        mirror = open_mirror(tmp_path / "mirror", box, overrides=overrides)
        box.faults.add(f.delay(1500), at=3)
        report = mirror.sync([TEAM])
        assert report.retries >= 1
        assert rows(mirror, "SELECT count(*) FROM runs") == [(3,)]


def test_a_server_whose_clock_is_wrong_is_waited_for_by_its_own_clock(tmp_path, monkeypatch):
    world = make_world(projects=1)
    waited = []
    monkeypatch.setattr(Pace, "pause", lambda _self, seconds: waited.append(seconds))
    headers = {
        "Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT",
        "Date": "Fri, 31 Dec 1999 23:59:54 GMT",
    }
    with Sandbox(world) as box:
        box.faults.add(f.Fault(status=429, body="{}", headers=headers), at=2)
        mirror = open_mirror(tmp_path / "mirror", box)
        report = mirror.sync([TEAM])
        assert report.throttled == 1
    assert len(waited) == 1
    assert 0 <= waited[0] < 600


def test_a_run_deleted_while_it_is_read_is_gone_and_nothing_is_wrong(tmp_path):
    world = make_world(projects=1)
    path = first_runs(world)[1]

    def delete(seen):
        if "history(" in seen.document and world.run(path).deleted_at is None:
            world.delete(path)
        return False

    with Sandbox(world) as box:
        box.faults.add(f.Fault(), when=delete)
        mirror = open_mirror(tmp_path / "mirror", box)
        assert not mirror.sync([TEAM]).has_skips
        assert not mirror.sync([TEAM]).has_skips
        gone = "SELECT run_id FROM runs WHERE deleted_at IS NOT NULL"
        assert rows(mirror, gone) == [(own_id(path),)]


@pytest.mark.parametrize("part", ["config", "history("])
def test_a_run_that_poisons_every_reply_is_set_aside_and_the_rest_is_read(tmp_path, part):
    world = make_world(projects=1, runs=9)
    bad = own_id(first_runs(world)[4])
    with Sandbox(world) as box:
        box.faults.add(
            f.status(502),
            times=None,
            when=lambda seen: part in seen.document and bad in str(seen.variables),
        )
        mirror = open_mirror(tmp_path / "mirror", box)
        report = mirror.sync([TEAM])
        assert report.problems == 1
        [(key,)] = rows(mirror, "SELECT key FROM sync_errors")
        assert key.endswith(bad)
        box.faults.clear()
        assert not mirror.sync([TEAM]).has_skips
        clean = open_mirror(tmp_path / "clean", box)
        clean.sync([TEAM])
        assert_equal(mirror.published_path, clean.published_path)


def test_a_server_that_throttles_for_ever_ends_the_sync_and_keeps_what_came(tmp_path):
    world = make_world(projects=1)
    with Sandbox(world) as box:
        open_mirror(tmp_path / "mirror", box).sync([TEAM])
        overrides = {"upstream.max_retries": 0}
        mirror = open_mirror(tmp_path / "mirror", box, overrides=overrides)
        box.faults.add(f.throttle(retry_after="0"), times=None)
        with pytest.raises(Throttled):
            mirror.sync([TEAM])
        assert rows(mirror, "SELECT count(*) FROM runs") == [(3,)]

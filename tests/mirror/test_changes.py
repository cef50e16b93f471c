"""What changed is found by the time of the latest change, once a server has shown that it moves."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from mirror.making import TEAM, first_runs, make_world, open_mirror, own_id, rows
from wandb_mirror.kinds.run import RUN
from wandb_mirror.mirror.evidence import judge_edit
from wandb_mirror.mirror.mirror import utc_now
from wandb_mirror.sandbox import Sandbox

FIRST, SECOND = (datetime(2024, 1, day) for day in (1, 2))  # noqa: DTZ001  (naive UTC)


@pytest.fixture
def calm(tmp_path):
    """Return a project of 30 ended runs whose server has shown that edits move the time."""
    world = make_world(projects=1, runs=0)
    project = world.projects[0]
    for number in range(30):
        run = world.create_run(project, f"run-{number}", state="running", config={"n": number})
        world.log(run, {"m": number}, step=0)
        world.finish(run)
        world.now += timedelta(minutes=20)
    with Sandbox(world, max_page=10) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        target = f"{TEAM}/{project.name}"
        mirror.sync([target], only=["history"])
        world.edit(f"{target}/run-3", tags=["seen"])
        mirror.sync([target], only=["history"])
        mirror.sync([target], only=["history"])
        yield mirror, world, target


def sync(calm):
    mirror, _, target = calm
    return mirror.sync([target], only=["history"])


def test_where_edits_move_the_time_a_sync_without_news_lists_next_to_nothing(calm):
    report = sync(calm)
    assert report.published is None
    assert report.requests <= 3


@pytest.mark.parametrize(
    "change",
    [
        lambda world, target: world.edit(f"{target}/run-5", notes="edited"),
        lambda world, target: world.edit(f"{target}/run-5", config={"n": -1}),
        lambda world, target: world.delete(f"{target}/run-5"),
        lambda world, target: world.create_run(world.projects[0], "new"),
        lambda world, target: world.rewind(f"{target}/run-0", 0),
        lambda world, target: (
            world.delete(f"{target}/run-5"),
            world.create_run(world.projects[0], "new"),
        ),
        lambda world, target: world.log(world.run(f"{target}/run-9"), {"m": 7}),
    ],
    ids=["notes", "config", "deleted", "created", "rewound", "exchanged", "logged"],
)
def test_a_change_is_found_the_short_way(calm, change):
    mirror, world, target = calm
    change(world, target)
    assert sync(calm).published is not None
    with Sandbox(world) as box:
        fresh = open_mirror(mirror.folder.parent / "fresh", box)
        fresh.sync([target], only=["history"])
        sql = (
            "SELECT run_id, notes, tags, config, summary, history_rows, state FROM runs "
            "WHERE deleted_at IS NULL ORDER BY 1"
        )
        assert rows(mirror, sql) == rows(fresh, sql)


def test_a_run_that_was_given_up_without_any_time_moving_is_found_the_short_way(calm):
    mirror, world, _ = calm
    run = world.create_run(world.projects[0], "alive", state="running")
    world.log(run, {"m": 1}, step=0)
    sync(calm)
    world.crash(run)
    assert sync(calm).requests <= 6
    assert rows(mirror, "SELECT state, history_status FROM runs WHERE run_id = 'alive'") == [
        ("crashed", "complete")
    ]


def test_an_edit_that_leaves_the_time_standing_ends_the_trust(calm):
    mirror, world, target = calm
    world.edits_move_updated_at = False
    world.edit(f"{target}/run-5", tags=["unseen"])
    sync(calm)
    mirror.now = lambda: utc_now() + timedelta(hours=25)
    sync(calm)
    assert rows(mirror, "SELECT tags FROM runs WHERE run_id = 'run-5'") == [('["unseen"]',)]
    mirror.now = utc_now
    world.edit(f"{target}/run-6", tags=["seen at once"])
    assert sync(calm).requests > 3
    assert rows(mirror, "SELECT tags FROM runs WHERE run_id = 'run-6'") == [('["seen at once"]',)]


@pytest.mark.parametrize(
    "options", [{"updated_at": "absent"}, {"updated_at": "still"}, {"ignores_filters": True}]
)
def test_a_server_that_cannot_be_trusted_is_listed_whole_every_time(tmp_path, options):
    world = make_world(projects=1)
    with Sandbox(world, **options) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        for number in range(4):
            world.edit(first_runs(world)[number % 3], tags=[f"tag {number}"])
            mirror.sync([TEAM])
            found = rows(
                mirror,
                "SELECT tags FROM runs WHERE run_id = ?",
                own_id(first_runs(world)[number % 3]),
            )
            assert found == [(f'["tag {number}"]',)]


def test_what_the_runs_own_process_moved_is_no_evidence():
    old = dict.fromkeys([field.column for field in RUN.fields]) | {"deleted_at": None}
    old |= {"updated_at": FIRST, "heartbeat_at": FIRST, "tags": "[]"}
    later = {"updated_at": SECOND, "tags": '["a"]'}
    assert judge_edit(RUN, old, old | later) == {"light": True}
    assert judge_edit(RUN, old, old | {"tags": '["a"]', "config": "{}"}) == {
        "light": False,
        "heavy": False,
    }
    assert judge_edit(RUN, old, old | later | {"heartbeat_at": SECOND}) == {"process": True}
    assert judge_edit(RUN, old, old | {"updated_at": SECOND}) == {}
    assert judge_edit(RUN, old | {"deleted_at": FIRST}, old | later) == {}


def test_a_run_that_ended_minutes_ago_is_read_once_more_when_it_has_settled(tmp_path):
    world = make_world(projects=1, runs=0)
    world.now = datetime.now(UTC) - timedelta(seconds=30)
    run = world.create_run(world.projects[0], "lagging", state="running")
    for step in range(5):
        world.log(run, {"m": step}, step=step)
    world.finish(run)
    status = "SELECT history_status, history_rows FROM runs"
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        assert rows(mirror, status) == [("live", 5)]
        settled = open_mirror(mirror.folder, box, overrides={"sync.overlap_minutes": 0.0})
        settled.sync([TEAM])
        assert rows(mirror, status) == [("complete", 5)]
        assert settled.sync([TEAM]).published is None


@pytest.mark.parametrize("has_ended", [False, True], ids=["running", "ended"])
@pytest.mark.parametrize("more", [0, 5], ids=["as much", "more"])
def test_a_run_that_was_rewound_and_logged_as_much_again_is_read_again(tmp_path, has_ended, more):
    world = make_world(projects=1, runs=0)
    run = world.create_run(world.projects[0], "again", state="running")
    for step in range(10):
        world.log(run, {"m": step}, step=step)
    if has_ended:
        world.finish(run)
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        world.rewind(run, 3)
        for step in range(4, 10 + more):
            world.log(run, {"m": -step}, step=step)
        if has_ended:
            world.finish(run)
        mirror.sync([TEAM])
        found = rows(mirror, "SELECT step, value FROM metrics WHERE key = 'm' ORDER BY step")
        assert found == [(step, float(step if step < 4 else -step)) for step in range(10 + more)]
        assert mirror.sync([TEAM]).published is None


def test_a_run_of_one_row_that_was_rewound_to_nothing_and_logged_more_is_read_again(tmp_path):
    world = make_world(projects=1, runs=0)
    run = world.create_run(world.projects[0], "again", state="running")
    world.log(run, {"m": 1}, step=0)
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        world.rewind(run, -1)
        for step in range(5):
            world.log(run, {"m": -step}, step=step)
        mirror.sync([TEAM])
        found = rows(mirror, "SELECT step, value FROM metrics WHERE key = 'm' ORDER BY step")
        assert found == [(step, float(-step)) for step in range(5)]


def test_where_edits_move_the_time_the_changes_of_several_projects_are_asked_for_at_once(tmp_path):
    world = make_world(projects=5, runs=6, steps=3)
    for project in world.projects:
        world.create_run(project, "alive", state="running")
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)

        def sync():
            return mirror.sync([TEAM], only=["history"])

        sync()
        edited, *_ = first_runs(world, 1)
        for number in range(2):
            world.log(f"{TEAM}/{world.projects[0].name}/alive", {"m": number}, step=number)
            world.edit(edited, tags=[f"seen-{number}"])
            world.now += timedelta(hours=2)
            sync()
        report = sync()
        assert report.published is None
        assert report.requests <= 4  # the viewer, the projects, and two lists of each
        other, *_ = first_runs(world, 3)
        world.edit(other, notes="edited")
        world.finish(f"{TEAM}/{world.projects[2].name}/alive")
        sync()
        assert rows(mirror, "SELECT notes FROM runs WHERE notes = 'edited'") == [("edited",)]
        ended = "SELECT project FROM runs WHERE run_id = 'alive' AND state <> 'running'"
        assert rows(mirror, ended) == [(world.projects[2].name,)]

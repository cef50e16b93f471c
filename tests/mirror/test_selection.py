"""What is mirrored and what is not: projects, runs, config values; what a sync would fetch."""

from __future__ import annotations

from datetime import UTC, timedelta
from pathlib import Path

import pytest

from mirror.making import TEAM, first_runs, make_world, open_mirror, rows
from wandb_mirror.errors import BadSettings, BudgetSpent, DiskFull, Locked, NotFound
from wandb_mirror.kinds.run import RUN
from wandb_mirror.mirror.doctor import judge_file_system
from wandb_mirror.mirror.health import judge_health
from wandb_mirror.mirror.mirror import utc_now
from wandb_mirror.mirror.selection import REDACTED, Redaction
from wandb_mirror.sandbox import Sandbox


def projects_with_runs(mirror):
    return {name for (name,) in rows(mirror, "SELECT DISTINCT project FROM runs")}


def test_projects_are_taken_by_glob_without_those_that_are_excluded_and_newcomers_later(tmp_path):
    world = make_world(projects=0)
    for name in ("vision-a", "vision-b", "vision-secret", "text"):
        world.create_run(world.create_project(TEAM, name), f"run-of-{name}", state="finished")
    with Sandbox(world) as box:
        options = {"overrides": {"sync.exclude": ["team/*secret*"]}}
        mirror = open_mirror(tmp_path / "mirror", box, **options)
        mirror.sync([f"{TEAM}/vision-*"])
        assert projects_with_runs(mirror) == {"vision-a", "vision-b"}
        world.create_run(world.create_project(TEAM, "vision-c"), "newcomer", state="finished")
        mirror.sync()
        assert projects_with_runs(mirror) == {"vision-a", "vision-b", "vision-c"}
        assert mirror.status()["scopes"] == [f"{TEAM}/vision-*"]


def test_runs_outside_a_filter_are_left_alone_and_a_wider_one_fetches_them(tmp_path):
    world = make_world(projects=1, runs=0)
    for state in ("finished", "failed"):
        world.create_run(world.projects[0], state, state=state)
    states = "SELECT state FROM runs WHERE deleted_at IS NULL ORDER BY 1"
    with Sandbox(world) as box:
        narrow = {"sync.run_filter": '{"state": "finished"}'}
        open_mirror(tmp_path / "mirror", box, overrides=narrow).sync([TEAM])
        mirror = open_mirror(tmp_path / "mirror", box)
        assert rows(mirror, states) == [("finished",)]
        mirror.sync([TEAM])
        assert rows(mirror, states) == [("failed",), ("finished",)]
        world.delete(world.projects[0].runs["failed"])
        open_mirror(tmp_path / "mirror", box, overrides=narrow).sync([TEAM])
        assert rows(mirror, states) == [("failed",), ("finished",)]
        bad = open_mirror(tmp_path / "mirror", box, overrides={"sync.run_filter": "{state:"})
        with pytest.raises(BadSettings, match="run_filter"):
            bad.sync([TEAM])


def test_a_redacted_key_is_stored_nowhere_and_stays_redacted_until_it_is_loosened(tmp_path):
    world = make_world(projects=1, runs=0)
    config = {"lr": 0.1, "db": {"user": "u", "password": "hunter2"}, "api_token": "hunter2"}
    world.create_run(world.projects[0], "a", state="finished", config=config)
    values = "SELECT key, value FROM run_config ORDER BY 1"
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        assert ("api_token", '"hunter2"') in rows(mirror, values)
        rules = {"sync.redact": ["*token*", "db.password"]}
        open_mirror(tmp_path / "mirror", box, overrides=rules).sync([TEAM])
        hidden = f'"{REDACTED}"'
        wanted = [("api_token", hidden), ("db.password", hidden), ("db.user", '"u"'), ("lr", "0.1")]
        assert rows(mirror, values) == wanted
        mirror.sync([TEAM], is_full_refresh=True)
        assert rows(mirror, values) == wanted
        assert mirror.redactions(["db.password"]) == ["*token*"]
        mirror.sync([TEAM], is_full_refresh=True)
        assert ("db.password", '"hunter2"') in rows(mirror, values)
        assert ("api_token", hidden) in rows(mirror, values)


def test_what_is_redacted_is_the_value_and_nothing_beside_it():
    text = '{"a":{"value":{"k":1,"n":2},"desc":"d"},"k":{"value":3,"desc":null}}'
    assert (
        Redaction(["a.k"]).clean(text)
        == '{"a":{"value":{"k":"[redacted]","n":2},"desc":"d"},"k":{"value":3,"desc":null}}'
    )
    assert Redaction(["zzz"]).clean(text) == text
    assert "hunter2" not in Redaction(["x"]).clean("{hunter2")
    assert Redaction(["x"]).apply(RUN, [{"config": None, "run_id": "a"}]) == [
        {"config": None, "run_id": "a"}
    ]


def test_since_takes_new_and_changed_runs_alone_and_the_next_sync_the_rest(tmp_path):
    world = make_world(projects=1, runs=0)
    project = world.projects[0]
    for number in range(6):
        run = world.create_run(project, f"run-{number}", state="running")
        world.log(run, {"m": 1}, step=0)
        world.finish(run)
        world.now += timedelta(hours=1)
    since = (world.now - timedelta(hours=2, minutes=30)).astimezone(UTC).replace(tzinfo=None)
    world.edit(project.runs["run-0"], tags=["edited"])
    names = "SELECT run_id FROM runs WHERE history_rows = 1 ORDER BY 1"
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM], since=since)
        assert rows(mirror, names) == [("run-0",), ("run-4",), ("run-5",)]
        mirror.sync([TEAM])
        assert len(rows(mirror, names)) == 6


def test_a_dry_run_counts_what_a_sync_would_fetch_and_writes_nothing(tmp_path):
    world = make_world(projects=1, runs=5, steps=10)
    target = f"{TEAM}/{world.projects[0].name}"
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "mirror", box)

        def runs():
            [found] = [each for each in mirror.foresee([target]) if each.kind == "runs"]
            return found.new, found.changed, found.gone, found.new_lines

        lines = sum(run.history.line_count for run in world.projects[0].runs.values())
        assert runs() == (5, 0, 0, lines)
        assert not mirror.folder.exists()
        mirror.sync([target])
        assert runs() == (0, 0, 0, 0)
        paths = first_runs(world)
        world.edit(paths[0], tags=["a"])
        world.delete(paths[1])
        world.create_run(world.projects[0], "new")
        before = sorted((path.name, path.read_bytes()) for path in mirror.folder.glob("*.duckdb"))
        assert runs() == (1, 1, 1, 0)
        assert before == sorted(
            (path.name, path.read_bytes()) for path in mirror.folder.glob("*.duckdb")
        )


def test_a_sync_whose_budget_is_spent_says_where_it_stands_and_so_does_the_status(
    tmp_path, world, box
):
    mirror = open_mirror(tmp_path / "mirror", box, overrides={"upstream.max_requests": 4})
    with pytest.raises(BudgetSpent, match=rf"\(at {TEAM}/.*: \d"):
        mirror.sync([TEAM])
    status = mirror.status()
    assert status["stopped_at"].startswith(f"at {TEAM}")
    assert status["last_sync"]["status"] == "stopped"
    whole = open_mirror(mirror.folder, box)
    lines = sum(run.history.line_count for each in world.projects for run in each.live_runs)
    missing = sum(each.new_lines or 0 for each in whole.foresee([TEAM]))
    assert missing == lines - rows(whole, "SELECT sum(history_rows) FROM runs")[0][0] > 0
    for expected in (status["stopped_at"], None):  # a wrong name leaves nothing to go on with
        with pytest.raises(NotFound):
            whole.sync(["nobody"])
        assert whole.status()["stopped_at"] == expected
        whole.sync([TEAM])
    assert whole.status()["stopped_at"] is None
    assert rows(whole, "SELECT count(*) FROM runs") == [(6,)]


def test_another_sync_is_waited_for_as_long_as_asked_and_one_of_another_mirror_is_not(
    tmp_path, box
):
    mirror = open_mirror(tmp_path / "mirror", box)
    with mirror.work("test"):
        with pytest.raises(Locked, match="test, process"):
            mirror.sync([TEAM], wait_seconds=0.2)
        assert open_mirror(tmp_path / "other", box).sync([TEAM], only=["runs"]).published


def test_a_sync_stops_while_there_is_still_room_on_the_disk_and_says_where(tmp_path, box):
    overrides = {"sync.least_free_disk_mb": 10**9}
    mirror = open_mirror(tmp_path / "mirror", box, overrides=overrides)
    with pytest.raises(DiskFull, match=r"less than sync.least_free_disk_mb; make room .*\(at "):
        mirror.sync([TEAM])
    assert mirror.status()["last_sync"]["status"] == "stopped"
    assert open_mirror(mirror.folder, box).sync([TEAM]).published


def test_the_figures_of_a_sync_are_left_for_prometheus(tmp_path, box):
    figures = tmp_path / "mirror.prom"
    mirror = open_mirror(tmp_path / "mirror", box, overrides={"sync.metrics_file": str(figures)})
    report = mirror.sync([TEAM])
    lines = figures.read_text().splitlines()
    assert f"wandb_mirror_last_sync_requests {report.requests}" in lines
    assert "wandb_mirror_last_sync_ok 1" in lines
    assert len([line for line in lines if not line.startswith("#")]) == 9
    assert list(tmp_path.glob(".mirror.prom*")) == []


def test_a_mirror_is_healthy_while_its_last_complete_sync_is_fresh(mirror):
    mirror.sync([TEAM])
    now = utc_now().replace(tzinfo=UTC)
    assert judge_health(mirror.status(), 60, now) == ""
    assert "more than 60 s" in judge_health(mirror.status(), 60, now + timedelta(minutes=5))
    empty = {"published": None, "last_complete_sync_at": None}
    assert judge_health(empty, 60, now) == "nothing is published yet"
    assert "complete" in judge_health(empty | {"published": {}}, 60, now)


@pytest.mark.parametrize(
    ("folder", "is_well"),
    [
        ("/home/me/mirror", True),
        ("/net/data/mirror", False),
        ("/net/data local/m", True),
        ("/ssh/m", False),
    ],
)
def test_a_mirror_on_a_network_file_system_is_warned_of(folder, is_well):
    mounts = (
        "/dev/sda1 / ext4 rw 0 0\nserver:/x /net/data nfs4 rw 0 0\n"
        "/dev/sdb /net/data\\040local xfs rw 0 0\nme@far:/ /ssh fuse.sshfs rw 0 0\n"
    )
    assert judge_file_system(Path(folder), mounts).is_well is is_well
    assert judge_file_system(Path(folder), "").is_well

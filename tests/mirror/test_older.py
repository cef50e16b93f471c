"""Servers that cannot be asked for windows of steps: their rows come as samples, whole even so."""

from __future__ import annotations

import pytest

from mirror.making import TEAM, first_runs, make_world, open_mirror, own_id, rows
from wandb_mirror.sandbox import OLDER, Sandbox
from wandb_mirror.sandbox.oddities import add_oddities

VALUES = (
    "SELECT run_id, step, timestamp, runtime, key, value, text, json FROM metrics "
    "WHERE key NOT IN ('eval.loss', 'eval.loss~2') ORDER BY ALL"
)
STATUS = "SELECT run_id, history_status, history_rows FROM runs ORDER BY ALL"
AMBIGUOUS = "odd-values"
"""It has both a key ``eval.loss`` and a ``loss`` within ``eval``: asked by name they are one."""
PROBLEMS = "SELECT key, error FROM sync_errors ORDER BY ALL"
WHOLE = OLDER | {"Run.sampledHistory"}


def odd_world():
    world = make_world(projects=1, runs=2, steps=1100)
    add_oddities(world, TEAM)
    return world


@pytest.fixture(scope="module")
def complete(tmp_path_factory):
    with Sandbox(odd_world()) as box:
        mirror = open_mirror(tmp_path_factory.mktemp("complete") / "mirror", box)
        mirror.sync([TEAM])
        return repr(rows(mirror, VALUES)), rows(mirror, STATUS)


@pytest.mark.parametrize(
    ("lacks", "most", "short"),
    [
        (OLDER, None, {AMBIGUOUS}),
        (OLDER, 300, {AMBIGUOUS}),
        (OLDER | {"Run.historyKeys"}, None, set()),
        (WHOLE, None, set()),
    ],
    ids=["by metric", "by metric and few at once", "no index", "all at once"],
)
def test_histories_without_windows_are_the_same_value_for_value(
    tmp_path, complete, lacks, most, short
):
    with Sandbox(odd_world(), lacks=lacks, max_samples=most) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        report = mirror.sync([TEAM])
        assert "project.run.history(minStep)" in report.lacking
        values, status = complete
        assert repr(rows(mirror, VALUES)) == values
        wanted = {name: ("partial" if name in short else told, n) for name, told, n in status}
        assert {name: tuple(rest) for name, *rest in rows(mirror, STATUS)} == wanted
        assert [own_id(key) for key, _ in rows(mirror, PROBLEMS)] == sorted(short)


def test_samples_that_stay_fewer_than_upstream_counts_are_partial_and_said(tmp_path):
    world = make_world(projects=1, runs=1, steps=120)
    run_id = own_id(first_runs(world)[0])
    for lacks, most in ((WHOLE, 50), (OLDER, 10)):
        with Sandbox(world, lacks=lacks, max_samples=most) as box:
            mirror = open_mirror(tmp_path / str(most), box)
            assert mirror.sync([TEAM]).problems == 1
            [(_, status, kept)] = rows(mirror, STATUS)
            assert (status, kept < 120) == ("partial", True)
            [(key, error)] = rows(mirror, PROBLEMS)
            assert key.endswith(run_id)
            assert f"hands out {kept} of 120 rows" in error


@pytest.mark.parametrize("lacks", [OLDER, WHOLE], ids=["by metric", "all at once"])
def test_a_run_that_logs_on_and_is_rewound_is_followed(tmp_path, lacks):
    world = make_world(projects=1, runs=1, steps=20)
    path = first_runs(world)[0]
    world.edit(path, state="running")
    with Sandbox(world, lacks=lacks) as box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        for step in (20, 21):
            world.log(path, {"late": step}, step=step)
        mirror.sync([TEAM])
        assert rows(mirror, STATUS) == [(own_id(path), "live", 22)]
        assert rows(mirror, "SELECT step, value FROM metrics WHERE key = 'late' ORDER BY 1") == [
            (20, 20.0),
            (21, 21.0),
        ]
        world.rewind(path, 9)
        mirror.sync([TEAM])
        assert rows(mirror, STATUS) == [(own_id(path), "live", 10)]
        assert mirror.sync([TEAM]).published is None

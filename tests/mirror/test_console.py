"""What runs wrote to the console, where it is asked for."""

from __future__ import annotations

import pytest

from mirror.making import TEAM, first_runs, make_world, open_mirror, own_id, rows
from wandb_mirror.api.api import Api
from wandb_mirror.sandbox import Sandbox
from wandb_mirror.sandbox.console import read_line

LINES = "SELECT line, timestamp, level, content FROM console_lines WHERE run_id = ? ORDER BY line"


@pytest.fixture
def world():
    return make_world(projects=1)


@pytest.fixture
def mirror(tmp_path, box):
    return open_mirror(tmp_path / "mirror", box, overrides={"sync.console_lines": True})


def asked(box):
    return [each for each in box.requests if "logLines(" in each.document]


def printed(run):
    lines = [read_line(number, text) for number, text in enumerate(run.console)]
    return [(each.number, each.level, each.line) for each in lines]


def test_every_line_is_there_in_order(world, box, mirror):
    mirror.sync([TEAM])
    run = world.run(first_runs(world)[0])
    assert len(run.console) == 12
    found = rows(mirror, LINES, run.run_id)
    assert [(line, level or "", content) for line, _, level, content in found] == printed(run)
    assert all(timestamp is not None for _, timestamp, *_ in found)
    shown = Api(mirror=mirror.folder).run(run.path).console_logs()
    assert [(each.number, each.level, each.content) for each in shown] == printed(run)


def test_only_runs_that_printed_are_asked_and_only_when_they_print_more(world, box, mirror):
    mirror.sync([TEAM])
    first = len(asked(box))
    assert first == 1
    mirror.sync([TEAM])
    assert len(asked(box)) == first
    path = first_runs(world)[0]
    world.run(path).console += ["one more"] * 1500
    world.edit(path, notes="so that it is listed")
    mirror.sync([TEAM])
    assert rows(mirror, "SELECT count(*) FROM console_lines WHERE run_id = ?", own_id(path)) == [
        (1512,)
    ]


def test_nothing_is_asked_for_unless_the_settings_say_so(world, tmp_path):
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "m", box)
        mirror.sync([TEAM])
        assert asked(box) == []
        assert rows(mirror, "SELECT count(*) FROM console_lines") == [(0,)]
        mirror.sync([TEAM], only=["console_lines"])
        assert rows(mirror, "SELECT count(*) > 0 FROM console_lines") == [(True,)]

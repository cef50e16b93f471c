"""What runs wrote to the console, where it is asked for."""

from __future__ import annotations

import pytest

from mirror.making import TEAM, first_runs, make_world, open_mirror, own_id, rows
from wandb_mirror.api.api import Api
from wandb_mirror.errors import Interrupted
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


def pages_asked_for(box, mirror):
    """Return how many requests for lines the next sync sends."""
    before = len(asked(box))
    mirror.sync([TEAM])
    return len(asked(box)) - before


def held(mirror, run):
    found = rows(mirror, LINES, run.run_id)
    return [(line, level or "", content) for line, _, level, content in found]


def grow(world, run, *lines):
    run.console += lines
    world.edit(run, notes=f"{len(run.console)} lines, so that it is listed")


def test_a_log_that_grew_is_read_on_and_what_was_written_over_is_followed(world, box, mirror):
    run = world.run(first_runs(world)[0])
    grow(world, run, *(f"line {number}" for number in range(4000)))
    assert (
        pages_asked_for(box, mirror) == 5
    )  # the first page of every run, and four more of this one
    run.console[-150] = "written over"
    grow(world, run, *(f"more {number}" for number in range(700)))
    assert pages_asked_for(box, mirror) == 2
    assert held(mirror, run) == printed(run)
    grow(world, run, "the last")
    assert pages_asked_for(box, mirror) == 1
    assert held(mirror, run) == printed(run)


@pytest.mark.parametrize("lines", [800, 3500], ids=["fewer lines", "more lines, but others"])
def test_a_log_that_is_not_the_one_that_was_read_is_read_whole(world, box, mirror, lines):
    run = world.run(first_runs(world)[0])
    grow(world, run, *(f"line {number}" for number in range(3000)))
    mirror.sync([TEAM])
    run.console.clear()
    grow(world, run, *(f"new {number}" for number in range(lines)))
    mirror.sync([TEAM])
    assert held(mirror, run) == printed(run)


def test_a_long_log_that_was_cut_off_is_read_on(world, box, mirror):
    run = world.run(first_runs(world)[0])
    grow(world, run, *(f"line {number}" for number in range(6000)))
    saved = []

    def stop_soon(label):
        saved.extend([label] if "console_lines" in label else [])
        if len(saved) == 5:
            mirror.stop.set()

    mirror.on_commit = stop_soon
    with pytest.raises(Interrupted):
        mirror.sync([TEAM])
    kept = len(held(mirror, run))
    assert 2000 <= kept < 6000
    mirror.stop.clear()
    assert pages_asked_for(box, mirror) <= 7 - kept // 1000 + 2
    assert held(mirror, run) == printed(run)


def test_pages_that_end_early_and_deny_that_anything_follows_lose_no_line(world, tmp_path):
    run = world.run(first_runs(world)[0])
    grow(world, run, *(f"line {number}" for number in range(1500)))
    with Sandbox(world, max_log_page_bytes=6000) as box:
        mirror = open_mirror(tmp_path / "m", box, overrides={"sync.console_lines": True})
        mirror.sync([TEAM])
        assert held(mirror, run) == printed(run)


def test_nothing_is_asked_for_unless_the_settings_say_so(world, tmp_path):
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "m", box)
        mirror.sync([TEAM])
        assert asked(box) == []
        assert rows(mirror, "SELECT count(*) FROM console_lines") == [(0,)]
        mirror.sync([TEAM], only=["console_lines"])
        assert rows(mirror, "SELECT count(*) > 0 FROM console_lines") == [(True,)]

"""Killed processes leave one state or the other, and several at once do not hinder each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("processes.py")
TESTS = PROGRAM.parent.parent

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are forked")


@pytest.fixture
def run(tmp_path):
    def run_program(command):
        done = subprocess.run(
            [sys.executable, str(PROGRAM), command, str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path])},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run_program


def test_a_process_killed_at_any_moment_leaves_the_state_before_or_after(run):
    for name, states in run("kill_everywhere").items():
        assert "torn" not in states, name
        assert states == sorted(states, reverse=True), name  # once after, never before again
        assert states[-2:] == ["after", "after"], name  # killed by on_commit; not killed
        assert len(states) > 6, name


def test_a_store_whose_making_was_killed_is_made_by_the_next_open(run):
    found = run("kill_first_open")
    assert found["torn"] is None
    assert found["moments"] > 40


def test_processes_that_make_a_store_at_once_agree_on_one(run):
    found = run("open_together")
    assert found["ends"] == [0]
    assert found["pairs"] == [1]


def test_processes_that_write_at_once_all_succeed_under_numbers_of_their_own(run):
    assert run("write_together") == {
        "ends": [0, 0, 0, 0],
        "rows": 4 * 15 * 20,
        "seq": 4 * 15,
        "pages_of_one_number": [1],
    }


def test_a_full_disk_stops_the_writing_and_loses_nothing(run):
    found = run("fill_the_disk")
    assert found["error"] == "DiskFull"
    assert found["saved"] > 0
    assert found["readable"] == found["kept"] == found["saved"]
    assert found["more"] == 1

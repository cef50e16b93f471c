from __future__ import annotations

import os
import time
from dataclasses import replace
from io import FileIO

import pytest

from fakes.pulling import SCOPE, STEPS, FakeKeeper, FakeUpstream, reach_of
from wandb_mirror.errors import UpstreamBroken
from wandb_mirror.kinds.pages import StepsReply
from wandb_mirror.pull.journal import SUFFIX, Journal
from wandb_mirror.pull.reading import Reading
from wandb_mirror.pull.steps import walk_steps

REPLY = StepsReply(['{"_step": 0, "a": NaN}', '{"_step": 1, "a": "\\ud800"}'], 2, 1)


def reading(run_id="r", told="2 lines", rows=10):
    return Reading(run_id, 0, True, 2, told=told, rows=rows)


def journal(folder, *, resumes=True, project="p1"):
    return Journal(folder, STEPS, project, resumes=resumes)


def write(folder, *run_ids, told="2 lines"):
    """Leave a journal behind."""
    written = journal(folder)
    for run_id in run_ids:
        written.keep(reading(run_id, told), reading(run_id).window(), REPLY)
    written.close(is_over=False)
    return next(folder.glob(f"*{SUFFIX}"))


def found(folder, run_id="r", told="2 lines", **options):
    each = reading(run_id, told)
    taken = journal(folder, **options).find(each, each.window())
    return taken and taken[1]


def test_a_window_is_found_by_the_next_sync_as_it_came(tmp_path):
    write(tmp_path, "q", "r")
    assert found(tmp_path) == REPLY


@pytest.mark.parametrize(
    "other", [{"told": "3 lines"}, {"run_id": "s"}, {"resumes": False}, {"project": "p2"}], ids=str
)
def test_a_window_is_not_found_for_a(tmp_path, other):
    write(tmp_path, "r")
    assert found(tmp_path, **other) is None


def test_a_window_is_found_once(tmp_path):
    write(tmp_path, "r")
    resumed = journal(tmp_path)
    assert resumed.find(reading(), reading().window()) is not None
    assert resumed.find(reading(), reading().window()) is None


def test_a_first_window_of_another_width_is_found_and_a_later_one_is_not(tmp_path):
    write(tmp_path, "r")
    wider = reading(rows=500)
    asked, reply = journal(tmp_path).find(wider, wider.window())
    assert (asked.max_step, reply) == (10, REPLY)
    wider.is_first = False
    assert journal(tmp_path).find(wider, wider.window()) is None


@pytest.mark.parametrize("damage", ["torn", "bit", "zeros"])
def test_what_is_broken_ends_the_journal_and_what_comes_before_counts(tmp_path, damage):
    path = write(tmp_path, "q", "r")
    text = bytearray(path.read_bytes())
    if damage == "torn":
        del text[-5:]
    elif damage == "bit":
        text[-5] ^= 1
    else:
        text[-5:] = bytes(5)
    path.write_bytes(text)
    assert found(tmp_path, "r") is None
    assert found(tmp_path, "q") == REPLY


def test_a_file_is_removed_once_its_windows_are_saved(tmp_path):
    path = write(tmp_path, "q", "r")
    resumed = journal(tmp_path)
    resumed.forget([("q", 0)])
    assert path.exists()
    resumed.forget([("r", 0)])
    assert not path.exists()


def test_only_the_owner_reads_a_journal(tmp_path):
    assert write(tmp_path, "r").stat().st_mode & 0o777 == 0o600


def test_a_journal_that_cannot_be_written_stops_nothing(tmp_path):
    gone = tmp_path / "gone"
    journal(gone).keep(reading(), reading().window(), REPLY)
    surrogate = replace(REPLY, lines=["\ud800"])
    journal(tmp_path).keep(reading(), reading().window(), surrogate)
    assert not list(tmp_path.iterdir())


def test_a_disk_that_is_full_is_left_no_empty_files(tmp_path, monkeypatch):
    class Full(FileIO):
        def write(self, content):
            raise OSError("no space left")

    monkeypatch.setattr("wandb_mirror.pull.journal.FileIO", Full)
    journal(tmp_path).keep(reading(), reading().window(), REPLY)
    assert not list(tmp_path.iterdir())


def test_a_walk_that_was_cut_off_fetches_no_window_twice(tmp_path):
    lines = {f"r{n}": {step: f"{step}:row" for step in range(35)} for n in range(4)}
    broken = FakeUpstream(lines=lines)
    broken.fail = lambda *_: UpstreamBroken("gone") if len(broken.requests) > 6 else None

    class Stuck(FakeKeeper):
        def save_steps(self, kind, scope, pages):
            raise OSError("disk full")

    def walk(upstream, keeper):
        readings = [Reading(run_id, 0, True, 35, told="35") for run_id in lines]
        reach = replace(reach_of(upstream, keeper), scratch=tmp_path)
        walk_steps(STEPS, SCOPE, readings, reach, resumes=True)

    with pytest.raises((UpstreamBroken, OSError)):
        walk(broken, Stuck())
    whole, keeper = FakeUpstream(lines=lines), FakeKeeper()
    walk(whole, keeper)
    assert keeper.steps == lines
    windows = [
        (each.run_id, each.min_step)
        for upstream, count in ((broken, 6), (whole, None))
        for _, asked in upstream.requests[:count]
        for each in asked
    ]
    assert len(windows) == len(set(windows))
    assert not list(tmp_path.iterdir())


def test_of_old_files_only_journals_go(tmp_path):
    mine, journal_left = tmp_path / "lab.journal", write(tmp_path, "r")
    mine.touch()
    for path in (mine, journal_left):
        os.utime(path, times=(time.time() - 90_000,) * 2)
    journal(tmp_path, project="p2")
    assert list(tmp_path.iterdir()) == [mine]

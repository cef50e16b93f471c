"""Large files come by one stream or by parts, and are put where they are wanted while checked."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from itertools import count
from math import inf
from random import Random

import pytest

from mirror.making import TEAM, make_world, open_mirror
from wandb_mirror.blobs.blobs import ASIDE, PARTIAL
from wandb_mirror.mirror.downloads import Wish
from wandb_mirror.pull import contents, parts
from wandb_mirror.sandbox import Sandbox, faults

WHOLE = Random(1).randbytes(3_000_000)
PART = 125_000
COUNT = -(-len(WHOLE) // PART)


@pytest.fixture(autouse=True)
def little_is_large_and_every_stream_slow(monkeypatch):
    monkeypatch.setattr(contents, "LARGE", 2_000_000)
    monkeypatch.setattr(parts, "PART_BYTES", PART)
    monkeypatch.setattr(parts, "SLOW", inf)
    monkeypatch.setattr(parts, "SECONDS", 0)


@contextmanager
def serving(folder, **behaviour):
    world = make_world(projects=1, runs=1, steps=2)
    [project] = world.projects
    world.shelf.log_artifact(project, "net", "model", {"deep/model.bin": WHOLE})
    with Sandbox(world, **behaviour) as box:
        mirror = open_mirror(folder, box)
        assert not mirror.sync([TEAM]).has_skips
        yield box, mirror, f"{TEAM}/{project.name}/net:v0"


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("usual")) as served:
        yield served


@pytest.fixture
def filled(usual, tmp_path):
    box, mirror, path = usual
    yield box, mirror, path, tmp_path / "out"
    box.faults.clear()
    shutil.rmtree(mirror.blobs.folder)


@pytest.fixture
def strange(tmp_path, request):
    """A server that behaves as a test says."""
    with serving(tmp_path / "mirror", **request.param) as served:
        yield *served, tmp_path / "out"


def is_file(seen):
    return seen.operation == "artifact file"


def ranges(box, since=0.0):
    """Return what parts of files were asked for, and from where on the rest was."""
    served = [each for each in box.requests if is_file(each) and each.at >= since]
    asked = [each.headers.get("range", "") for each in served]
    found = [re.fullmatch(r"bytes=(\d+)-(\d*)", each) for each in asked]
    return (
        sorted((int(each[1]), int(each[2])) for each in found if each and each[2]),
        [int(each[1]) for each in found if each and not each[2]],
    )


def follow_one_another(asked):
    """Tell whether parts that were asked for are together one part up to the end of the file."""
    starts = [first for first, _ in asked] + [len(WHOLE)]
    return [last + 1 for _, last in asked] == starts[1:]


def left_over(folder):
    return [path for path in folder.rglob("*") if path.name.startswith(".wandb-")]


def test_every_part_is_asked_for_once_and_the_file_is_put_where_it_is_wanted(filled):
    box, mirror, path, out = filled
    began = time.time()
    report = mirror.download(path, wish=Wish(out))
    assert not report.problems
    assert (report.fetched.fetched, report.placed) == (1, 1)
    asked, streams = ranges(box, since=began)
    assert streams == [0]
    assert 0 < asked[0][0] < len(WHOLE) / 2
    assert follow_one_another(asked)
    assert {last + 1 - first for first, last in asked[:-1]} == {PART}
    assert (out / "deep/model.bin").read_bytes() == WHOLE
    assert (out / "deep/model.bin").stat().st_mode & 0o200
    (out / "deep/model.bin").write_bytes(b"edited")
    [held] = mirror.blobs.held()
    assert mirror.blobs.path_of(held.digest).read_bytes() == WHOLE
    assert not left_over(out)


def test_what_a_stream_brings_fast_enough_is_asked_for_once(filled, monkeypatch):
    box, mirror, path, out = filled
    monkeypatch.setattr(parts, "SLOW", 1)
    began = time.time()
    assert not mirror.download(path, wish=Wish(out)).problems
    assert ranges(box, since=began) == ([], [0])
    assert (out / "deep/model.bin").read_bytes() == WHOLE


def test_a_stream_is_judged_by_whole_spans_of_time_one_after_another(monkeypatch):
    monkeypatch.setattr(parts, "SLOW", 100)
    monkeypatch.setattr(parts, "SECONDS", 2)
    monkeypatch.setattr(parts.time, "monotonic", count().__next__)
    watch = parts.Watch()
    assert [watch.is_fast(each) for each in (0, 200, 0, 200, 0, 199, 0)] == [
        *(True, True, True, True, True, False, True)
    ]


@pytest.mark.parametrize("strange", [{"ranges": False}], indirect=True)
def test_a_server_that_hands_out_whole_files_alone_is_asked_for_the_whole(strange):
    box, mirror, path, out = strange
    assert not mirror.download(path, wish=Wish(out)).problems
    assert (out / "deep/model.bin").read_bytes() == WHOLE
    assert ranges(box) == ([], [0])


@pytest.mark.parametrize("strange", [{"url_uses": 6}], indirect=True)
@pytest.mark.parametrize("most", [1, parts.MOST_PARTS])
def test_addresses_may_expire_as_often_as_they_like_while_bytes_come(strange, most, monkeypatch):
    box, mirror, path, out = strange
    assert parts.MOST_PARTS * contents.ATTEMPTS < COUNT
    monkeypatch.setattr(parts, "MOST_PARTS", most)
    assert not mirror.download(path, wish=Wish(out)).problems
    assert (out / "deep/model.bin").read_bytes() == WHOLE
    asked, streams = ranges(box)
    # An address serves a stream and five parts; then what is under way is refused, and no more is
    # asked. Which of several parts comes first is chance, so their number is told by address.
    assert len(asked) <= len(streams) * (5 + most)
    assert most > 1 or len(asked) < COUNT + len(streams)


def test_a_part_whose_connection_breaks_is_asked_for_again_alone(filled):
    box, mirror, path, _ = filled
    number = count()
    box.faults.add(faults.reset(), times=1, when=lambda seen: is_file(seen) and next(number) == 3)
    began = time.time()
    assert not mirror.download(path).problems
    asked, streams = ranges(box, since=began)
    assert streams == [0]
    assert len(asked) == len(set(asked)) + 1
    assert follow_one_another(sorted(set(asked)))


def test_what_came_damaged_is_put_nowhere(filled):
    box, mirror, path, out = filled
    box.faults.add(faults.corrupt(), times=None, when=is_file)
    began = time.time()
    report = mirror.download(path, wish=Wish(out))
    assert "checksum" in next(iter(report.problems.values()))
    assert [each for each in out.rglob("*") if each.is_file()] == []
    assert mirror.blobs.loose_bytes(ASIDE) == len(WHOLE)
    assert ranges(box, since=began)[1] == contents.ATTEMPTS * [0]


def test_bytes_are_kept_where_they_cannot_be_put(filled):
    _, mirror, path, out = filled
    out.mkdir()
    (out / "deep").write_bytes(b"a file in the way")
    report = mirror.download(path, wish=Wish(out))
    assert "needs the folder" in next(iter(report.problems.values()))
    assert report.fetched.fetched == len(list(mirror.blobs.held())) == 1


RUN = """
import os, sys
from pathlib import Path
from wandb_mirror.mirror.downloads import Wish
from wandb_mirror.mirror.mirror import Mirror
from wandb_mirror.pull import contents, parts
contents.LARGE, parts.PART_BYTES = 2_000_000, 125_000
parts.SLOW, parts.SECONDS = float("inf"), 0
Mirror.open(sys.argv[1], environ=os.environ).download(sys.argv[2], wish=Wish(Path(sys.argv[3])))
"""


@pytest.mark.parametrize("strange", [{"file_bytes_per_second": 1_500_000}], indirect=True)
def test_after_a_kill_no_byte_that_was_written_is_fetched_again(strange):
    box, mirror, path, out = strange
    environ = {**os.environ, **mirror.environ}
    command = [sys.executable, "-c", RUN, str(mirror.folder), path, str(out)]
    with subprocess.Popen(command, env=environ) as process:
        for _ in range(1000):
            if mirror.blobs.loose_bytes(PARTIAL) > 4 * PART:  # some parts, after the stream
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    begun, killed_at = mirror.blobs.loose_bytes(PARTIAL), time.time()
    assert 0 < begun < len(WHOLE)
    assert not mirror.download(path, wish=Wish(out)).problems
    again, streams = ranges(box, since=killed_at)
    assert streams == [begun]
    assert again[0][0] > begun
    assert follow_one_another(again)
    assert (out / "deep/model.bin").read_bytes() == WHOLE

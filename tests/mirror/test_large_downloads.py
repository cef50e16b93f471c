"""Large files come by parts, several at once, and are put where they are wanted while checked."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
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
def little_is_large(monkeypatch):
    monkeypatch.setattr(contents, "LARGE", 2_000_000)
    monkeypatch.setattr(parts, "PART_BYTES", PART)


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
    """Return what parts of files were asked for."""
    served = [each for each in box.requests if is_file(each) and each.at >= since]
    asked = [each.headers.get("range", "") for each in served]
    found = [re.fullmatch(r"bytes=(\d+)-(\d+)", each) for each in asked]
    return sorted((int(each[1]), int(each[2])) for each in found if each)


def left_over(folder):
    return [path for path in folder.rglob("*") if path.name.startswith(".wandb-")]


def test_every_part_is_asked_for_once_and_the_file_is_put_where_it_is_wanted(filled):
    box, mirror, path, out = filled
    began = time.time()
    report = mirror.download(path, wish=Wish(out))
    assert not report.problems
    assert (report.fetched.fetched, report.placed) == (1, 1)
    starts = range(0, len(WHOLE), PART)
    assert ranges(box, since=began) == [(each, min(each + PART, len(WHOLE)) - 1) for each in starts]
    assert (out / "deep/model.bin").read_bytes() == WHOLE
    assert (out / "deep/model.bin").stat().st_mode & 0o200
    (out / "deep/model.bin").write_bytes(b"edited")
    [held] = mirror.blobs.held()
    assert mirror.blobs.path_of(held.digest).read_bytes() == WHOLE
    assert not left_over(out)


@pytest.mark.parametrize("strange", [{"ranges": False}], indirect=True)
def test_a_server_that_hands_out_whole_files_alone_is_asked_for_the_whole(strange):
    box, mirror, path, out = strange
    assert not mirror.download(path, wish=Wish(out)).problems
    assert (out / "deep/model.bin").read_bytes() == WHOLE
    assert "range" not in [each for each in box.requests if is_file(each)][-1].headers


@pytest.mark.parametrize("strange", [{"url_uses": 6}], indirect=True)
def test_addresses_may_expire_as_often_as_they_like_while_bytes_come(strange):
    box, mirror, path, out = strange
    assert parts.MOST_PARTS * contents.ATTEMPTS < COUNT
    assert not mirror.download(path, wish=Wish(out)).problems
    assert (out / "deep/model.bin").read_bytes() == WHOLE
    assert len(ranges(box)) < 2 * COUNT


def test_a_part_whose_connection_breaks_is_asked_for_again_alone(filled):
    box, mirror, path, _ = filled
    box.faults.add(faults.reset(), times=1, when=is_file)
    began = time.time()
    assert not mirror.download(path).problems
    assert len(ranges(box, since=began)) == COUNT + 1


def test_what_came_damaged_is_put_nowhere(filled):
    box, mirror, path, out = filled
    box.faults.add(faults.corrupt(), times=None, when=is_file)
    began = time.time()
    report = mirror.download(path, wish=Wish(out))
    assert "checksum" in next(iter(report.problems.values()))
    assert [each for each in out.rglob("*") if each.is_file()] == []
    assert mirror.blobs.loose_bytes(ASIDE) == len(WHOLE)
    assert len(ranges(box, since=began)) == contents.ATTEMPTS * COUNT


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
Mirror.open(sys.argv[1], environ=os.environ).download(sys.argv[2], wish=Wish(Path(sys.argv[3])))
"""


@pytest.mark.parametrize("strange", [{"file_bytes_per_second": 400_000}], indirect=True)
def test_after_a_kill_no_byte_that_was_written_is_fetched_again(strange):
    box, mirror, path, out = strange
    environ = {**os.environ, **mirror.environ}
    command = [sys.executable, "-c", RUN, str(mirror.folder), path, str(out)]
    with subprocess.Popen(command, env=environ) as process:
        for _ in range(1000):
            if mirror.blobs.loose_bytes(PARTIAL):
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    begun, killed_at = mirror.blobs.loose_bytes(PARTIAL), time.time()
    assert 0 < begun < len(WHOLE)
    assert not mirror.download(path, wish=Wish(out)).problems
    again = ranges(box, since=killed_at)
    assert again[0][0] == begun
    assert sum(last + 1 - first for first, last in again) == len(WHOLE) - begun
    assert (out / "deep/model.bin").read_bytes() == WHOLE

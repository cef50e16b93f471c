"""Bytes of artifacts and of runs' files: fetched once, checked, kept, and handed out offline."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

from mirror.making import TEAM, make_world, open_mirror
from wandb_mirror import Api
from wandb_mirror.blobs.blobs import ASIDE, PARTIAL
from wandb_mirror.errors import BadName, BadPath, BadSettings, NotMirrored, WrongServer
from wandb_mirror.mirror.downloads import Wish
from wandb_mirror.sandbox import Sandbox, faults

FILES = {
    "model.bin": bytes(range(256)) * 8192,
    "deep/er/labels.json": b'{"classes": []}',
    "empty": b"",
    "again.json": b'{"classes": []}',
}


def serving(files=FILES, **behaviour):
    world = make_world(projects=1, runs=1, steps=2)
    [project] = world.projects
    [run] = project.runs.values()
    world.shelf.log_artifact(project, "net", "model", files, run=run, aliases=["best"])
    box = Sandbox(world, **behaviour)
    return world, box


@pytest.fixture
def filled(tmp_path):
    world, box = serving()
    with box:
        mirror = open_mirror(tmp_path / "mirror", box)
        assert not mirror.sync([TEAM]).has_skips
        yield world, box, mirror, f"{TEAM}/{world.projects[0].name}/net:best"


def tree(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_bytes_are_fetched_once_and_put_where_they_are_wanted_without_a_network(filled, tmp_path):
    _, box, mirror, path = filled
    report = mirror.download(path)
    assert not report.problems
    assert (report.fetched.fetched, report.fetched.there) == (3, 0)  # two of four are the same
    before = len(box.requests)
    report = mirror.download(path, wish=Wish(tmp_path / "out"))
    assert (report.fetched.fetched, report.placed) == (0, 4)
    assert len(box.requests) == before
    assert tree(tmp_path / "out") == FILES


def test_who_edits_a_file_that_was_handed_out_does_not_change_the_mirrors(filled, tmp_path):
    _, _, mirror, path = filled
    mirror.download(path, wish=Wish(tmp_path / "one"))
    (tmp_path / "one/empty").write_bytes(b"edited")
    mirror.download(path, wish=Wish(tmp_path / "two"))
    assert tree(tmp_path / "two") == FILES
    report = mirror.download(path, wish=Wish(tmp_path / "one"))
    assert list(report.problems) == [f"{path.replace('best', 'v0')}/empty"]
    assert (tmp_path / "one/empty").read_bytes() == b"edited"
    mirror.download(path, wish=Wish(tmp_path / "one", overwrites=True))
    assert tree(tmp_path / "one") == FILES


def is_file(seen):
    return seen.operation == "artifact file"


def of_files(box):
    return [each for each in box.requests if each.operation == "artifact file"]


def test_no_key_is_sent_to_where_the_bytes_lie(filled):
    _, box, mirror, path = filled
    mirror.download(path)
    assert of_files(box)
    assert not [each for each in of_files(box) if "authorization" in each.headers]


def test_an_address_that_has_expired_is_asked_for_anew(filled):
    _, box, mirror, path = filled
    box.faults.add(faults.status(403), times=2, when=is_file)
    assert not mirror.download(path).problems


def test_a_transfer_that_breaks_off_is_taken_up_where_it_broke(filled):
    _, box, mirror, path = filled
    box.faults.add(faults.truncate(0.5), times=1, when=is_file)
    before = len(of_files(box))
    assert not mirror.download(path, "model.bin").problems
    _, second = of_files(box)[before:]
    start = int(second.headers["range"].removeprefix("bytes=").removesuffix("-"))
    assert 0 < start < len(FILES["model.bin"])
    assert second.status == 206


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_what_a_stopped_download_left_is_not_fetched_again(filled, share):
    _, box, mirror, path = filled
    mirror.download(path, "*.json")
    whole = FILES["model.bin"]
    [blob] = [each for each in mirror.blobs.held() if each.size_bytes == 15]
    mirror.download(path)
    big = max(mirror.blobs.held(), key=lambda each: each.size_bytes)
    place = mirror.blobs.path_of(big.digest)
    partial = mirror.blobs.folder / PARTIAL / f"md5-{big.digest.hex}"
    place.unlink()
    partial.write_bytes(whole[: int(len(whole) * share)])
    before = box.stats().bytes_out
    assert not mirror.download(path).problems
    fetched = box.stats().bytes_out - before
    assert fetched < len(whole) * (1 - share) + 5000
    assert place.read_bytes() == whole
    assert not partial.exists()
    assert blob.digest.hex


def test_a_beginning_that_is_not_the_files_is_set_aside_and_the_file_is_fetched_anew(filled):
    _, _, mirror, path = filled
    mirror.download(path)
    big = max(mirror.blobs.held(), key=lambda each: each.size_bytes)
    place = mirror.blobs.path_of(big.digest)
    place.unlink()
    (mirror.blobs.folder / PARTIAL / f"md5-{big.digest.hex}").write_bytes(b"something else")
    assert not mirror.download(path).problems
    assert place.read_bytes() == FILES["model.bin"]
    assert mirror.blobs.loose_bytes(ASIDE)


def test_bytes_that_are_not_what_their_checksum_says_are_never_handed_out(filled, tmp_path):
    _, box, mirror, path = filled
    box.faults.add(faults.corrupt(), times=None, when=is_file)
    report = mirror.download(path, "model.bin", wish=Wish(tmp_path / "out"))
    [(name, why)] = report.problems.items()
    assert name.endswith("net:v0/model.bin")
    assert "checksum" in why
    assert not (tmp_path / "out").exists()
    assert not list(mirror.blobs.held())
    box.faults.clear()
    assert not mirror.download(path, "model.bin").problems


def test_a_file_that_cannot_be_fetched_stops_no_other(filled):
    world, _, mirror, path = filled
    [artifact] = world.shelf.artifacts.values()
    del artifact.entries["model.bin"]
    report = mirror.download(path)
    assert report.fetched.fetched == 2
    assert list(report.problems.values()) == ["upstream does not show the file any more"]


def test_names_that_lead_elsewhere_are_named_and_hold_up_no_others(tmp_path, monkeypatch):
    names = ["a", "a/b", "C:\\x", "x\x00y", "/etc/x", "d//e", "good"]
    world, box = serving({name: name.encode() for name in names})
    with box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        path = f"{TEAM}/{world.projects[0].name}/net:v0"
        report = mirror.download(path, wish=Wish(tmp_path / "out"))
    assert tree(tmp_path / "out") == {"a": b"a", "good": b"good"}
    assert {each.removeprefix(f"{path}/") for each in report.problems} == set(names) - {"a", "good"}
    monkeypatch.chdir(tmp_path)
    artifact = Api(mirror=mirror.folder).artifact(path)
    with pytest.raises(BadName, match="a file too"):
        artifact.download(path_prefix="a")
    assert not tree(tmp_path / "artifacts")
    with pytest.raises(BadName):
        artifact.verify(str(tmp_path / "out"))


def test_files_of_runs_are_fetched_by_pattern(tmp_path):
    world, box = serving()
    [project] = world.projects
    [run] = project.runs.values()
    for name in ("output.log", "media/a.png", "media/b.png"):
        world.upload(run, name, name.encode())
    with box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        path = f"{TEAM}/{project.name}/{run.run_id}"
        report = mirror.download(path, "media/*", is_run=True, wish=Wish(tmp_path / "out"))
    assert not report.problems
    assert tree(tmp_path / "out") == {
        "media/a.png": b"media/a.png",
        "media/b.png": b"media/b.png",
    }


def test_the_settings_choose_what_is_fetched_where_nothing_is_named(filled, tmp_path):
    world, box, mirror, _ = filled
    with pytest.raises(BadSettings, match=r"files\.types"):
        mirror.download()
    [project] = world.projects
    [run] = project.runs.values()
    world.shelf.log_artifact(project, "net", "model", {"model.bin": b"new"}, run=run)
    world.shelf.log_artifact(project, "cats", "dataset", {"model.bin": b"cats"}, run=run)
    chosen = {"files.types": ["mod*"], "files.aliases": ["be*"], "files.patterns": ["*.bin"]}
    mirror = open_mirror(mirror.folder, box, overrides=chosen)
    mirror.sync([TEAM])
    report = mirror.download(wish=Wish(tmp_path / "out"))
    assert tree(tmp_path / "out") == {f"{TEAM}/{project.name}/net:v0/model.bin": FILES["model.bin"]}
    assert report.objects == 1
    small = open_mirror(mirror.folder, box, overrides={**chosen, "files.max_file_mb": 1})
    assert small.download().fetched.there == 0


def test_files_that_lie_elsewhere_are_named_and_fetched_where_they_may_be(tmp_path):
    far, other = tmp_path / "far.csv", "s3://bucket/images"
    far.write_bytes(b"a,b")
    world, box = serving({"here.bin": b"1", "far.csv": f"file://{far}", "images": other})
    with box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        path = f"{TEAM}/{world.projects[0].name}/net:v0"
        report = mirror.download(path, wish=Wish(tmp_path / "out"))
        assert [each.split(" -> ")[1] for each in report.references] == [f"file://{far}", other]
        wish = Wish(tmp_path / "out", wants_references=True)
        report = mirror.download(path, wish=wish)
        assert "reference_schemes" in report.problems[f"{path}/far.csv"]
        mirror = open_mirror(
            mirror.folder, box, overrides={"files.reference_schemes": ["file", "s3"]}
        )
        report = mirror.download(path, wish=wish)
        assert "its own client" in report.problems[f"{path}/images"]
        assert tree(tmp_path / "out") == {"here.bin": b"1", "far.csv": b"a,b"}


def test_what_is_not_mirrored_or_no_path_is_said_so(filled):
    _, _, mirror, path = filled
    with pytest.raises(NotMirrored, match="not in this mirror"):
        mirror.download(path.replace("best", "worst"))
    with pytest.raises(BadPath):
        mirror.download("net")


def test_another_server_than_the_mirrors_is_not_asked_for_its_bytes(filled):
    _, box, mirror, path = filled
    closed = open_mirror(
        mirror.folder,
        box,
        overrides={"upstream.base_url": "http://127.0.0.1:9", "upstream.max_retries": 0},
    )
    with pytest.raises(WrongServer, match="belongs to"):
        closed.download(path)


def run_command(mirror, box, *arguments):
    from click.testing import CliRunner

    from wandb_mirror.cli.main import cli

    environ = {"WANDB_BASE_URL": box.base_url, "WANDB_API_KEY": box.api_key}
    return CliRunner().invoke(
        cli, ["--mirror", str(mirror.folder), *arguments], env=environ, standalone_mode=False
    )


def test_the_command_downloads_measures_and_sweeps(filled, tmp_path):
    world, box, mirror, path = filled
    done = run_command(mirror, box, "download", path, "--to", str(tmp_path / "out"))
    assert done.exception is None
    assert "3 files fetched (2.0MiB), 0 there already, 4 put into" in done.stdout
    assert tree(tmp_path / "out") == FILES
    used = run_command(mirror, box, "du").stdout
    assert [line.split() for line in used.splitlines() if "/net" in line] == [
        [path.removesuffix(":best"), "2.0MiB", "3"]
    ]
    swept = run_command(mirror, box, "gc", "--older-than", "0")
    assert swept.stdout.startswith("0 files removed")
    [artifact] = world.shelf.artifacts.values()
    world.shelf.remove_aliases(artifact.memberships[0], ["best", "latest"])
    mirror.sync([TEAM])
    would = run_command(mirror, box, "gc", "--max-size", "0.0001", "--dry-run", "--json").stdout
    assert json.loads(would)["removed"] >= 1
    assert len(list(mirror.blobs.held())) == 3
    swept = run_command(mirror, box, "gc", "--older-than", "0")
    assert swept.stdout.startswith("3 files removed (2.0MiB), 0 kept")
    assert not list(mirror.blobs.held())
    version = path.replace("best", "v0")
    again = run_command(mirror, box, "download", version, "deep/*", "--json")
    assert json.loads(again.stdout)["fetched"] == 1


def test_the_command_says_what_could_not_be_had_and_exits_with_3(filled):
    _, box, mirror, path = filled
    box.faults.add(faults.corrupt(), times=None, when=is_file)
    done = run_command(mirror, box, "download", path, "model.bin")
    assert done.return_value == 3
    assert "model.bin: what came is not what its checksum says" in done.stderr


DIE = """
import os, signal, sys
from wandb_mirror.mirror.mirror import Mirror
from wandb_mirror.pull import contents
fetch, left = contents.download_rest, [int(sys.argv[3])]
def fetch_until_killed(client, url, file, *, most):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    fetch(client, url, file, most=most)
contents.download_rest = fetch_until_killed
Mirror.open(sys.argv[1], environ=os.environ).download(sys.argv[2])
"""


@pytest.mark.parametrize("number", [2, 25])
def test_after_a_kill_no_finished_file_is_fetched_twice(tmp_path, number):
    files = {f"{each}.bin": bytes([each]) * 30_000 for each in range(60)}
    world, box = serving(files)
    with box:
        mirror = open_mirror(tmp_path / "mirror", box)
        mirror.sync([TEAM])
        path = f"{TEAM}/{world.projects[0].name}/net:best"
        arguments = [str(mirror.folder), path, str(number)]
        environ = {**os.environ, **mirror.environ}
        done = subprocess.run([sys.executable, "-c", DIE, *arguments], check=False, env=environ)
        assert done.returncode == -signal.SIGKILL
        there = len(list(mirror.blobs.held()))
        before = len(of_files(box))
        report = mirror.download(path, wish=Wish(tmp_path / "out"))
        assert not report.problems
        assert report.fetched.there == there
        assert len(of_files(box)) - before == len(files) - there
        assert tree(tmp_path / "out") == files

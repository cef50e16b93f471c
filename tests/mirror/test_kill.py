"""A process that is killed anywhere leaves a mirror that the next sync makes whole."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mirror.making import (
    TEAM,
    assert_consistent,
    assert_equal,
    first_runs,
    make_world,
    open_mirror,
)
from wandb_mirror.sandbox import ExportShape, Sandbox
from wandb_mirror.settings import UpstreamSettings

DRIVER = Path(__file__).with_name("sync_and_die.py")
COMMITS = 6
WORKERS = UpstreamSettings().workers
REQUESTS = 4
"""Places tried from each start, the first and the last among them."""
FILES = 3
BY_FILES = {"history.exports_from": 1}


def change(world):
    """Change something in every way, so that a second sync has as much to do as a first one."""
    first, second, third, *_ = first_runs(world)
    world.edit(first, tags=["edited"], notes="edited", config={"lr": 3, "new": [1]})
    world.delete(second)
    world.log(third, {"another": 1.5})
    fourth, fifth, *_ = first_runs(world, 1)
    world.rewind(fourth, 3)
    world.finish(fourth)
    world.edit(fifth, display_name="renamed")
    world.rename_project(world.projects[1], "another-name")
    run = world.create_run(world.projects[0], "new-run", config={"a": 1})
    for step in range(5):
        world.log(run, {"m": step}, step=step)
    world.finish(run)


@dataclass(frozen=True)
class Start:
    """Where syncs that are killed begin, and what becomes of one that is not."""

    box: Sandbox
    folder: Path | None
    wanted: Path
    places: dict[str, int]
    """How often a sync comes by each place."""
    overrides: dict[str, int]


def sync_unbroken(box, old, folder, **overrides):
    """Sync to the end, counting the places where it could have been killed."""
    if old is not None:
        shutil.copytree(old, folder)
    mirror = open_mirror(folder, box, overrides=overrides)
    commits = []
    mirror.on_commit = commits.append
    before = len(box.requests)
    report = mirror.sync([TEAM])
    assert report.retries == 0
    files = sum(each.operation == "export" for each in box.requests[before:])
    places = {"commit": len(commits), "request": report.requests, "file": files}
    return Start(box, old, folder, places, {"runs.max_columns": 40, **overrides})


@pytest.fixture(scope="module")
def starts(tmp_path_factory):
    """Return an empty folder, and a mirror of a world that has changed since."""
    world = make_world(seed=3)
    with Sandbox(world) as box:
        folder = tmp_path_factory.mktemp("killed")
        open_mirror(folder / "old", box).sync([TEAM])
        change(world)
        yield {
            "old": sync_unbroken(box, folder / "old", folder / "wanted"),
            "none": sync_unbroken(box, None, folder / "fresh"),
        }


@contextmanager
def exporting(runs):
    """Serve a world whose histories are in three files each, a quarter with more than numbers."""
    world = make_world(runs=runs)
    for number, path in enumerate([*first_runs(world), *first_runs(world, 1)]):
        if number % 4 == 0:
            world.log(path, {"word": "text"})
        world.finish(path)
    with Sandbox(world, exports="ready", export_shape=ExportShape(rows_per_file=12)) as box:
        yield box


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Return an empty folder."""
    with exporting(runs=6) as box:
        folder = tmp_path_factory.mktemp("exported") / "fresh"
        yield sync_unbroken(box, None, folder, **BY_FILES)


def sync_and_die(folder, start, where, number):
    """Run the driver until it kills itself."""
    box = start.box
    command = [sys.executable, str(DRIVER), str(folder), box.base_url, box.api_key]
    done = subprocess.run(
        [*command, json.dumps(start.overrides), where, str(number)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr


def asked_for(served):
    """Return what of config, summary and history a request asks for."""
    given = served.variables
    if served.operation == "export":
        return {served.document.partition("?")[0]}
    if served.operation == "Steps":
        number = sum(name.startswith("run_id_") for name in given)
        return {(given[f"run_id_{each}"], given[f"min_{each}"]) for each in range(number)}
    chosen = json.loads(given.get("filters") or "{}").get("name")
    return set(chosen["$in"]) if chosen and "config" in served.document else set()


def count_twice(first, second):
    """Return how many pages of each sort were fetched once too often."""
    again = set().union(*map(asked_for, second))
    found = [each for each in first if not again.isdisjoint(asked_for(each))]
    history = sum(each.operation in ("Steps", "export") for each in found)
    return {"config and summary": len(found) - history, "history": history}


def kill_and_finish(tmp_path, start, where, number):
    """Kill a sync, look at what readers then see, sync again, and compare.

    Returns how many pages were fetched twice.
    """
    folder = tmp_path / "mirror"
    before = len(start.box.requests)
    if start.folder is not None:
        shutil.copytree(start.folder, folder)
    sync_and_die(folder, start, where, number)
    killed = len(start.box.requests)
    mirror = open_mirror(folder, start.box, overrides=start.overrides)
    if mirror.published_path.exists():
        with mirror.read() as published:
            assert_consistent(published)
        assert mirror.status()["last_sync"]["status"] in ("cut off", "done")  # and not "running"
    report = mirror.sync([TEAM])
    assert not report.has_skips
    assert_equal(mirror.published_path, start.wanted / "wandb.duckdb")
    requests = start.box.requests
    twice = count_twice(requests[before:killed], requests[killed:])
    assert max(twice.values()) <= WORKERS
    assert not [*folder.glob("*.journal"), *folder.glob("export-*")]
    return sum(twice.values())


def spread(count, parts):
    """Return numbers from 1 to ``count``, both among them, evenly."""
    return [1 + index * (count - 1) // (parts - 1) for index in range(parts)]


@pytest.mark.parametrize("share", range(COMMITS))
@pytest.mark.parametrize("start", ["none", "old"])
def test_a_sync_killed_after_any_commit_is_finished_by_the_next(tmp_path, starts, start, share):
    number = spread(starts[start].places["commit"], COMMITS)[share]
    kill_and_finish(tmp_path, starts[start], "commit", number)


@pytest.mark.parametrize("share", range(REQUESTS))
@pytest.mark.parametrize("start", ["none", "old"])
def test_a_sync_killed_before_any_request_is_finished_by_the_next(tmp_path, starts, start, share):
    number = spread(starts[start].places["request"], REQUESTS)[share]
    kill_and_finish(tmp_path, starts[start], "request", number)


@pytest.mark.parametrize("share", range(FILES))
def test_a_sync_killed_after_any_file_is_finished_by_the_next(tmp_path, exported, share):
    assert exported.places["file"] > 4 * WORKERS
    kill_and_finish(tmp_path, exported, "file", spread(exported.places["file"], FILES)[share])


@pytest.mark.parametrize("where", ["copied", "renaming", "renamed"])
def test_a_sync_killed_while_publishing_is_finished_by_the_next(tmp_path, starts, where):
    kill_and_finish(tmp_path, starts["old"], where, 1)

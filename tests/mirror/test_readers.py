"""Readers in other processes see whole generations, and nobody else writes."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from mirror.making import TEAM, assert_consistent, make_world, open_mirror, rows
from wandb_mirror.errors import Locked
from wandb_mirror.pull import files, steps
from wandb_mirror.query.published import Published
from wandb_mirror.sandbox import Sandbox
from wandb_mirror.sandbox import faults as f
from wandb_mirror.warehouse.warehouse import Warehouse

PUBLICATIONS = 20
"""``make soak`` takes ten times as many."""
READER = Path(__file__).with_name("read_on.py")
OPENING = """
import sys, duckdb
try:
    duckdb.connect(sys.argv[1])
except duckdb.IOException as error:
    sys.exit(3 if "lock" in str(error) else str(error))
"""


@contextmanager
def readers(path, count):
    """Run processes that read until the block ends; check that none met anything odd."""
    command = [sys.executable, str(READER), str(path)]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    try:
        for each in running:
            assert each.stdout.readline() == "reading\n"
        yield
    finally:
        told = [each.communicate("stop\n", timeout=60)[0] for each in running]
    assert [each.returncode for each in running] == [0] * count, told
    for each in told:
        readings, generations = map(int, each.split())
        assert readings >= generations > 1


def publish_to_readers(folder, publications):
    """Publish so often while two processes read; check that nobody met anything odd."""
    world = make_world(projects=1, runs=3)
    with Sandbox(world) as box:
        mirror = open_mirror(folder / "mirror", box)
        run = world.create_run(world.projects[0], "growing", state="running")
        mirror.sync([TEAM])
        with readers(mirror.published_path, 2):
            for number in range(publications):
                world.log(run, {"m": number, f"only/{number % 3}": 1})
                world.edit(run, tags=[f"tag-{number}"])
                assert mirror.sync().published is not None
        [(rows_read,)] = rows(mirror, "SELECT history_rows FROM runs WHERE run_id = 'growing'")
        assert rows_read == publications


def test_readers_in_other_processes_see_only_whole_generations(tmp_path):
    publish_to_readers(tmp_path, PUBLICATIONS)


def try_to_open(path):
    """Open a database for writing in another process; True where that worked."""
    done = subprocess.run([sys.executable, "-c", OPENING, str(path)], check=False, timeout=60)
    assert done.returncode in (0, 3)
    return done.returncode == 0


def test_nobody_else_can_write_to_the_warehouse_while_a_sync_has_it_not_even_after_publishing(
    mirror, world
):
    mirror.sync([TEAM])
    path = mirror.folder / "warehouse.duckdb"
    with mirror.work("test") as (store, warehouse):
        assert not try_to_open(path)
        store.save_error("runs", "x", "something", now=mirror.now())
        assert warehouse.take(store)
        assert warehouse.publish() is not None
        assert not try_to_open(path)
    assert try_to_open(path)


def test_a_second_sync_at_once_is_told_who_holds_the_lock(tmp_path, mirror, box):
    mirror.sync([TEAM])
    box.faults.add(f.delay(1500))
    slow = threading.Thread(target=mirror.sync)
    slow.start()
    holder = mirror.folder / "sync.holder.json"
    until = time.monotonic() + 10
    while not holder.exists() and time.monotonic() < until:
        time.sleep(0.01)
    with pytest.raises(Locked, match=r"another process is working on .*sync, process \d+ on "):
        open_mirror(mirror.folder, box).sync()
    slow.join()
    assert not holder.exists()
    open_mirror(mirror.folder, box).sync()


def test_reading_needs_neither_the_lock_nor_the_server(mirror, box):
    mirror.sync([TEAM])
    asked = len(box.requests)
    with mirror.work("test"):
        assert rows(mirror, "SELECT count(*) FROM runs") == [(6,)]
    assert len(box.requests) == asked


IN_A_NOTEBOOK = """
import sys
from wandb_mirror import Mirror
mirror = Mirror.open(sys.argv[1], environ={})
asked = "SELECT value FROM duckdb_settings() WHERE name = 'enable_progress_bar'"
with mirror.read() as published, mirror.work("test") as (_, warehouse):
    print(published.rows(asked), warehouse.database.rows(asked))
"""


def test_duckdb_draws_no_bar_between_the_data_where_somebody_types_python(mirror):
    mirror.sync([TEAM])
    command = [sys.executable, "-c", IN_A_NOTEBOOK, str(mirror.folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "[('false',)] [('false',)]\n", done.stderr


def test_an_open_reader_keeps_its_generation_until_it_takes_the_next(mirror, world):
    mirror.sync([TEAM])
    with mirror.read() as published:
        count = "SELECT count(*) FROM runs"
        assert published.rows(count) == [(6,)]
        assert not published.refresh()
        world.create_run(world.projects[0], "new")
        mirror.sync()
        assert published.rows(count) == [(6,)]
        assert published.refresh()
        assert published.rows(count) == [(7,)]


@pytest.mark.parametrize("exports", ["off", "ready"])
def test_each_cut_published_during_a_first_sync_has_the_history_that_its_runs_claim(
    tmp_path, monkeypatch, exports
):
    monkeypatch.setattr(steps, "LINES_TOGETHER", 500)
    monkeypatch.setattr(files, "LINES_TOGETHER", 500)
    world = make_world(runs=4, steps=1300, metrics=2)
    upstream = {
        run.run_id: len(run.history.all_steps) for each in world.projects for run in each.live_runs
    }
    claimed = []
    publish = Warehouse.publish

    def look(warehouse):
        path = publish(warehouse)
        with Published.open(warehouse.published) as published:
            assert_consistent(published)
            found = published.rows("SELECT run_id, history_rows, history_status FROM runs")
        claimed.append(sum(rows for _, rows, _ in found))
        ended = {run_id: rows for run_id, rows, status in found if status in ("complete", "live")}
        assert ended == {run_id: upstream[run_id] for run_id in ended}
        return path

    monkeypatch.setattr(Warehouse, "publish", look)
    overrides = {"sync.publish_every_minutes": 1e-9}
    with Sandbox(world, exports=exports) as box:
        mirror = open_mirror(tmp_path / "m", box, overrides=overrides)
        mirror.sync([TEAM], only=["runs", "history"])
    assert claimed == sorted(claimed)
    assert len(set(claimed)) > 5
    assert claimed[-1] == sum(upstream.values())

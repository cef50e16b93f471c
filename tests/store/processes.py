"""Several processes on one store, and processes that are killed: run as a program by the tests.

It prints one JSON value. Children are forked from a program of one thread, so they start at once.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command  # noqa: F401  (a child that upgrades need not wait for the import)

from fakes.storing import LATER, NOW, SCOPE, make_row
from wandb_mirror.errors import MirrorError
from wandb_mirror.kinds.project import PROJECT
from wandb_mirror.kinds.run import RUN
from wandb_mirror.store.checkpoints import Checkpoint
from wandb_mirror.store.engine import HEAD
from wandb_mirror.store.store import Store
from wandb_mirror.store.tables import metadata

PAGES = 15
WRITERS = 4
STRIDE = 5


def fork(work: Callable[[], None]) -> int:
    """Run ``work`` in a child and return its id."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            os._exit(status)
    return child


def wait(child: int) -> int:
    """Return how a child ended: its exit code, or the number of the signal, negative."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


class Killer:
    """Kills its own process at the n-th moment it hears of, statements and commits alike."""

    def __init__(self, moment: int) -> None:
        self.moment = moment
        self.count = 0
        sa.event.listen(sa.Engine, "before_cursor_execute", self.hear)
        sa.event.listen(sa.Engine, "after_cursor_execute", self.hear)
        sa.event.listen(sa.Engine, "commit", self.hear)

    def hear(self, *_: object) -> None:
        self.count += 1
        if self.count == self.moment:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_commit(self, label: str) -> None:
        self.hear(label)


def read_everything(path: Path) -> dict[str, list[list[str]]]:
    """Return what stands in every table, as text."""
    with Store.open(path) as store, store._engine.connect() as connection:
        tables = {table.name: sa.select(table) for table in metadata.sorted_tables}
        return {
            name: sorted([str(value) for value in row] for row in connection.execute(query))
            for name, query in tables.items()
        }


def fill(path: Path) -> None:
    """Make a store with a project, some runs and the books that go with them."""
    with Store.open(path) as store:
        store.save_rows(
            PROJECT, [make_row(PROJECT, "p1", project="vision")], now=NOW, is_whole=True
        )
        page = [make_row(RUN, name) for name in "abc"]
        checkpoint = Checkpoint(SCOPE, "one", NOW)
        store.save_rows(RUN, page, now=NOW, is_whole=True, checkpoint=checkpoint)
        store.add_scope("team", "vision", now=NOW)
        store.save_error("runs", "team/vision/c", "broken", now=NOW)


def save_page(store: Store) -> None:
    page = [make_row(RUN, "b", name="new"), make_row(RUN, "c"), make_row(RUN, "d")]
    checkpoint = Checkpoint(SCOPE, "two", LATER)
    store.save_rows(RUN, page, now=LATER, is_whole=True, checkpoint=checkpoint)


def mark_missing(store: Store) -> None:
    store.mark_missing(RUN, SCOPE, seen=["b"], now=LATER)


def forget(store: Store) -> None:
    store.forget("p1")


def save_error(store: Store) -> None:
    store.save_error("runs", "team/vision/d", "broken too", now=LATER)


CALLS = {call.__name__: call for call in (save_page, mark_missing, forget, save_error)}


def kill_everywhere(folder: Path) -> dict[str, list[str]]:
    """Kill a process at every moment of every call; say which state was found after each."""
    base = folder / "base.sqlite"
    fill(base)
    found = {}
    for name, call in CALLS.items():
        whole = Path(shutil.copy(base, folder / f"{name}.sqlite"))
        with Store.open(whole) as store:
            call(store)
        states = {"before": read_everything(base), "after": read_everything(whole)}
        found[name] = kill_at_each_moment(base, call, states, folder / name)
    return found


def kill_at_each_moment(
    base: Path, call: Callable[[Store], None], states: dict[str, object], folder: Path
) -> list[str]:
    seen = []
    for moment in range(1, 1000):
        path = folder / str(moment) / "store.sqlite"
        path.parent.mkdir(parents=True)
        shutil.copy(base, path)

        def work(path: Path = path, moment: int = moment) -> None:
            heard: list[str] = []
            with Store.open(path, on_commit=heard.append) as store:
                killer = Killer(moment)
                call(Store(path, store.pair_id, store._engine, killer.on_commit))

        ended = wait(fork(work))
        there = read_everything(path)
        seen.append(next((name for name, state in states.items() if state == there), "torn"))
        if ended == 0:
            return seen
        assert ended == -signal.SIGKILL, ended
    raise AssertionError("the call never came to its end")


def kill_first_open(folder: Path) -> dict[str, object]:
    """Kill a process at moments all through the making of a store, each kind of moment among them.

    Every table is made by the same few statements, so a stride that shares no factor with their
    number meets each of them; say what the next open makes of what was left.
    """
    whole = folder / "whole" / "store.sqlite"
    Store.open(whole).close()
    expected = {name: len(rows) for name, rows in read_everything(whole).items()}
    for moment in range(1, 1000, STRIDE):
        path = folder / str(moment) / "store.sqlite"

        def work(path: Path = path, moment: int = moment) -> None:
            killer = Killer(moment)
            Store.open(path, on_commit=killer.on_commit).close()

        ended = wait(fork(work))
        there = {name: len(rows) for name, rows in read_everything(path).items()}
        if there != expected:
            return {"moments": moment, "torn": there}
        if ended == 0:
            return {"moments": moment, "torn": None}
    raise AssertionError("the call never came to its end")


def start_together(works: list[Callable[[], None]]) -> list[int]:
    """Run works in processes that begin at the same moment; return how each ended."""
    gate, opener = os.pipe()

    def behind_gate(work: Callable[[], None]) -> Callable[[], None]:
        def waiting() -> None:
            os.close(opener)
            os.read(gate, 1)
            work()

        return waiting

    children = [fork(behind_gate(work)) for work in works]
    os.close(opener)
    return [wait(child) for child in children]


def open_together(folder: Path) -> dict[str, object]:
    """Make stores with several processes at once, many times."""
    ends: list[int] = []
    pairs: list[int] = []
    for attempt in range(10):
        path = folder / str(attempt) / "store.sqlite"

        def work(path: Path = path) -> None:
            with Store.open(path) as store:
                path.with_name(store.pair_id).touch()

        ends += start_together([work] * 8)
        pairs.append(len([each for each in path.parent.iterdir() if "." not in each.name]))
    return {"ends": sorted(set(ends)), "pairs": sorted(set(pairs)), "head": HEAD}


def write_together(folder: Path) -> dict[str, object]:
    """Write to one store from several processes at once."""
    path = folder / "store.sqlite"
    Store.open(path).close()

    def writer(name: str) -> Callable[[], None]:
        def work() -> None:
            with Store.open(path) as store:
                for number in range(PAGES):
                    page = [make_row(RUN, f"{name}{number}-{row}") for row in range(20)]
                    store.save_rows(RUN, page, now=NOW, is_whole=True)

        return work

    ends = start_together([writer(name) for name in "abcd"[:WRITERS]])
    with Store.open(path) as store:
        rows = [row for batch in store.load_rows(RUN) for row in batch]
        pages: dict[int, set[str]] = {}
        for row in rows:
            pages.setdefault(row["changed_seq"], set()).add(row["run_id"].partition("-")[0])
        return {
            "ends": ends,
            "rows": len(rows),
            "seq": store.load_changed_seq(),
            "pages_of_one_number": sorted({len(names) for names in pages.values()}),
        }


def fill_the_disk(folder: Path) -> dict[str, object]:
    """Save pages while files may not grow past a limit, until that fails."""
    import resource

    path = folder / "store.sqlite"
    Store.open(path).close()
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, resource.RLIM_INFINITY))
    saved = 0
    error = ""
    with Store.open(path) as store:
        try:
            while saved < 1000:
                page = [make_row(RUN, f"{saved}-{row}", config="x" * 4000) for row in range(20)]
                store.save_rows(RUN, page, now=NOW, is_whole=True)
                saved += 1
        except MirrorError as problem:
            error = type(problem).__name__
        readable = sum(len(batch) for batch in store.load_rows(RUN))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    with Store.open(path) as store:
        kept = sum(len(batch) for batch in store.load_rows(RUN))
        again = store.save_rows(RUN, [make_row(RUN, "more")], now=NOW, is_whole=True).changed
    return {"error": error, "saved": 20 * saved, "readable": readable, "kept": kept, "more": again}


if __name__ == "__main__":
    commands = (kill_everywhere, kill_first_open, open_together, write_together, fill_the_disk)
    chosen = next(each for each in commands if each.__name__ == sys.argv[1])
    print(json.dumps(chosen(Path(sys.argv[2]))))

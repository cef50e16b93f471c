"""A sync of a large project in which nothing, or next to nothing, has changed.

In two states of knowledge: before an edit was seen to move ``updatedAt`` everything is listed, and
config and summary are read in slices, which have a row of their own; after one was, what changed is
asked for. 100,000 runs with --full. Fails where more is asked for, or comes, than may.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from measuring import Measured, Server, run_child, serving
from wandb_mirror.kinds.run import RUN

SYNC = """
import json, os, sys, time
from wandb_mirror import Mirror
mirror = Mirror.open(sys.argv[1], environ=os.environ)
began = time.perf_counter()
report = mirror.sync(["bench"], only=["projects", "runs", "history"])
seconds = time.perf_counter() - began
changed = {kind: sum(each.changed.get(kind, 0) for each in report.projects) for kind in ("runs", "history")}
print(json.dumps({"answer": [report.published is not None, changed], "seconds": seconds}))
"""
NOTHING = [False, {"runs": 0, "history": 0}]
EDITED, GROWN, NEW_STEPS = 25, 25, 100
MOST_REQUESTS, MOST_MEGABYTES, MOST_MORE = 5, 80, 10
"""Of a sync that finds nothing: requests, beside a page for each 1,000 runs where all are listed,
and bytes. And for all of ``EDITED`` and ``GROWN`` so many requests more."""


@dataclass(frozen=True, slots=True)
class Syncs:
    """Measures syncs of one mirror."""

    runs: int
    server: Server
    mirror: Path

    def measure(self, name: str, times: int = 1) -> Measured:
        """Sync, and measure it."""
        environ = {
            "WANDB_BASE_URL": self.server.base_url,
            "WANDB_API_KEY": self.server.api_key,
            "HOME": str(self.mirror.parent),
        }
        measured = Measured(f"{self.runs} runs, {name}")
        for _ in range(times):
            run_child(measured, SYNC, [str(self.mirror)], self.server, environ)
        return measured


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield the first sync, no change in both states, and fifty changed runs in both."""
    runs = 100_000 if is_full else 2_000
    pages = -(-runs // 1000)
    with serving(runs=runs, steps=2, metrics=1) as server, tempfile.TemporaryDirectory() as place:
        syncs = Syncs(runs, server, Path(place) / "mirror")
        yield syncs.measure("first")
        listed = syncs.measure("nothing new, all listed", 2)
        check(listed, NOTHING, pages + MOST_REQUESTS)
        yield listed
        yield measure_slice(syncs, listed, minutes=5 if is_full else 120)
        before = Syncs(runs, server, Path(place) / "before")
        shutil.copytree(syncs.mirror, before.mirror)
        ended, alive = find_runs(syncs.mirror)
        change(server, ended[:1], alive[:1], steps=1)
        syncs.measure("one edit and one row")
        syncs.measure("the probe")
        asked = syncs.measure("nothing new, changes asked for", 3)
        check(asked, NOTHING, MOST_REQUESTS)
        yield asked
        change(server, ended[:EDITED], alive[:GROWN], steps=NEW_STEPS)
        what = f"{EDITED} edited, {GROWN} with {NEW_STEPS} new steps"
        for each, quiet, how in (
            (before, listed, "all listed"),
            (syncs, asked, "changes asked for"),
        ):
            few = each.measure(f"{what}, {how}")
            if few.answer[0] is not True or few.answer[1]["runs"] < EDITED + min(GROWN, len(alive)):
                raise SystemExit(f"{few.name}: not every change was found: {few.answer}")
            check(few, few.answer, quiet.requests + MOST_MORE)
            yield few


def check(measured: Measured, answer: object, requests: float) -> None:
    """Stop where a sync answered otherwise or asked for more than it may."""
    is_too_much = measured.requests > requests or measured.megabytes > MOST_MEGABYTES
    if measured.answer != answer or is_too_much:
        raise SystemExit(
            f"{measured.name}: {measured.answer}, {measured.requests:.0f} requests of {requests:.0f}, "
            f"{measured.megabytes:.1f} MB of {MOST_MEGABYTES}"
        )


def measure_slice(syncs: Syncs, listed: Measured, minutes: int) -> Measured:
    """Return what the slice of config and summary adds to a sync so long after another."""
    last = (datetime.now(UTC) - timedelta(minutes=minutes)).replace(tzinfo=None).isoformat()
    with closing(sqlite3.connect(syncs.mirror / "store.sqlite")) as store, store:
        changed = store.execute(
            "UPDATE facts SET value = ? WHERE name LIKE 'deep_read runs %'", [last]
        )
        assert changed.rowcount == 1
    both = syncs.measure("nothing new, with a slice")
    slice_ = Measured(
        f"{syncs.runs} runs, the slice of config and summary of {minutes} minutes, apart"
    )
    slice_.walls, slice_.answer = [max(0.0, both.wall - listed.wall)], both.answer
    for name in ("cpu", "requests", "megabytes", "server_cpu"):
        setattr(slice_, name, max(0.0, getattr(both, name) - getattr(listed, name)))
    slice_.peak_mb = both.peak_mb
    due = syncs.runs * minutes // (24 * 60) + 1
    check(slice_, NOTHING, -(-due // RUN.detail_size))
    if not slice_.requests:
        raise SystemExit(f"{slice_.name}: nothing was read")
    return slice_


def find_runs(mirror: Path) -> tuple[list[str], list[str]]:
    """Return the paths of ended runs and of running ones."""
    with closing(sqlite3.connect(mirror / "store.sqlite")) as store:
        found = store.execute(
            "SELECT p.entity || '/' || p.project || '/' || r.run_id, r.state = 'running' "
            "FROM runs r JOIN projects p USING (project_id) ORDER BY r.created_at"
        ).fetchall()
    return (
        [path for path, is_alive in found if not is_alive],
        [path for path, is_alive in found if is_alive],
    )


def change(server: Server, edited: list[str], grown: list[str], *, steps: int) -> None:
    """Edit some runs and let others log."""
    for path in edited:
        server.change("edit", run=path, tags=[f"edited {steps}"])
    for path in grown:
        for step in range(steps):
            server.change("log", run=path, row=json.dumps({"loss": step}))

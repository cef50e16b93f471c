"""A sync of a large project in which nothing, or next to nothing, has changed.

In three states of knowledge: before an edit was seen to move ``updatedAt`` everything is listed;
after one was, what changed is asked for. 100,000 runs with --full.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Measured, Server, run_child, serving

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


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield the first sync, no change in both states, and fifty changed runs."""
    runs = 100_000 if is_full else 2_000
    pages = -(-runs // 1000)
    with serving(runs=runs, steps=2, metrics=1) as server, tempfile.TemporaryDirectory() as place:
        environ = {
            "WANDB_BASE_URL": server.base_url,
            "WANDB_API_KEY": server.api_key,
            "HOME": place,
        }
        mirror = str(Path(place) / "mirror")

        def sync(name: str, times: int = 1) -> Measured:
            measured = Measured(f"{runs} runs, {name}")
            for _ in range(times):
                run_child(measured, SYNC, [mirror], server, environ)
            return measured

        yield sync("first")
        listed = sync("nothing new, all listed", 2)
        check(listed, NOTHING, pages + 5, megabytes=80)
        yield listed
        ended, alive = find_runs(mirror)
        change(server, ended[:1], alive[:1], steps=1)
        sync("one edit and one row")
        sync("the probe")
        asked = sync("nothing new, changes asked for", 3)
        check(asked, NOTHING, 5)
        yield asked
        change(server, ended[:EDITED], alive[:GROWN], steps=NEW_STEPS)
        few = sync(f"{EDITED} edited, {GROWN} with {NEW_STEPS} new steps")
        if few.answer[0] is not True or few.answer[1]["runs"] < EDITED + min(GROWN, len(alive)):
            raise SystemExit(f"not every change was found: {few.answer}")
        if few.requests > asked.requests + 10:
            raise SystemExit(f"{few.requests} requests for fifty changes")
        yield few


def check(measured: Measured, answer: object, requests: int, megabytes: float = 80.0) -> None:
    """Stop where a sync answered otherwise or asked for more than it may."""
    if measured.answer != answer or measured.requests > requests or measured.megabytes > megabytes:
        raise SystemExit(
            f"{measured.name}: {measured.answer}, {measured.requests} requests, "
            f"{measured.megabytes:.1f} MB"
        )


def find_runs(mirror: str) -> tuple[list[str], list[str]]:
    """Return the paths of ended runs and of running ones."""
    with sqlite3.connect(Path(mirror) / "store.sqlite") as store:
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

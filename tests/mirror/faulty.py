"""Faults of every sort, and syncs through them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from mirror.making import TEAM, assert_consistent, assert_equal, make_world, open_mirror, rows
from wandb_mirror.errors import Retry
from wandb_mirror.sandbox import Sandbox
from wandb_mirror.sandbox import faults as f
from wandb_mirror.sandbox.faults import Fault

FAULTS: Mapping[str, Fault] = {
    "429": f.throttle(),
    "429 without headers": f.throttle(retry_after=None),
    "500": f.status(500),
    "502": f.status(502),
    "504": f.status(504),
    "reset": f.reset(),
    "truncated": f.truncate(),
    "bad JSON": f.bad_json(),
    "HTML": f.html_page(),
    "partial data": f.graphql_error("something broke", ["project"]),
    "null node": f.null_node(0),
    "empty page": f.empty_page(),
    "same page": f.same_page(),
}
SYNCS = 12
"""Syncs after which one must have come through with nothing set aside."""


def sync_through(
    folder: Path, faults: Mapping[str, Fault], *, seed: int = 0, runs: int = 12
) -> int:
    """Sync through faults in one reply of ten until nothing is missing; return how many it took.

    After each sync what readers see is consistent, and what is missing stands in ``sync_errors`` or
    the sync says that deletions could not be looked for.
    """
    world = make_world(projects=1, runs=runs, steps=20, seed=seed)
    with Sandbox(world, max_page=4) as box:
        for fault in faults.values():
            box.faults.add(fault, times=None, probability=0.1 / len(faults))
        mirror = open_mirror(folder / f"mirror-{seed}", box)
        clean = open_mirror(folder / f"clean-{seed}", box)
        for number in range(1, SYNCS + 1):
            try:
                report = mirror.sync([TEAM])
            except Retry:
                continue
            with mirror.read() as published:
                assert_consistent(published)
            said = rows(mirror, "SELECT count(*) FROM sync_errors")[0][0]
            assert bool(said) == report.has_skips
            notes = [note for project in report.projects for note in project.notes]
            if report.has_skips or notes:
                continue
            box.faults.clear()
            clean.sync([TEAM])
            assert_equal(mirror.published_path, clean.published_path)
            return number
        raise AssertionError(f"{SYNCS} syncs were not enough: {rows(mirror, 'FROM sync_errors')}")

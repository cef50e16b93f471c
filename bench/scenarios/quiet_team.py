"""A sync that finds nothing new in a whole team: its requests, by kind."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Measured, run_child, serving

SYNC = """
import json, os, re, sys, time
from wandb_mirror import Mirror
from wandb_mirror.kinds import KINDS
from wandb_mirror.upstream.client import Client

counts, execute = {}, Client.execute
def is_asked_for(kind, document):
    has_way = all(re.search(rf"\\b{at.field} ?[({{]", document) for at in kind.path)
    is_node = kind.shape == "node"
    return has_way and all(f"{each.column}:" in document for each in kind.fields if is_node)
def count(self, document, variables):
    names = "+".join(kind.plural for kind in KINDS if is_asked_for(kind, document)) or "other"
    counts[names] = counts.get(names, 0) + 1
    return execute(self, document, variables)
Client.execute = count
mirror = Mirror.open(sys.argv[1], environ=os.environ)
began = time.perf_counter()
report = mirror.sync(["bench"])
seconds = time.perf_counter() - began
print(json.dumps({"answer": [report.published is None, counts], "seconds": seconds}))
"""
TEAM = {
    "projects": 20,
    "runs": 250,
    "steps": 1,
    "sweeps": 10,
    "datasets": 4,
    "models": 9,
    "versions": 10,
    "reports": 3,
    "has_automations": 1,
    "has_registry": 1,
}
"""20 projects with 5,000 runs, 200 sweeps, over 2,000 artifact versions and 60 reports in all."""


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield the quiet sync where several lists are taken in one document, and where not."""
    del is_full
    for what, most, allowed in (
        ("", {}, 30),
        (", one list a request", {"max_root_fields": 1}, 150),
    ):
        with serving(**TEAM, **most) as server, tempfile.TemporaryDirectory() as place:
            environ = {
                "WANDB_BASE_URL": server.base_url,
                "WANDB_API_KEY": server.api_key,
                "HOME": place,
            }
            first = Measured(f"a team of 20 projects, first{what}")
            again = Measured(f"a team of 20 projects, nothing new{what}")
            arguments = [str(Path(place) / "mirror")]
            run_child(first, SYNC, arguments, server, environ)
            for _ in range(2):
                run_child(again, SYNC, arguments, server, environ)
            is_unchanged, counts = again.answer
            if not is_unchanged or sum(counts.values()) > allowed:
                raise SystemExit(f"nothing was new, and yet: {again.answer}")
            shown = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
            again.name += f" ({shown})"
            yield from (first, again)

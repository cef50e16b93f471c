"""Tag 1,000 runs by a filter: queue the edits, ask again while they wait, push them.

The floor of the question is the same question without an edit waiting; with 1,000 it may take at
most twice as long. The push may take at most 60 requests.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Measured, run_child, serving

TAGGED = 1_000
MOST_REQUESTS = 60
SYNC = """
import json, os, sys
from wandb_mirror import Mirror
Mirror.open(sys.argv[1], environ=os.environ).sync(["bench"], only=["projects", "runs"])
print(json.dumps({"answer": None}))
"""
ASK = """
import json, os, sys, time
from wandb_mirror import Mirror
mirror, wanted = Mirror.open(sys.argv[1], environ={}), json.loads(sys.argv[2])
with mirror.read_edited() as published:
    times = []
    for _ in range(21):
        began = time.perf_counter()
        question = mirror.ask_runs(published, "bench/mnist-baselines", filters=wanted,
                                   order="-summary_metrics.accuracy", columns=["run_id"])
        answer = question.numbers()
        times.append(time.perf_counter() - began)
print(json.dumps({"answer": len(answer), "seconds": sorted(times)[10]}))
"""
QUEUE = """
import json, sys, time
from wandb_mirror import Mirror
from wandb_mirror.mirror.wishes import find_objects, make_changes
mirror = Mirror.open(sys.argv[1], environ={})
with mirror.read_edited() as published:
    began = time.perf_counter()
    found = find_objects(published, "bench/mnist-baselines", ["tags"], {})[:int(sys.argv[2])]
    count = mirror.desk.queue(make_changes(found, [("tags", "triage", lambda _: True)]))
print(json.dumps({"answer": count, "seconds": time.perf_counter() - began}))
"""
PUSH = """
import json, os, sys, time
from wandb_mirror import Mirror
began = time.perf_counter()
report = Mirror.open(sys.argv[1], environ=os.environ).push()
print(json.dumps({"answer": [report.pushed, report.requests],
                  "seconds": time.perf_counter() - began}))
"""
WANTED = (
    ("one key", '{"config.lr": {"$gte": 0.001}}'),
    ("state and summary", '{"state": "finished", "summary_metrics.loss": {"$lt": 5}}'),
    ("tags", '{"tags": {"$in": ["best", "paper"]}}'),
)


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield three questions without and with edits waiting, queueing, and the push."""
    runs = 100_000 if is_full else 5_000
    with (
        serving(runs=runs, steps=1, config_keys=20) as server,
        tempfile.TemporaryDirectory() as place,
    ):
        environ = {
            "WANDB_BASE_URL": server.base_url,
            "WANDB_API_KEY": server.api_key,
            "HOME": place,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        folder = str(Path(place) / "mirror")
        run_child(Measured("set-up"), SYNC, [folder], server, environ)
        floors = [_ask(runs, name, "floor", folder, wanted) for name, wanted in WANTED]
        queued = Measured(f"tag {TAGGED} runs by a filter: queue")
        run_child(queued, QUEUE, [folder, str(TAGGED)], None, environ)
        yield queued
        for floor, (name, wanted) in zip(floors, WANTED, strict=True):
            ours = _ask(runs, name, "ours", folder, wanted)
            if ours.answer != floor.answer:
                raise SystemExit(f"wrong answer: {ours.answer}, without edits {floor.answer}")
            yield from (ours, floor)
        pushed = Measured(f"tag {TAGGED} runs by a filter: push")
        run_child(pushed, PUSH, [folder], server, environ)
        if queued.answer != TAGGED or pushed.answer[0] != TAGGED:
            raise SystemExit(f"wrong answers: queued {queued.answer}, pushed {pushed.answer}")
        if pushed.answer[1] > MOST_REQUESTS:
            raise SystemExit(f"the push took {pushed.answer[1]} requests")
        yield pushed


def _ask(runs: int, name: str, who: str, folder: str, wanted: str) -> Measured:
    """Return how long a question takes, and how many runs pass."""
    measured = Measured(f"filter {runs} runs by {name}, {TAGGED} edits: {who}")
    for _ in range(3):
        run_child(measured, ASK, [folder, wanted], None, {})
    return measured

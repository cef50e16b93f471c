"""One run's history as a DataFrame: 10,000 rows of 20 metrics, every row, and a sample of 500.

The real client reads its own files of the history, already in its cache.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from memory import SYNC

from measuring import Measured, run_child, serving

OURS = """
import json, os, sys, time
from wandb_mirror import Api
run = Api(mirror=sys.argv[1]).runs("bench/mnist-baselines")[0]
ask = {"all": lambda: run.scan_history().to_pandas(), "some": lambda: run.history()}[sys.argv[2]]
times = []
for _ in range(11):
    began = time.perf_counter()
    frame = ask()
    times.append(time.perf_counter() - began)
answer = [len(frame), round(float(frame["loss"].sum()), 3)]
print(json.dumps({"answer": answer, "seconds": sorted(times)[5]}))
"""
THEIRS = """
import json, os, sys, time
import pandas, wandb
api = wandb.Api(timeout=60)
[listed] = api.runs("bench/mnist-baselines")
ask = {"all": lambda: pandas.DataFrame.from_records(list(run.scan_history())),
       "some": lambda: run.history()}[sys.argv[2]]
times = []
for _ in range(4):
    run = api.run("/".join(listed.path))
    began = time.perf_counter()
    frame = ask()
    times.append(time.perf_counter() - began)
answer = [len(frame), round(float(frame["loss"].sum()), 3)]
print(json.dumps({"answer": answer, "seconds": sorted(times[1:])[1]}))
"""


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield both questions, medians, by both clients."""
    del is_full
    with (
        serving(runs=1, steps=10_000, metrics=20, exports="ready") as server,
        tempfile.TemporaryDirectory() as place,
    ):
        environ = {
            "WANDB_BASE_URL": server.base_url,
            "WANDB_API_KEY": server.api_key,
            "WANDB_SILENT": "true",
            "WANDB_ERROR_REPORTING": "false",
            "WANDB_CACHE_DIR": str(Path(place) / "cache"),
            "WANDB_DATA_DIR": str(Path(place) / "data"),
            "HOME": place,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        mirror = str(Path(place) / "mirror")
        run_child(Measured("set-up"), SYNC, [mirror], server, environ)
        for which, what in (("all", "10000 rows x 20 metrics"), ("some", "500 samples of them")):
            ours = Measured(f"a run as a DataFrame, {what}: ours")
            theirs = Measured(f"a run as a DataFrame, {what}: wandb.Api")
            run_child(ours, OURS, [mirror, which], None, environ)
            run_child(theirs, THEIRS, [mirror, which], server, environ)
            if ours.answer[0] != theirs.answer[0] or (
                which == "all" and ours.answer != theirs.answer
            ):
                raise SystemExit(f"wrong answers: {ours.answer}, {theirs.answer}")
            yield from (ours, theirs)

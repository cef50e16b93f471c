"""One run of many has grown: what the next sync takes, and what its publication writes.

The floor is a plain copy of the published file, brought to the disk: readers are handed a new file,
so no publication can write less.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Measured, run_child, serving

STEPS = 100
SIZE = {"runs": 200, "steps": 1000, "metrics": 10, "config_keys": 20, "seed": 7}
SYNC = """
import json, os, sys, time
import httpx, pandas, pyarrow.json
from wandb_mirror import Mirror
def written():
    lines = dict(line.split(": ") for line in open("/proc/self/io").read().splitlines())
    return int(lines["wchar"])
mirror = Mirror.open(sys.argv[1], environ=os.environ)
began = time.perf_counter()
report = mirror.sync(["bench"])
seconds = time.perf_counter() - began
with mirror.read() as published:
    rows = published.rows("SELECT sum(history_rows)::BIGINT FROM runs")[0][0]
megabytes = written() / 1e6 if sys.platform == "linux" else 0.0
print(json.dumps({"answer": [rows, report.published is not None], "seconds": seconds, "megabytes": megabytes}))
"""
COPY = """
import json, os, shutil, sys, time
began = time.perf_counter()
shutil.copyfile(sys.argv[1] + "/wandb.duckdb", sys.argv[1] + "/copy")
descriptor = os.open(sys.argv[1] + "/copy", os.O_RDONLY)
os.fsync(descriptor)
seconds = time.perf_counter() - began
print(json.dumps({"answer": None, "seconds": seconds, "megabytes": os.path.getsize(sys.argv[1] + "/copy") / 1e6}))
"""


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield a sync after one run has grown by a hundred steps, and the floor."""
    with serving(**SIZE) as server, tempfile.TemporaryDirectory() as place:
        environ = {
            "WANDB_BASE_URL": server.base_url,
            "WANDB_API_KEY": server.api_key,
            "HOME": place,
        }
        folder = str(Path(place) / "mirror")
        ours = Measured("one run of 200 grew: ours")
        floor = Measured("one run of 200 grew: floor")
        first = Measured("set-up")
        run_child(first, SYNC, [folder], server, environ)
        rows = first.answer[0]
        server.change(
            "create_run", project="bench/mnist-baselines", run_id="growing", state="running"
        )
        for _ in range(5 if is_full else 3):
            for _ in range(STEPS):
                server.change("log", run="bench/mnist-baselines/growing", row={"loss": 0.5})
            run_child(ours, SYNC, [folder], None, environ)
            rows += STEPS
            run_child(floor, COPY, [folder], None, environ)
        if ours.answer[1] is not True or not first.answer[0] < ours.answer[0] <= rows:
            raise SystemExit(f"wrong answer: {ours.answer}, not {rows} rows")
        yield from (ours, floor)

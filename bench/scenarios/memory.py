"""Peak memory of a first sync: by exported files and by pages, of few runs and of many.

It should depend on neither the number of runs nor the length of histories. The full form takes 100
million values by exports, which the server needs ten minutes to write.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Measured, run_child, serving

SYNC = """
import json, os, sys, time
from wandb_mirror import Mirror
mirror = Mirror.open(sys.argv[1], environ=os.environ)
began = time.perf_counter()
mirror.sync(["bench"], only=["projects", "runs", "history"])
seconds = time.perf_counter() - began
with mirror.read() as published:
    answer = published.rows("SELECT sum(history_rows)::BIGINT FROM runs")[0][0]
print(json.dumps({"answer": answer, "seconds": seconds}))
"""
SHORT = (("ready", 50, 1000, 20), ("ready", 500, 1000, 20), ("off", 50, 1000, 20))
FULL = (*SHORT, ("off", 500, 1000, 20), ("ready", 500, 10_000, 20))
MOST_MB = {"ready": 1500, "off": 700}


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield a first sync of each size."""
    for exports, runs, steps, metrics in FULL if is_full else SHORT:
        size = {"runs": runs, "steps": steps, "metrics": metrics, "config_keys": 5}
        with serving(exports=exports, **size) as server, tempfile.TemporaryDirectory() as place:
            environ = {
                "WANDB_BASE_URL": server.base_url,
                "WANDB_API_KEY": server.api_key,
                "HOME": place,
            }
            way = "exports" if exports == "ready" else "pages"
            measured = Measured(f"memory, {runs} runs x {steps} steps x {metrics} by {way}")
            run_child(measured, SYNC, [str(Path(place) / "mirror")], server, environ)
            most_rows = runs * steps
            if not 0.9 * most_rows < measured.answer <= most_rows:
                raise SystemExit(f"wrong answer: {measured.answer} rows of {most_rows}")
            if measured.peak_mb > MOST_MB[exports]:
                raise SystemExit(f"{measured.name}: {measured.peak_mb:.0f} MB")
            yield measured

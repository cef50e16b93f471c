"""A filter with three conditions and an order over many runs: cold process, and warm."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Measured, run_child, serving

SYNC = """
import json, os, sys
from wandb_mirror import Mirror
Mirror.open(sys.argv[1], environ=os.environ).sync(["bench"], skip=["history"])
print(json.dumps({"answer": None}))
"""
WARM = """
import json, sys, time
from wandb_mirror import Mirror
from wandb_mirror.query.meaning import Document, passes
mirror = Mirror.open(sys.argv[1], environ={})
wanted = {"state": "finished", "config.lr": {"$gte": 0.001}, "summary_metrics.loss": {"$lt": 5}}
with mirror.read() as published:
    times = []
    for _ in range(21):
        began = time.perf_counter()
        question = mirror.ask_runs(published, "bench/mnist-baselines", filters=wanted,
                                   order="-summary_metrics.accuracy", limit=50)
        rows = question.stream().read_all().to_pylist()
        times.append(time.perf_counter() - began)
    count = question.count()
    plain = published.rows('SELECT count(*) FROM "bench/mnist-baselines".runs WHERE state = \\'finished\\' '
        'AND "config.lr" >= 0.001 AND "summary.loss" < 5')[0][0]
print(json.dumps({"answer": [len(rows), count == plain], "seconds": sorted(times)[10]}))
"""
COLD = """
import json, sys, time
from wandb_mirror.cli.main import main
import contextlib, io
out = io.StringIO()
with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
    main(["--mirror", sys.argv[1], "-q", "runs", "bench/mnist-baselines", "--json", "--limit", "50", "--filter",
          '{"state": "finished", "config.lr": {"$gte": 0.001}, "summary_metrics.loss": {"$lt": 5}}'])
print(json.dumps({"answer": len(json.loads(out.getvalue()))}))
"""


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield a warm question (median of 21, with its planning) and a whole cold command."""
    runs = 20_000 if is_full else 5_000
    with (
        serving(runs=runs, steps=1, config_keys=110) as server,
        tempfile.TemporaryDirectory() as place,
    ):
        environ = {
            "WANDB_BASE_URL": server.base_url,
            "WANDB_API_KEY": server.api_key,
            "HOME": place,
        }
        mirror = str(Path(place) / "mirror")
        run_child(Measured("set-up"), SYNC, [mirror], server, environ)
        warm = Measured(f"filter, {runs} runs x 120 keys, warm")
        cold = Measured(f"filter, {runs} runs x 120 keys, cold command")
        for _ in range(5):
            run_child(warm, WARM, [mirror], None, environ)
            run_child(cold, COLD, [mirror], None, environ)
        if warm.answer != [50, True] or cold.answer != 50:
            raise SystemExit(f"wrong answers: {warm.answer} {cold.answer}")
        yield from (warm, cold)

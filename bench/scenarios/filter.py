"""A filter with three conditions and an order over 20,000 runs of 120 keys: cold process, and warm.

The floor is the same comparison written by hand over the table's columns; the peer is the real
client asking the server, whose own time stands in its column.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Measured, run_child, serving

RUNS = 20_000
SYNC = """
import json, os, sys
from wandb_mirror import Mirror
Mirror.open(sys.argv[1], environ=os.environ).sync(["bench"], only=["projects", "runs"])
print(json.dumps({"answer": None}))
"""
WANTED = '{"state": "finished", "config.lr": {"$gte": 0.001}, "summary_metrics.loss": {"$lt": 5}}'
WARM = """
import json, sys, time
from wandb_mirror import Mirror
mirror, wanted = Mirror.open(sys.argv[1], environ={}), json.loads(sys.argv[2])
with mirror.read() as published:
    times = []
    for _ in range(21):
        began = time.perf_counter()
        rows = list(mirror.ask_runs(published, "bench/mnist-baselines", filters=wanted,
                                    order="-summary_metrics.accuracy", limit=50).ask().rows())
        times.append(time.perf_counter() - began)
print(json.dumps({"answer": [row[0] for row in rows], "seconds": sorted(times)[10]}))
"""
FLOOR = """
import json, sys, time
from wandb_mirror import Mirror
with Mirror.open(sys.argv[1], environ={}).read() as published:
    times = []
    for _ in range(21):
        began = time.perf_counter()
        rows = published.rows('SELECT run_id, name, state, username, run_group, tags, created_at, '
            'duration_s FROM "bench/mnist-baselines".runs WHERE state = \\'finished\\' '
            'AND "config.lr" >= 0.001 AND "summary.loss" < 5 AND deleted_at IS NULL '
            'ORDER BY "summary.accuracy" DESC NULLS LAST, run_id LIMIT 50')
        times.append(time.perf_counter() - began)
print(json.dumps({"answer": [row[0] for row in rows], "seconds": sorted(times)[10]}))
"""
COLD = """
import contextlib, io, json, sys
from wandb_mirror.cli.main import main
out = io.StringIO()
with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
    main(["--mirror", sys.argv[1], "-q", "runs", "bench/mnist-baselines", "--json", "--limit", "50",
          "--order", "-summary_metrics.accuracy", "--filter", sys.argv[2]])
print(json.dumps({"answer": [row["run_id"] for row in json.loads(out.getvalue())]}))
"""
PEER = """
import itertools, json, sys, time
import wandb
api = wandb.Api(timeout=60)
began = time.perf_counter()
runs = api.runs("bench/mnist-baselines", filters=json.loads(sys.argv[2]),
                order="-summary_metrics.accuracy", per_page=50)
answer = [run.id for run in itertools.islice(runs, 50)]
seconds = time.perf_counter() - began
print(json.dumps({"answer": answer, "seconds": seconds}))
"""


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield a warm question (median of 21, planning included), a cold command, peer and floor."""
    with (
        serving(runs=RUNS, steps=1, config_keys=110) as server,
        tempfile.TemporaryDirectory() as place,
    ):
        environ = {
            "WANDB_BASE_URL": server.base_url,
            "WANDB_API_KEY": server.api_key,
            "WANDB_SILENT": "true",
            "WANDB_ERROR_REPORTING": "false",
            "HOME": place,
            "NO_PROXY": "127.0.0.1,localhost",
        }
        arguments = [str(Path(place) / "mirror"), WANTED]
        run_child(Measured("set-up"), SYNC, arguments, server, environ)
        scenario = f"filter over {RUNS} runs x 120 keys"
        warm, floor, peer, cold, peer_cold = (
            Measured(f"{scenario}: {who}")
            for who in ("ours", "floor", "wandb.Api", "ours, whole command", "wandb.Api, whole")
        )
        for _ in range(10 if is_full else 3):
            run_child(warm, WARM, arguments, None, environ)
            run_child(floor, FLOOR, arguments, None, environ)
            run_child(cold, COLD, arguments, None, environ)
        for _ in range(2):
            run_child(peer, PEER, arguments, server, environ, whole=peer_cold)
        answers = [each.answer for each in (warm, floor, cold, peer)]
        if len(answers[0]) != 50 or any(each != answers[0] for each in answers):
            raise SystemExit(f"wrong answers: {[each[:3] for each in answers]}")
        yield from (warm, floor, peer, cold, peer_cold)

"""First sync of 200 runs x 1,000 steps x 10 metrics: ours, the real SDK's export, and the floor.

The peer is what a user of W&B writes today: every run with config and summary, and every history row by
``scan_history`` as a DataFrame. The floor downloads the bytes of our own requests with one HTTP
client and as many threads, and loads the rows into DuckDB as one Arrow table.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Measured, run_child, serving

SIZE = {"runs": 200, "steps": 1000, "metrics": 10, "config_keys": 20, "seed": 7}
OURS = """
import json, os, resource, sys, time
from wandb_mirror import Mirror
mirror = Mirror.open(sys.argv[1], environ=os.environ)
began = time.perf_counter()
mirror.sync(["bench"])
seconds = time.perf_counter() - began
with mirror.read() as published:
    answer = published.rows("SELECT sum(history_rows)::BIGINT FROM runs")[0][0], published.rows(
        "SELECT round(sum(value), 3) FROM metrics WHERE key = 'loss'")[0][0]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"answer": answer, "seconds": seconds, "peak_mb": peak}))
"""
PEER = """
import json, resource, sys, time
import pandas, wandb
api = wandb.Api(timeout=60)
began = time.perf_counter()
rows, loss = 0, 0.0
for run in api.runs(sys.argv[1], per_page=200, lazy=False):
    run.config, run.summary_metrics
    frame = pandas.DataFrame(list(run.scan_history(use_cache=False)))
    rows += len(frame)
    loss += frame["loss"].sum() if len(frame) else 0.0
seconds = time.perf_counter() - began
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"answer": [rows, round(float(loss), 3)], "seconds": seconds, "peak_mb": peak}))
"""
FLOOR = """
import json, os, resource, sys, time
from concurrent.futures import ThreadPoolExecutor
import duckdb, httpx, orjson, pyarrow as pa
base = os.environ["WANDB_BASE_URL"]
http = httpx.Client(auth=("api", os.environ["WANDB_API_KEY"]), timeout=60)
entity, project = sys.argv[1].split("/")
IDS = "query($e:String!,$p:String!){project(entityName:$e,name:$p){runs(first:1000){edges{node{name config summaryMetrics}}}}}"
STEPS = "query($e:String!,$p:String!,$r:String!){project(entityName:$e,name:$p){run(name:$r){history(minStep:0,maxStep:1000,samples:1000)}}}"
def ask(query, **variables):
    body = {"query": query, "variables": {"e": entity, "p": project, **variables}}
    return http.post(f"{base}/graphql", json=body).content
began = time.perf_counter()
names = [edge["node"]["name"] for edge in orjson.loads(ask(IDS))["data"]["project"]["runs"]["edges"]]
with ThreadPoolExecutor(6) as pool:
    replies = list(pool.map(lambda name: ask(STEPS, r=name), names))
downloaded = time.perf_counter() - began
rows = [orjson.loads(line) for reply in replies for line in orjson.loads(reply)["data"]["project"]["run"]["history"]]
loaded = pa.Table.from_pylist(rows)
began = time.perf_counter()
connection = duckdb.connect(sys.argv[2])
connection.execute("CREATE TABLE history AS SELECT * FROM loaded")
connection.close()
seconds = downloaded + time.perf_counter() - began
loss = sum(row.get("loss", 0.0) for row in rows)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"answer": [len(rows), round(loss, 3)], "seconds": seconds, "peak_mb": peak}))
"""


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield ours, the peer and the floor, at no latency and at 50 ms."""
    repeats = 5 if is_full else 2
    for latency_ms in (0, 50):
        with (
            serving(latency_ms=latency_ms, **SIZE) as server,
            tempfile.TemporaryDirectory() as place,
        ):
            folder = Path(place)
            environ = {
                "WANDB_BASE_URL": server.base_url,
                "WANDB_API_KEY": server.api_key,
                "WANDB_SILENT": "true",
                "WANDB_ERROR_REPORTING": "false",
                "WANDB_CACHE_DIR": str(folder / "cache"),
                "WANDB_CONFIG_DIR": str(folder / "config"),
                "WANDB_DATA_DIR": str(folder / "data"),
                "HOME": place,
                "NO_PROXY": "127.0.0.1,localhost",
            }
            names = [
                f"first sync, {latency_ms} ms: {who}" for who in ("ours", "wandb.Api", "floor")
            ]
            ours, peer, floor = map(Measured, names)
            for number in range(repeats):
                run_child(ours, OURS, [str(folder / f"mirror{number}")], server, environ)
                shutil.rmtree(folder / f"mirror{number}")
                if latency_ms == 0 or number == 0:  # the peer takes a minute at 50 ms
                    run_child(peer, PEER, ["bench/mnist-baselines"], server, environ)
                target = str(folder / f"floor{number}.duckdb")
                run_child(floor, FLOOR, ["bench/mnist-baselines", target], server, environ)
            if not ours.answer == peer.answer == floor.answer:
                raise SystemExit(f"wrong answers: {ours.answer} {peer.answer} {floor.answer}")
            yield from (ours, peer, floor)

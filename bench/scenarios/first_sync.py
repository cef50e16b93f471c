"""First sync of 200 runs x 1,000 steps x 10 metrics: ours, the real SDK's export, and the floor.

The peer is what a user of W&B writes today: every run with config and summary, and every history row by
``scan_history`` as a DataFrame. Ours takes the same; "every kind" and the whole command also look for
sweeps, artifacts, lineage, files, reports and the rest. The floor downloads the bytes of our own requests with one HTTP
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
import json, os, sys, time
import alembic.command, alembic.context, httpcore, httpx  # what is imported once is no part of a sync
import pandas, pyarrow.json, pyarrow.pandas_compat
from wandb_mirror import Mirror
mirror = Mirror.open(sys.argv[1], environ=os.environ)
began = time.perf_counter()
mirror.sync(["bench"], only=sys.argv[2].split(",") if sys.argv[2] else ())
seconds = time.perf_counter() - began
with mirror.read() as published:
    answer = published.rows("SELECT sum(history_rows)::BIGINT FROM runs")[0][0], published.rows(
        "SELECT round(sum(value), 3) FROM metrics WHERE key = 'loss'")[0][0]
print(json.dumps({"answer": answer, "seconds": seconds}))
"""
COMMAND = """
import json, os, sys
from wandb_mirror.cli.main import main
try:
    main(["--mirror", sys.argv[1], "-q", "sync", "bench"])
except SystemExit as end:
    assert not end.code, end.code
import duckdb
with duckdb.connect(sys.argv[1] + "/wandb.duckdb", read_only=True) as file:
    answer = file.execute("SELECT sum(history_rows)::BIGINT FROM runs").fetchone() + file.execute(
        "SELECT round(sum(value), 3) FROM metrics WHERE key = 'loss'").fetchone()
print(json.dumps({"answer": answer}))
"""
PEER = """
import json, sys, time
import pandas, pyarrow.pandas_compat, requests, wandb  # nor of an export
api = wandb.Api(timeout=60)
began = time.perf_counter()
rows, loss = 0, 0.0
for run in api.runs(sys.argv[1], per_page=200, lazy=False):
    run.config, run.summary_metrics
    frame = pandas.DataFrame(list(run.scan_history(use_cache=False)))
    rows += len(frame)
    loss += frame["loss"].sum() if len(frame) else 0.0
seconds = time.perf_counter() - began
print(json.dumps({"answer": [rows, round(float(loss), 3)], "seconds": seconds}))
"""
FLOOR = """
import json, os, sys, time
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
print(json.dumps({"answer": [len(rows), round(loss, 3)], "seconds": seconds}))
"""


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield ours, the peer and the floor, at no latency and at 50 ms."""
    for latency_ms in (0, 50):
        repeats = 5 if is_full else (1 if latency_ms else 2)
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

            def name(who: str, latency_ms: int = latency_ms) -> Measured:
                return Measured(f"first sync, {latency_ms} ms: {who}")

            ours, peer, floor = map(name, ("ours", "wandb.Api", "floor"))
            whole = name("ours, every kind")
            command, peer_command = map(name, ("ours, whole command", "wandb.Api, whole process"))
            for number in range(repeats):
                for code, measured, only in (
                    (OURS, ours, "projects,runs,history"),  # what the peer exports
                    (OURS, whole, ""),
                    (COMMAND, command, ""),
                ):
                    run_child(measured, code, [str(folder / "mirror"), only], server, environ)
                    shutil.rmtree(folder / "mirror")
                if latency_ms == 0 or number == 0:  # the peer takes a minute at 50 ms
                    asked = ["bench/mnist-baselines"]
                    run_child(peer, PEER, asked, server, environ, whole=peer_command)
                target = str(folder / f"floor{number}.duckdb")
                run_child(floor, FLOOR, ["bench/mnist-baselines", target], server, environ)
            answers = [each.answer for each in (ours, whole, command, peer, floor)]
            if any(each != answers[0] for each in answers):
                raise SystemExit(f"wrong answers: {answers}")
            yield from (ours, peer, floor, whole, command, peer_command)

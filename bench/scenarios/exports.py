"""First sync by exported files, of the same 200 runs as by pages: ours, the real SDK, and the floor.

The real client reads the same files. The floor asks for their addresses in one request, downloads
them with as many threads, and has DuckDB load them as one table.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from first_sync import OURS, PEER, SIZE

from measuring import Measured, run_child, serving

FLOOR = """
import json, os, sys, time
from concurrent.futures import ThreadPoolExecutor
import duckdb, httpx
base, folder = os.environ["WANDB_BASE_URL"], sys.argv[2]
os.makedirs(folder)
http, plain = httpx.Client(auth=("api", os.environ["WANDB_API_KEY"]), timeout=60), httpx.Client()
entity, project = sys.argv[1].split("/")
URLS = "query($e:String!,$p:String!){project(entityName:$e,name:$p){runs(first:1000){edges{node{name config summaryMetrics parquetHistory(liveKeys:[\\"_step\\"]){parquetUrls}}}}}}"
def fetch(item):
    with open(f"{folder}/{item[0]}.parquet", "wb") as file:
        file.write(plain.get(item[1]).content)
began = time.perf_counter()
body = {"query": URLS, "variables": {"e": entity, "p": project}}
edges = http.post(f"{base}/graphql", json=body).json()["data"]["project"]["runs"]["edges"]
urls = [url for edge in edges for url in edge["node"]["parquetHistory"]["parquetUrls"]]
with ThreadPoolExecutor(6) as pool:
    list(pool.map(fetch, enumerate(urls)))
connection = duckdb.connect(f"{folder}/floor.duckdb")
connection.execute(f"CREATE TABLE history AS SELECT * FROM read_parquet('{folder}/*.parquet', union_by_name=true)")
connection.execute("CHECKPOINT")
seconds = time.perf_counter() - began
answer = connection.execute("SELECT count(*), round(sum(loss), 3) FROM history").fetchone()
print(json.dumps({"answer": answer, "seconds": seconds}))
"""


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield ours, the peer and the floor."""
    with (
        serving(exports="ready", **SIZE) as server,
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
        ours, peer, floor = (
            Measured(f"first sync, exports: {who}") for who in ("ours", "wandb.Api", "floor")
        )
        project = "bench/mnist-baselines"
        for number in range(5 if is_full else 2):
            arguments = [str(folder / "mirror"), "projects,runs,history"]
            run_child(ours, OURS, arguments, server, environ)
            shutil.rmtree(folder / "mirror")
            run_child(peer, PEER, [project], server, environ)
            run_child(floor, FLOOR, [project, str(folder / f"floor{number}")], server, environ)
        if not ours.answer == peer.answer == floor.answer:
            raise SystemExit(f"wrong answers: {[ours.answer, peer.answer, floor.answer]}")
        yield from (ours, peer, floor)

"""The question of ``filter``, of 100,000 runs: ours, the real client, pandas, and MLflow on SQLite.

MLflow is no dependency: its row is there where it can be imported, or where ``MLFLOW_PYTHON`` names
an interpreter that has it (``python -m venv ml; ml/bin/pip install mlflow-skinny sqlalchemy
alembic``); else it is said to be left out. It holds the same runs; as it compares numbers in metrics
alone, the configs' numbers are metrics there. It is asked as it leaves its tables, and once more after
``ANALYZE``, which it never runs itself. Eight minutes go to make 100,000 runs three times over (in the
sandbox, in the mirror, in MLflow's tables), and nine to MLflow's first answer.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from filter import COLD, PEER, SYNC, WANTED, WARM

from measuring import Measured, run_child, serving

RUNS = 100_000
INSTALL = "it is not installed; MLFLOW_PYTHON may name an interpreter that has mlflow-skinny"
PANDAS = """
import json, sys, time
from wandb_mirror import Mirror
with Mirror.open(sys.argv[1], environ={}).read() as published:
    frame = published.stream('FROM "bench/mnist-baselines".runs').read_all().to_pandas()
times = []
for _ in range(21):
    began = time.perf_counter()
    found = frame[(frame["state"] == "finished") & (frame["config.lr"] >= 0.001)
                  & (frame["summary.loss"] < 5)]
    found = found.sort_values("summary.accuracy", ascending=False, na_position="last").head(50)
    answer = found["run_id"].tolist()
    times.append(time.perf_counter() - began)
print(json.dumps({"answer": answer, "seconds": sorted(times)[10]}))
"""
MAKE = """
import json, sys
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
SqlAlchemyStore(f"sqlite:///{sys.argv[2]}", sys.argv[2] + "-artifacts")
print(json.dumps({"answer": None}))
"""
FILL = """
import json, math, sqlite3, sys
from wandb_mirror import Mirror
STATES = {"finished": "FINISHED", "running": "RUNNING", "killed": "KILLED"}
database = sqlite3.connect(sys.argv[2])
database.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
with Mirror.open(sys.argv[1], environ={}).read() as published:
    for run_id, state in published.rows("SELECT run_id, state FROM main.runs"):
        database.execute("INSERT INTO runs (run_uuid, name, status, start_time, lifecycle_stage, "
            "experiment_id, artifact_uri, user_id, source_type, source_name, entry_point_name, "
            "source_version) VALUES (?, ?, ?, 0, 'active', 0, '', '', 'UNKNOWN', '', '', '')",
            [run_id, run_id, STATES.get(state, "FAILED")])
    for view, prefix in (("run_config", "config."), ("run_summary", "")):
        for batch in published.stream(f"SELECT run_id, key, number, text FROM main.{view}"):
            rows = list(zip(*(column.to_pylist() for column in batch.columns)))
            numbers = [(prefix + key, 0 if math.isnan(number) else number, math.isnan(number), run)
                       for run, key, number, _ in rows if number is not None and abs(number) < 1e300]
            database.executemany("INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, "
                "run_uuid) VALUES (?, ?, 0, 0, ?, ?)", numbers)
            texts = [(prefix + key, (text or str(number))[:8000], run)
                     for run, key, number, text in rows if text or number is not None]
            database.executemany("INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)", texts)
database.commit()
print(json.dumps({"answer": database.execute("SELECT count(*) FROM runs").fetchone()[0]}))
"""
ANALYSE = """
import json, sqlite3, sys
sqlite3.connect(sys.argv[2]).executescript("ANALYZE")
print(json.dumps({"answer": None}))
"""
MLFLOW = """
import json, sys, time
from mlflow.entities import ViewType
from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore
store = SqlAlchemyStore(f"sqlite:///{sys.argv[2]}", sys.argv[2] + "-artifacts")
times = []
for _ in range(int(sys.argv[3])):  # minutes, each time, as long as the tables are not analysed
    began = time.perf_counter()
    found = store.search_runs(["0"], "attributes.status = 'FINISHED' AND metrics.`config.lr` >= 0.001 "
        "AND metrics.loss < 5", ViewType.ACTIVE_ONLY, 50, ["metrics.accuracy DESC"])
    times.append(time.perf_counter() - began)
print(json.dumps({"answer": [run.info.run_id for run in found], "seconds": sorted(times)[len(times) // 2]}))
"""


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield the question by each, warm, and by a cold command."""
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
        mirror, database = str(Path(place) / "mirror"), str(Path(place) / "mlflow.db")
        run_child(Measured("set-up"), SYNC, [mirror, WANTED], server, environ)
        scenario = f"filter over {RUNS} runs x 120 keys"
        warm, cold, peer, pandas, mlflow, analysed = (
            Measured(f"{scenario}: {who}")
            for who in (
                "ours",
                "ours, whole command",
                "wandb.Api",
                "pandas",
                "MLflow",
                "MLflow, analysed",
            )
        )
        for _ in range(5 if is_full else 2):
            run_child(warm, WARM, [mirror, WANTED], None, environ)
            run_child(cold, COLD, [mirror, WANTED], None, environ)
        run_child(peer, PEER, [mirror, WANTED], server, environ)
        run_child(pandas, PANDAS, [mirror], None, environ)
        measured = [warm, cold, peer, pandas]
        has_own = importlib.util.find_spec("mlflow") is not None
        python = os.environ.get("MLFLOW_PYTHON") or (sys.executable if has_own else None)
        if python is None:
            print(f"  MLflow is left out: {INSTALL}", file=sys.stderr, flush=True)
        else:
            own = {"python": python}
            run_child(Measured("MLflow's tables"), MAKE, [mirror, database], None, environ, **own)
            run_child(Measured("MLflow's rows"), FILL, [mirror, database], None, environ)
            run_child(mlflow, MLFLOW, [mirror, database, "1"], None, environ, **own)
            run_child(Measured("MLflow's statistics"), ANALYSE, [mirror, database], None, environ)
            run_child(analysed, MLFLOW, [mirror, database, "5"], None, environ, **own)
            measured += [mlflow, analysed]
        for each in measured:
            if len(each.answer) != 50 or each.answer != warm.answer:
                raise SystemExit(f"{each.name} answers otherwise: {each.answer[:3]}")
        yield from measured

"""Reading history by SQL: one metric of one run, and the extremes of one metric of every run.

Beside each stands the same question of a table made for it: plain columns, sorted, nothing else in
the file. The full form has 5 million rows of 20 metrics.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from memory import SYNC

from measuring import Measured, run_child, serving

ASK = """
import json, sys, time
import duckdb
folder, ideal, which, sql = sys.argv[1:]
connection = duckdb.connect(ideal if which == "floor" else folder + "/wandb.duckdb", read_only=True)
times = []
for _ in range(21):
    began = time.perf_counter()
    rows = connection.execute(sql).fetchall()
    times.append(time.perf_counter() - began)
answer = [len(rows), round(sum(float(value) for row in rows for value in row[1:]), 3)]
print(json.dumps({"answer": answer, "seconds": sorted(times)[10]}))
"""
IDEAL = """
import json, sys
import duckdb
connection = duckdb.connect(sys.argv[2])
connection.execute(f"ATTACH '{sys.argv[1]}/wandb.duckdb' AS mirror (READ_ONLY)")
connection.execute("CREATE TABLE history AS SELECT run_id, step, value AS loss "
                   "FROM mirror.metrics WHERE key = 'loss' ORDER BY run_id, step")
print(json.dumps({"answer": connection.execute("SELECT min(run_id) FROM history").fetchone()[0]}))
"""
QUESTIONS = (
    (
        "one metric of one run",
        "SELECT step, value FROM metrics WHERE entity = 'bench' AND run_id = '{run}' "
        "AND key = 'loss' ORDER BY step",
        "SELECT step, loss FROM history WHERE run_id = '{run}' ORDER BY step",
    ),
    (
        "extremes of a metric in every run, through metrics",
        "SELECT run_id, min(value), max(value) FROM metrics WHERE key = 'loss' GROUP BY run_id",
        "SELECT run_id, min(loss), max(loss) FROM history GROUP BY run_id",
    ),
    (
        "extremes of a metric in every run, through metric_stats",
        "SELECT run_id, min, max FROM metric_stats WHERE key = 'loss'",
        "SELECT run_id, min(loss), max(loss) FROM history GROUP BY run_id",
    ),
)


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield each question, ours and the ideal table's: medians of 21."""
    steps = 10_000 if is_full else 1_000
    with (
        serving(exports="ready", runs=500, steps=steps, metrics=20, config_keys=5) as server,
        tempfile.TemporaryDirectory() as place,
    ):
        environ = {
            "WANDB_BASE_URL": server.base_url,
            "WANDB_API_KEY": server.api_key,
            "HOME": place,
        }
        folder, ideal = str(Path(place) / "mirror"), str(Path(place) / "ideal.duckdb")
        run_child(Measured("set-up"), SYNC, [folder], server, environ)
        made = Measured("ideal table")
        run_child(made, IDEAL, [folder, ideal], None, {})
        for name, asked, plain in QUESTIONS:
            scenario = f"{name}, {500 * steps:,} rows x 20"
            ours, floor = Measured(f"{scenario}: ours"), Measured(f"{scenario}: floor")
            for measured, which, sql in ((ours, "ours", asked), (floor, "floor", plain)):
                question = sql.format(run=made.answer)
                run_child(measured, ASK, [folder, ideal, which, question], None, {})
            if ours.answer != floor.answer or not ours.answer[0]:
                raise SystemExit(f"wrong answer: {ours.answer}, by the ideal table {floor.answer}")
            yield from (ours, floor)

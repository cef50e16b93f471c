"""Run every scenario, check its answers, and print one table.

    python bench/run.py [--full] [SCENARIO ...]

Ratios are taken within a run; absolute times depend on the machine. Fails if an answer is wrong.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import platform
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "scenarios")]

LONG = ("downloads", "filter_peers", "frames", "memory", "quiet_team", "reading", "wide")
"""Run with ``--full``, or by name: the others take five minutes already."""
HEAD = (
    "| what | wall | spread | times | CPU | of the server | requests | MB | peak MB |\n"
    "|---|---|---|---|---|---|---|---|---|"
)


def main() -> None:
    """Run the scenarios named, or all."""
    known = sorted(path.stem for path in (HERE / "scenarios").glob("*.py"))
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("scenario", nargs="*", metavar="SCENARIO", help=", ".join(known))
    parser.add_argument("--full", action="store_true", help="more repetitions, larger data")
    asked = parser.parse_args()
    if unknown := set(asked.scenario) - set(known):
        parser.error(f"no scenario {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    names = asked.scenario or [name for name in known if asked.full or name not in LONG]
    rows = []
    began = time.perf_counter()
    for name in names:
        so_far = time.perf_counter() - began
        print(f"{name} (after {so_far:.0f} s) …", file=sys.stderr, flush=True)
        for measured in importlib.import_module(name).run(is_full=asked.full):
            rows.append(measured.to_dict())
            print(f"  {measured.name}: {measured.wall:.3f} s", file=sys.stderr, flush=True)
    versions = {name: version(name) for name in ("wandb-mirror", "duckdb", "wandb", "httpx")}
    about = {
        "python": platform.python_version(),
        "machine": f"{os.cpu_count()} cores, {platform.machine()}",
        **versions,
        "took": f"{time.perf_counter() - began:.0f} s",
    }
    compare(rows)
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "latest.json").write_text(json.dumps({"about": about, "rows": rows}, indent=1))
    print("every answer was checked; 'times' is how often ours fits into the row's time\n")
    print(HEAD)
    for row in rows:
        low, high = row["spread_s"]
        print(
            f"| {row['name']} | {row['wall_s']:.3f} s | {low:.3f}-{high:.3f} | {row['times']} | "
            f"{row['cpu_s']:.2f} s | {row['server_cpu_s']:.2f} s | {row['requests']:.0f} | "
            f"{row['megabytes']:.1f} | {row['peak_mb']:.0f} |"
        )
    print("\n" + ", ".join(f"{name} {value}" for name, value in about.items()))


def compare(rows: list[dict[str, Any]]) -> None:
    """Say of each row how its time compares with ours of the same scenario.

    A row is called ``SCENARIO: WHO``; ours is the one whose WHO is ``ours``, or ``ours, whole
    command`` for those that are compared with the process's start.
    """
    walls = {row["name"]: row["wall_s"] for row in rows}
    for row in rows:
        scenario, _, who = row["name"].partition(": ")
        ours = "ours, whole command" if "whole" in who else "ours"
        wall = walls.get(f"{scenario}: {ours}")
        row["times"] = "" if wall is None else f"{row['wall_s'] / wall:.2g}"


if __name__ == "__main__":
    main()

"""Run every scenario, check its answers, and print one table.

    python bench/run.py [--full] [SCENARIO ...]

Ratios are taken within a run; absolute times depend on the machine. Fails if an answer is wrong.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "scenarios")]

HEAD = "| what | wall | spread | CPU | of the server | requests | MB | peak MB |\n|---|---|---|---|---|---|---|---|"


def main() -> None:
    """Run the scenarios named, or all."""
    names = [word for word in sys.argv[1:] if not word.startswith("-")]
    names = names or sorted(path.stem for path in (HERE / "scenarios").glob("*.py"))
    rows = []
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        for measured in importlib.import_module(name).run(is_full="--full" in sys.argv):
            rows.append(measured.to_dict())
            print(f"  {measured.name}: {measured.wall:.3f} s", file=sys.stderr, flush=True)
    versions = {name: version(name) for name in ("wandb-mirror", "duckdb", "wandb", "httpx")}
    about = {"python": platform.python_version(), "machine": platform.machine(), **versions}
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    (results / "latest.json").write_text(json.dumps({"about": about, "rows": rows}, indent=1))
    print(HEAD)
    for row in rows:
        low, high = row["spread_s"]
        print(
            f"| {row['name']} | {row['wall_s']:.3f} s | {low:.3f}-{high:.3f} | {row['cpu_s']:.2f} s | "
            f"{row['server_cpu_s']:.2f} s | {row['requests']:.0f} | {row['megabytes']:.1f} | "
            f"{row['peak_mb']:.0f} |"
        )
    for line in ratios({row["name"]: row["wall_s"] for row in rows}):
        print(line)
    print(", ".join(f"{name} {value}" for name, value in about.items()))


def ratios(walls: dict[str, float]) -> list[str]:
    """Return how ours compares with the peer and the floor of the same scenario."""
    lines = []
    for name, wall in walls.items():
        scenario, _, who = name.partition(": ")
        if who != "ours":
            continue
        lines += [
            f"{scenario}: {walls[f'{scenario}: wandb.Api'] / wall:.1f} times as fast as wandb.Api, "
            f"{wall / walls[f'{scenario}: floor']:.1f} times the floor"
        ]
    return lines


if __name__ == "__main__":
    main()

"""Measure processes from outside: wall, CPU and peak memory of each, and what the server served."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import urlopen

HERE = Path(__file__).parent
SERVER = """
import sys
from wandb_mirror.sandbox import Behaviour, generate_world, run_server, warm_up
size, latency = dict(each.split("=") for each in sys.argv[2:]), float(sys.argv[1])
world = generate_world(entity="bench", projects=1, cache_bytes=4_000_000_000,
                       **{name: int(value) for name, value in size.items()})
warm_up(world)
run_server(world, Behaviour(latency_ms=latency, cache_bytes=2_000_000_000),
           on_ready=lambda url: print(url, world.api_key, flush=True))
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A sandbox in a process of its own."""

    base_url: str
    api_key: str

    def stats(self) -> dict[str, float]:
        """Return requests, bytes and CPU seconds so far."""
        with urlopen(f"{self.base_url}/sandbox/stats") as reply:  # noqa: S310  (loopback)
            return dict(json.load(reply))


@contextmanager
def serving(*, latency_ms: float = 0.0, **size: int) -> Iterator[Server]:
    """Serve a generated world; replies are rendered before anything is measured."""
    arguments = [str(latency_ms), *(f"{name}={value}" for name, value in size.items())]
    command = [sys.executable, "-c", SERVER, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        base_url, api_key = process.stdout.readline().split()
        try:
            yield Server(base_url, api_key)
        finally:
            process.terminate()


@dataclass(slots=True)
class Measured:
    """One thing, measured several times; the repetition with the least wall time counts."""

    name: str
    walls: list[float] = field(default_factory=list)
    cpu: float = 0.0
    peak_mb: float = 0.0
    requests: float = 0.0
    megabytes: float = 0.0
    server_cpu: float = 0.0
    answer: Any = None

    @property
    def wall(self) -> float:
        """Return the least wall time."""
        return min(self.walls)

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON has it."""
        return {
            "name": self.name,
            "wall_s": self.wall,
            "spread_s": [min(self.walls), max(self.walls)],
            "cpu_s": self.cpu,
            "peak_mb": self.peak_mb,
            "requests": self.requests,
            "megabytes": self.megabytes,
            "server_cpu_s": self.server_cpu,
        }


def run_child(
    measured: Measured,
    code: str,
    arguments: Sequence[str],
    server: Server | None,
    environ: dict[str, str],
) -> None:
    """Run Python code in a child process and add what it took.

    The code prints one JSON object last: ``answer``, and ``seconds`` where it leaves its own start
    out of the time.
    """
    before = server.stats() if server else {}
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith("WANDB")
    } | environ
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{measured.name} failed:\n{done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    said = json.loads(done.stdout.splitlines()[-1])
    wall = said.get("seconds", wall)
    if not measured.walls or wall < measured.wall:
        measured.cpu = after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime
        measured.peak_mb = said.get("peak_mb", 0.0)
        measured.answer = said["answer"]
        if server:
            now = server.stats()
            measured.requests = now["requests"] - before["requests"]
            measured.megabytes = (now["bytes_out"] - before["bytes_out"]) / 1e6
            measured.server_cpu = now["cpu_seconds"] - before["cpu_seconds"]
    measured.walls.append(wall)

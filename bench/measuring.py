"""Measure processes from outside: wall, CPU and peak memory of each, and what the server served."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any
from urllib.request import Request, urlopen

HERE = Path(__file__).parent
SERVER = """
import sys
from wandb_mirror.sandbox import Behaviour, generate_world, run_server, warm_up
from wandb_mirror.sandbox.artifacts import Zeros
size = {name: int(value) for name, value in (each.split("=") for each in sys.argv[3:])}
behaviour = Behaviour(latency_ms=float(sys.argv[1]), exports=sys.argv[2], cache_bytes=2_000_000_000,
                      max_root_fields=size.pop("max_root_fields", None))
files, large_mb = size.pop("files", 0), size.pop("large_mb", 0)
world = generate_world(**{"entity": "bench", "projects": 1, "cache_bytes": 4_000_000_000, **size})
if behaviour.exports == "ready":  # all of it: the real client shows rows of a running run twice
    for run in world.projects[0].live_runs:
        world.finish(run) if run.state == "running" else None
if files:
    made = {f"{n % 100:02d}/{n}.bin": n.to_bytes(4, "big") * 2560 for n in range(files)}
    world.shelf.log_artifact(world.projects[0], "small", "dataset", made)
    large = world.shelf.log_artifact(world.projects[0], "large", "dataset",
                                     {"large.bin": Zeros(large_mb << 20)})
    assert large.manifest  # its checksum is not what is measured
warm_up(world, behaviour)
run_server(world, behaviour, on_ready=lambda url: print(url, world.api_key, flush=True))
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

    def change(self, call: str, **arguments: Any) -> None:
        """Have the server's data change, as a user's run would change it."""
        body = json.dumps({"call": call, "arguments": arguments}).encode()
        with urlopen(Request(f"{self.base_url}/sandbox/change", body)) as reply:  # noqa: S310
            reply.read()


@contextmanager
def serving(*, latency_ms: float = 0.0, exports: str = "off", **size: int) -> Iterator[Server]:
    """Serve a generated world; replies are rendered before anything is measured."""
    arguments = [str(latency_ms), exports, *(f"{name}={value}" for name, value in size.items())]
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
    *,
    whole: Measured | None = None,
    python: str = sys.executable,
) -> None:
    """Run Python code in a child process and add what it took.

    The code prints one JSON object last: ``answer``, and ``seconds`` where it leaves its own start
    out of the time, and ``megabytes`` where it counts bytes itself. ``whole`` gets the same run with
    the process's start. CPU and peak memory are the child's own, as the system counts them.
    """
    before = server.stats() if server else {}
    variables = {
        name: value for name, value in os.environ.items() if not name.startswith("WANDB")
    } | environ
    command = [python, "-c", code, *arguments]
    with TemporaryFile() as out, TemporaryFile() as err:
        began = time.perf_counter()
        process = subprocess.Popen(command, env=variables, stdout=out, stderr=err)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if process.returncode:
            raise SystemExit(f"{measured.name} failed:\n{err.read()[-2000:].decode()}")
        said = json.loads(out.read().splitlines()[-1])
    now = server.stats() if server else {}
    for each, seconds in ((measured, said.get("seconds", wall)), (whole, wall)):
        if each is None:
            continue
        if not each.walls or seconds < each.wall:
            each.cpu = used.ru_utime + used.ru_stime
            each.peak_mb = used.ru_maxrss / 1024
            each.answer = said["answer"]
            each.megabytes = said.get("megabytes", 0.0)
            if server:
                each.requests = now["requests"] - before["requests"]
                each.megabytes = (now["bytes_out"] - before["bytes_out"]) / 1e6
                each.server_cpu = now["cpu_seconds"] - before["cpu_seconds"]
        each.walls.append(seconds)

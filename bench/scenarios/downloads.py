"""Bytes: 2,000 files of 10 KB, and one of 2 GB, fetched and put into a folder by both clients.

The real client's ``download`` checks no checksum; with its ``verify`` it does what ours does.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Measured, run_child, serving

FILES, LARGE_MB = 2_000, 2048
CHECK = """
import os
def check(folder, files, size):
    found = [os.path.join(place, name) for place, _, names in os.walk(folder) for name in names]
    return [len(found) == files, sum(map(os.path.getsize, found)) == size]
"""
OURS = (
    CHECK
    + """
import json, sys, time
from pathlib import Path
from wandb_mirror import Mirror
from wandb_mirror.mirror.downloads import Wish
folder, path, to, files, size = sys.argv[1:]
mirror = Mirror.open(folder, environ=os.environ)
began = time.perf_counter()
report = mirror.download(path, wish=Wish(Path(to)))
seconds = time.perf_counter() - began
assert not report.problems, report.problems
print(json.dumps({"answer": check(to, int(files), int(size)), "seconds": seconds}))
"""
)
THEIRS = (
    CHECK
    + """
import json, sys, time, wandb
_, path, to, files, size = sys.argv[1:]
artifact = wandb.Api(timeout=60).artifact(path)
began = time.perf_counter()
artifact.download(to)
CHECKED
seconds = time.perf_counter() - began
print(json.dumps({"answer": check(to, int(files), int(size)), "seconds": seconds}))
"""
)
CLIENTS = {
    "ours": OURS,
    "wandb.Api": THEIRS.replace("CHECKED", ""),
    "wandb.Api, checked": THEIRS.replace("CHECKED", "artifact.verify(to)"),
}
SYNC = """
import json, os, sys
from wandb_mirror import Mirror
report = Mirror.open(sys.argv[1], environ=os.environ).sync(["bench"], skip=["history"])
print(json.dumps({"answer": not report.has_skips}))
"""


def touch_memory(path: Path, size: int) -> None:
    """Write a file and remove it: a virtual machine pays for memory when it first touches it.

    Without this, whoever runs first pays for both (2 s a GB, where this was found).
    """
    with path.open("wb") as file:
        for _ in range(0, size, 1 << 20):
            file.write(bytes(1 << 20))
    path.unlink()


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield both artifacts by each client, each into an empty folder with an empty cache."""
    with (
        serving(runs=1, steps=1, files=FILES, large_mb=LARGE_MB) as server,
        tempfile.TemporaryDirectory() as place,
    ):
        environ = {
            "WANDB_BASE_URL": server.base_url,
            "WANDB_API_KEY": server.api_key,
            "WANDB_SILENT": "true",
            "WANDB_ERROR_REPORTING": "false",
            "HOME": place,
        }
        folder = Path(place)
        run_child(Measured("a sync"), SYNC, [str(folder / "mirror")], server, environ)
        for name, what, files, size in (
            ("small", f"{FILES} files of 10 KB", FILES, FILES * 10_240),
            ("large", f"one file of {LARGE_MB // 1024} GB", 1, LARGE_MB << 20),
        ):
            rows = [Measured(f"download {what}: {whose}") for whose in CLIENTS]
            for number in range(3 if is_full else 2):
                for measured, code in zip(rows, CLIENTS.values(), strict=True):
                    touch_memory(folder / "warm", 3 * size)
                    to, cache = folder / "out", folder / f"cache-{number}"
                    path = f"bench/mnist-baselines/{name}:v0"
                    arguments = [str(folder / "mirror"), path, str(to), str(files), str(size)]
                    own = environ | {"WANDB_CACHE_DIR": str(cache), "WANDB_DATA_DIR": str(cache)}
                    run_child(measured, code, arguments, server, own)
                    if not all(measured.answer):
                        raise SystemExit(f"{measured.name} left something else: {measured.answer}")
                    for each in (to, cache, folder / "mirror" / "blobs"):
                        shutil.rmtree(each, ignore_errors=True)
            yield from rows

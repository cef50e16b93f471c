"""A sync that finds nothing new: what cron does most of the time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import Measured, run_child, serving

SYNC = """
import json, os, sys, time
from wandb_mirror import Mirror
mirror = Mirror.open(sys.argv[1], environ=os.environ)
began = time.perf_counter()
report = mirror.sync(["bench"], skip=["history", *sys.argv[2:]])
seconds = time.perf_counter() - began
print(json.dumps({"answer": report.published is None, "seconds": seconds}))
"""
WITH_LINEAGE = 2_000
"""Runs up to which the short form reads lineage too, the dearest part of a first sync."""
LINEAGE = ("input_artifacts", "output_artifacts")


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield the first sync of the metadata, and the one after it."""
    for runs in (2_000, 20_000):
        with (
            serving(runs=runs, steps=1, config_keys=60 if is_full else 20) as server,
            tempfile.TemporaryDirectory() as place,
        ):
            environ = {
                "WANDB_BASE_URL": server.base_url,
                "WANDB_API_KEY": server.api_key,
                "HOME": place,
            }
            is_whole = is_full or runs <= WITH_LINEAGE
            what = f"metadata of {runs} runs" + ("" if is_whole else " without lineage")
            first = Measured(f"{what}, first")
            again = Measured(f"{what}, nothing new")
            arguments = [str(Path(place) / "mirror"), *(() if is_whole else LINEAGE)]
            run_child(first, SYNC, arguments, server, environ)
            for _ in range(3):
                run_child(again, SYNC, arguments, server, environ)
            allowed = 12 + -(-runs // 1000)  # a dozen for the lists of all the other kinds
            if again.answer is not True or again.requests > allowed:
                raise SystemExit(
                    f"nothing was new, and yet: {again.answer}, {again.requests} requests"
                )
            yield from (first, again)

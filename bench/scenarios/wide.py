"""What one run of 3,000 metrics costs among 200 ordinary ones: with it, without it, and it alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from memory import SYNC

from measuring import Measured, run_child, serving

SIZES = (
    ("200 ordinary runs", {"runs": 200, "wide_runs": 0}),
    ("a run of 3,000 metrics alone", {"runs": 0, "wide_runs": 1}),
    ("both", {"runs": 200, "wide_runs": 1}),
)
ALLOWANCE = 1.25
"""Both may take so many times the sum of each: the machine is not idle."""


def run(*, is_full: bool) -> Iterator[Measured]:
    """Yield the three first syncs; both together take no longer than each by itself."""
    walls = []
    for name, size in SIZES:
        with serving(steps=1000, metrics=10, config_keys=5, **size) as server:
            measured = Measured(f"wide: {name}")
            for _ in range(3 if is_full else 2):
                with tempfile.TemporaryDirectory() as place:
                    environ = {
                        "WANDB_BASE_URL": server.base_url,
                        "WANDB_API_KEY": server.api_key,
                        "HOME": place,
                    }
                    arguments = [str(Path(place) / "mirror")]
                    run_child(measured, SYNC, arguments, server, environ)
            walls.append(measured.wall)
            yield measured
    if walls[2] > ALLOWANCE * (walls[0] + walls[1]):
        raise SystemExit(f"the wide run slows the others down: {walls}")

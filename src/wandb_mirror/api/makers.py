"""What makes an object of each sort: the one place that knows all of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from wandb_mirror.api.artifacts import RunArtifacts, find_collection
from wandb_mirror.api.generations import Generation, Generations
from wandb_mirror.api.run import Run
from wandb_mirror.api.run_rows import find_run_row
from wandb_mirror.api.sweeps import Sweep, find_sweep_row


def make_run(generations: Generations, generation: Generation, *path: str) -> Run:
    """Return a run; raises ``NotMirrored``."""
    return Run(generations, generation, find_run_row(generation, *path))


def make_sweep(generations: Generations, generation: Generation, *path: str) -> Sweep:
    """Return a sweep; raises ``NotMirrored``."""
    return Sweep(generations, generation, find_sweep_row(generation, *path))


MAKERS: Mapping[str, Callable[..., Any]] = {
    "run": make_run,
    "sweep": make_sweep,
    "collection": find_collection,
    "run_artifacts": RunArtifacts,
}

"""A W&B-compatible server with generated data, for trying, testing and benchmarking.

It knows nothing of the rest of the package, so that it can disagree with it. What it needs beyond
the standard library comes with the extra ``sandbox``.
"""

from __future__ import annotations

from wandb_mirror.sandbox.behaviour import OLDER, Behaviour, ExportShape, RateLimit
from wandb_mirror.sandbox.generate import WorldOptions, generate_world, warm_up
from wandb_mirror.sandbox.sandbox import Sandbox, run_server
from wandb_mirror.sandbox.world import World

__all__ = [
    "OLDER",
    "Behaviour",
    "ExportShape",
    "RateLimit",
    "Sandbox",
    "World",
    "WorldOptions",
    "generate_world",
    "run_server",
    "warm_up",
]

"""A local copy of Weights & Biases data: synced incrementally, queried with SQL.

from wandb_mirror import Mirror

mirror = Mirror.open("wandb-mirror")
mirror.sync(["team/project"])
with mirror.read() as published:
    print(published.rows("SELECT count(*) FROM runs"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wandb_mirror.mirror.mirror import Mirror

__all__ = ["Mirror"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: the command line's help needs none of it."""
    if name == "Mirror":
        from wandb_mirror.mirror.mirror import Mirror  # noqa: PLC0415

        return Mirror
    raise AttributeError(f"module 'wandb_mirror' has no attribute {name!r}")

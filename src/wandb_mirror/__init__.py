"""A local copy of Weights & Biases data: synced incrementally, queried with SQL.

from wandb_mirror import Api, Mirror

mirror = Mirror.open("wandb-mirror")
mirror.sync(["team/project"])
with mirror.read() as published:
    print(published.rows("SELECT count(*) FROM runs"))
for run in Api().runs("team/project", {"state": "finished"}):
    print(run.name, run.summary.get("accuracy"))
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wandb_mirror.mirror.mirror import Mirror
    from wandb_mirror.mirror.online import Api

__all__ = ["Api", "Mirror"]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for: the command line's help needs none of it."""
    if name == "Api":
        from wandb_mirror.mirror.online import Api  # noqa: PLC0415

        return Api
    if name == "Mirror":
        from wandb_mirror.mirror.mirror import Mirror  # noqa: PLC0415

        return Mirror
    raise AttributeError(f"module 'wandb_mirror' has no attribute {name!r}")

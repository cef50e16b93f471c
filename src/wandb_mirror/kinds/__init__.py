"""The kinds there are, parents before children."""

from __future__ import annotations

from wandb_mirror.kinds.history import HISTORY
from wandb_mirror.kinds.project import PROJECT
from wandb_mirror.kinds.run import RUN
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.kinds.sweep import SWEEP
from wandb_mirror.kinds.viewer import VIEWER

KINDS: tuple[Kind, ...] = (VIEWER, PROJECT, RUN, HISTORY, SWEEP)
"""Every kind, in the order in which a sync takes them."""

STORED: tuple[Kind, ...] = tuple(kind for kind in KINDS if kind.shape != "steps")
"""The kinds whose rows live in the store; the others live in the warehouse alone."""


def kind_named(plural: str) -> Kind:
    """Return the kind that ``sync --only`` calls ``plural``; ``KeyError`` where there is none."""
    for kind in KINDS:
        if kind.plural == plural:
            return kind
    raise KeyError(plural)

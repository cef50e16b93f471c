"""The desk of one mirror: edits are put on it, and readers are shown what lies there.

The store, and with it SQLAlchemy, is opened only where something is edited or where edits wait.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wandb_mirror.edits.catalog import editable_of
from wandb_mirror.edits.cells import Change
from wandb_mirror.edits.checks import find_fault
from wandb_mirror.edits.edit import Edit, Target
from wandb_mirror.edits.values import encode
from wandb_mirror.errors import BadEdit, NotMirrored
from wandb_mirror.query.published import Published
from wandb_mirror.store.waiting import Waiting, count_waiting


@dataclass(frozen=True, slots=True)
class Desk:
    """Where the edits of a mirror are made and shown."""

    store_path: Path

    def look(self) -> Waiting:
        """Return how many edits there are, and a number that moves with each change of them."""
        return count_waiting(self.store_path)

    def load(self, states: Collection[str] = ()) -> list[Edit]:
        """Return the edits in some states, or all."""
        from wandb_mirror.store.store import Store  # noqa: PLC0415  (most readers need none)

        if self.look().count == 0:
            return []
        with Store.open(self.store_path) as store:
            return store.outbox.load(states)

    def queue(self, made: Sequence[tuple[Target, Change]], *, now: datetime | None = None) -> int:
        """Keep edits until they are pushed; return how many cells wait because of them.

        All of them or none: raises ``BadEdit`` for one that upstream would not take, and
        ``NotMirrored`` where there is no store beside the published file.
        """
        from wandb_mirror.store.store import Store  # noqa: PLC0415

        if not self.store_path.exists():
            raise NotMirrored(
                f"{self.store_path} is not there, and edits are kept in it; name the mirror's own "
                "folder with --mirror or mirror=, or make one with 'wandb-mirror sync'"
            )
        for target, change in made:
            spec = editable_of(target.kind).field(change.field)
            fault = find_fault(spec, change) or _find_unwritable(change)
            if fault is not None:
                raise BadEdit(f"{target.path}: {fault}")
        with Store.open(self.store_path) as store:
            return store.outbox.queue(made, now=now or utc_now())

    def lay(self, published: Published, *, in_tables: bool = True) -> int:
        """Show the edits that a file does not have; return how many those are.

        Without ``in_tables`` in ``pending_edits`` alone.
        """
        if self.look().count == 0:
            return 0
        from wandb_mirror.desk.overlay import (  # noqa: PLC0415  (imports Arrow)
            find_unshown,
            lay_edits,
            lay_pending,
        )

        unshown = find_unshown(published, self.load())
        if unshown:
            (lay_edits if in_tables else lay_pending)(published, unshown)
        return len(unshown)


def _find_unwritable(change: Change) -> str | None:
    """Return what is wrong with a value that JSON cannot hold, None where it can."""
    try:
        encode(change.local)
    except (TypeError, ValueError, RecursionError) as error:
        return f"{change.field} {change.key}: JSON cannot hold this value ({error}); convert it"
    return None


def utc_now() -> datetime:
    """Return the time as the store keeps times: naive UTC."""
    return datetime.now(UTC).replace(tzinfo=None)

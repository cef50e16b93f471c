"""An edit: one cell of one object, from the moment it is made until upstream is seen to have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from wandb_mirror.edits.cells import Change
from wandb_mirror.edits.values import ABSENT, is_same

State = Literal["pending", "sent", "done", "conflict", "refused"]
"""pending: waits for a push. sent: was sent, and what became of it is not known yet. done: upstream
has it, the published file does not show it yet. conflict: both sides changed it. refused: upstream
does not take it. One that is discarded is in the audit alone."""

SETTLE = "settle it with 'wandb-mirror resolve --ours' or '--theirs'"
"""What to do with a conflict; the path follows."""


@dataclass(frozen=True, slots=True)
class Target:
    """The object that is edited."""

    kind: str
    project_id: str
    own_key: str
    path: str
    """As people write it."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One cell of an object: what it was for who edited it, and what they made of it."""

    target: Target
    field: str
    key: str
    base: Any
    local: Any
    state: State = "pending"
    sent: Sequence[Any] = ()
    """Values that were sent without learning what became of them."""
    upstream: Any = ABSENT
    """What somebody else made of it, in a conflict."""
    error: str | None = None
    attempts: int = 0
    reply_seq: int | None = None
    """The number of the change with which the store took upstream's reply."""
    revision: int = 0
    """Moves when somebody edits the cell once more: a push knows so what it has pushed."""

    @property
    def cell(self) -> tuple[str, str, str, str, str]:
        """What tells it from others: two edits of one cell are one edit."""
        return (self.target.kind, self.target.project_id, self.target.own_key, self.field, self.key)

    @property
    def label(self) -> str:
        """The field as people write it, with the key."""
        return f"{self.field}.{self.key}" if self.key else self.field


def coalesce(known: Edit | None, target: Target, change: Change) -> Edit | None:
    """Return the one edit of a cell after one more; None where nothing is left to be done.

    The first reader's base stays: it is what upstream is compared with.
    """
    if known is None:
        is_nothing = is_same(change.base, change.local)
        made = Edit(target, change.field, change.key, change.base, change.local)
        return None if is_nothing else made
    if known.state == "done":
        if is_same(known.local, change.local):
            return known
        return replace(
            known, base=known.local, local=change.local, state="pending", sent=(), reply_seq=None
        )
    if known.state == "conflict":
        return replace(known, local=change.local)
    sent = tuple(known.sent)
    if known.state == "sent" and not is_same(known.local, change.local):
        sent = (*sent, known.local)
    if is_same(known.base, change.local) and not sent:
        return None
    return replace(known, local=change.local, state="pending", sent=sent, error=None, attempts=0)


def settle(edit: Edit, *, takes_theirs: bool) -> Edit:
    """Return a conflict that somebody has settled, to be pushed.

    Ours: what they made of it is what ours replaces. Theirs: upstream has it already, unless our
    push had overwritten it; then it is put back.
    """
    sent = (*edit.sent, edit.local) if takes_theirs else tuple(edit.sent)
    return replace(
        edit,
        base=edit.upstream,
        local=edit.upstream if takes_theirs else edit.local,
        state="pending",
        sent=sent,
        upstream=ABSENT,
        error=None,
    )

"""What became of each edit, in the outbox and in the report of the push."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from wandb_mirror.edits.cells import Change
from wandb_mirror.edits.edit import Edit, Target
from wandb_mirror.edits.spec import Editable
from wandb_mirror.kinds import kind_named
from wandb_mirror.kinds.pages import Row
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.push.batches import Objects
from wandb_mirror.push.plan import Plan
from wandb_mirror.push.report import PushReport
from wandb_mirror.store.edit_rows import Cell
from wandb_mirror.store.outbox import Outcome
from wandb_mirror.store.store import Store

Clean = Callable[[Kind, Sequence[Row]], Sequence[Row]]


@dataclass(slots=True)
class Ledger:
    """Writes down what a push does; a dry one writes nothing into the outbox."""

    store: Store
    who: str
    now: Callable[[], datetime]
    is_dry: bool
    clean: Clean
    report: PushReport = field(default_factory=PushReport)
    left: set[Cell] = field(default_factory=set)
    """Edits that this push has tried and left for a later one."""

    def load_waiting(self, chosen: Callable[[Edit], bool]) -> list[Edit]:
        """Return the edits that are to be pushed now."""
        return [
            each
            for each in self.store.outbox.load(("pending", "sent"))
            if each.cell not in self.left and chosen(each)
        ]

    def reload(self, objects: Objects) -> Objects:
        """Return the edits of some objects as they are now: what was sent is marked so."""
        cells = {each.cell for _, edits in objects for each in edits}
        found: dict[Target, list[Edit]] = {}
        for each in self.store.outbox.load(("pending", "sent")):
            if each.cell in cells:
                found.setdefault(each.target, []).append(each)
        return list(found.items())

    def record(
        self,
        outcomes: Iterable[Outcome],
        replies: tuple[Editable, Sequence[Row]] | None = None,
        lost: Sequence[tuple[Target, Change]] = (),
    ) -> None:
        """Write down outcomes, what upstream replied, and what the push has overwritten."""
        listed = list(outcomes)
        if not listed:
            return
        if replies is not None:
            editable, rows = replies
            replies = editable, list(self.clean(kind_named(editable.kind), rows))
        self.store.outbox.record(listed, now=self.now(), who=self.who, replies=replies, lost=lost)

    def record_plans(self, editable: Editable, plans: Sequence[Plan]) -> None:
        """Write down what needs no sending, and mark as sent what is about to be."""
        outcomes = [outcome for plan in plans for outcome in plan.outcomes]
        waiting = [each for plan in plans for each in plan.waiting]
        self.report.count(outcomes)
        self.report.waiting += len({each.cell for each in waiting} - self.left)
        self.left |= {each.cell for each in waiting}
        if self.is_dry:
            return
        outcomes += [Outcome(each, "") for each in waiting]
        outcomes += [
            Outcome(replace(each, state="sent", attempts=each.attempts + 1), "")
            for plan in plans
            for each in plan.sending
        ]
        seen = [
            plan.fresh
            for plan in plans
            if plan.fresh is not None
            and any(outcome.edit.state == "done" for outcome in plan.outcomes)
        ]
        self.record(outcomes, (editable, seen))

    def refuse(self, objects: Objects, error: Exception) -> None:
        """Write down that upstream does not take the edits of an object."""
        outcomes = []
        for target, edits in objects:
            message = (
                f"upstream refuses: {error}; change the edit and push again, or take it back with "
                f"'wandb-mirror discard {target.path}'"
            )
            for each in edits:
                refused = replace(each, state="refused", error=message)
                outcomes.append(Outcome(refused, "refused", message))
        self.report.count(outcomes)
        self.record(outcomes)

    def postpone(self, objects: Objects, why: str) -> None:
        """Leave edits for a later push, with the reason."""
        message = f"{why}; it stays and is tried again by the next push"
        reloaded = objects if self.is_dry else self.reload(objects)
        left = [replace(each, error=message) for _, edits in reloaded for each in edits]
        self.left |= {each.cell for each in left}
        self.report.retry_later += len(left)
        if not self.is_dry:
            self.record(Outcome(each, "") for each in left)

"""One push: what waits is read fresh, judged, sent, and what became of it is written down.

An edit is marked as sent before it is: after a crash the next push reads upstream again, finds
there what had been sent or does not, and goes on. Nothing is ever sent blindly a second time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from wandb_mirror.edits.cells import Change
from wandb_mirror.edits.edit import Edit, Target
from wandb_mirror.edits.spec import Editable
from wandb_mirror.errors import Interrupted, NotFound, Refused, Retry, UpstreamBroken
from wandb_mirror.kinds import kind_named
from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.progress import Progress
from wandb_mirror.push.batches import Objects, find_batches, make_sending
from wandb_mirror.push.documents import GUARD, mutation_document, read_reply
from wandb_mirror.push.plan import Plan, judge_reply, plan_object
from wandb_mirror.push.report import PushReport
from wandb_mirror.store.edit_rows import Cell
from wandb_mirror.store.outbox import Outcome
from wandb_mirror.store.store import Store
from wandb_mirror.upstream.asking import ask
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.shapes import Upstream
from wandb_mirror.upstream.writer import Document

TOGETHER = 50
"""Objects read, and written, by one request."""
PAIR = 2
ENOUGH = 2
"""Objects that must go without the guard, and not with it, before a server counts as without."""
MUTATIONS = "several mutations in one document"
"""The capability to change several objects by one request."""
ROUNDS = 4
"""What a push has overwritten is put back in the next round."""


@dataclass(slots=True)
class Pusher:
    """The parts of one push, and what it has done so far."""

    store: Store
    upstream: Upstream
    who: str
    now: Callable[[], datetime]
    progress: Progress
    stop: threading.Event
    is_forced: bool = False
    is_dry: bool = False
    chosen: Callable[[Edit], bool] = lambda _: True
    clean: Callable[[Kind, Sequence[Row]], Sequence[Row]] = lambda _, rows: rows
    """What is left of upstream's rows where the mirror keeps no secrets."""
    report: PushReport = field(default_factory=PushReport)
    _left: set[Cell] = field(default_factory=set)
    """Edits that this push has tried and left for a later one."""
    _is_guarded: bool = False
    """Whether the server has taken a mutation that reads before it writes."""
    _is_plain: bool = False
    """Whether one is being tried that does not."""
    _went_plainly: int = 0
    """Objects that were refused with the guard and taken without it."""

    def run(self) -> PushReport:
        """Push what waits; what cannot be pushed now is left, with the reason.

        Raises ``Throttled`` and ``Unreachable`` where nothing more can be sent, ``Interrupted``
        where somebody asked to stop, and ``Stop``; what was sent is written down.
        """
        before = self.upstream.client.usage.requests
        try:
            for _ in range(1 if self.is_dry else ROUNDS):
                waiting = [
                    each
                    for each in self.store.outbox.load(("pending", "sent"))
                    if each.cell not in self._left and self.chosen(each)
                ]
                if not waiting:
                    break
                self._push_round(waiting)
        finally:
            self.report.requests = self.upstream.client.usage.requests - before
        return self.report

    def _push_round(self, waiting: Sequence[Edit]) -> None:
        size = 1 if self.upstream.capabilities.lacks(MUTATIONS) else TOGETHER
        batches, homeless = find_batches(self.store, waiting, size)
        self._postpone(homeless, "its project is not in this mirror any more")
        self.progress.begin("pushing", sum(len(objects) for *_, objects in batches))
        try:
            for editable, scope, objects in batches:
                self._check_stop()
                self._push_batch(editable, scope, objects)
                self.progress.advance("pushing", len(objects))
        finally:
            self.progress.end("pushing")

    def _check_stop(self) -> None:
        if self.stop.is_set():
            raise Interrupted("stopped as asked; what was pushed is written down, push again")

    def _push_batch(self, editable: Editable, scope: ScopeOf, objects: Objects) -> None:
        """Push some objects; where they cannot go together, in halves."""
        kind = kind_named(editable.kind)
        try:
            plans = self._plan(kind, editable, scope, objects)
            sending = [plan for plan in plans if plan.sending]
            if self.is_dry:
                self._note_dry(kind, editable, scope, sending)
                return
            if sending:
                self._send(kind, editable, scope, sending)
        except (Refused, UpstreamBroken) as error:
            if len(objects) > 1:
                self._push_parts(editable, scope, objects, error)
            elif isinstance(error, Refused):
                self._refuse_or_send_plainly(editable, scope, objects, error)
            else:
                self._postpone(objects, str(error))
        except NotFound as error:
            self._postpone(objects, str(error))
        except Retry as error:
            self._postpone(objects, str(error))
            raise

    def _push_parts(
        self, editable: Editable, scope: ScopeOf, objects: Objects, error: Exception
    ) -> None:
        """Push in halves what did not go together, and learn where nothing goes together."""
        failed = self.report.refused + self.report.retry_later
        goes_alone = self.upstream.capabilities.lacks(MUTATIONS)
        size = 1 if goes_alone else len(objects) // 2
        for start in range(0, len(objects), size):
            self._push_batch(editable, scope, self._reload(objects[start : start + size]))
        is_pair = len(objects) == PAIR and isinstance(error, Refused)
        if is_pair and failed == self.report.refused + self.report.retry_later:
            self.upstream.capabilities.learn([MUTATIONS])

    def _refuse_or_send_plainly(
        self, editable: Editable, scope: ScopeOf, objects: Objects, error: Exception
    ) -> None:
        """Try one object without reading it before the write: that may be what is refused."""
        capabilities = self.upstream.capabilities
        if self._is_guarded or capabilities.lacks(GUARD) or self._is_plain:
            self._refuse(objects, error)
            return
        self._is_plain = True
        refused = self.report.refused
        try:
            self._push_batch(editable, scope, self._reload(objects))
        finally:
            self._is_plain = False
        if self.report.refused == refused:
            # once may have been chance, and without the guard a lost race goes unnoticed
            self._went_plainly += 1
            if self._went_plainly == ENOUGH:
                capabilities.learn([GUARD])
        else:
            self._is_guarded = True  # so it is something else that upstream does not take

    def _capabilities(self) -> Capabilities:
        """Return what the server lacks, for the mutation to be sent."""
        known = self.upstream.capabilities
        return Capabilities(known.missing | {GUARD}) if self._is_plain else known

    def _reload(self, objects: Objects) -> Objects:
        """Return the edits of some objects as they are now: what was sent is marked so."""
        cells = {each.cell for _, edits in objects for each in edits}
        found: dict[Target, list[Edit]] = {}
        for each in self.store.outbox.load(("pending", "sent")):
            if each.cell in cells:
                found.setdefault(each.target, []).append(each)
        return list(found.items())

    def _plan(self, kind: Kind, editable: Editable, scope: ScopeOf, objects: Objects) -> list[Plan]:
        """Read objects fresh, judge their edits, and write down what needs no sending."""
        if not objects:
            return []
        page = self.upstream.fetch_detail_page(
            kind, scope, [target.own_key for target, _ in objects]
        )
        fresh: dict[str, Row] = {row[kind.own_key]: row for row in page.rows}
        unreadable = dict(page.bad)
        plans: list[Plan] = []
        for target, edits in objects:
            if target.own_key in unreadable:
                self._postpone([(target, edits)], unreadable[target.own_key])
                continue
            plans.append(
                plan_object(
                    editable, target, edits, fresh.get(target.own_key), is_forced=self.is_forced
                )
            )
        self.report.count(outcome for plan in plans for outcome in plan.outcomes)
        waiting = [each for plan in plans for each in plan.waiting]
        self.report.waiting += len({each.cell for each in waiting} - self._left)
        self._left |= {each.cell for each in waiting}
        if not self.is_dry:
            outcomes = [outcome for plan in plans for outcome in plan.outcomes]
            sent = [each for plan in plans for each in plan.sending]
            seen = [
                plan.fresh
                for plan in plans
                if plan.fresh is not None
                and any(outcome.edit.state == "done" for outcome in plan.outcomes)
            ]
            self._record(
                [
                    *outcomes,
                    *(Outcome(each, "") for each in waiting),
                    *(
                        Outcome(replace(each, state="sent", attempts=each.attempts + 1), "")
                        for each in sent
                    ),
                ],
                (kind, seen),
            )
        return plans

    def _record(
        self,
        outcomes: Iterable[Outcome],
        rows: tuple[Kind, list[Row]] | None = None,
        lost: Sequence[tuple[Target, Change]] = (),
    ) -> None:
        listed = list(outcomes)
        if listed:
            self.store.outbox.record(listed, now=self.now(), who=self.who, rows=rows, lost=lost)

    def _send(self, kind: Kind, editable: Editable, scope: ScopeOf, plans: Sequence[Plan]) -> None:
        """Send what was planned, and write down what upstream makes of it."""
        sendings = [make_sending(editable, scope, plan) for plan in plans]

        def make() -> Document:
            return mutation_document(kind, editable, self._capabilities(), sendings)

        data, document = ask(self.upstream.client, self.upstream.capabilities, kind, make)
        self._is_guarded = self._is_guarded or not self._is_plain
        outcomes: list[Outcome] = []
        rows: list[Row] = []
        overwritten: list[tuple[Target, Change]] = []
        for number, (plan, sending) in enumerate(zip(plans, sendings, strict=True)):
            reply = read_reply(kind, editable, data, document, sending, number)
            found, lost = judge_reply(editable, plan, reply.before, reply.after)
            outcomes += found
            rows.append(reply.after)
            overwritten += lost
        self.report.races += len(overwritten)
        self.report.count(outcomes, is_sent=True)
        self._record(outcomes, (kind, list(self.clean(kind, rows))), overwritten)

    def _note_dry(
        self, kind: Kind, editable: Editable, scope: ScopeOf, plans: Sequence[Plan]
    ) -> None:
        if plans:
            sendings = [make_sending(editable, scope, plan) for plan in plans]
            document = mutation_document(kind, editable, self.upstream.capabilities, sendings)
            self.report.documents.append((document.text, document.variables))
        self.report.would_send += sum(len(plan.sending) for plan in plans)

    def _refuse(self, objects: Objects, error: Exception) -> None:
        """Write down that upstream does not take the edits of an object."""
        outcomes = []
        for target, edits in self._reload(objects):
            message = (
                f"upstream refuses: {error}; change the edit and push again, or take it back with "
                f"'wandb-mirror discard {target.path}'"
            )
            for each in edits:
                refused = replace(each, state="refused", error=message)
                outcomes.append(Outcome(refused, "refused", message))
        self.report.count(outcomes)
        self._record(outcomes)

    def _postpone(self, objects: Objects, why: str) -> None:
        """Leave edits for a later push, with the reason."""
        message = f"{why}; it stays and is tried again by the next push"
        reloaded = objects if self.is_dry else self._reload(objects)
        left = [replace(each, error=message) for _, edits in reloaded for each in edits]
        self._left |= {each.cell for each in left}
        self.report.retry_later += len(left)
        if not self.is_dry:
            self._record(Outcome(each, "") for each in left)

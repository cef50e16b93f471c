"""One push: what waits is read fresh, judged, sent, and what became of it is written down.

An edit is marked as sent before it is: after a crash the next push reads upstream again, finds
there what had been sent or does not, and goes on. Nothing is ever sent blindly a second time.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from wandb_mirror.edits.cells import Change
from wandb_mirror.edits.edit import Edit, Target
from wandb_mirror.edits.spec import Editable
from wandb_mirror.errors import Interrupted, NotFound, Refused, Retry, UpstreamBroken
from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.progress import Progress
from wandb_mirror.push.batches import Objects, find_batches
from wandb_mirror.push.documents import guard_of, mutation_document, read_reply
from wandb_mirror.push.fresh import fetch_fresh, load_labels
from wandb_mirror.push.ledger import Clean, Ledger
from wandb_mirror.push.plan import Plan, find_emptied, judge_reply, plan_object
from wandb_mirror.push.report import PushReport
from wandb_mirror.push.wires import make_sending
from wandb_mirror.store.outbox import Outcome
from wandb_mirror.store.store import Store
from wandb_mirror.upstream.asking import ask
from wandb_mirror.upstream.capabilities import Capabilities
from wandb_mirror.upstream.shapes import Upstream
from wandb_mirror.upstream.writer import Document

MANY = 1000
"""More objects than are read and written together of any kind."""
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
    clean: Clean = lambda _, rows: rows
    """What is left of upstream's rows where the mirror keeps no secrets."""
    ledger: Ledger = field(init=False)
    _guarded: set[str] = field(default_factory=set)
    """The looks before a write that the server was seen to take."""
    _plain: str = ""
    """The look that is being left out, to see whether it is what the server refuses."""
    _went_plainly: Counter[str] = field(default_factory=Counter)
    """By look: objects that were refused with it and taken without."""

    def __post_init__(self) -> None:
        """Open the ledger."""
        self.ledger = Ledger(self.store, self.who, self.now, self.is_dry, self.clean)

    @property
    def report(self) -> PushReport:
        """What was done so far."""
        return self.ledger.report

    def run(self) -> PushReport:
        """Push what waits; what cannot be pushed now is left, with the reason.

        Raises ``Throttled`` and ``Unreachable`` where nothing more can be sent, ``Interrupted``
        where somebody asked to stop, and ``Stop``; what was sent is written down.
        """
        before = self.upstream.client.usage.requests
        try:
            for _ in range(1 if self.is_dry else ROUNDS):
                waiting = self.ledger.load_waiting(self.chosen)
                if not waiting:
                    break
                self._push_round(waiting)
        finally:
            self.report.requests = self.upstream.client.usage.requests - before
        return self.report

    def _push_round(self, waiting: Sequence[Edit]) -> None:
        size = 1 if self.upstream.capabilities.lacks(MUTATIONS) else MANY
        batches, homeless = find_batches(self.store, waiting, size)
        self.ledger.postpone(homeless, "its project is not in this mirror any more")
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
        try:
            plans = self._plan(editable, scope, objects)
            sending = [plan for plan in plans if plan.sending]
            if self.is_dry:
                self._note_dry(editable, scope, sending)
                return
            if sending:
                self._send(editable, scope, sending)
        except (Refused, UpstreamBroken) as error:
            if len(objects) > 1:
                self._push_parts(editable, scope, objects, error)
            elif isinstance(error, Refused):
                self._refuse_or_send_plainly(editable, scope, objects, error)
            else:
                self.ledger.postpone(objects, str(error))
        except NotFound as error:
            self.ledger.postpone(objects, str(error))
        except Retry as error:
            self.ledger.postpone(objects, str(error))
            raise

    def _push_parts(
        self, editable: Editable, scope: ScopeOf, objects: Objects, error: Exception
    ) -> None:
        """Push in halves what did not go together, and learn where nothing goes together."""
        failed = self.report.refused + self.report.retry_later
        goes_alone = self.upstream.capabilities.lacks(MUTATIONS)
        size = 1 if goes_alone else len(objects) // 2
        for start in range(0, len(objects), size):
            self._push_batch(editable, scope, self.ledger.reload(objects[start : start + size]))
        is_pair = len(objects) == PAIR and isinstance(error, Refused)
        if is_pair and failed == self.report.refused + self.report.retry_later:
            self.upstream.capabilities.learn([MUTATIONS])

    def _refuse_or_send_plainly(
        self, editable: Editable, scope: ScopeOf, objects: Objects, error: Exception
    ) -> None:
        """Try one object without the look before its write: that may be what is refused."""
        capabilities, guard = self.upstream.capabilities, guard_of(editable)
        if guard in self._guarded or capabilities.lacks(guard) or self._plain:
            self._refuse_or_send_singly(editable, scope, objects, error)
            return
        self._plain = guard
        refused = self.report.refused
        try:
            self._push_batch(editable, scope, self.ledger.reload(objects))
        finally:
            self._plain = ""
        if self.report.refused == refused:
            # once may have been chance, and without the look a lost race goes unnoticed
            self._went_plainly[guard] += 1
            if self._went_plainly[guard] == ENOUGH:
                capabilities.learn([guard])
        else:
            self._guarded.add(guard)  # so it is something else that upstream does not take

    def _refuse_or_send_singly(
        self, editable: Editable, scope: ScopeOf, objects: Objects, error: Exception
    ) -> None:
        """Try the edits of one object one by one: the one that is refused is to block no other."""
        for target, edits in self.ledger.reload(objects):
            if len(edits) == 1:
                self.ledger.refuse([(target, edits)], error)
                continue
            for each in edits:
                self._push_batch(editable, scope, self.ledger.reload([(target, [each])]))

    def _capabilities(self) -> Capabilities:
        """Return what the server lacks, for the mutation to be sent."""
        known = self.upstream.capabilities
        return Capabilities(known.missing | {self._plain}) if self._plain else known

    def _plan(self, editable: Editable, scope: ScopeOf, objects: Objects) -> list[Plan]:
        """Read objects fresh, judge their edits, and write down what needs no sending."""
        if not objects:
            return []
        own_keys = [target.own_key for target, _ in objects]
        page = fetch_fresh(self.upstream, editable, scope, own_keys)
        fresh: dict[str, Row] = {row[editable.own_key]: row for row in page.rows}
        unreadable = dict(page.bad)
        plans: list[Plan] = []
        for target, edits in objects:
            if target.own_key in unreadable:
                self.ledger.postpone([(target, edits)], unreadable[target.own_key])
                continue
            labels = load_labels(self.store, editable, scope, target.own_key)
            found = fresh.get(target.own_key)
            plans.append(
                plan_object(editable, target, edits, found, is_forced=self.is_forced, labels=labels)
            )
        self.ledger.record_plans(editable, plans)
        return plans

    def _send(self, editable: Editable, scope: ScopeOf, plans: Sequence[Plan]) -> None:
        """Send what was planned, and write down what upstream makes of it."""
        sendings = [make_sending(editable, scope, plan) for plan in plans]

        def make() -> Document:
            return mutation_document(editable, self._capabilities(), sendings)

        client, capabilities = self.upstream.client, self.upstream.capabilities
        data, document = ask(client, capabilities, editable.read, make)
        if not self._plain:
            self._guarded.add(guard_of(editable))
        replies = [
            read_reply(editable, data, document, sending, number)
            for number, sending in enumerate(sendings)
        ]
        unsaid = [
            plan.target.own_key
            for plan, reply in zip(plans, replies, strict=True)
            if reply.after is None
        ]
        looked = fetch_fresh(self.upstream, editable, scope, unsaid).rows if unsaid else ()
        left = {row[editable.own_key]: row for row in looked}
        outcomes: list[Outcome] = []
        rows: list[Row] = []
        overwritten: list[tuple[Target, Change]] = []
        for plan, reply in zip(plans, replies, strict=True):
            after = reply.after or left.get(plan.target.own_key)
            if after is None:
                continue  # it is marked as sent: the next push looks what became of it
            found, lost = judge_reply(editable, plan, reply.before, after)
            outcomes += [*found, *find_emptied(editable, plan, after)]
            rows.append(after)
            overwritten += lost
        self.report.races += len(overwritten)
        self.report.count(outcomes, is_sent=True)
        self.ledger.record(outcomes, (editable, rows), overwritten)

    def _note_dry(self, editable: Editable, scope: ScopeOf, plans: Sequence[Plan]) -> None:
        if plans:
            sendings = [make_sending(editable, scope, plan) for plan in plans]
            document = mutation_document(editable, self.upstream.capabilities, sendings)
            self.report.documents.append((document.text, document.variables))
        self.report.would_send += sum(len(plan.sending) for plan in plans)

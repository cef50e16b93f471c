"""Decide what to send for one object: its edits against what upstream has this moment. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wandb_mirror.edits.cells import Change, cell_of, read_cells, read_stored
from wandb_mirror.edits.checks import find_excess, find_fault
from wandb_mirror.edits.edit import SETTLE, Edit, Target
from wandb_mirror.edits.judge import judge
from wandb_mirror.edits.pointers import Labels, label
from wandb_mirror.edits.spec import Editable, EditField
from wandb_mirror.edits.values import ABSENT, encode, is_same
from wandb_mirror.kinds.pages import Row
from wandb_mirror.store.outbox import Outcome

DISCARD = "take it back with 'wandb-mirror discard {0}'"
WAITS = (
    "the run still runs and would overwrite this; it is sent by a push after the run ended, or now "
    "with 'wandb-mirror push --force'"
)


@dataclass(slots=True)
class Plan:
    """What a push does about one object."""

    target: Target
    fresh: Row | None
    """The object as it was read a moment ago; None where upstream does not show it."""
    outcomes: list[Outcome] = field(default_factory=list)
    """Edits that are settled without sending anything."""
    waiting: list[Edit] = field(default_factory=list)
    """Edits that wait for the run to end."""
    sending: list[Edit] = field(default_factory=list)
    """Edits that are sent, each with the value that upstream is to hold as ``local``."""
    labels: Labels = field(default_factory=dict)
    """What people call what names point to."""

    def cells(self, spec: EditField, row: Row) -> dict[str, Any]:
        """Return a field of a row cell by cell, as people see it."""
        found = read_cells(spec, read_stored(spec, row.get(spec.column)))
        if spec.points_to is None:
            return found
        return {key: label(value, self.labels) for key, value in found.items()}

    def chosen(self, spec: EditField) -> dict[str, Any]:
        """Return what upstream is to hold: key to value, of one field."""
        return {each.key: each.local for each in self.sending if each.field == spec.name}


def plan_object(
    editable: Editable,
    target: Target,
    edits: Sequence[Edit],
    fresh: Row | None,
    *,
    is_forced: bool,
    labels: Labels | None = None,
) -> Plan:
    """Return what is to be done about the edits of one object."""
    plan = Plan(target, fresh, labels=labels or {})
    if fresh is None or _holds(editable.gone_while, fresh):
        gone = (
            f"upstream does not show {target.path} any more: it was deleted, or your key may not "
            f"see it; restore it on the web and push again, or {DISCARD.format(target.path)}"
        )
        plan.outcomes = [_refused(each, gone) for each in edits]
        return plan
    if fresh.get("read_only"):
        locked = (
            f"{target.path} is read-only upstream; ask its owner for the right to edit it and "
            f"push again, or {DISCARD.format(target.path)}"
        )
        plan.outcomes = [_refused(each, locked) for each in edits]
        return plan
    for spec in editable.fields:
        own = [each for each in edits if each.field == spec.name]
        if own:
            _plan_field(plan, editable, spec, own, is_forced=is_forced)
    return plan


def _holds(condition: tuple[str, frozenset[str]] | None, row: Mapping[str, Any]) -> bool:
    """Tell whether a column holds one of some values."""
    return condition is not None and row.get(condition[0]) in condition[1]


def _plan_field(
    plan: Plan, editable: Editable, spec: EditField, edits: Sequence[Edit], *, is_forced: bool
) -> None:
    fresh = plan.fresh or {}
    try:
        cells = plan.cells(spec, fresh)
    except (ValueError, TypeError, AttributeError):
        broken = f"upstream's {spec.name} cannot be read, so it is not replaced; mend it on the web"
        plan.outcomes += [_refused(each, broken) for each in edits]
        return
    is_running = _holds(editable.runs_while, fresh)
    for each in edits:
        upstream = cell_of(spec, cells, each.key)
        base, local, *sent = (
            label(value, plan.labels) if spec.points_to else value
            for value in (each.base, each.local, *each.sent)
        )
        if each.state == "sent":
            sent = [*sent, local]
        verdict = judge(spec.sort, base, local, upstream, sent)
        if verdict.action == "conflict":
            plan.outcomes.append(conflict(each, upstream))
        elif verdict.action == "nothing":
            plan.outcomes.append(_confirmed(each, verdict.value))
        elif fault := _find_fault(spec, each, verdict.value, plan, cells):
            plan.outcomes.append(_refused(each, f"{fault}; then push again"))
        elif spec.waits and is_running and not is_forced:
            plan.waiting.append(replace(each, error=WAITS))
        else:
            plan.sending.append(replace(each, local=verdict.value))


def _find_fault(
    spec: EditField, edit: Edit, value: Any, plan: Plan, cells: Mapping[str, Any]
) -> str | None:
    """Return why upstream would not take an edit of this object, None where it would."""
    fault = find_fault(spec, Change(spec.name, edit.key, edit.base, edit.local))
    if fault is not None:
        return fault
    if spec.only_where is not None:
        column, wanted, why = spec.only_where
        if (plan.fresh or {}).get(column) != wanted:
            return f"{why}; {DISCARD.format(plan.target.path)}"
    if spec.points_to is not None and value is not ABSENT and value not in plan.labels.values():
        return (
            f"{spec.points_to.kind} here have no {value}; 'wandb-mirror sync' fetches what is new"
        )
    keys = {**cells, **plan.chosen(spec), edit.key: value}
    return find_excess(spec, sum(each is not ABSENT for each in keys.values()))


def conflict(edit: Edit, upstream: Any, why: str = "somebody else changed it too") -> Outcome:
    """Return an edit that both sides made otherwise."""
    shown = "nothing" if upstream is ABSENT else encode(upstream)
    message = f"{why}: upstream has {shown}; {SETTLE} {edit.target.path}"
    return Outcome(
        replace(edit, state="conflict", upstream=upstream, error=message), "conflict", message
    )


def _refused(edit: Edit, message: str) -> Outcome:
    return Outcome(replace(edit, state="refused", error=message), "refused", message)


def _confirmed(edit: Edit, value: Any) -> Outcome:
    """Return an edit that upstream has already: it was sent before, or somebody made the same."""
    done = replace(edit, local=value, state="done", sent=(), upstream=ABSENT, error=None)
    return Outcome(done, "done", "upstream has it already")


def judge_reply(
    editable: Editable, plan: Plan, before: Row | None, after: Row
) -> tuple[list[Outcome], list[tuple[Target, Change]]]:
    """Return what became of what was sent, and what is to be put back of what it overwrote.

    ``before`` is the object as it was the moment before the write, read in the same document:
    where it differs from what was judged, somebody wrote in between, and we have overwritten it.
    """
    outcomes: list[Outcome] = []
    lost: list[tuple[Target, Change]] = []
    for spec in editable.fields:
        own = {each.key: each for each in plan.sending if each.field == spec.name}
        if not own:
            continue
        judged, was, now = (
            plan.cells(spec, row) for row in (plan.fresh or {}, before or plan.fresh or {}, after)
        )
        for key in dict.fromkeys([*judged, *was, *own]):
            seen, found, left = (cell_of(spec, cells, key) for cells in (judged, was, now))
            theirs = not is_same(seen, found)
            if key in own:
                outcomes.append(_judge_own(own[key], found, left, is_overwritten=theirs))
            elif theirs and not is_same(found, left):
                lost.append((plan.target, Change(spec.name, key, left, found)))
    return outcomes, lost


def find_emptied(editable: Editable, plan: Plan, after: Row) -> list[Outcome]:
    """Return what upstream holds no more since a push that did not name it, each as a conflict.

    W&B's own client sends some fields only together. Should a server take the absence of one for
    emptiness, what was there must not be gone for good; nor may it be put back unasked, because
    somebody else may have emptied it in the same moment.
    """
    fresh = plan.fresh or {}
    found = []
    for spec in editable.fields:
        if spec.sort == "set" or spec.points_to is not None or plan.chosen(spec):
            continue
        before, now = plan.cells(spec, fresh), plan.cells(spec, after)
        if any(_is_something(each) for each in now.values()):
            continue
        for key, value in before.items():
            if _is_something(value):
                left = cell_of(spec, now, key)
                edit = Edit(plan.target, spec.name, key, value, value, upstream=left)
                why = "upstream holds nothing here any more since a push that did not name it"
                found.append(replace(conflict(edit, left, why), is_new=True))
    return found


def _is_something(value: Any) -> bool:
    return value is not None and value is not ABSENT


def _judge_own(edit: Edit, found: Any, left: Any, *, is_overwritten: bool) -> Outcome:
    """Return what became of one cell that was sent."""
    if not is_same(left, edit.local):
        return conflict(edit, left, "upstream holds something else right after the push")
    known = (edit.base, edit.local, *edit.sent)
    if is_overwritten and not any(is_same(found, each) for each in known):
        return conflict(edit, found, "the push overwrote what somebody wrote in the same moment")
    done = replace(edit, state="done", sent=(), upstream=ABSENT, error=None)
    return Outcome(done, "done")

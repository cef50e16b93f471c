"""What goes to one object over the wire: the fields that were edited, and no others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from wandb_mirror.edits.cells import make_wire
from wandb_mirror.edits.spec import Call, Editable, EditField, Fillings, Write
from wandb_mirror.edits.values import ABSENT
from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.push.documents import Sending
from wandb_mirror.push.plan import Plan

Called = tuple[Call, Mapping[str, Any]]
"""A mutation of its own, with its input."""


def make_sending(editable: Editable, scope: ScopeOf, plan: Plan) -> Sending:
    """Return what goes to an object: its id as it is this moment, and the edited fields."""
    fresh = plan.fresh or {}
    wires: dict[str, Any] = {}
    calls: list[Called] = []
    for spec in editable.fields:
        chosen = plan.chosen(spec)
        if not chosen:
            continue
        if spec.comes is not None:
            calls += _calls(spec, chosen, plan, scope)
        elif spec.gone_argument:
            wires |= _differences(spec, chosen)
        else:
            wires[spec.argument] = make_wire(spec, fresh.get(spec.column), chosen)
    upstream_id = str(fresh[editable.id_column])
    return Sending(scope, upstream_id, wires, write_for(editable, fresh), calls)


def write_for(editable: Editable, fresh: Row) -> Write:
    """Return the mutation that changes an object."""
    if editable.writes is None:
        return editable.write
    column, others = editable.writes
    return others.get(fresh.get(column) or "", editable.write)


def _differences(spec: EditField, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members that come and those that go, each under its argument."""
    found = {
        spec.argument: [{spec.member: key} for key, value in chosen.items() if value is True],
        spec.gone_argument: [{spec.member: key} for key, value in chosen.items() if not value],
    }
    return {name: members for name, members in found.items() if members}


def _calls(
    spec: EditField, chosen: Mapping[str, Any], plan: Plan, scope: ScopeOf
) -> Iterator[Called]:
    """Yield the mutations by which members come and go."""
    comes = {key: value for key, value in chosen.items() if value is not ABSENT and value}
    goes = [key for key in chosen if key not in comes]
    if spec.comes is None:
        return
    if not spec.comes.member:
        for value in comes.values():
            filled = _fill(spec.comes.fills, plan, scope)
            yield spec.comes, {**filled, spec.comes.argument: value}
        return
    there = plan.cells(spec, plan.fresh or {})
    for call, keys, values in ((spec.goes, goes, there), (spec.comes, list(comes), comes)):
        if call is None:
            continue
        for target, members in _by_target(call, keys, values, plan):
            for start in range(0, len(members), call.most):
                some = members[start : start + call.most]
                yield call, _input(call, target, some, plan, scope)


def _by_target(
    call: Call, keys: Sequence[str], values: Mapping[str, Any], plan: Plan
) -> list[tuple[str, list[str]]]:
    """Return members by the upstream id of what they point to; all together where to nothing."""
    if not call.pointed:
        return [("", list(keys))]
    ids = {shown: upstream_id for upstream_id, shown in plan.labels.items()}
    found: dict[str, list[str]] = {}
    for key in keys:
        found.setdefault(ids.get(values[key], values[key]), []).append(key)
    return list(found.items())


def _input(
    call: Call, target: str, members: Sequence[str], plan: Plan, scope: ScopeOf
) -> dict[str, Any]:
    inner = _fill(call.member_fills, plan, scope)
    return {
        **_fill(call.fills, plan, scope),
        **({call.pointed: target} if call.pointed else {}),
        call.argument: [{**inner, call.member: each} for each in members],
    }


def _fill(fills: Fillings, plan: Plan, scope: ScopeOf) -> dict[str, Any]:
    """Return arguments with what of the scope or of the object goes into them."""
    fresh = plan.fresh or {}
    return {
        argument: fresh[name] if name in fresh else getattr(scope, name) for argument, name in fills
    }

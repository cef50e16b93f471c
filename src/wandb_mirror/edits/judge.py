"""The judge: what to do with an edit, given what its maker saw and what upstream has now.

An edit is of a *cell*: a scalar field; one member of a set, whose value is true where it is in the
set; one top-level key of a map. ``base`` is what the maker saw, ``local`` what they made of it,
``upstream`` what is there now. The table in docs/editing.md says the same, and its test reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from wandb_mirror.edits.values import ABSENT, is_same

Sort = Literal["scalar", "set", "map"]
"""What a field holds: one value; members in no particular order; values by key."""

Action = Literal["send", "nothing", "conflict"]
"""send: upstream is to become ``value``. nothing: upstream has it already. conflict: both sides
changed it, and no one can tell which is meant."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do with an edit."""

    action: Action
    value: Any = ABSENT
    """What upstream is to hold afterwards; ``ABSENT``: nothing there."""


def judge(  # noqa: PLR0911  (a row of the table each)
    sort: Sort, base: Any, local: Any, upstream: Any, sent: Sequence[Any] = ()
) -> Verdict:
    """Return what to do with one edit.

    ``sent`` are values that were sent before without learning what became of them: upstream having
    one of those is no change by somebody else.
    """
    if sort == "set":
        return _judge_member(local, upstream)
    if is_same(upstream, local):
        return Verdict("nothing", upstream)
    if any(is_same(upstream, known) for known in sent):
        return Verdict("send", local)
    if is_same(base, local):
        return Verdict("nothing", upstream)
    if is_same(upstream, base):
        return Verdict("send", local)
    merged = merge(base, local, upstream) if sort == "map" else CLASH
    if merged is CLASH:
        return Verdict("conflict", upstream)
    return Verdict("nothing" if is_same(merged, upstream) else "send", merged)


def _judge_member(local: Any, upstream: Any) -> Verdict:
    """Return what to do with a member of a set: it is in or out, so there is no third way."""
    if (upstream is True) is (local is True):
        return Verdict("nothing", local)
    return Verdict("send", local)


class _Clash:
    """Both sides changed one thing."""


CLASH = _Clash()


def merge(base: Any, local: Any, upstream: Any) -> Any:
    """Return nested dicts with both sides' changes, or ``CLASH`` where both changed a leaf."""
    if is_same(local, upstream) or is_same(base, upstream):
        return local
    if is_same(base, local):
        return upstream
    if not all(_is_branch(each) for each in (base, local, upstream)):
        return CLASH
    merged: dict[str, Any] = {}
    for key in dict.fromkeys([*upstream, *local]):
        value = merge(*(each.get(key, ABSENT) for each in (base, local, upstream)))
        if value is CLASH:
            return CLASH
        if value is not ABSENT:
            merged[key] = value
    return merged


def _is_branch(value: Any) -> bool:
    """Tell whether a value is merged by key; media and histograms are one value each."""
    return isinstance(value, dict) and "_type" not in value

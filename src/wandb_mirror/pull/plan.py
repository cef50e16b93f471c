"""What to read, decided from what is known; nothing here touches a file or the network."""

from __future__ import annotations

import math
from collections.abc import Collection

from wandb_mirror.errors import BadSettings
from wandb_mirror.kinds import KINDS, WORDS
from wandb_mirror.kinds.pages import HistoryCursor
from wandb_mirror.kinds.spec import Kind

LARGEST_WINDOW = 2**31 - 1
"""``samples`` is a 32-bit integer upstream."""


def plan_kinds(only: Collection[str], skip: Collection[str]) -> tuple[Kind, ...]:
    """Return the kinds to read, parents first, with every kind that those chosen are found in.

    What is skipped takes along what is found by it alone, but for projects: all is found in them.
    Raises ``BadSettings`` for a word that names no kind.
    """
    names = [kind.plural for kind in KINDS]
    if unknown := sorted({*only, *skip} - {*names, *WORDS}):
        known = ", ".join(dict.fromkeys([*names, *WORDS]))
        raise BadSettings(f"no kind is called {unknown[0]!r}; the kinds are {known}")
    skipped = _name_all(skip)
    for kind in KINDS:
        holders = {each.plural for each in KINDS if each.holds == kind.scope != "project"}
        parent = {kind.follows.parent} if kind.follows else set()
        if skipped & (holders | parent):
            skipped.add(kind.plural)
    chosen = (_name_all(only) or set(names)) - skipped
    needed: set[str | None] = {"server"}
    planned: list[Kind] = []
    for kind in reversed(KINDS):
        if {kind.plural, kind.holds} & needed or kind.plural in chosen or kind.scope == "server":
            planned.append(kind)
            needed.add(kind.scope)
            if kind.follows is not None:
                needed.add(kind.follows.parent)
    return tuple(reversed(planned))


def _name_all(words: Collection[str]) -> set[str]:
    """Return the kinds that some words stand for."""
    return {name for word in words for name in WORDS.get(word, (word,))}


def plan_deep_slice(
    *, live: int, seconds_since: float | None, every_seconds: float, batch: int
) -> int:
    """Return how many unchanged objects to read whole now.

    Over ``every_seconds`` each object is read once. The share that has come due since the last
    slice is taken when it fills a page, or when the whole period has passed.
    """
    if live == 0 or seconds_since is None:
        return 0
    share = min(1.0, max(0.0, seconds_since) / every_seconds)
    due = math.floor(live * share)
    return due if due >= min(batch, live) else 0


def judge_history(
    cursor: HistoryCursor | None, *, line_count: int | None, has_ended: bool
) -> int | None:
    """Return the step from which a run's history is to be read, or None when nothing has changed.

    The last step is read again while the run lives, because its row may still be merged. Fewer
    lines than last time mean that the run was rewound or made anew: it is read from the start.
    A server that counts no lines is asked again until a run has ended.
    """
    if cursor is None:
        return 0
    known = cursor.line_count
    if line_count is not None and known is not None and line_count < known:
        return 0
    if cursor.status not in ("live", "complete", "selected"):
        return cursor.next_step
    if has_ended == cursor.has_ended:
        counted = line_count is not None or has_ended
        if counted and line_count == cursor.line_count:
            return None
    return max(0, cursor.next_step - 1)


def plan_window(*, next_step: int, last_step: int | None, line_count: int | None, rows: int) -> int:
    """Return how many steps the next window should span to hold about ``rows`` rows.

    Steps may be sparse (a row every 100,000 steps, a few up to 2**40), so the width follows the
    density that upstream's own counters give; unknown density is taken as one row a step.
    """
    if last_step is None or not line_count:
        return rows
    if last_step < next_step:
        return 1
    density = min(1.0, line_count / (last_step + 1))
    width = math.ceil(rows / density)
    return max(1, min(width, last_step + 1 - next_step))


def join_steps(steps: Collection[int], *, width: int) -> list[tuple[int, int]]:
    """Return windows that hold all of some steps, each at most ``width`` wide, in their order."""
    windows: list[tuple[int, int]] = []
    for step in sorted(steps):
        if windows and step < windows[-1][0] + width:
            windows[-1] = (windows[-1][0], step + 1)
        else:
            windows.append((step, step + 1))
    return windows

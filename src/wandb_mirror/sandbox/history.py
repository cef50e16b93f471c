"""What a run logged: JSON lines by step.

Lines are text from the moment they are made, so that nothing is lost that JSON readers would lose:
bare ``NaN``, integers of any size, lone surrogates.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

SPECIAL_KEYS = ("_step", "_timestamp", "_runtime")


class History(Protocol):
    """The steps of one run."""

    @property
    def line_count(self) -> int:
        """How many lines there are."""

    @property
    def last_step(self) -> int | None:
        """The largest step, or None where nothing was logged."""

    @property
    def revision(self) -> int:
        """Another number whenever the lines are other ones; 0 for those it was made with."""

    @property
    def all_steps(self) -> Sequence[int]:
        """The steps of the lines."""

    def lines(self, min_step: int | None = None, max_step: int | None = None) -> Sequence[str]:
        """Return the lines from ``min_step`` on and before ``max_step``, by step."""

    def columns(self, start: int, stop: int) -> Mapping[str, Sequence[Any]]:
        """Return the values of the lines at some places by key, with None where there is none."""

    def keys(self) -> Mapping[str, Any]:
        """Return W&B's index of metrics: types and counts by key."""


class LoggedHistory:
    """Lines that were logged one by one."""

    def __init__(self, lines: Iterable[tuple[int, str]] = ()) -> None:
        self._steps: list[int] = []
        self._lines: list[str] = []
        self._keys: dict[str, Any] | None = None
        self._revision = 0
        for step, line in lines:
            self.append(step, line)

    @classmethod
    def copy_of(cls, history: History) -> LoggedHistory:
        """Return the same lines, ready to be changed."""
        if isinstance(history, LoggedHistory):
            return history
        return cls((int(json.loads(line)["_step"]), line) for line in history.lines())

    @property
    def line_count(self) -> int:
        """How many lines there are."""
        return len(self._lines)

    @property
    def last_step(self) -> int | None:
        """The largest step, or None where nothing was logged."""
        return self._steps[-1] if self._steps else None

    @property
    def revision(self) -> int:
        """Another number whenever the lines are other ones."""
        return self._revision

    @property
    def all_steps(self) -> Sequence[int]:
        """The steps of the lines."""
        return self._steps

    def append(self, step: int, line: str) -> None:
        """Add a line; one of the last step is merged into it, as W&B does while a step is open."""
        if self._steps and step < self._steps[-1]:
            raise ValueError(f"step {step} comes after step {self._steps[-1]}: steps only grow")
        self._keys = None
        self._revision += 1
        if self._steps and step == self._steps[-1]:
            merged = {**json.loads(self._lines[-1]), **json.loads(line)}
            self._lines[-1] = json.dumps(merged)
            return
        self._steps.append(step)
        self._lines.append(line)

    def rewind(self, step: int) -> None:
        """Forget everything after ``step``."""
        end = bisect_left(self._steps, step + 1)
        del self._steps[end:], self._lines[end:]
        self._keys = None
        self._revision += 1

    def lines(self, min_step: int | None = None, max_step: int | None = None) -> Sequence[str]:
        """Return the lines from ``min_step`` on and before ``max_step``, by step."""
        start = 0 if min_step is None else bisect_left(self._steps, min_step)
        end = None if max_step is None else bisect_left(self._steps, max_step)
        return self._lines[start:end]

    def columns(self, start: int, stop: int) -> Mapping[str, Sequence[Any]]:
        """Return the values of the lines at some places by key, with None where there is none."""
        rows = [json.loads(line) for line in self._lines[start:stop]]
        return gather(rows)

    def keys(self) -> Mapping[str, Any]:
        """Return W&B's index of metrics: types and counts by key."""
        if self._keys is None:
            self._keys = index_keys(self._lines)
        return self._keys


def gather(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Return the values of rows by key, with None where a row has none."""
    columns: dict[str, list[Any]] = {}
    for place, row in enumerate(rows):
        for key, value in row.items():
            if key not in columns:
                columns[key] = [None] * len(rows)
            columns[key][place] = value
    return columns


def index_keys(lines: Iterable[str]) -> dict[str, Any]:
    """Return the index of metrics of some lines; what is nested is named with dots."""
    counts: dict[str, Counter[str]] = {}
    previous: dict[str, Any] = {}
    falling: set[str] = set()
    for line in lines:
        for key, value in _flatten(json.loads(line)):
            kind = type_name(value)
            counts.setdefault(key, Counter())[kind] += 1
            if kind != "number" or (key in previous and value < previous[key]):
                falling.add(key)
            if kind == "number":
                previous[key] = value
    return {
        key: {
            "typeCounts": [{"type": kind, "count": count} for kind, count in sorted(types.items())],
            "monotonic": key not in falling,
            "previousValue": previous.get(key),
        }
        for key, types in counts.items()
    }


def _flatten(row: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in row.items():
        if isinstance(value, dict) and value and "_type" not in value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def type_name(value: Any) -> str:
    """Return W&B's word for the type of a logged value, as ``wandb/weave`` reads them."""
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    if value is None:
        return "nil"
    if isinstance(value, dict):
        return str(value.get("_type", "map"))
    return "list"


def sample(lines: Sequence[str], samples: int) -> Sequence[str]:
    """Return at most ``samples`` lines, spread evenly, with the first and the last."""
    if samples >= len(lines):
        return lines
    if samples <= 1:
        return lines[-1:] if samples == 1 else ()
    last = len(lines) - 1
    return [lines[index * last // (samples - 1)] for index in range(samples)]

"""Learning curves: histories that are computed when somebody reads them.

A history of a million steps costs nothing until it is read; what was read is kept, up to a number
of bytes that all curves of a world share.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from random import Random
from typing import Any

NOISE_SIZE = 4096
SPARSE_EVERY = 10
KNOWN_METRICS = (
    "loss",
    "accuracy",
    "val/loss",
    "val/accuracy",
    "lr",
    "epoch",
    "grad_norm",
    "throughput",
)


def name_metrics(count: int) -> tuple[str, ...]:
    """Return ``count`` metric names, the usual ones first."""
    return (*KNOWN_METRICS, *(f"layer_{n:03d}/norm" for n in range(count)))[:count]


class LineCache:
    """The lines of the curves read last, and the noise that all curves share."""

    def __init__(self, seed: int, *, limit_bytes: int = 256_000_000) -> None:
        source = Random(seed)  # noqa: S311  (not for secrets)
        self.noise = [source.gauss(0.0, 1.0) for _ in range(NOISE_SIZE)]
        self._limit_bytes = limit_bytes
        self._kept: OrderedDict[int, tuple[list[str], int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: int) -> list[str] | None:
        """Return the lines of a curve, if they are kept."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: int, lines: list[str]) -> None:
        """Keep the lines of a curve; the ones not read for longest go."""
        size = sum(map(len, lines))
        self._kept[key] = (lines, size)
        self._bytes += size
        while self._bytes > self._limit_bytes and len(self._kept) > 1:
            _, (_, gone) = self._kept.popitem(last=False)
            self._bytes -= gone


@dataclass(slots=True, eq=False)
class CurveHistory:
    """A history with a row at each step from 0 on, every metric a smooth curve with noise."""

    number: int
    """Which curve this is; equal numbers of one seed are equal curves."""
    steps: int
    metrics: tuple[str, ...]
    started: float
    seconds_per_step: float
    cache: LineCache
    is_sparse: bool = False
    """Whether metrics that begin with ``val/`` are logged at every tenth step only."""

    @property
    def line_count(self) -> int:
        """How many lines there are."""
        return self.steps

    @property
    def last_step(self) -> int | None:
        """The largest step, or None where nothing was logged."""
        return self.steps - 1 if self.steps else None

    def lines(self, min_step: int | None = None, max_step: int | None = None) -> Sequence[str]:
        """Return the lines from ``min_step`` on and before ``max_step``, by step."""
        lines = self.cache.get(self.number)
        if lines is None:
            lines = self._render()
            self.cache.put(self.number, lines)
        start = max(0, min_step or 0)
        return lines[start:] if max_step is None else lines[start : max(0, max_step)]

    def keys(self) -> Mapping[str, Any]:
        """Return W&B's index of metrics: types and counts by key."""
        if not self.steps:
            return {}
        last = self.row(self.steps - 1, is_whole=True)
        return {
            name: {
                "typeCounts": [{"type": "number", "count": self._count(name)}],
                "monotonic": name.startswith("_"),
                "previousValue": last[name],
            }
            for name in last
        }

    def _count(self, name: str) -> int:
        if self._is_rare(name):
            return (self.steps + SPARSE_EVERY - 1) // SPARSE_EVERY
        return self.steps

    def _is_rare(self, name: str) -> bool:
        return self.is_sparse and name.startswith("val/")

    def row(self, step: int, *, is_whole: bool = False) -> dict[str, Any]:
        """Return one row; ``is_whole`` adds the last value of what is logged more rarely."""
        runtime = round(step * self.seconds_per_step, 3)
        values: dict[str, Any] = {
            "_step": step,
            "_timestamp": self.started + runtime,
            "_runtime": runtime,
        }
        for place, name in enumerate(self.metrics):
            at = step
            if self._is_rare(name) and step % SPARSE_EVERY:
                if not is_whole:
                    continue
                at = step - step % SPARSE_EVERY
            values[name] = self._curve(place).at(at)
        return values

    def _curve(self, place: int) -> Curve:
        return Curve.of(self.number, place, self.metrics[place], self.steps, self.cache.noise)

    def _render(self) -> list[str]:
        """Return all lines, column by column: rows would take several times as long."""
        runtimes = [round(step * self.seconds_per_step, 3) for step in range(self.steps)]
        columns: list[Sequence[str]] = [
            [
                f'{{"_step":{step},"_timestamp":{self.started + runtime!r},"_runtime":{runtime!r}'
                for step, runtime in enumerate(runtimes)
            ]
        ]
        for place, name in enumerate(self.metrics):
            prefix = f',"{name}":'
            curve = self._curve(place)
            if self._is_rare(name):
                column = [""] * self.steps
                for step in range(0, self.steps, SPARSE_EVERY):
                    column[step] = f"{prefix}{curve.at(step)!r}"
                columns.append(column)
            else:
                columns.append([f"{prefix}{value!r}" for value in curve.values(self.steps)])
        return ["".join((*parts, "}")) for parts in zip(*columns, strict=True)]


@dataclass(frozen=True, slots=True)
class Curve:
    """``floor + height * decay ** step + wobble * noise``, or an integer staircase."""

    floor: float
    height: float
    decay: float
    wobble: float
    phase: int
    steps_per_stair: int
    noise: list[float]

    @classmethod
    def of(cls, number: int, place: int, name: str, steps: int, noise: list[float]) -> Curve:
        """Return the curve of one metric of one run."""
        source = Random(number * 1009 + place)  # noqa: S311  (not for secrets)
        rate = math.exp(-source.uniform(2.0, 6.0) / max(steps, 1))
        phase = source.randrange(NOISE_SIZE)
        level = source.random()
        if name == "epoch":
            return cls(0.0, 0.0, 1.0, 0.0, 0, max(1, steps // 10), noise)
        if name.endswith("accuracy"):
            return cls(0.7 + 0.25 * level, -0.6, rate, 0.004, phase, 0, noise)
        if name == "lr":
            return cls(0.0, 10 ** (-4 + 2 * level), rate, 0.0, phase, 0, noise)
        if name == "throughput":
            return cls(800 + 400 * level, 0.0, 1.0, 25.0, phase, 0, noise)
        return cls(0.05 + 0.4 * level, 2.3, rate, 0.02, phase, 0, noise)

    def at(self, step: int) -> float | int:
        """Return the value at one step."""
        if self.steps_per_stair:
            return step // self.steps_per_stair
        wobble = self.wobble * self.noise[(self.phase + step) % NOISE_SIZE]
        return self.floor + self.height * self.decay**step + wobble

    def values(self, steps: int) -> list[float | int]:
        """Return the values at all steps: what ``at`` says, without a call a step."""
        if self.steps_per_stair:
            return [self.at(step) for step in range(steps)]
        noise = islice(cycle(self.noise), self.phase, None)
        floor, height, decay, wobble = self.floor, self.height, self.decay, self.wobble
        return [
            floor + height * decay**step + wobble * each
            for step, each in zip(range(steps), noise, strict=False)
        ]

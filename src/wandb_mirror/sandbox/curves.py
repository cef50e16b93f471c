"""Learning curves: histories that are computed when somebody reads them.

A history of a million steps costs nothing until it is read; what was read is kept, up to a number
of bytes that all curves of a world share.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice
from random import Random
from typing import Any

NOISE_SIZE = 4096
BLOCK_VALUES = 200_000
"""About as many values are rendered at once: a window of a long or wide history costs no more."""
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
        self._kept: OrderedDict[tuple[int, int], tuple[list[str], int]] = OrderedDict()
        self._bytes = 0

    def get(self, key: tuple[int, int]) -> list[str] | None:
        """Return a block of lines, by the numbers of its curve and its own, if it is kept."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def put(self, key: tuple[int, int], lines: list[str]) -> None:
        """Keep a block of lines; the ones not read for longest go."""
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
    _curves: tuple[Curve, ...] = field(default=(), repr=False)

    @property
    def line_count(self) -> int:
        """How many lines there are."""
        return self.steps

    @property
    def last_step(self) -> int | None:
        """The largest step, or None where nothing was logged."""
        return self.steps - 1 if self.steps else None

    @property
    def revision(self) -> int:
        """Curves never change."""
        return 0

    @property
    def all_steps(self) -> Sequence[int]:
        """The steps of the lines."""
        return range(self.steps)

    def lines(self, min_step: int | None = None, max_step: int | None = None) -> Sequence[str]:
        """Return the lines from ``min_step`` on and before ``max_step``, by step."""
        start = max(0, min_step or 0)
        stop = self.steps if max_step is None else min(self.steps, max_step)
        size = max(1, BLOCK_VALUES // (len(self.metrics) + 1))
        lines: list[str] = []
        for number in range(start // size, max(start, stop + size - 1) // size):
            first = number * size
            block = self.cache.get((self.number, number))
            if block is None:
                block = self._render(first, min(self.steps, first + size))
                self.cache.put((self.number, number), block)
            lines += block[max(0, start - first) : stop - first]
        return lines

    def columns(self, start: int, stop: int) -> Mapping[str, Sequence[Any]]:
        """Return the values of the lines at some places by key, with None where there is none."""
        runtimes = self._runtimes(start, stop)
        columns: dict[str, Sequence[Any]] = {
            "_step": range(start, stop),
            "_timestamp": [self.started + runtime for runtime in runtimes],
            "_runtime": runtimes,
        }
        for place, name in enumerate(self.metrics):
            values = self._curve(place).values(start, stop)
            if self._is_rare(name):
                steps = range(start, stop)
                values = [
                    None if step % SPARSE_EVERY else value
                    for step, value in zip(steps, values, strict=True)
                ]
            columns[name] = values
        return columns

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
        if not self._curves:
            self._curves = tuple(
                Curve.of(self.number, each, name, self.steps, self.cache.noise)
                for each, name in enumerate(self.metrics)
            )
        return self._curves[place]

    def _runtimes(self, start: int, stop: int) -> list[float]:
        return [round(step * self.seconds_per_step, 3) for step in range(start, stop)]

    def _render(self, start: int, stop: int) -> list[str]:
        """Return some lines, column by column: rows would take several times as long."""
        columns: list[Sequence[str]] = [
            [
                f'{{"_step":{step},"_timestamp":{self.started + runtime!r},"_runtime":{runtime!r}'
                for step, runtime in enumerate(self._runtimes(start, stop), start)
            ]
        ]
        for place, name in enumerate(self.metrics):
            prefix = f',"{name}":'
            curve = self._curve(place)
            if self._is_rare(name):
                columns.append(
                    [
                        "" if step % SPARSE_EVERY else f"{prefix}{curve.at(step)!r}"
                        for step in range(start, stop)
                    ]
                )
            else:
                columns.append([f"{prefix}{value!r}" for value in curve.values(start, stop)])
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

    def values(self, start: int, stop: int) -> list[Any]:
        """Return the values at some steps: what ``at`` says, without a call a step."""
        if self.steps_per_stair:
            return [step // self.steps_per_stair for step in range(start, stop)]
        noise = islice(cycle(self.noise), (self.phase + start) % NOISE_SIZE, None)
        floor, height, decay, wobble = self.floor, self.height, self.decay, self.wobble
        return [
            floor + height * decay**step + wobble * each
            for step, each in zip(range(start, stop), noise, strict=False)
        ]

"""Which runs are asked for in one request: short histories together."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from wandb_mirror.kinds.spec import Kind
from wandb_mirror.pull import exports
from wandb_mirror.pull.reading import Reading

WINDOWS_A_REQUEST, RUNS_A_REQUEST = 2, 100
"""A request asks for several short histories, up to so many windows' lines and so many runs."""


@dataclass(slots=True)
class Groups:
    """The runs that nothing has been asked of yet, and those found to be in no file."""

    kind: Kind
    new: Iterator[Reading]
    _waiting: deque[Reading] = field(default_factory=deque)

    @property
    def waits(self) -> bool:
        """Whether a run waits that comes before those that nobody has looked at."""
        return bool(self._waiting)

    def put(self, reading: Reading) -> None:
        """Have a run read from its start, before those that nobody has looked at."""
        self._waiting.append(reading)

    def next(self) -> list[Reading]:
        """Return the runs to ask for in one request; none where none is left."""
        group: list[Reading] = []
        lines = 0
        while (reading := self._peek()) is not None:
            expected, most_lines, most_runs = self._weigh(reading)
            is_full = lines + expected > most_lines or len(group) == most_runs
            if group and (is_full or group[0].wants_exports != reading.wants_exports):
                break
            group.append(self._waiting.popleft())
            lines += max(expected, 1)
        return group

    def _weigh(self, reading: Reading) -> tuple[int, int, int]:
        """Return how many lines a run is, and how many lines and runs a request may ask for.

        A wide line counts as many.
        """
        page_size = self.kind.page_size
        reading.rows = min(reading.rows or page_size, page_size)
        lines = reading.rows if reading.line_count is None else reading.line_count
        if reading.wants_exports:
            return lines, exports.LINES_TOGETHER, exports.RUNS_TOGETHER
        wide = max(1, page_size // reading.rows)
        return lines * wide, WINDOWS_A_REQUEST * page_size, RUNS_A_REQUEST

    def _peek(self) -> Reading | None:
        """Return the run that comes next, without taking it."""
        if not self._waiting and (reading := next(self.new, None)) is not None:
            self._waiting.append(reading)
        return self._waiting[0] if self._waiting else None

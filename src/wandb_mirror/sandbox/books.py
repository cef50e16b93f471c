"""What a sandbox has served."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_SERVED = 100_000


@dataclass(frozen=True, slots=True)
class Served:
    """A request and how it was answered."""

    number: int
    operation: str
    document: str
    variables: Mapping[str, Any]
    headers: Mapping[str, str]
    status: int
    """0 where the connection was reset."""
    bytes_in: int
    bytes_out: int
    at: float
    """When it came, in seconds since the epoch."""
    seconds: float


@dataclass(frozen=True, slots=True)
class Stats:
    """What a sandbox has served so far."""

    requests: int
    bytes_in: int
    bytes_out: int
    cpu_seconds: float
    by_operation: Mapping[str, int]
    by_status: Mapping[str, int]


@dataclass(slots=True)
class Books:
    """The totals, and the requests answered last."""

    served: deque[Served] = field(default_factory=lambda: deque(maxlen=MAX_SERVED))
    requests: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    cpu_seconds: float = 0.0
    operations: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)

    def enter(self, served: Served) -> None:
        """Write down one request; called in the thread that serves."""
        self.served.append(served)
        self.bytes_in += served.bytes_in
        self.bytes_out += served.bytes_out
        self.operations[served.operation] += 1
        self.statuses[str(served.status)] += 1
        self.cpu_seconds = time.thread_time()

    def stats(self) -> Stats:
        """Return the totals so far."""
        return Stats(
            self.requests,
            self.bytes_in,
            self.bytes_out,
            self.cpu_seconds,
            dict(self.operations),
            dict(self.statuses),
        )

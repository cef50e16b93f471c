"""How fast upstream may be asked: what its headers say, and what the user allows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wandb_mirror.errors import BudgetSpent

LOW_WATER = 100.0
"""``RateLimit-Remaining`` counts down from 1,000; below this every request waits its turn."""
LONGEST_PAUSE_SECONDS = 60.0


@dataclass(slots=True)
class Usage:
    """What was used of upstream."""

    requests: int = 0
    retries: int = 0
    throttled: int = 0
    bytes_received: int = 0
    """As they came over the wire, packed."""
    seconds: float = 0.0
    """Spent waiting for replies, by all workers together."""


@dataclass(slots=True)
class Pace:
    """Shared by all workers of a sync; every method may be called from any thread."""

    max_requests: int
    clock: Callable[[], float]
    usage: Usage = field(default_factory=Usage)
    _paused_until: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def seconds_to_wait(self) -> float:
        """Return how long the next request must wait."""
        with self._lock:
            return max(0.0, self._paused_until - self.clock())

    def begin_request(self, *, is_retry: bool) -> None:
        """Count a request; raises ``BudgetSpent`` when the user's budget is used up."""
        with self._lock:
            if self.max_requests and self.usage.requests >= self.max_requests:
                raise BudgetSpent(
                    f"the budget of {self.max_requests} requests is used up; what was fetched is "
                    "kept, the next sync goes on from here"
                )
            self.usage.requests += 1
            self.usage.retries += is_retry

    def heed(self, headers: Mapping[str, str]) -> None:
        """Slow down before upstream has to say no."""
        try:
            remaining = float(headers["ratelimit-remaining"])
            reset = float(headers["ratelimit-reset"])
        except (KeyError, ValueError):
            return
        if remaining < LOW_WATER and reset > 0:
            share = 1.0 - max(0.0, remaining) / LOW_WATER
            self.pause(min(reset, LONGEST_PAUSE_SECONDS) * share)

    def pause(self, seconds: float) -> None:
        """Let no request begin for so long."""
        with self._lock:
            self._paused_until = max(self._paused_until, self.clock() + seconds)

    def count_throttled(self) -> None:
        """Count one refusal for asking too fast."""
        with self._lock:
            self.usage.throttled += 1

    def count_reply(self, *, bytes_received: int, seconds: float) -> None:
        """Count what one reply, or the part of it that came, took."""
        with self._lock:
            self.usage.bytes_received += bytes_received
            self.usage.seconds += seconds

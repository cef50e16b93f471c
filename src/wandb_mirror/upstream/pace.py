"""How fast upstream may be asked: what its headers say, and what the user allows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wandb_mirror.errors import BudgetSpent

LOW_WATER = 100.0
"""``RateLimit-Remaining`` counts down from 1,000; below this every request waits its turn."""
LONGEST_PAUSE_SECONDS = 60.0
TURN_SECONDS = 0.1
"""So often whoever waits for another's reply looks whether it has come."""


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
    _is_short: bool = False
    """Whether upstream has, or had, next to nothing left for us: then one request at a time shows
    what there is. All workers at once would be refused at the end of every pause."""
    _under_way: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def seconds_to_wait(self) -> float:
        """Return how long the next request must wait."""
        with self._lock:
            return max(0.0, self._paused_until - self.clock())

    def begin_request(self, *, is_retry: bool, is_file: bool = False) -> float:
        """Count a request and return 0; or the seconds after which to ask again.

        Files come from elsewhere and wait for no reply. Raises ``BudgetSpent`` when the user's
        budget is used up. ``end_request`` follows.
        """
        wait = self.seconds_to_wait()
        with self._lock:
            if self.max_requests and self.usage.requests >= self.max_requests:
                raise BudgetSpent(
                    f"the budget of {self.max_requests} requests is used up; what was fetched is "
                    "kept, the next sync goes on from here"
                )
            if wait == 0 and self._is_short and self._under_way and not is_file:
                wait = TURN_SECONDS
            if wait == 0:
                self.usage.requests += 1
                self.usage.retries += is_retry
                self._under_way += not is_file
        return wait

    def end_request(self) -> None:
        """Let the next one have its turn."""
        with self._lock:
            self._under_way -= 1

    def heed(self, headers: Mapping[str, str]) -> None:
        """Slow down before upstream has to say no; ``headers`` are those of any reply."""
        try:
            remaining = float(headers["ratelimit-remaining"])
            reset = float(headers["ratelimit-reset"])
        except (KeyError, ValueError):
            remaining, reset = LOW_WATER, 0.0
        with self._lock:
            self._is_short = remaining < LOW_WATER
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
            self._is_short = True

    def note_unreachable(self) -> None:
        """Let one request at a time find out when upstream is there again."""
        with self._lock:
            self._is_short = True

    def count_reply(self, *, bytes_received: int, seconds: float) -> None:
        """Count what one reply, or the part of it that came, took."""
        with self._lock:
            self.usage.bytes_received += bytes_received
            self.usage.seconds += seconds

"""A rate limit as W&B has it: HTTP 429 and ``RateLimit-*`` headers, on a scale of 1000."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

from wandb_mirror.sandbox.behaviour import RateLimit
from wandb_mirror.sandbox.faults import Fault

SCALE = 1000


class Limiter:
    """Counts requests in a window of time that moves along."""

    def __init__(
        self, limit: RateLimit | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit = limit
        self._clock = clock
        self._served: deque[float] = deque()

    def admit(self) -> Fault | None:
        """Count a request, or return the reply to one too many."""
        if self._limit is None:
            return None
        now = self._clock()
        while self._served and self._served[0] <= now - self._limit.seconds:
            self._served.popleft()
        if len(self._served) < self._limit.requests:
            self._served.append(now)
            return None
        return Fault(status=429, body='{"error":"rate limit exceeded"}', headers=self.headers())

    def headers(self) -> dict[str, str]:
        """Return what every reply says of the limit."""
        if self._limit is None:
            return {}
        free = self._limit.requests - len(self._served)
        oldest = self._served[0] if self._served else self._clock()
        wait = max(0.0, oldest + self._limit.seconds - self._clock())
        return {
            "RateLimit-Limit": str(SCALE),
            "RateLimit-Remaining": str(free * SCALE // self._limit.requests),
            "RateLimit-Reset": f"{wait:.3f}",
        }

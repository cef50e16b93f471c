"""Fetching at once, saving one after another.

Whoever drains a pool is the one writer: nothing is saved from a worker thread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Generic, Self, TypeVar

from wandb_mirror.errors import Interrupted

T = TypeVar("T")
AHEAD = 4


class Pool(Generic[T]):
    """Runs at most ``workers`` fetches at once and hands their results to the thread that drains.

    Once ``stop`` is set nothing new is begun: what is under way is finished and handed out, then
    draining raises ``Interrupted``.
    """

    def __init__(self, workers: int, stop: threading.Event, *, ahead: int = AHEAD) -> None:
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="fetch")
        self._stop = stop
        self._under_way: set[Future[T]] = set()
        self.room = workers * ahead
        """How many fetches may wait or be under way: enough to fetch on while a batch is saved."""

    def __enter__(self) -> Self:
        """Return the pool itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Forget what has not begun and wait for what has."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    @property
    def under_way(self) -> int:
        """How many fetches were submitted and not yet drained."""
        return len(self._under_way)

    @property
    def has_room(self) -> bool:
        """Whether another fetch may be submitted now."""
        return len(self._under_way) < self.room and self.is_open

    @property
    def is_open(self) -> bool:
        """Whether nobody has asked to stop."""
        return not self._stop.is_set()

    def submit(self, fetch: Callable[[], T]) -> None:
        """Begin a fetch as soon as a worker is free."""
        self._under_way.add(self._executor.submit(fetch))

    def drain(self, *, down_to: int) -> Iterator[T]:
        """Yield results as they come, until at most ``down_to`` fetches are under way.

        Raises what a fetch raised, and ``Interrupted`` once ``stop`` is set and what was under
        way has been yielded.
        """
        while len(self._under_way) > (0 if self._stop.is_set() else down_to):
            if self._stop.is_set():
                self._under_way = {each for each in self._under_way if not each.cancel()}
                if not self._under_way:
                    break
            done, _ = wait(self._under_way, timeout=0.5, return_when=FIRST_COMPLETED)
            self._under_way -= done
            for each in done:
                yield each.result()
        if self._stop.is_set():
            raise Interrupted("stopped as asked; the next sync goes on from here")

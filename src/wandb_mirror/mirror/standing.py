"""Where a sync stands: heard on the way, kept when it stops early, shown by ``status``."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from wandb_mirror.progress import Progress


@dataclass(slots=True)
class Standing:
    """A ``Progress`` that passes everything on and remembers what was begun and not finished."""

    listener: Progress
    _tasks: dict[str, tuple[int, int | None]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, task: str, total: int | None = None) -> None:
        """Remember a task."""
        with self._lock:
            self._tasks[task] = (0, total)
        self.listener.begin(task, total)

    def advance(self, task: str, count: int = 1) -> None:
        """Count."""
        with self._lock:
            done, total = self._tasks.get(task, (0, None))
            self._tasks[task] = (done + count, total)
        self.listener.advance(task, count)

    def end(self, task: str) -> None:
        """Pass it on: a task also ends when it is cut off, so its counts are kept."""
        self.listener.end(task)

    def say(self, text: str) -> None:
        """Pass it on."""
        self.listener.say(text)

    def describe(self) -> str:
        """Return the task that was under way, with its counts: the latest one begun."""
        with self._lock:
            if not self._tasks:
                return "before anything was listed"
            task, (done, total) = next(reversed(self._tasks.items()))
        return f"at {task}: {done}" + ("" if total is None else f" of {total}")

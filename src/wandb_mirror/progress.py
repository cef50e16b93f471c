"""What the library reports while it works; who listens decides how it looks.

The library never prints. It is handed a ``Progress`` and tells it.
"""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Hears what long work is doing. Every method may be called from any thread."""

    def begin(self, task: str, total: int | None = None) -> None:
        """A task starts or its total is now known; ``task`` is its name for people."""

    def advance(self, task: str, count: int = 1) -> None:
        """``count`` more of the task is done."""

    def end(self, task: str) -> None:
        """The task is over, however it ended."""

    def say(self, text: str) -> None:
        """One line for people: something they would want to know."""


class Silence:
    """A ``Progress`` nobody listens to."""

    def begin(self, task: str, total: int | None = None) -> None:
        """Hear nothing."""

    def advance(self, task: str, count: int = 1) -> None:
        """Hear nothing."""

    def end(self, task: str) -> None:
        """Hear nothing."""

    def say(self, text: str) -> None:
        """Hear nothing."""

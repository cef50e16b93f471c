"""What this server lacks of what W&B's server has: older versions, other makes.

Nothing is asked in advance: a query names everything, and what the server says it does not know is
left out of the next one. A complete server so costs no request at all, and a server that forbids
introspection is learned as well as one that allows it.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from wandb_mirror.jsontext import dumps, loads


@dataclass(slots=True)
class Capabilities:
    """The names this server does not know, as ``Run.updatedAt`` or ``project.runs(order)``."""

    missing: frozenset[str] = frozenset()
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    @classmethod
    def from_json(cls, text: str | None) -> Capabilities:
        """Return what an earlier sync learned."""
        return cls(frozenset(loads(text)) if text else frozenset())

    def to_json(self) -> str:
        """Return what was learned, to be kept."""
        return dumps(sorted(self.missing))

    def lacks(self, name: str) -> bool:
        """Tell whether the server is known not to have ``name``."""
        return name in self.missing

    def learn(self, names: Iterable[str]) -> bool:
        """Remember that the server lacks ``names``; False where all of that was known."""
        with self._lock:
            before = self.missing
            self.missing = before | frozenset(names)
            return self.missing != before

    def lacking(self, names: Collection[str]) -> list[str]:
        """Return those of ``names`` that the server lacks."""
        return sorted(name for name in names if name in self.missing)

"""What a sync did, as data: the command line prints it, ``sync_log`` keeps its figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(slots=True)
class ProjectReport:
    """What was found in one project, by kind."""

    entity: str
    project: str
    seen: dict[str, int] = field(default_factory=dict)
    changed: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    """What people should know: why a listing counts as incomplete."""
    not_offered: list[str] = field(default_factory=list)
    """Kinds of which the server has nothing to offer."""


@dataclass(slots=True)
class SyncReport:
    """What one sync did."""

    projects: list[ProjectReport] = field(default_factory=list)
    not_found: list[str] = field(default_factory=list)
    """Projects asked for that upstream does not show to this key."""
    problems: int = 0
    """Objects set aside; each is a row of ``sync_errors``."""
    lacking: list[str] = field(default_factory=list)
    """What the server does not have of what was asked for."""
    requests: int = 0
    retries: int = 0
    throttled: int = 0
    bytes_received: int = 0
    rows: int = 0
    seconds: float = 0.0
    published: Path | None = None
    """The new published file, or None where nothing had changed."""

    @property
    def has_skips(self) -> bool:
        """Whether something that was asked for is not here."""
        return bool(self.problems or self.not_found)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        return asdict(self) | {"published": str(self.published) if self.published else None}

"""How a sandbox differs from a complete, current and friendly server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many requests are served in how many seconds; the rest are answered with 429."""

    requests: int
    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Behaviour:
    """Options of a server; the defaults are those of W&B's own."""

    latency_ms: float = 0.0
    """Added to every reply."""
    updated_at: Literal["moves", "still", "absent"] = "moves"
    """Whether an edit moves ``updatedAt``, or only the run's own process; or no such field."""
    lacks: frozenset[str] = frozenset()
    """``Type.field``, ``Type.field(argument)`` or ``Type``: what an older server does not have."""
    renames: Mapping[str, str] = field(default_factory=dict)
    """Types under other names, as re-implementations of the server have them."""
    allows_introspection: bool = True
    bad_key: Literal["null", "401"] = "null"
    """How a wrong key is answered: HTTP 200 and null, or HTTP 401."""
    max_page: int = 1000
    """More rows than this are never in one page of a listing."""
    max_reply_bytes: int | None = None
    """Larger replies become ``too_large_status``."""
    too_large_status: int = 502
    rate_limit: RateLimit | None = None
    ties: Literal["stable", "shuffled"] = "stable"
    """Whether runs that are equal in the order asked for change places between requests."""
    time_zone: Literal["Z", ""] = "Z"
    """What times end in."""
    ignores_after: bool = False
    """Whether every page is the first one, and always has a next."""
    drops_nan_rows: bool = False
    """Whether rows with NaN are left out while ``historyLineCount`` counts them."""
    ignores_filters: bool = False
    compresses: bool = False
    """Whether replies are packed for clients that accept gzip."""
    cache_bytes: int = 64_000_000
    """How many bytes of replies are kept."""

    @property
    def lacking(self) -> frozenset[str]:
        """Everything that the schema lacks."""
        return self.lacks | {"Run.updatedAt"} if self.updated_at == "absent" else self.lacks

    @property
    def unknown_columns(self) -> frozenset[str]:
        """Run columns that filters and orders do not know."""
        return frozenset({"updatedAt"}) if "Run.updatedAt" in self.lacking else frozenset()

"""How a sandbox differs from a complete, current and friendly server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

FEATURES = frozenset(
    {
        "ARTIFACT_MEMBERSHIP_IN_LINK_ARTIFACT_RESPONSE",
        "ARTIFACT_REGISTRY_SEARCH",
        "SWEEPS_QUERY_FILTERING",
        "TOTAL_COUNT_IN_FILE_CONNECTION",
    }
)
"""Names of W&B's client for what the sandbox does as newer servers do."""


OLDER = frozenset(
    {
        "Run.history(minStep)",
        "Run.history(maxStep)",
        "Run.parquetHistory",
        "Run.updatedAt",
        "Run.logLines(useImprovedPagination)",
    }
)
"""What a server lacks from before histories could be read by windows of steps."""


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How many requests are served in how many seconds; the rest are answered with 429."""

    requests: int
    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class ExportShape:
    """How the files of exported histories are written; the defaults are what W&B does."""

    step: Literal["double", "bigint"] = "double"
    """The type of ``_step``."""
    integers: Literal["double", "exact"] = "double"
    """Whether whole numbers lose what no DOUBLE holds, or are BIGINT while they fit."""
    alternates: bool = False
    """Whether every second file has BIGINT where the others have DOUBLE."""
    mixed: Literal["union", "json"] = "union"
    """A column of several types: a struct with a field a type, or BINARY that holds JSON."""
    strings: Literal["plain", "dictionary"] = "plain"
    """The Arrow type of strings that the file's schema notes."""
    rows_per_file: int | None = None
    """None for one file a run."""
    overlap: int = 0
    """So many rows of a file are in the next one too."""


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
    max_root_fields: int | None = None
    """Documents that ask for more at once, each under a name of its own, are refused."""
    max_window_bytes: int | None = None
    """A reply with more bytes of history rows than this becomes ``too_large_status``."""
    max_samples: int | None = None
    """More rows than this never come for one question that asks for samples."""
    max_log_page_bytes: int | None = None
    """A page of console lines ends before it is larger, and then says that nothing follows."""
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
    exports: Literal["off", "null", "ready", "lagging"] = "off"
    """Which histories are in files: none yet, as in the hours after a run (no URLs, nothing live);
    none, and null says so; all of ended runs and all but the newest rows of running ones; or all
    but the newest rows of every run."""
    export_lag: float = 0.25
    """The share of the rows that is the newest; at least one row."""
    export_shape: ExportShape = field(default_factory=ExportShape)
    export_order: Literal["stable", "shuffled"] = "stable"
    """Whether the URLs of a run come in another order each time."""
    url_uses: int | None = None
    """After so many requests a URL is expired; asking again gives another."""
    url_seconds: float | None = None
    """After so many seconds a URL is expired."""
    url_expired_status: int = 403
    ranges: bool = True
    """Whether a part of a file may be asked for; else all of it comes, whatever was asked for."""
    file_bytes_per_second: float | None = None
    """How fast each request for a file is answered, however many there are at once."""
    features: frozenset[str] = FEATURES
    """What ``serverInfo`` says the server can do."""
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

"""What passes between rooms: pages of rows, windows of steps, and how far they got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Row = dict[str, Any]
"""One object by column: scope columns, then the kind's fields; a column upstream lacks is None."""


@dataclass(frozen=True, slots=True)
class ScopeOf:
    """Where a walk looks: its names for upstream's variables and its columns for our rows."""

    entity: str | None = None
    project: str | None = None
    project_id: str | None = None
    run_id: str | None = None
    collection: str | None = None
    artifact_id: str | None = None
    org_entity: str | None = None
    sweep_id: str | None = None
    agent: str | None = None

    def columns(self, names: Sequence[str]) -> Row:
        """Return the scope columns named, as rows of this scope begin with them."""
        return {name: getattr(self, name) for name in names}

    def __str__(self) -> str:
        """Return the path as people write it."""
        return "/".join(part for part in (self.entity, self.project, self.own) if part)

    @property
    def own(self) -> str:
        """What names the scope within its project; empty for a project itself."""
        of_sweep = "/".join(part for part in (self.sweep_id, self.agent) if part)
        return self.run_id or self.collection or self.artifact_id or self.org_entity or of_sweep


@dataclass(frozen=True, slots=True)
class RowPage:
    """One page of a listing."""

    rows: Sequence[Row]
    has_next: bool
    cursor: str | None = None
    bad: Sequence[tuple[str, str]] = ()
    """Objects that could not be kept: (key as far as it could be read, what is wrong)."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a listing that grows at its end."""

    number: int
    """The object that comes next."""
    cursor: str
    """Upstream's token for it."""


@dataclass(frozen=True, slots=True)
class Tail:
    """How a listing that grows at its end is read."""

    count: int | None = None
    """How many objects there are, as their parent counts."""
    start: Place | None = None
    """Where reading goes on; None for the first object."""
    is_fresh: bool = True
    """Whether nothing is kept that may have to go: then a stopped walk can be gone on with."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The first page of a listing, as a walk asks for it; equal where the same page is meant."""

    kind: str
    """The kind's plural."""
    scope: ScopeOf
    first: int = field(compare=False)
    filters: str | None = None
    """Upstream's filter, JSON text."""
    order: str | None = None
    after: str | None = None
    """Upstream's token for the page, where it is not the very first."""


HistoryStatus = Literal["none", "partial", "live", "selected", "complete", "failed"]
"""How much of a run's history is here.

none: not asked for. partial: some is missing and will be fetched. live: complete up to the last
sync of a run that still runs. selected: all that the metric selection asks for. complete: all.
failed: see ``sync_errors``.
"""


@dataclass(frozen=True, slots=True)
class HistoryCursor:
    """How far the history of one run has been read. Lives in the warehouse, beside the rows."""

    next_step: int = 0
    """Where reading goes on: every step below is stored."""
    line_count: int | None = None
    """Upstream's ``historyLineCount`` when the latest reading began."""
    status: HistoryStatus = "none"
    has_ended: bool = False
    """Whether the run had ended when the latest reading began."""


@dataclass(frozen=True, slots=True)
class Saved:
    """What saving rows did."""

    changed: int = 0
    unchanged: int = 0
    keys_changed: Sequence[str] = field(default_factory=tuple)


Way = Literal["window", "by metric", "whole"]
"""How rows came. window: every row of a window of steps. by metric: the same, asked for metric by
metric, as samples of no more rows than were asked for. whole: all rows of the run at once."""


@dataclass(frozen=True, slots=True)
class StepsRequest:
    """A window of one run's steps: ``min_step`` inclusive, ``max_step`` exclusive."""

    run_id: str
    min_step: int
    max_step: int
    is_first: bool = True
    """Whether to ask also how many lines there are and where they end."""
    metrics: Mapping[str, int] | None = None
    """The metrics to ask for one by one, where a server has no other way; None where not known."""


@dataclass(frozen=True, slots=True)
class StepsReply:
    """What upstream answers to a ``StepsRequest``."""

    lines: Sequence[str]
    """The rows of the window, each the JSON text of one object."""
    line_count: int | None
    """Lines the run has in all, as upstream counts them; None where the server does not say."""
    last_step: int | None
    """The run's largest step, -1 without history; None where the server does not say."""
    exists: bool = True
    """False where upstream shows no such run."""
    way: Way = "window"
    metrics: Mapping[str, int] | None = None
    """Upstream's index: how many values each metric has; where rows were asked for by metric."""
    values: int = 0
    """How many values came of the metrics in the index."""


@dataclass(frozen=True, slots=True)
class SamplesReply:
    """What upstream answers when asked for a run's samples."""

    lines: Sequence[str]
    """Each the JSON text of one object."""
    line_count: int | None
    exists: bool = True


@dataclass(frozen=True, slots=True)
class ExportsReply:
    """What upstream answers when asked which files hold a run's steps."""

    urls: Sequence[str]
    """Signed, and secret while they are valid; in no order."""
    first_live: int | None
    """The smallest step of a row that is in no file, as far as upstream says; None for no row."""
    line_count: int | None
    last_step: int | None
    exists: bool = True

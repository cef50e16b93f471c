"""What a walk is handed: where it reads, where it saves, and when it must stop."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from wandb_mirror.history.columns import ExportedFiles, StagedSteps, StepsPage
from wandb_mirror.history.samples import Samples
from wandb_mirror.kinds.pages import Asked, Place, Row, RowPage, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.progress import Progress

if TYPE_CHECKING:
    from wandb_mirror.upstream.shapes import Upstream


class Keeper(Protocol):
    """Keeps what a walk brings. Only the thread that walks calls it."""

    def select_changed(self, kind: Kind, scope: ScopeOf, rows: Sequence[Row]) -> list[Row]:
        """Return those of the light rows that are new, differ from what is kept, or were gone."""

    def save(self, kind: Kind, rows: Sequence[Row], *, is_whole: bool) -> int:
        """Keep rows in one transaction; return how many differed."""

    def mark_missing(self, kind: Kind, scope: ScopeOf, seen: Collection[str]) -> int:
        """Mark what is kept of a scope and was not seen in a complete listing; return how many."""

    def note_place(self, kind: Kind, scope: ScopeOf, place: Place) -> None:
        """Keep how far a walk got: a stopped one goes on from there."""

    def set_aside(self, kind: Kind, scope: ScopeOf, own_key: str, problem: str) -> None:
        """Record one object that could not be read; it is tried again by the next sync."""

    def note_shortfall(self, kind: Kind, scope: ScopeOf, own_key: str, problem: str) -> None:
        """Record what is missing of an object that was kept as far as it came."""

    def put_back(self, kind: Kind, scope: ScopeOf, own_keys: Collection[str]) -> None:
        """Forget that these were set aside: they have been read."""

    def stage_steps(
        self, scope: ScopeOf, files: Sequence[ExportedFiles]
    ) -> list[StagedSteps | None]:
        """Read runs' files together, to be saved as they are; None where they are not plain.

        What is staged lasts until the next call.
        """

    def save_steps(self, kind: Kind, scope: ScopeOf, pages: Sequence[StepsPage]) -> None:
        """Keep pages of history, with each run's cursor, in one transaction."""

    def save_samples(self, kind: Kind, scope: ScopeOf, found: Sequence[Samples]) -> int:
        """Keep the samples of runs in place of those that were kept; return how many values."""


@dataclass(frozen=True, slots=True)
class Reach:
    """Everything outside that a walk may touch."""

    upstream: Upstream
    keeper: Keeper
    stop: threading.Event
    progress: Progress
    workers: int
    scratch: Path | None = None
    """The folder for what lies on disk for a while; the system's own where None."""
    metrics: Sequence[str] = ()
    """Globs of the metrics that are wanted; none is all."""
    heads: dict[Asked, RowPage] = field(default_factory=dict)
    """First pages that were fetched ahead, of light listings; each is walked once."""
    left_out: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Setting to the values with which objects are left out; see ``Kind.left_out_by``."""

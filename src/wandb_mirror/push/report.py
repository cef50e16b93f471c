"""What a push did, as data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wandb_mirror.store.outbox import Outcome


@dataclass(slots=True)
class PushReport:
    """What became of the edits that waited; counts are of cells."""

    pushed: int = 0
    confirmed: int = 0
    """Upstream had them already: nothing was sent."""
    conflicts: int = 0
    refused: int = 0
    waiting: int = 0
    """Those that wait for their run to end."""
    retry_later: int = 0
    races: int = 0
    """What somebody wrote in the moment of a push, was overwritten, and is put back."""
    would_send: int = 0
    requests: int = 0
    messages: list[str] = field(default_factory=list)
    """Each conflict and refusal, with what to do."""
    documents: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    """In a dry run, the mutations that would be sent, with their variables."""
    published: Path | None = None

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left that somebody has to look at."""
        return not (self.conflicts or self.refused or self.retry_later)

    def count(self, outcomes: Iterable[Outcome], *, is_sent: bool = False) -> None:
        """Take in what became of some edits."""
        for each in outcomes:
            if each.edit.state == "done":
                self.pushed += is_sent
                self.confirmed += not is_sent
            elif each.edit.state == "conflict":
                self.conflicts += 1
            else:
                self.refused += 1
            if each.edit.state != "done":
                edit = each.edit
                self.messages.append(f"{edit.target.path} {edit.label}: {each.message}")

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON has it."""
        documents = [
            {"query": text, "variables": dict(variables)} for text, variables in self.documents
        ]
        published = str(self.published) if self.published else None
        return asdict(self) | {"documents": documents, "published": published}

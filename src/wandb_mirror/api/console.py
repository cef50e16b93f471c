"""What runs wrote to the console (``wandb.apis.public.console_logs``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from wandb_mirror.api.generations import Generation, Row
from wandb_mirror.api.pages import Held

if TYPE_CHECKING:
    from wandb_mirror.api.run_fields import RunFields


@dataclass(frozen=True)
class ConsoleLogLine:
    """One line of console output."""

    number: int
    timestamp: datetime | None
    level: str
    label: str
    content: str


class ConsoleLogs(Held[ConsoleLogLine]):
    """The lines of a run, the oldest first."""

    def __init__(
        self, generation: Generation, run: RunFields, per_page: int = 1000, last: int | None = None
    ) -> None:
        self.run = run
        rows = generation.live(
            "console_lines",
            "entity = ? AND project = ? AND run_id = ? ORDER BY line",
            [run.entity, run.project, run.id],
        )
        chosen = rows if last is None else rows[max(0, len(rows) - last) :]
        super().__init__([_line(row) for row in chosen], per_page)

    def __repr__(self) -> str:
        """Return whose console it is."""
        return f"<ConsoleLogs {self.run.entity}/{self.run.project}/{self.run.id}>"


def _line(row: Row) -> ConsoleLogLine:
    text = row["timestamp"]
    time = None if text is None else datetime.fromisoformat(text).astimezone(UTC)
    return ConsoleLogLine(
        row["line"], time, row["level"] or "", row.get("label") or "", row["content"] or ""
    )

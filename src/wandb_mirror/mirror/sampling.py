"""Which runs' machines are asked for their samples: those whose count has moved."""

from __future__ import annotations

from dataclasses import dataclass

from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.kinds.spec import Kind
from wandb_mirror.mirror.readings import columns_needed
from wandb_mirror.mirror.report import ProjectReport
from wandb_mirror.pull.reach import Reach
from wandb_mirror.pull.samples import walk_samples
from wandb_mirror.store.store import Store
from wandb_mirror.warehouse.warehouse import Warehouse


@dataclass(frozen=True, slots=True)
class Sampling:
    """Reads the samples of a project's runs."""

    store: Store
    warehouse: Warehouse
    reach: Reach
    is_full_refresh: bool = False

    def pull(self, kind: Kind, scope: ScopeOf, found: ProjectReport) -> None:
        """Read and save what changed; raises ``NotOffered`` where the server has no samples."""
        parent = next(each for each in KINDS if each.holds == kind.scope)
        known = {} if self.is_full_refresh else self.warehouse.load_sample_counts(scope)
        due: list[tuple[str, int | None]] = []
        where = scope.columns(parent.scope_columns)
        for rows in self.store.load_rows(parent, where=where, columns=columns_needed(kind, parent)):
            for row in rows:
                own_key = row[parent.own_key]
                if row["deleted_at"] is None and is_due(kind, row, known.get(own_key)):
                    due.append((own_key, row[kind.counted_by] if kind.counted_by else None))
        if not due:
            return
        walked = walk_samples(kind, scope, due, self.reach)
        found.seen[kind.plural] = walked.seen
        found.changed[kind.plural] = walked.changed


def is_due(kind: Kind, row: Row, known: int | None) -> bool:
    """Tell whether a run has other samples than those that are here."""
    count = row[kind.counted_by] if kind.counted_by else None
    if count is not None:
        return bool(count != (known or 0))
    state, live_states = kind.live_while or ("", frozenset())
    return known is None or row[state] in live_states

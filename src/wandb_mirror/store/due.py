"""Which children are to be read because their parents changed.

A checkpoint of the children's scope holds what the parent was like when they were last read. A
parent that is gone takes its children with it, and brings them back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.kinds.spec import Follow, Kind
from wandb_mirror.store.checkpoints import spell_scope

GONE = "gone"
"""What stands in the place of the parent's mark once its children were marked too."""


@dataclass(frozen=True, slots=True)
class Due:
    """The children of one parent."""

    scope: ScopeOf
    mark: str
    """What the checkpoint is to say once they have been read."""

    @property
    def is_gone(self) -> bool:
        """Whether the parent is gone."""
        return self.mark == GONE


def columns_needed(kind: Kind, follow: Follow, parent: Kind) -> list[str]:
    """Return the columns of a parent that say whether its children are due."""
    when = [follow.when[0]] if follow.when else []
    by = [follow.by] if follow.by else []
    unless = [follow.unless[0]] if follow.unless else []
    wanted = [*kind.scope_columns, *parent.key, *by, "deleted_at", *when, *unless]
    return list(dict.fromkeys(wanted))


def find_due(
    kind: Kind, follow: Follow, rows: Sequence[Row], marks: Mapping[str, str | None]
) -> Iterator[Due]:
    """Yield the scopes of those parents whose children are not as last read."""
    for row in rows:
        scope = ScopeOf(**{name: row[name] for name in kind.scope_columns})
        if None in scope.columns(kind.scope_columns).values():
            continue  # an entity without an organization has no registries
        known = marks.get(spell_scope(kind, scope))
        if row["deleted_at"] is not None:
            if known not in (None, GONE) and not follow.keeps:
                yield Due(scope, GONE)
            continue
        if follow.when is not None and row[follow.when[0]] not in follow.when[1]:
            continue
        if follow.unless is not None and row[follow.unless[0]] in follow.unless[1]:
            continue
        mark = str(row[follow.by]) if follow.by else ""
        if known != mark or not follow.by:
            yield Due(scope, mark)

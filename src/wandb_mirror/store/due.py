"""Which children are to be read because their parents changed.

A checkpoint of the children's scope holds what the parent was like when they were last read. A
parent that is gone takes its children with it, and brings them back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from wandb_mirror.kinds.pages import Place, Row, ScopeOf, Tail
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
    tail: Tail | None = None
    """How they are read on, where their listing only grows."""

    @property
    def is_gone(self) -> bool:
        """Whether the parent is gone."""
        return self.mark == GONE


def spell_mark(mark: str, place: Place | None) -> str:
    """Return what a checkpoint says: what the parent was like, and where reading goes on."""
    return mark if place is None else f"{mark} {place.number} {place.cursor}"


def read_mark(text: str) -> tuple[str, Place | None]:
    """Return what a checkpoint says; a mark alone has no place."""
    mark, _, place = text.partition(" ")
    number, _, cursor = place.partition(" ")
    return mark, Place(int(number), cursor) if cursor else None


def _find_tail(count: object, known: str | None, *, takes_all: bool) -> Tail:
    """Return how a listing that grows is read on after what its checkpoint says."""
    counted = count if isinstance(count, int) else None
    if known is None or known == GONE:
        return Tail(counted, is_fresh=not takes_all)
    mark, place = read_mark(known)
    had = int(mark) if mark.isdigit() else 0  # none: the reading was cut off
    has_grown = counted is not None and place is not None and counted >= max(had, place.number)
    return Tail(counted, place) if has_grown else Tail(counted, is_fresh=False)


def columns_needed(kind: Kind, follow: Follow, parent: Kind) -> list[str]:
    """Return the columns of a parent that say whether its children are due."""
    when = [follow.when[0]] if follow.when else []
    by = [follow.by] if follow.by else []
    unless = [follow.unless[0]] if follow.unless else []
    wanted = [*kind.scope_columns, *parent.key, *by, "deleted_at", *when, *unless]
    return list(dict.fromkeys(wanted))


def find_due(
    kind: Kind,
    follow: Follow,
    rows: Sequence[Row],
    marks: Mapping[str, str | None],
    *,
    takes_all: bool = False,
) -> Iterator[Due]:
    """Yield the scopes of those parents whose children are not as last read."""
    for row in rows:
        scope = ScopeOf(**{name: row[name] for name in kind.scope_columns})
        if None in scope.columns(kind.scope_columns).values():
            continue  # an entity without an organization has no registries
        known = None if takes_all else marks.get(spell_scope(kind, scope))
        if row["deleted_at"] is not None:
            if known not in (None, GONE) and not follow.keeps:
                yield Due(scope, GONE)
            continue
        if follow.when is not None and row[follow.when[0]] not in follow.when[1]:
            continue
        if follow.unless is not None and row[follow.unless[0]] in follow.unless[1]:
            continue
        mark = str(row[follow.by]) if follow.by else ""
        if kind.tail is not None and mark != (known or "").partition(" ")[0]:
            yield Due(scope, mark, _find_tail(row[follow.by], known, takes_all=takes_all))
        elif kind.tail is None and (known != mark or not follow.by):
            yield Due(scope, mark)

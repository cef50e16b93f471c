"""Which objects are read and written together."""

from __future__ import annotations

from collections.abc import Sequence

from wandb_mirror.edits.catalog import EDITABLES
from wandb_mirror.edits.edit import Edit, Target
from wandb_mirror.edits.spec import Editable
from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.store.store import Store

Objects = Sequence[tuple[Target, Sequence[Edit]]]
"""Objects, each with its edits."""


def find_batches(
    store: Store, waiting: Sequence[Edit], most: int
) -> tuple[list[tuple[Editable, ScopeOf, Objects]], Objects]:
    """Return objects of one project in batches, and those whose project is not here any more."""
    places: dict[tuple[str, str], dict[Target, list[Edit]]] = {}
    for each in waiting:
        place = (each.target.kind, each.target.project_id)
        places.setdefault(place, {}).setdefault(each.target, []).append(each)
    batches: list[tuple[Editable, ScopeOf, Objects]] = []
    homeless: list[tuple[Target, Sequence[Edit]]] = []
    for editable in EDITABLES:
        for (kind, project_id), found in places.items():
            if kind != editable.kind:
                continue
            scope = _find_scope(store, project_id)
            objects = list(found.items())
            size = min(most, editable.together)
            if scope is None:
                homeless += objects
                continue
            batches += [
                (editable, scope, objects[start : start + size])
                for start in range(0, len(objects), size)
            ]
    return batches, homeless


def _find_scope(store: Store, project_id: str) -> ScopeOf | None:
    kind = next(each for each in KINDS if each.holds == "project")
    for rows in store.load_rows(kind, where={kind.own_key: project_id}):
        for row in rows:
            return ScopeOf(row["entity"], row["project"], project_id)
    return None

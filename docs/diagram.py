"""The diagram of the published views: what belongs to what, read off the kinds' keys."""

from __future__ import annotations

from collections.abc import Mapping

from wandb_mirror.kinds import KINDS
from wandb_mirror.warehouse.views import main_views

Views = Mapping[str, list[str]]
"""Columns by view."""


def draw_views() -> str:
    """Return a Mermaid entity diagram of the views of ``main`` that hold upstream's objects."""
    views = {view.name: [each.name for each in view.columns] for view in main_views("")}
    owners = find_owners(views)
    lines = ["```mermaid", "erDiagram"]
    for name in views:
        lines += [f"  {above} ||--o{{ {name} : has" for above in find_nearest(name, views, owners)]
    for name, columns in views.items():
        marked = [
            f"    VARCHAR {column} {'PK' if owner == name else 'FK'}"
            for column, owner in owners.items()
            if column in columns
        ]
        if marked:
            lines += [f"  {name} {{", *marked, "  }"]
    return "\n".join([*lines, "```", ""])


def find_owners(views: Views) -> dict[str, str]:
    """Return the view of the objects that a column names, for columns that other kinds have too."""
    owners = {"team": "teams", "project": "projects"}
    for kind in KINDS:
        others = {
            column
            for other in KINDS
            if other is not kind
            for column in (*other.key, *(field.column for field in other.fields))
        }
        is_shown = kind.own_key in views.get(kind.plural, ())
        if (
            is_shown
            and kind.own_key.endswith(("_id", "collection", "agent"))
            and kind.own_key in others
        ):
            owners.setdefault(kind.own_key, kind.plural)
    return owners


def find_above(name: str, views: Views, owners: Mapping[str, str]) -> set[str]:
    """Return the views whose objects those of a view point at."""
    found = {owner for column, owner in owners.items() if column in views[name]} - {name}
    if not found and "entity" in views[name]:
        return {"teams"}
    # A sweep has runs and says so nowhere; only what comes first in the file's order points down.
    return {each for each in found if name not in find_above(each, views, owners)}


def find_nearest(name: str, views: Views, owners: Mapping[str, str]) -> list[str]:
    """Return those of the views above that are above no other of them."""
    above = find_above(name, views, owners)
    implied = {far for each in above for far in _find_all_above(each, views, owners)}
    return [each for each in views if each in above - implied]


def _find_all_above(name: str, views: Views, owners: Mapping[str, str]) -> set[str]:
    above = find_above(name, views, owners)
    return above.union(*(_find_all_above(each, views, owners) for each in above))

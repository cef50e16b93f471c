"""Edits as Python asks for them: fields by name, of one object or of all that pass a filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypedDict

from wandb_mirror.desk.desk import Desk
from wandb_mirror.edits.values import ABSENT
from wandb_mirror.errors import BadEdit
from wandb_mirror.mirror.edits import Wish, find_objects, make_changes
from wandb_mirror.query.published import Published

TEXTS = ("notes", "name", "group", "job_type", "description")
MAPS = ("config", "summary")


class Edits(TypedDict, total=False):
    """What ``Mirror.edit`` takes beside the path and the filter."""

    add_tags: Sequence[str]
    remove_tags: Sequence[str]
    notes: str | None
    name: str | None
    group: str | None
    job_type: str | None
    description: str | None
    config: Mapping[str, Any]
    unset_config: Sequence[str]
    summary: Mapping[str, Any]


class Readable(Protocol):
    """What editing needs of a mirror."""

    @property
    def desk(self) -> Desk:
        """Where edits are kept."""

    def read_edited(self) -> Published:
        """Open the published file with the edits that it does not show."""


def edit_objects(
    mirror: Readable, path: str, filters: Mapping[str, Any] | None, asked: Edits
) -> int:
    """Queue edits; return how many cells wait because of them. Raises what ``Mirror.edit`` does."""
    wishes = read_wishes(asked)
    with mirror.read_edited() as published:
        fields = list(dict.fromkeys(name for name, *_ in wishes))
        found = find_objects(published, path, fields, filters)
    return mirror.desk.queue(make_changes(found, wishes))


def read_wishes(asked: Edits) -> list[Wish]:
    """Return what is asked for, cell by cell; raises ``BadEdit`` for a field that there is not."""
    if unknown := asked.keys() - Edits.__annotations__.keys():
        known = ", ".join(Edits.__annotations__)
        raise BadEdit(f"there is no {', '.join(sorted(unknown))} to edit; there are {known}")
    wishes: list[Wish] = [("tags", tag, _always(True)) for tag in asked.get("add_tags", ())]
    wishes += [("tags", tag, _always(False)) for tag in asked.get("remove_tags", ())]
    wishes += [(name, "", _always(asked[name])) for name in TEXTS if name in asked]  # type: ignore[literal-required]
    wishes += [("config", key, _always(ABSENT)) for key in asked.get("unset_config", ())]
    for name in MAPS:
        values: Mapping[str, Any] = asked.get(name, {})  # type: ignore[assignment]
        wishes += [(name, key, _always(value)) for key, value in values.items()]
    return wishes


def _always(value: Any) -> Callable[[Any], Any]:
    return lambda _: value

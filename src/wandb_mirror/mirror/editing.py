"""Edits as Python asks for them: fields by name, of one object or of all that pass a filter."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypedDict

from wandb_mirror.desk.desk import Desk
from wandb_mirror.edits.values import ABSENT
from wandb_mirror.errors import BadEdit
from wandb_mirror.mirror.wishes import Wish, change_aliases, find_objects, make_changes
from wandb_mirror.query.published import Published

VALUES = ("notes", "name", "group", "job_type", "description", "type", "ttl")
MAPS = ("config", "summary", "metadata")


class Edits(TypedDict, total=False):
    """What ``Mirror.edit`` takes beside the path and the filter."""

    add_tags: Sequence[str]
    remove_tags: Sequence[str]
    notes: str | None
    name: str | None
    group: str | None
    job_type: str | None
    description: str | None
    type: str
    ttl: int
    config: Mapping[str, Any]
    unset_config: Sequence[str]
    summary: Mapping[str, Any]
    metadata: Mapping[str, Any]
    unset_metadata: Sequence[str]
    add_aliases: Sequence[str]
    remove_aliases: Sequence[str]


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
    add, remove = asked.get("add_aliases", ()), asked.get("remove_aliases", ())
    if filters is not None and (add or remove):
        raise BadEdit("an alias is of one version; name it, without filters")
    with mirror.read_edited() as published:
        fields = list(dict.fromkeys(name for name, *_ in wishes))
        found = find_objects(published, path, fields, filters)
        made = make_changes(found, wishes)
        if add or remove:
            made += change_aliases(published, path, add=add, remove=remove)
    return mirror.desk.queue(made)


def read_wishes(asked: Edits) -> list[Wish]:
    """Return what is asked for, cell by cell; raises ``BadEdit`` for a field that there is not."""
    if unknown := asked.keys() - Edits.__annotations__.keys():
        known = ", ".join(Edits.__annotations__)
        raise BadEdit(f"there is no {', '.join(sorted(unknown))} to edit; there are {known}")
    wishes: list[Wish] = [("tags", tag, _always(True)) for tag in asked.get("add_tags", ())]
    wishes += [("tags", tag, _always(False)) for tag in asked.get("remove_tags", ())]
    given: Mapping[str, Any] = {**asked}
    wishes += [(name, "", _always(given[name])) for name in VALUES if name in given]
    for name in MAPS:
        wishes += [(name, key, _always(ABSENT)) for key in given.get(f"unset_{name}", ())]
        wishes += [(name, key, _always(value)) for key, value in given.get(name, {}).items()]
    return wishes


def _always(value: Any) -> Callable[[Any], Any]:
    return lambda _: value

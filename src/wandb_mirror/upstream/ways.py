"""The way through a reply to what was asked for, and what it means that something there is null."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wandb_mirror.errors import NotFound, Refused, UpstreamBroken
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.spec import At, Kind


def follow(
    data: Mapping[str, Any], path: Iterable[At], alias: str | None = None
) -> Mapping[str, Any] | None:
    """Return what lies at the end of a path, or None where something on the way is null.

    ``alias`` is the name under which the reply has the first step.
    """
    value: Mapping[str, Any] | None = data
    for place, at in enumerate(path):
        if value is None:
            return None
        value = pick(value, at.field if place or alias is None else alias, "upstream")
    return value


def follow_to_listing(
    data: Mapping[str, Any], kind: Kind, alias: str | None = None
) -> Mapping[str, Any] | list[Any] | None:
    """Return the connection or the list at the end of a kind's path, or None for null."""
    if kind.shape != "list":
        return follow(data, kind.path, alias)
    parent = follow(data, kind.path[:-1], alias)
    name = kind.path[-1].field
    value = None if parent is None else parent.get(name, ())
    if value is not None and not isinstance(value, list):
        raise UpstreamBroken(f"upstream answers without the {name} it was asked for")
    return value


def pick(node: Mapping[str, Any], name: str, host: str) -> Mapping[str, Any] | None:
    """Return the object under a name of a reply; what was asked for must be there, or be null."""
    value = node.get(name, ())
    if value is not None and not isinstance(value, Mapping):
        raise UpstreamBroken(f"{host} answers without the {name} it was asked for")
    return value


def say_null(
    data: Mapping[str, Any],
    path: Sequence[At],
    scope: ScopeOf,
    kind: Kind,
    alias: str | None = None,
) -> NotFound | Refused:
    """Return what it means that something on the way to a listing is null.

    Its scope may be gone or hidden; where the scope is there and its listing is not, the server
    withholds that alone.
    """
    if len(path) > 1 and follow(data, path[:-1], alias) is not None:
        return Refused(f"upstream shows {scope} but answers null for its {kind.plural}")
    return NotFound(f"{scope} is absent or not visible to this key")

"""A path as users write it: which column it means, or which key of config or summary.

Filters speak upstream's names, in both spellings: ``createdAt`` and ``created_at``. So ``name`` is
the run's *id*, and ``displayName`` is what people see. A key of config may be written with
``.value`` after it, as the wire has it, or without. A dot means nesting or belongs to the key:
where a run has both, the nested one counts, as upstream has it.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from typing import Literal

from wandb_mirror.errors import BadFilter
from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.spec import Kind, Type

Source = Literal["config", "summary", "metric"]
SOURCES: dict[str, Source] = {
    "config": "config",
    "summary_metrics": "summary",
    "summaryMetrics": "summary",
    "summary": "summary",
    "keys_info.keys": "metric",
}
"""How a path to a key begins. ``keys_info.keys.<metric>`` asks whether a metric was logged."""


@dataclass(frozen=True, slots=True)
class ColumnField:
    """A column of the run itself."""

    column: str
    type: Type


@dataclass(frozen=True, slots=True)
class KeyField:
    """A key of config or summary, or a metric; ``names`` in the order in which they are tried."""

    source: Source
    names: tuple[str, ...]
    """Keys with their parts joined by dots."""


@dataclass(frozen=True, slots=True)
class TagField:
    """Whether a run has one certain tag (``tags.<tag>``)."""

    tag: str


Resolved = ColumnField | KeyField | TagField


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _own_names() -> dict[str, ColumnField]:
    """Return every name of a run's own column, from the kind that is filtered."""
    kind = filtered_kind()
    names: dict[str, ColumnField] = {}
    for field in kind.fields:
        if field.type is Type.JSON_TEXT:
            continue
        source = field.source.split(".")[-1]
        for name in (source, _snake(source)):
            names[name] = ColumnField(field.column, field.type)
    names["sweep"] = names["sweepName"]
    names["duration"] = ColumnField("duration_s", Type.REAL)
    return names


def filtered_kind() -> Kind:
    """Return the kind whose objects filters are about: the one that others are found in."""
    return next(kind for kind in KINDS if kind.scope == "project" and kind.holds is not None)


OWN = _own_names()


def resolve(path: str, place: str) -> Resolved:
    """Return what a path means; raises ``BadFilter`` with the nearest name for an unknown one."""
    if path in OWN:
        return OWN[path]
    for prefix, source in SOURCES.items():
        if path.startswith(f"{prefix}."):
            rest = path.removeprefix(f"{prefix}.")
            return KeyField(source, _spellings(rest) if source == "config" else (rest,))
    if path.startswith("tags."):
        return TagField(path.removeprefix("tags."))
    known = [*OWN, "config.KEY", "summary_metrics.KEY", "tags"]
    near = difflib.get_close_matches(path, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(known))}"
    raise BadFilter(
        f"{place}: no field {path}; {hint} Keys are written config.KEY or summary_metrics.KEY"
    )


def _spellings(rest: str) -> tuple[str, ...]:
    """Return the keys that a path of config may mean, with ``.value`` in it or not."""
    names = [rest]
    if rest.endswith(".value"):
        names.append(rest.removesuffix(".value"))
    head, _, tail = rest.partition(".value.")
    if tail:
        names.append(f"{head}.{tail}")
    return tuple(dict.fromkeys(names))

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


@dataclass(frozen=True, slots=True)
class LineageField:
    """The artifacts that a run used, or made."""

    table: str


Resolved = ColumnField | KeyField | TagField | LineageField
LINEAGE = {
    spelling: LineageField(kind.plural)
    for kind in KINDS
    if kind.scope == "run" and kind.upstream_type == "Artifact"
    for spelling in (kind.path[-1].field, kind.plural)
}
"""Lists of artifacts that belong to runs, in both spellings."""
PLACES = ("entity", "project")
"""Fields that all runs of a project share."""


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
    return names | {name: ColumnField(name, Type.TEXT) for name in PLACES}


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
    if path in LINEAGE:
        return LINEAGE[path]
    raise BadFilter(f"{place}: no field {path}; {_hint(path)}")


def _hint(path: str) -> str:
    """Return what may have been meant by a name that is no field."""
    head, dot, rest = path.partition(".")
    if dot and rest:
        near = difflib.get_close_matches(head, ["config", "summary_metrics", "tags"], n=1)
        if near:
            return f"did you mean {near[0]}.{rest}?"
    key = path.removeprefix("$")
    keys = f"keys are written config.{key} or summary_metrics.{key}"
    known = [*OWN, *LINEAGE, "config.KEY", "summary_metrics.KEY", "keys_info.keys.KEY"]
    near = difflib.get_close_matches(path, known, n=1)
    if path in ("config", "summary_metrics", "keys_info", "keys_info.keys") and near:
        return f"did you mean {near[0]}?"
    if near:
        return f"did you mean {near[0]}? Else {keys}"
    return f"{keys}, and there are {', '.join(sorted(known))}"


def _spellings(rest: str) -> tuple[str, ...]:
    """Return the keys that a path of config may mean, with ``.value`` in it or not."""
    names = [rest]
    if rest.endswith(".value"):
        names.append(rest.removesuffix(".value"))
    head, _, tail = rest.partition(".value.")
    if tail:
        names.append(f"{head}.{tail}")
    return tuple(dict.fromkeys(names))

"""What views are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """A published column."""

    name: str
    type: str
    expression: str
    about: str
    key: str | None = None
    """For a column made from a key: its path as a JSON array."""
    source: str | None = None
    misfits: int = 0
    has_json: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """A published view."""

    schema: str
    name: str
    about: str
    columns: Sequence[ViewColumn]
    tail: str
    """All that follows the list of columns: FROM and WHERE."""


ENTITY = ViewColumn("entity", "VARCHAR", "p.entity", "The entity that owns the project.")
PROJECT = ViewColumn("project", "VARCHAR", "p.project", "The project's name.")
UNQUOTED = (
    "CASE WHEN {0} IS NULL OR {0} = 'null' THEN NULL WHEN {0}[1] <> '\"' THEN {0} "
    "WHEN json_valid({0}) THEN {0}::JSON->>'$' ELSE {0} END"
)
"""The text of a JSON value, decoded only behind ``json_valid``: one lone surrogate would fail the
whole query."""

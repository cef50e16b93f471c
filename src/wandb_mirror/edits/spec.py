"""What can be edited of a kind, said as data: the fields, and how upstream takes them.

Nothing below knows a kind by name: documents, checks, merging and what readers see are made from
this.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wandb_mirror.edits.judge import Sort

Wire = Literal["plain", "json text", "config"]
"""How a field goes over the wire: as it is; as text that holds JSON; as W&B wraps a config,
``{"lr": {"value": 0.1, "desc": null}, "_wandb": …}``."""


@dataclass(frozen=True, slots=True)
class EditField:
    """A field that people edit."""

    name: str
    """What people call it, in ``diff`` and in ``pending_edits``."""
    column: str
    """The column of the kind that holds it."""
    sort: Sort
    argument: str
    """Its name in the mutation's input."""
    graphql_type: str = "String"
    wire: Wire = "plain"
    longest: int | None = None
    """Characters that upstream takes, where it sets a limit."""
    pattern: str | None = None
    """What each member must look like, where upstream says so."""
    pattern_words: str = ""
    """The pattern, for people."""
    waits: bool = False
    """Whether the object's own process overwrites it while it runs."""
    cleared: object = None
    """What is sent for no value: null means untouched upstream."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """How objects of a kind are deleted upstream."""

    mutation: str
    input_type: str
    argument: str
    """What of the input names them."""
    id_column: str
    """The column that holds what ``argument`` wants."""
    reply: str = "success"
    """What is asked of the payload, as GraphQL writes it."""
    takes_several: bool = False


@dataclass(frozen=True, slots=True)
class Editable:
    """How objects of a kind are edited."""

    kind: str
    """The kind's plural."""
    word: str
    """What stands before a path of it; "" for paths without a word."""
    mutation: str
    input_type: str
    id_argument: str
    id_column: str
    """The column that holds what ``id_argument`` wants."""
    reply: str
    """The payload's field that is the object as it is now."""
    fields: tuple[EditField, ...]
    runs_while: tuple[str, frozenset[str]] | None = None
    """A column, and the values with which the object's own process may still write."""

    def field(self, name: str) -> EditField:
        """Return a field by its name; ``KeyError`` where there is none."""
        for each in self.fields:
            if each.name == name:
                return each
        raise KeyError(f"{self.kind} have no field {name} to edit")

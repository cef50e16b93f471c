"""What can be edited of a kind, said as data: the fields, and how upstream takes them.

Nothing below knows a kind by name: documents, checks, merging and what readers see are made from
this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Literal

from wandb_mirror.edits.judge import Sort
from wandb_mirror.kinds.spec import Kind

Wire = Literal["plain", "json text", "config", "pointers"]
"""How a field goes over the wire: as it is; as text that holds JSON; as W&B wraps a config,
``{"lr": {"value": 0.1, "desc": null}, "_wandb": …}``; as a list of names, each with the object that
it points to, ``[{"alias": "best", "artifact": {"id": …}}]``."""

Fillings = tuple[tuple[str, str], ...]
"""Arguments, and for each the part of the scope or the column of the object that goes into it."""


@dataclass(frozen=True, slots=True)
class Call:
    """A mutation of its own, by which a field's members come or go, or a value is set."""

    mutation: str
    input_type: str
    argument: str
    """What takes the members, or the value."""
    fills: Fillings = ()
    """What else the input wants."""
    member: str = ""
    """The name of a member inside its object in the list; "" where the value itself is given."""
    member_fills: Fillings = ()
    """What else each object in the list wants."""
    pointed: str = ""
    """The argument for the object that names point to: one call for each of those."""
    most: int = 20
    """Members in one call."""
    reply: str = "success"
    """What is asked of the payload, as GraphQL writes it."""


@dataclass(frozen=True, slots=True)
class Pointed:
    """What the values of a map point to: rows of another kind that lie in the object."""

    kind: str
    """That kind's plural."""
    inside: str
    """The column of those rows that names the object."""
    id_column: str
    """What upstream names a row by."""
    number: str
    """The column by which people know a row: they write ``v3`` for 3."""
    column: str
    """The column that lists the names that point to the row."""
    under: str
    """Where the object lists its names: what the row's id stands under, beside each name."""


@dataclass(frozen=True, slots=True)
class Copied:
    """A column of a kind that holds an object's name.

    It is that of the rows of its own project, or of all that say of which project the object is.
    """

    kind: str
    column: str
    project: str = ""
    """The column with the project's name, where the rows may lie in other projects."""
    entity: str = ""
    """The column with that project's entity."""


@dataclass(frozen=True, slots=True)
class EditField:
    """A field that people edit."""

    name: str
    """What people call it, in ``diff`` and in ``pending_edits``."""
    column: str
    """The column of the kind that holds it."""
    sort: Sort
    argument: str = ""
    """Its name in the mutation's input; of a set that is sent as a difference, of what comes."""
    graphql_type: str = "String"
    wire: Wire = "plain"
    gone_argument: str = ""
    """The argument for the members that go, where a set is sent as a difference."""
    member: str = ""
    """The name of a member inside its object, where a set is sent as a list of objects."""
    comes: Call | None = None
    """What is sent in place of the argument: for members that come, or for a value that is set."""
    goes: Call | None = None
    points_to: Pointed | None = None
    copies: tuple[Copied, ...] = ()
    """Where else the value stands: the rows of what is named are known by it."""
    longest: int | None = None
    """Characters that upstream takes, where it sets a limit."""
    most_keys: int | None = None
    """Keys that upstream takes in a map, where it sets a limit."""
    pattern: str | None = None
    """What each member, or each key, must look like, where upstream says so."""
    pattern_words: str = ""
    """The pattern, for people."""
    waits: bool = False
    """Whether the object's own process overwrites it while it runs."""
    only_where: tuple[str, str, str] | None = None
    """A column, the value with which an object has the field, and why others have not."""
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
class Write:
    """The mutation that changes an object, and answers with the object."""

    mutation: str
    input_type: str
    id_argument: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Editable:
    """How objects of a kind are edited."""

    kind: str
    """The kind's plural."""
    word: str
    """What paths call it: the word that stands before one, where one does."""
    noun: str
    """What people call one of them."""
    path: str
    """How people write the path of one, with its columns in braces."""
    read: Kind
    """How one is read, and what a mutation answers with: the kind, or what its rows share."""
    write: Write
    writes: tuple[str, Mapping[str, Write]] | None = None
    """A column, and the mutations for objects with its values, where they have different ones."""
    id_column: str
    """The column that holds what ``id_argument`` wants."""
    reply: str
    """The payload's field that is the object as it is now."""
    fields: tuple[EditField, ...]
    asked_by: tuple[str, ...] = ()
    """The columns that may hold what stands last in a path."""
    home: tuple[tuple[str, str], ...] = ()
    """Where several rows are one object: the pairs of columns that are equal in the one whose path
    and project stand for it."""
    gone_while: tuple[str, frozenset[str]] | None = None
    """A column, and the values with which an object is there and counts as deleted."""
    runs_while: tuple[str, frozenset[str]] | None = None
    """A column, and the values with which the object's own process may still write."""
    together: int = 50
    """Objects read, and written, by one request."""

    def field(self, name: str) -> EditField:
        """Return a field by its name; ``KeyError`` where there is none."""
        for each in self.fields:
            if each.name == name:
                return each
        raise KeyError(f"{self.kind} have no field {name} to edit")

    @property
    def names(self) -> frozenset[str]:
        """The names of the fields."""
        return frozenset(each.name for each in self.fields)

    @property
    def paths(self) -> tuple[str, ...]:
        """The columns that a path is made of."""
        return tuple(name for _, name, *_ in Formatter().parse(self.path) if name)

    @property
    def is_shared(self) -> bool:
        """Whether several rows of the kind are one object."""
        return bool(self.home)

    @property
    def own_key(self) -> str:
        """The column that is the object's own key."""
        return self.read.own_key

"""What a kind is: one sort of upstream object, said as data, each field once.

Everything else is derived from it: the GraphQL text, the store's table, the change check, the
published table and its documentation. A kind holds no code.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal


class Type(Enum):
    """How a value arrives and how it is kept."""

    TEXT = "text"
    INTEGER = "integer"
    REAL = "real"
    BOOLEAN = "boolean"
    TIME = "time"
    """ISO 8601 text upstream (no zone means UTC); a naive UTC timestamp here."""
    JSON = "json"
    """A JSON value inside the reply; kept as JSON text."""
    JSON_TEXT = "json text"
    """Text that holds JSON (upstream's ``JSONString``); kept exactly as it arrived."""
    YAML = "yaml"
    """Text that holds YAML; kept as JSON text, None where it is no YAML."""
    ADDRESS = "address"
    """A URL; kept without user, query and fragment, where secrets may stand."""
    WEBHOOK = "webhook"
    """A URL that may be the key itself, as Slack's are: kept without what looks like one, too."""


Shape = Literal["node", "connection", "list", "steps", "samples", "manifest"]
"""How upstream hands a kind out: a single object; a Relay connection; a plain list; a run's steps
by windows; a run's samples all at once; the entries of a manifest behind a signed URL."""

WhenGone = Literal["deleted", "inaccessible", "removed"]
"""deleted: the row stays, with ``deleted_at``. inaccessible: no one can tell absent from invisible,
the row stays, with ``inaccessible_since``. removed: the row is a member of a set and goes."""

Scope = Literal[
    "server",
    "entity",
    "team",
    "project",
    "run",
    "collection",
    "version",
    "organization",
    "registry",
    "sweep",
    "agent",
]
"""Where objects of a kind are looked for."""


@dataclass(frozen=True, slots=True)
class At:
    """One step of the way from the root of a reply to what is read."""

    field: str
    arguments: tuple[tuple[str, str], ...] = ()
    """Upstream's argument and the part of the scope that goes into it."""
    constants: tuple[tuple[str, str], ...] = ()
    """Arguments whose value is always the same, as GraphQL writes it."""


IN_ENTITY = (("entityName", "entity"),)
IN_PROJECT = At("project", (("entityName", "entity"), ("name", "project")))
IN_REGISTRY = At("project", (("entityName", "org_entity"), ("name", "project")))


@dataclass(frozen=True, slots=True)
class Field:
    """One column of a kind, and where upstream has it."""

    column: str
    source: str
    """Upstream's field; a dot goes into a nested object (``user.username``)."""
    type: Type = Type.TEXT
    about: str = ""
    """One sentence for the schema page and the published column's comment."""
    is_heavy: bool = False
    """Too big for the listing that looks for changes: asked for only where something changed."""
    is_private: bool = False
    """Users' own values, some of which they may want redacted."""
    fallback: str | None = None
    """Where a server that lacks ``source`` has the same."""
    is_lower: bool = False
    """Upstream's spelling varies; kept in lower case."""
    arguments: str = ""
    """What stands in parentheses behind a JSON field, as GraphQL writes it."""
    selection: str = ""
    """What of a JSON field is asked for, as GraphQL writes it; connections come as plain lists."""
    on: str = ""
    """The type that alone has the field, of those that the object may be."""
    pluck: str = ""
    """Of each object in a JSON list, keep the value under this name alone."""


@dataclass(frozen=True, slots=True)
class Follow:
    """A kind whose objects are read again for those parents that changed, and for no others."""

    parent: str
    """The kind that the parents are of."""
    by: str = "light_digest"
    """The parent's column that moves when its children are to be read again; "" for every sync."""
    when: tuple[str, frozenset[str]] | None = None
    """A column of the parent and the values with which it has children at all."""
    unless: tuple[str, frozenset[int]] | None = None
    """A column of the parent and the values with which it has no children."""
    keeps: bool = False
    """Whether the children stay as they are when the parent goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A sort of upstream object."""

    name: str
    plural: str
    """The name of its table, and what ``sync --only`` calls it."""
    about: str
    upstream_type: str
    """The GraphQL type, as W&B names it; other servers may name it otherwise."""
    shape: Shape
    scope: Scope
    path: tuple[At, ...]
    """The way from the root to the listing or the object, last the one that is read."""
    key: tuple[str, ...]
    """The columns that name one object for good; scope columns come first."""
    fields: tuple[Field, ...]
    node_path: tuple[At, ...] = ()
    """Where a single object of a listed kind can be read by itself, if anywhere."""
    order: str | None = None
    """Upstream's order for the walk, over a column that never moves."""
    seek: str | None = None
    """The column ``order`` names. The walk goes on from its last value, because upstream's cursors
    are offsets and skip rows when rows vanish."""
    counted_by: str | None = None
    """The column of the scope's row that says how many objects there should be."""
    holds: Scope | None = None
    """The scope that each object of this kind is, for kinds that are looked for inside it."""
    exports: At | None = None
    """Where a parent names the files that hold its steps, as far as they are written."""
    sampled: At | None = None
    """Where a parent hands out samples of its steps, metric by metric, with windows of their own:
    for servers that cannot be asked for a window of all."""
    contents: tuple[At, ...] = ()
    """Where upstream hands out the bytes of objects: a connection of files that takes names."""
    live_while: tuple[str, frozenset[str]] | None = None
    """A column of the scope's row and the values with which the scope may still grow."""
    stamped_by: str | None = None
    """The column with upstream's time of the latest change, as far as the server keeps one."""
    heard_by: str | None = None
    """The column with the time of the object's last own sign of life."""
    shows_row: str | None = None
    """A column whose text is about as long as a row of the steps that the object holds."""
    restless: tuple[str, ...] = ()
    """Light columns that move without anybody editing the object."""
    page_size: int = 200
    """Objects asked for in one page of the listing, at first."""
    detail_size: int = 100
    """Objects asked for in one page with heavy fields, at first."""
    when_gone: WhenGone = "removed"
    """What happens to an object that is missing from a complete listing."""
    detail_path: tuple[At, ...] = ()
    """A connection that takes the own keys as a list, where whole objects are read from."""
    follows: Follow | None = None
    """Whose changes say that there is something to read; without it every sync lists the kind."""
    together: int = 20
    """Lists asked for in one document, an alias each, where the server takes that."""
    leads_to: tuple[str, str] | None = None
    """The columns with the entity and the project that each object is: mirrored with its owner."""
    switched_by: str = ""
    """The setting of the section ``sync`` that turns it on and off; "" for always on."""
    tail: int | None = None
    """Set where a listing only grows at its end: so many objects there may still change, and it is
    read on from before them, as long as the parent counts more. Own keys are numbers from 0."""
    left_out_by: tuple[str, str] | None = None
    """A column, and the setting that lists the values with which objects are left out."""

    remembered: tuple[str, ...] = ()
    """The columns of which past values are kept, where the settings ask for it."""

    def __post_init__(self) -> None:
        """Refuse a kind that contradicts itself."""
        columns = [field.column for field in self.fields]
        if len(set(columns)) != len(columns):
            raise ValueError(f"kind {self.name}: a column stands twice")
        own = {*columns, *SCOPE_COLUMNS[self.scope]}
        if missing := [column for column in self.key if column not in own]:
            raise ValueError(f"kind {self.name}: key columns {missing} are nowhere")
        if self.seek is not None and (self.seek not in columns or self.order is None):
            raise ValueError(f"kind {self.name}: seek needs a column and an order")
        if self.remembered and (self.key[0] != "project_id" or {*self.remembered} - {*columns}):
            raise ValueError(f"kind {self.name}: only fields of what projects hold are remembered")
        if any(field.is_heavy for field in self.fields if field.column in self.key):
            raise ValueError(f"kind {self.name}: a key column cannot be heavy")

    @property
    def scope_columns(self) -> tuple[str, ...]:
        """Columns that come from the scope and not from the object."""
        return SCOPE_COLUMNS[self.scope]

    @property
    def is_stored(self) -> bool:
        """Whether its rows live in the store; else they live in the warehouse alone."""
        return self.shape not in ("steps", "samples")

    @property
    def own_key(self) -> str:
        """The key column that is the object's own: unique within its scope."""
        return self.key[-1]

    @property
    def light_fields(self) -> tuple[Field, ...]:
        """The fields of the listing that looks for changes."""
        return tuple(field for field in self.fields if not field.is_heavy)

    @property
    def has_heavy_fields(self) -> bool:
        """Whether changed objects are read a second time, whole."""
        return any(field.is_heavy for field in self.fields)

    def ordered_by(self, column: str) -> Kind:
        """Return the kind as it is walked in the order of another column."""
        return replace(self, seek=column, order=f"+{column}")

    def field(self, column: str) -> Field:
        """Return the field kept in ``column``; ``KeyError`` where there is none."""
        for field in self.fields:
            if field.column == column:
                return field
        raise KeyError(f"kind {self.name} has no column {column}")


SCOPE_COLUMNS: dict[str, tuple[str, ...]] = {
    "server": (),
    "entity": (),
    "team": ("entity",),
    "project": ("project_id",),
    "run": ("project_id", "run_id"),
    "collection": ("project_id", "collection"),
    "version": ("project_id", "artifact_id"),
    "organization": ("org_entity",),
    "registry": ("org_entity", "project"),
    "sweep": ("project_id", "sweep_id"),
    "agent": ("project_id", "sweep_id", "agent"),
}
"""The columns with which the rows of a scope begin. ``project_id`` is upstream's ``internalId``,
which a renamed project keeps; where a server lacks it, its ``id``. A ``team`` is an entity too, but
its rows say which."""

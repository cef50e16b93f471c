"""GraphQL text from a kind: every field aliased to its column, what the server lacks left out.

Each field, argument and variable stands on a line of its own, and a document knows what stands on
each line: a server that points at a line says so what it lacks, however it calls its types.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from wandb_mirror.kinds.pages import ScopeOf, StepsRequest
from wandb_mirror.kinds.spec import At, Field, Kind
from wandb_mirror.upstream.capabilities import Capabilities

JSON_SCALAR = "JSONString"
"""W&B's name for text that holds JSON."""
STEP_SCALAR = "Int64"
PLAIN_SCALARS = {JSON_SCALAR: "String", STEP_SCALAR: "Int"}
"""What other servers take where they do not know W&B's own scalars."""

Argument = tuple[str, str]
"""An argument's name and how its value is written."""


@dataclass(frozen=True, slots=True)
class Document:
    """GraphQL text with its variables, and what each of its lines asks for."""

    text: str
    variables: Mapping[str, Any]
    places: Mapping[int, str]
    """Line to capability: ``Run.updatedAt``, ``project.runs(order)``, ``type JSONString``."""
    sources: Mapping[str, str]
    """The columns that the document asks for, and upstream's field that each comes from."""
    needs: frozenset[str]
    """Capabilities without which it would ask for something else than it should."""


@dataclass(slots=True)
class _Writer:
    """Writes a document line by line."""

    kind: Kind
    scope: ScopeOf
    capabilities: Capabilities
    lines: list[str] = field(default_factory=list)
    places: dict[int, str] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    sources: dict[str, str] = field(default_factory=dict)
    needs: set[str] = field(default_factory=set)
    depth: int = 1

    def line(self, text: str, capability: str | None = None) -> None:
        """Write one line."""
        self.lines.append("  " * self.depth + text)
        if capability is not None:
            self.places[len(self.lines)] = capability

    def bind(self, name: str, graphql_type: str, value: Any) -> str:
        """Declare a variable and return how it is written."""
        self.types[name] = graphql_type
        self.variables[name] = value
        return f"${name}"

    def bind_scope(self, at: At) -> list[Argument]:
        """Declare what of the scope goes into a field's arguments."""
        return [
            (argument, self.bind(part, "String!", getattr(self.scope, part)))
            for argument, part in at.arguments
        ]

    def open(self, name: str, place: str, arguments: Sequence[Argument], end: str) -> None:
        """Write a field with arguments, each on its line, up to ``end``."""
        if not arguments:
            self.line(f"{name}{end}", place)
            return
        self.line(f"{name}(", place)
        for argument, value in arguments:
            self.line(f"  {argument}: {value}", f"{place}({argument})")
        self.line(f"){end}")

    @contextmanager
    def inside(self, name: str, place: str, arguments: Sequence[Argument]) -> Iterator[None]:
        """Open a field; what is written inside the ``with`` is its selection."""
        self.open(name, place, arguments, " {")
        self.depth += 1
        yield
        self.depth -= 1
        self.line("}")

    @contextmanager
    def down(self, path: Sequence[At]) -> Iterator[None]:
        """Write the way to what is read, with the scope's names as variables."""
        if not path:
            yield
            return
        *before, at = path
        place = place_of(path)
        with self.down(before):
            self.require(place, at.arguments)
            with self.inside(at.field, place, self.bind_scope(at)):
                yield

    def require(self, place: str, arguments: Iterable[Argument]) -> None:
        """Note a field and arguments of it that the document cannot do without."""
        self.needs.add(place)
        self.needs.update(f"{place}({argument})" for argument, _ in arguments)

    def fields(self, fields: Iterable[Field]) -> None:
        """Write a node's fields, each aliased to its column."""
        for each in fields:
            for source in (each.source, each.fallback):
                place = f"{self.kind.upstream_type}.{source}"
                if source is None or self.capabilities.lacks(place):
                    continue
                head, *rest = source.split(".")
                selection = "".join(f" {{ {part}" for part in rest) + " }" * len(rest)
                self.line(f"{each.column}: {head}{selection}", place)
                self.sources[each.column] = source
                break

    def finish(self, name: str) -> Document:
        """Return the document: the variables' declarations first, each on its line."""
        head = [f"query {name}"]
        places: dict[int, str] = {}
        if self.types:
            head[0] += "("
            for variable, graphql_type in self.types.items():
                head.append(f"  ${variable}: {self._type(graphql_type)}")
                places[len(head)] = f"type {graphql_type.rstrip('!')}"
            head.append(")")
        head[-1] += " {"
        places.update({line + len(head): place for line, place in self.places.items()})
        return Document(
            "\n".join([*head, *self.lines, "}"]),
            self.variables,
            places,
            self.sources,
            frozenset(self.needs),
        )

    def _type(self, graphql_type: str) -> str:
        name = graphql_type.rstrip("!")
        if self.capabilities.lacks(f"type {name}"):
            return graphql_type.replace(name, PLAIN_SCALARS.get(name, name))
        return graphql_type


def place_of(path: Sequence[At]) -> str:
    """Return the name under which the end of a path may be lacking: ``project.runs``."""
    return ".".join(at.field for at in path)


def node_document(kind: Kind, scope: ScopeOf, capabilities: Capabilities) -> Document:
    """Return the query for one object."""
    writer = _Writer(kind, scope, capabilities)
    with writer.down(kind.node_path or kind.path):
        writer.fields(kind.fields)
    return writer.finish("Node")


def can_name(kind: Kind) -> bool:
    """Tell whether single objects of a kind can be read by their own keys."""
    return any(part == kind.own_key for at in kind.node_path[-1:] for _, part in at.arguments)


def nodes_document(
    kind: Kind, scope: ScopeOf, capabilities: Capabilities, own_keys: Sequence[str]
) -> Document:
    """Return the query for several objects by their own keys, an alias each."""
    writer = _Writer(kind, scope, capabilities)
    *before, last = kind.node_path
    place = place_of(kind.node_path)
    with writer.down(before):
        writer.require(place, last.arguments)
        for number, own_key in enumerate(own_keys):
            arguments = [
                (argument, writer.bind(f"{part}_{number}", "String!", own_key))
                for argument, part in last.arguments
                if part == kind.own_key
            ]
            with writer.inside(f"{alias_of(number)}: {last.field}", place, arguments):
                writer.fields(kind.fields)
    return writer.finish("Nodes")


def alias_of(number: int) -> str:
    """Return the name under which the reply has the object that was asked for as such."""
    return f"n{number}"


def listing_document(
    kind: Kind,
    scope: ScopeOf,
    capabilities: Capabilities,
    *,
    fields: Iterable[Field],
    first: int,
    after: str | None = None,
    filters: str | None = None,
    order: str | None = None,
) -> Document:
    """Return the query for one page of a listing; ``filters`` is JSON text."""
    writer = _Writer(kind, scope, capabilities)
    *before, last = kind.path
    place = place_of(kind.path)
    wanted = [("first", "Int", first), ("after", "String", after)]
    wanted += [("filters", JSON_SCALAR, filters), ("order", "String", order)]
    with writer.down(before):
        writer.require(place, last.arguments)
        arguments = writer.bind_scope(last)
        arguments += [
            (name, writer.bind(name, graphql_type, value))
            for name, graphql_type, value in wanted
            if value is not None and not capabilities.lacks(f"{place}({name})")
        ]
        with writer.inside(last.field, place, arguments):
            with (
                writer.inside("edges", f"{place}.edges", ()),
                writer.inside("node", f"{place}.edges.node", ()),
            ):
                writer.fields(fields)
            writer.line("pageInfo { endCursor hasNextPage }", f"{place}.pageInfo")
        writer.needs |= {f"{place}.edges", f"{place}.edges.node", f"{place}.pageInfo"}
    return writer.finish("Listing")


def steps_document(
    kind: Kind, scope: ScopeOf, capabilities: Capabilities, requests: Sequence[StepsRequest]
) -> Document:
    """Return the query for windows of several parents' steps, an alias a parent.

    ``samples`` is the number of steps in the window: so every row comes, as W&B's own reader
    asks (core/internal/runhistoryreader/livedata.go).
    """
    writer = _Writer(kind, scope, capabilities)
    *before, parent, last = kind.path
    place = place_of((*before, parent))
    with writer.down(before):
        for number, each in enumerate(requests):
            arguments = [
                (argument, writer.bind(f"{part}_{number}", "String!", getattr(each, part)))
                for argument, part in parent.arguments
            ]
            width = each.max_step - each.min_step
            window = [
                ("minStep", writer.bind(f"min_{number}", STEP_SCALAR, each.min_step)),
                ("maxStep", writer.bind(f"max_{number}", STEP_SCALAR, each.max_step)),
                ("samples", writer.bind(f"samples_{number}", "Int", width)),
            ]
            writer.require(place, parent.arguments)
            writer.require(f"{place}.{last.field}", window)
            with writer.inside(f"{alias_of(number)}: {parent.field}", place, arguments):
                if each.is_first:
                    writer.fields(kind.fields)
                writer.open(f"lines: {last.field}", f"{place}.{last.field}", window, "")
    return writer.finish("Steps")

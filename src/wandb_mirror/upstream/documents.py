"""GraphQL text from a kind: every field aliased to its column, what the server lacks left out.

Each field, argument and variable stands on a line of its own, and a document knows what stands on
each line: a server that points at a line says so what it lacks, however it calls its types.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from wandb_mirror.kinds.pages import ScopeOf, StepsRequest
from wandb_mirror.kinds.spec import At, Field, Kind
from wandb_mirror.upstream.capabilities import Capabilities

JSON_SCALAR = "JSONString"
"""W&B's name for text that holds JSON."""
PLAIN_SCALARS = {JSON_SCALAR: "String", "Int64": "Int"}
"""What other servers take where they do not know W&B's own scalars."""


@dataclass(frozen=True, slots=True)
class Document:
    """GraphQL text with its variables, and what each of its lines asks for."""

    text: str
    variables: Mapping[str, Any]
    places: Mapping[int, str]
    """Line to capability: ``Run.updatedAt``, ``project.runs(order)``, ``type JSONString``."""
    columns: frozenset[str] = frozenset()
    """The columns that the document asks for."""


@dataclass(slots=True)
class _Writer:
    """Writes a document line by line."""

    capabilities: Capabilities
    lines: list[str] = field(default_factory=list)
    places: dict[int, str] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    columns: set[str] = field(default_factory=set)
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

    def inside(
        self, at: At, place: str, arguments: Iterable[tuple[str, str]], alias: str = ""
    ) -> AbstractContextManager[None]:
        """Open a field with arguments; what is written inside the ``with`` is its selection."""
        return self._inside(at, place, list(arguments), alias)

    @contextmanager
    def _inside(self, at: At, place: str, arguments: list[tuple[str, str]], alias: str) -> Any:
        name = f"{alias}: {at.field}" if alias else at.field
        known = [
            (argument, value)
            for argument, value in arguments
            if not self.capabilities.lacks(f"{place}({argument})")
        ]
        if known:
            self.line(f"{name}(", place)
            for argument, value in known:
                self.line(f"  {argument}: {value}", f"{place}({argument})")
            self.line(") {")
        else:
            self.line(f"{name} {{", place)
        self.depth += 1
        yield
        self.depth -= 1
        self.line("}")

    def leaf(self, at: At, place: str, arguments: Iterable[tuple[str, str]], alias: str) -> None:
        """Write a field with arguments that has no selection."""
        self.line(f"{alias}: {at.field}(", place)
        for argument, value in arguments:
            self.line(f"  {argument}: {value}", f"{place}({argument})")
        self.line(")")

    def fields(self, kind: Kind, fields: Iterable[Field]) -> None:
        """Write a node's fields, each aliased to its column."""
        for each in fields:
            for source in (each.source, each.fallback):
                if source is None or self.capabilities.lacks(f"{kind.upstream_type}.{source}"):
                    continue
                head, *rest = source.split(".")
                selection = "".join(f" {{ {part}" for part in rest) + " }" * len(rest)
                self.line(f"{each.column}: {head}{selection}", f"{kind.upstream_type}.{source}")
                self.columns.add(each.column)
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
        text = "\n".join([*head, *self.lines, "}"])
        return Document(text, self.variables, places, frozenset(self.columns))

    def _type(self, graphql_type: str) -> str:
        name = graphql_type.rstrip("!")
        if self.capabilities.lacks(f"type {name}"):
            return graphql_type.replace(name, PLAIN_SCALARS.get(name, name))
        return graphql_type


def place_of(path: Sequence[At]) -> str:
    """Return the name under which the end of a path may be lacking: ``project.runs``."""
    return ".".join(at.field for at in path)


@contextmanager
def _down(writer: _Writer, path: Sequence[At], scope: ScopeOf) -> Any:
    """Write the way to what is read, with the scope's names as variables."""
    if not path:
        yield
        return
    *before, at = path
    with _down(writer, before, scope):
        arguments = [
            (
                argument,
                writer.bind(
                    part, "String!" if part == "run_id" else "String", getattr(scope, part)
                ),
            )
            for argument, part in at.arguments
        ]
        with writer.inside(at, place_of(path), arguments):
            yield


def node_document(kind: Kind, scope: ScopeOf, capabilities: Capabilities) -> Document:
    """Return the query for one object."""
    writer = _Writer(capabilities)
    with _down(writer, kind.node_path or kind.path, scope):
        writer.fields(kind, kind.fields)
    return writer.finish("Node")


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
    writer = _Writer(capabilities)
    *before, last = kind.path
    place = place_of(kind.path)
    wanted = [("first", "Int", first), ("after", "String", after)]
    wanted += [("filters", JSON_SCALAR, filters), ("order", "String", order)]
    with _down(writer, before, scope):
        arguments = [
            (argument, writer.bind(part, "String", getattr(scope, part)))
            for argument, part in last.arguments
        ]
        arguments += [
            (name, writer.bind(name, graphql_type, value))
            for name, graphql_type, value in wanted
            if value is not None and not capabilities.lacks(f"{place}({name})")
        ]
        with writer.inside(last, place, arguments):
            writer.line("edges {")
            writer.line("  node {")
            writer.depth += 2
            writer.fields(kind, fields)
            writer.depth -= 2
            writer.line("  }")
            writer.line("}")
            writer.line("pageInfo { endCursor hasNextPage }", f"{place}.pageInfo")
    return writer.finish("Listing")


def steps_document(
    kind: Kind, scope: ScopeOf, capabilities: Capabilities, requests: Sequence[StepsRequest]
) -> Document:
    """Return the query for windows of several runs' steps, an alias a run.

    ``samples`` is the number of steps in the window: so every row comes, as W&B's own reader
    asks (core/internal/runhistoryreader/livedata.go).
    """
    writer = _Writer(capabilities)
    *before, parent, last = kind.path
    place = place_of((*before, parent))
    with _down(writer, before, scope):
        for number, each in enumerate(requests):
            arguments = [
                (argument, writer.bind(f"run{number}", "String!", each.run_id))
                for argument, part in parent.arguments
                if part == "run_id"
            ]
            window = [
                ("minStep", writer.bind(f"min{number}", "Int64", each.min_step)),
                ("maxStep", writer.bind(f"max{number}", "Int64", each.max_step)),
                ("samples", writer.bind(f"samples{number}", "Int", each.max_step - each.min_step)),
            ]
            with writer.inside(parent, place, arguments, f"r{number}"):
                if each.is_first:
                    writer.fields(kind, kind.fields)
                writer.leaf(last, f"{place}.{last.field}", window, "lines")
    return writer.finish("Steps")

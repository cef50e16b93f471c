"""Write GraphQL line by line, and know what each line asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.spec import At, Field, Kind
from wandb_mirror.upstream.capabilities import Capabilities

JSON_SCALAR = "JSONString"
"""W&B's name for text that holds JSON."""
STEP_SCALAR = "Int64"
PLAIN_SCALARS = {JSON_SCALAR: "String", STEP_SCALAR: "Int"}
"""What other servers take where they do not know W&B's own scalars."""

_WORD = re.compile(r"\w+")

Argument = tuple[str, str]
"""An argument's name and how its value is written."""


@dataclass(frozen=True, slots=True)
class Document:
    """GraphQL text with its variables, and what each of its lines asks for."""

    text: str
    variables: Mapping[str, Any]
    places: Mapping[int, str]
    """Line to capability: ``Run.updatedAt``, ``project.runs(order)``, ``type JSONString``."""
    sources_of: Mapping[str, Mapping[str, str]]
    """By kind: the columns that the document asks for, and upstream's field that each comes
    from."""
    needs: frozenset[str]
    """Capabilities without which it would ask for something else than it should."""
    inside: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Capability of a field that selects within itself: the words that its selection names."""

    @property
    def sources(self) -> Mapping[str, str]:
        """The columns that a document of one kind asks for, and where each comes from."""
        return next(iter(self.sources_of.values()), {})


@dataclass(slots=True)
class Writer:
    """Writes a document line by line."""

    kind: Kind
    scope: ScopeOf
    capabilities: Capabilities
    lines: list[str] = field(default_factory=list)
    places: dict[int, str] = field(default_factory=dict)
    variables: dict[str, Any] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    sources_of: dict[str, dict[str, str]] = field(default_factory=dict)
    needs: set[str] = field(default_factory=set)
    inside_of: dict[str, frozenset[str]] = field(default_factory=dict)
    depth: int = 1
    number: int | None = None
    """Which of several objects is being written; None where there is one."""

    @property
    def sources(self) -> dict[str, str]:
        """What is asked for of the kind that is being written."""
        return self.sources_of.setdefault(self.kind.plural, {})

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

    def bind_value(self, name: str, graphql_type: str, value: Any) -> str:
        """Declare a variable, under another name where one of that name has another value."""
        if self.variables.get(name, value) != value:
            name = f"{name}_{len(self.variables)}"
        return self.bind(name, graphql_type, value)

    def bind_scope(self, at: At) -> list[Argument]:
        """Declare what of the scope goes into a field's arguments."""
        suffix = "" if self.number is None else f"_{self.number}"
        return [
            (argument, self.bind(part + suffix, type_of(argument), getattr(self.scope, part)))
            for argument, part in at.arguments
        ] + list(at.constants)

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
            self.require(place, (*at.arguments, *at.constants))
            name = (
                at.field
                if before or self.number is None
                else f"{alias_of(self.number)}: {at.field}"
            )
            with self.inside(name, place, self.bind_scope(at)):
                yield

    def parents(self, path: Sequence[At], own_keys: Iterable[str]) -> Iterator[str]:
        """Open the object at the end of a path once for each key, an alias each.

        Yields its place; what is written before the next is asked for is its selection.
        """
        *before, parent = path
        place = place_of(path)
        with self.down(before):
            self.require(place, parent.arguments)
            for number, own_key in enumerate(own_keys):
                arguments = [
                    (argument, self.bind(f"{part}_{number}", "String!", own_key))
                    for argument, part in parent.arguments
                ]
                with self.inside(f"{alias_of(number)}: {parent.field}", place, arguments):
                    yield place

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
                chosen = each.arguments + (each.selection and f" {each.selection}")
                nested = "".join(f" {{ {part}" for part in rest) + chosen + " }" * len(rest)
                text = f"{each.column}: {head}{nested}"
                self.line(f"... on {each.on} {{ {text} }}" if each.on else text, place)
                self.inside_of[place] = frozenset(_WORD.findall(f"{chosen} {each.on}"))
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
                places[len(head)] = f"type {graphql_type.strip('[]!')}"
            head.append(")")
        head[-1] += " {"
        places.update({line + len(head): place for line, place in self.places.items()})
        return Document(
            "\n".join([*head, *self.lines, "}"]),
            self.variables,
            places,
            self.sources_of,
            frozenset(self.needs),
            self.inside_of,
        )

    def _type(self, graphql_type: str) -> str:
        name = graphql_type.strip("[]!")
        if self.capabilities.lacks(f"type {name}"):
            return graphql_type.replace(name, PLAIN_SCALARS.get(name, name))
        return graphql_type


def place_of(path: Sequence[At]) -> str:
    """Return the name under which the end of a path may be lacking: ``project.runs``."""
    return ".".join(at.field for at in path)


def alias_of(number: int) -> str:
    """Return the name under which the reply has the object that was asked for as such."""
    return f"n{number}"


def type_of(argument: str) -> str:
    """Return the type of an argument that the scope fills, by W&B's habit of naming."""
    return "ID!" if argument == "id" else "String!"

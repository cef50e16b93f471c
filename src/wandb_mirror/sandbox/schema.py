"""The schema a sandbox speaks: W&B's, or that of an older or another server."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from graphql import (
    REMOVE,
    GraphQLSchema,
    NamedTypeNode,
    TypeDefinitionNode,
    Visitor,
    build_schema,
    parse,
    print_ast,
    visit,
)

BUILT_IN = frozenset({"String", "Int", "Float", "Boolean", "ID"})


def load_sdl() -> str:
    """Return the text of the schema that ships with the sandbox."""
    return files("wandb_mirror.sandbox").joinpath("schema.graphql").read_text("utf-8")


def make_schema(
    *, lacks: Collection[str] = (), renames: Mapping[str, str] | None = None
) -> GraphQLSchema:
    """Return the schema without what ``lacks`` names, with some types under other names.

    ``lacks`` holds ``Type.field``, ``Type.field(argument)`` and ``Type``, which takes every field
    of that type with it. Raises ``ValueError`` for a name that the schema does not have.
    """
    return _make_schema(frozenset(lacks), tuple((renames or {}).items()))


@cache
def _make_schema(lacks: frozenset[str], renames: tuple[tuple[str, str], ...]) -> GraphQLSchema:
    """Return a schema, made once: tests start many servers alike."""
    cut = _Cut(lacks)
    text = print_ast(visit(parse(load_sdl()), cut))
    if unknown := cut.lacks - cut.found:
        raise ValueError(f"not in the schema: {', '.join(sorted(unknown))}")
    for name, other in renames:
        if other in BUILT_IN:
            text = re.sub(rf"^scalar {name}$", "", text, flags=re.MULTILINE)
        text = re.sub(rf"\b{name}\b", other, text)  # types are capitalised, fields never are
    return build_schema(text)


class _Cut(Visitor):
    """Takes out what a server lacks."""

    def __init__(self, lacks: frozenset[str]) -> None:
        super().__init__()
        self.lacks = lacks
        self.found: set[str] = set()
        self._owner = ""
        self._field = ""
        self._is_union = False

    def enter(self, node: Any, *_: Any) -> Any:
        """Remove a type, a field or an argument."""
        if isinstance(node, TypeDefinitionNode):
            self._owner = node.name.value
            self._is_union = node.kind == "union_type_definition"
            return self._judge(self._owner)
        if node.kind == "named_type" and self._is_union and node.name.value in self.lacks:
            return REMOVE
        if node.kind == "field_definition":
            self._field = node.name.value
            return self._judge(f"{self._owner}.{self._field}", node)
        if node.kind == "input_value_definition":
            name = node.name.value
            is_argument = bool(self._field)
            place = f"{self._field}({name})" if is_argument else name
            return self._judge(f"{self._owner}.{place}", node)
        return None

    def leave(self, node: Any, *_: Any) -> None:
        """Leave a field and its arguments behind."""
        if node.kind == "field_definition":
            self._field = ""

    def _judge(self, name: str, typed: Any = None) -> Any:
        """Return what is to be done with a definition."""
        if name in self.lacks:
            self.found.add(name)
        elif typed is None or _type_name(typed) not in self.lacks:
            return None
        if "(" not in name:  # a field that is removed is not left, an argument's field is
            self._field = ""
        return REMOVE


def _type_name(node: Any) -> str:
    """Return the name of the type at the heart of a list or a non-null."""
    inner = node.type
    while not isinstance(inner, NamedTypeNode):
        inner = inner.type
    return inner.name.value

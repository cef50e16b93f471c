"""Objects of any kind, made from what the kind says of itself and from the server's schema.

So a law over all kinds runs for a new one without a line of its own. What an object is to look like
in the mirror is made beside it, by type and not by the code that reads replies.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import graphql

from fakes.serving import Server, build_schema
from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.spec import Field, Kind, Type

Node = dict[str, Any]
Rows = Callable[[str], list[tuple[Any, ...]]]
"""What asks the published file."""
NOTHING = object()
TEAM, ORGANIZATION = "team", "organization"
JSONS = (Type.JSON, Type.JSON_TEXT, Type.YAML)
KEPT = {"state": "COMMITTED", "orgEntity.name": ORGANIZATION}
"""Values that decide whether an object has children at all."""


@dataclass
class Made:
    """An object as upstream has it, and the row that the mirror is to have of it."""

    node: Node
    row: dict[str, Any]


@dataclass
class Maker:
    """Makes objects for a server and puts them where the server looks for them."""

    server: Server
    schema: graphql.GraphQLSchema = field(init=False)

    def __post_init__(self) -> None:
        self.schema = build_schema(self.server.schema_text)

    def make(self, kind: Kind, number: int, edition: int = 0) -> Made:
        """Return the object of a number, as it is after so many edits."""
        made = Made({"__typename": self._concrete(kind.upstream_type).name}, {})
        for each in kind.fields:
            found = self._type_at(kind, each)
            wire, row = self.value(kind, each, found, number, edition)
            put(made.node, each.source, wire)
            made.row[each.column] = row
        if "__typename" in {each.source for each in kind.fields}:
            column = next(each.column for each in kind.fields if each.source == "__typename")
            made.row[column] = made.node["__typename"]
        return made

    def forget_fields(self, kind: Kind) -> set[str]:
        """Let the server lack all that a kind can do without; return the columns of that."""
        schema = self.schema
        needed = {kind.own_key, kind.seek}
        found: Any = schema.type_map[kind.upstream_type]
        ways = {each.column: each.source.split(".") for each in kind.fields}
        if len(ways) > 1 and len({way[0] for way in ways.values()}) == 1:  # all are of a node
            found = graphql.get_named_type(found.fields[next(iter(ways.values()))[0]].type)
            ways = {column: way[1:] for column, way in ways.items()}
        first = {column: way[0] for column, way in ways.items()}
        kept = {name for column, name in first.items() if column in needed} | {"__typename"}
        lacking = {name for name in first.values() if name not in kept}
        assert lacking or {*first} <= needed
        self._take_away(found, lacking)
        return {column for column, name in first.items() if name in lacking}

    def forget_listing(self, kind: Kind) -> None:
        """Let the server lack what a kind is read from, in whatever way."""
        found: Any = self.schema.query_type
        path = [at for at in kind.path if at.field != "edges"]
        for at in path[:-1]:
            found = graphql.get_named_type(found.fields[at.field].type)
        ways = [each.field for each in (path[-1], kind.sampled, kind.exports) if each]
        assert found.fields.keys() >= set(ways)
        self._take_away(found, set(ways))

    def _take_away(self, found: Any, lacking: set[str]) -> None:
        """Let the server's type, and whatever it may be, lack some fields."""
        types = {found.name}
        if graphql.is_abstract_type(found):
            types |= {each.name for each in self.schema.get_possible_types(found)}
        self.server.schema_text = _without(self.server.schema_text, types, lacking)

    def _type_at(self, kind: Kind, each: Field) -> Any:
        found: Any = self._concrete(each.on or kind.upstream_type)
        for name in each.source.split("."):
            if name == "__typename":
                return graphql.GraphQLString
            assert name in found.fields, f"the fake server's {found} lacks {name}"
            found = graphql.get_named_type(found.fields[name].type)
        return found

    def _concrete(self, name: str) -> Any:
        """Return a type of which there are objects: of several, the first that an ``on`` names."""
        found = self.schema.type_map[name]
        if graphql.is_abstract_type(found):
            return self.schema.get_possible_types(found)[0]
        return found

    def value(
        self, kind: Kind, each: Field, found: Any, number: int, edition: int
    ) -> tuple[Any, Any]:
        """Return a value as upstream has it, and as the mirror keeps it."""
        text = f"{each.source} of {number}: {edition}"
        if each.column == kind.own_key:
            own = number if found.name == "Int" else f"{kind.name}-{number}"
            return own, str(own)
        if each.on and each.on != self._concrete(kind.upstream_type).name:
            return None, None
        if each.source == "__typename":
            return NOTHING, None
        if each.type is Type.JSON:
            return self._json(each, found, text)
        if each.type is Type.TEXT:
            text = next((KEPT[name] for name in KEPT if each.source.endswith(name)), text)
            return text, text.lower() if each.is_lower else text
        return _simple(each, number, edition)

    def _json(self, each: Field, found: Any, text: str) -> tuple[Any, Any]:
        if not each.selection:
            return [text], [text]
        selection = graphql.parse(each.selection).definitions[0].selection_set
        wire, row = self._fill(found, selection, text)
        if not found.name.endswith("Connection"):
            wire, row = self._listed(each, wire, row)
        if each.pluck:
            row = [one[each.pluck] for one in row]
        return wire, row

    def _listed(self, each: Field, wire: Any, row: Any) -> tuple[Any, Any]:
        return ([wire], [row]) if each.pluck or each.column in ("aliases", "tags") else (wire, row)

    def _fill(self, found: Any, selection: Any, text: str) -> tuple[Any, Any]:
        """Return an object of what is selected of a type: with its type, and as it is read."""
        if found.name.endswith("Connection"):
            edge = graphql.get_named_type(found.fields["edges"].type)
            node = graphql.get_named_type(edge.fields["node"].type)
            wire, row = self._fill(node, _inner(selection, "edges", "node"), text)
            counts = {part.name.value: 1 for part in selection.selections}
            del counts["edges"]
            return [wire], {**counts, "edges": [{"node": row}]} if counts else [row]
        if graphql.is_leaf_type(found):
            kinds = {"Boolean": True, "Int": 1, "Int64": 1, "Float": 0.5}
            value = kinds.get(found.name, text)
            return value, value
        concrete = self._concrete(found.name)
        wire, row = {"__typename": concrete.name}, {}
        for part in _fields_for(concrete.name, selection):
            own = part.name.value
            if own == "__typename":
                row[own] = concrete.name
                continue
            inner = graphql.get_named_type(concrete.fields[own].type)
            wire[own], row[part.alias.value if part.alias else own] = self._fill(
                inner, part.selection_set, text
            )
            listed = graphql.get_nullable_type(concrete.fields[own].type)
            if isinstance(listed, graphql.GraphQLList):
                wire[own], row[own] = [wire[own]], [row[own]]
        return wire, row


def _simple(each: Field, number: int, edition: int) -> tuple[Any, Any]:
    """Return a value that nothing but its type says anything of."""
    time = datetime(2024, 1, 1 + number, 0, edition)  # noqa: DTZ001
    name = f"{each.source} of {number}"
    made: dict[Type, tuple[Any, Any]] = {
        Type.YAML: (f"{name}: {edition}", {name: edition}),
        Type.INTEGER: (100 * number + edition, 100 * number + edition),
        Type.REAL: (number + edition / 4, number + edition / 4),
        Type.BOOLEAN: (edition % 2 == 0, edition % 2 == 0),
        Type.TIME: (f"{time.isoformat()}Z", time),
        Type.JSON_TEXT: (json.dumps({"edition": edition}), {"edition": edition}),
        Type.ADDRESS: (f"https://me:secret@{edition}.test/a?b", f"https://{edition}.test/a"),
        Type.WEBHOOK: (
            f"https://{edition}.test/a/T0/5ecretOf24LettersAndMore?b",
            f"https://{edition}.test/a/T0/[redacted]",
        ),
    }
    return made[each.type]


def _inner(selection: Any, *names: str) -> Any:
    for name in names:
        selection = next(
            part.selection_set for part in selection.selections if part.name.value == name
        )
    return selection


def _fields_for(name: str, selection: Any) -> list[Any]:
    found = []
    for part in selection.selections:
        if isinstance(part, graphql.InlineFragmentNode):
            if part.type_condition.name.value == name:
                found += _fields_for(name, part.selection_set)
        else:
            found.append(part)
    return found


def put(node: Node, source: str, value: Any) -> None:
    """Put a value where a dotted path leads."""
    *way, last = source.split(".")
    for name in way:
        node = node.setdefault(name, {})
    if value is not NOTHING:
        node.setdefault(last, value)


def parent_of(kind: Kind) -> Kind | None:
    """Return the kind whose objects this kind's are looked for in; None where it is listed."""
    if kind.follows is None:
        holders = [each for each in STORED if each.holds == kind.scope != "project"]
        return holders[0] if holders else None
    return next(each for each in STORED if each.plural == kind.follows.parent)


def read_rows(rows: Rows, kind: Kind, *, gone: bool = False) -> dict[Any, dict[str, Any]]:
    """Return the live rows of a kind, or those marked as gone, by their own key."""
    mark = {"deleted": "deleted_at", "inaccessible": "inaccessible_since"}.get(kind.when_gone)
    condition = "" if mark is None else f" WHERE {mark} IS {'NOT ' if gone else ''}NULL"
    columns = [field.column for field in kind.fields]
    names = ", ".join(f'"{column}"' for column in columns)
    answer = rows(f"SELECT {names} FROM _data.{kind.plural}{condition}")
    found = [dict(zip(columns, row, strict=True)) for row in answer]
    for row in found:
        for column in (each.column for each in kind.fields if each.type in JSONS):
            if row[column] is not None:
                row[column] = json.loads(row[column])
    return {row[kind.own_key]: row for row in found}


@dataclass
class Shelf:
    """One place for objects of a kind, with all that has to be there above it."""

    kind: Kind
    maker: Maker

    def __post_init__(self) -> None:
        self.server = self.maker.server
        self.project = self.server.projects[0]
        parent = parent_of(self.kind)
        self.above = Shelf(parent, self.maker) if parent is not None else None
        if self.above is not None and self.above.kind.shape == "node":
            node = self.maker.make(self.above.kind, 0).node
            self.server.entities[TEAM] = {**node, "name": TEAM}
        elif self.above is not None:
            self.above.show([0])

    @property
    def sizes(self) -> tuple[int, int, int]:
        """How many objects there are to be: many pages, one less, and a few."""
        self.server.largest_page = 2
        return 5, 4, 2

    def read(self, rows: Rows, *, gone: bool = False) -> dict[Any, dict[str, Any]]:
        """Return what the mirror has of the objects that are there, or of those that are gone."""
        return read_rows(rows, self.kind, gone=gone)

    @property
    def holder(self) -> tuple[Node, str]:
        """Return the dict and the name under which the server has the listing."""
        kind, last = self.kind, self.kind.path[-1].field
        first = kind.path[0]
        if first.field == "entity":
            name = ORGANIZATION if kind.scope == "organization" else TEAM
            return self.server.entities.setdefault(name, {"id": name, "name": name}), last
        if kind.scope == "project":
            return self.project, last
        assert self.above is not None
        parent = self.above.first()
        named = max(place for place, at in enumerate(kind.path[:-1]) if at.arguments)
        for at in kind.path[named + 1 : -1]:
            if not isinstance(parent.get(at.field), dict):
                parent[at.field] = {}
            parent = parent[at.field]
        return parent, last

    def first(self) -> Node:
        """Return the object that has children."""
        holder, name = self.holder
        found: Node = holder[name][0]
        return found["node"] if name == "edges" else found

    def show(self, numbers: list[int], **edited: int) -> dict[Any, dict[str, Any]]:
        """Let upstream have these objects, one of them edited; return their rows by own key."""
        edition = edited.get("edition", 0)
        made = [self.maker.make(self.kind, each, edition if each == 1 else 0) for each in numbers]
        holder, name = self.holder
        kept = {_name_of(each): each for each in holder.get(name) or []}
        holder[name] = [{**kept.get(_name_of(each.node), {}), **each.node} for each in made]
        if self.above is not None:
            self.above.touch(self.kind)
        return {each.row[self.kind.own_key]: each.row for each in made}

    def touch(self, child: Kind) -> None:
        """Move what upstream moves when children of the first object change."""
        assert child.follows is not None
        column = child.follows.by
        if not column:
            return
        holder, name = self.holder
        node = holder[name][0]
        if column == "light_digest":
            column = next(
                each.column
                for each in self.kind.light_fields
                if each.type is Type.TEXT
                and each.column not in (*self.kind.key, *self.kind.restless)
                and not each.on
                and "." not in each.source
                and each.source not in ("state", "__typename")
            )
        source = self.kind.field(column).source
        *way, last = source.split(".")
        for name in way:
            node = node[name]
        old = node[last]
        node[last] = old + 1 if isinstance(old, int) else f"{old}!"
        if self.above is not None:
            self.above.touch(self.kind)

    def hide(self) -> Callable[[], None]:
        """Show no listing any more, as to somebody who may not see it; return what shows it."""
        holder, name = self.holder
        shown, holder[name] = holder[name], None
        if self.above is not None:
            self.above.touch(self.kind)

        def show() -> None:
            holder[name] = shown

        return show

    def refuse(self, text: str) -> str | None:
        """Refuse to answer a document that asks for the listing."""
        words = [f"{at.field} ?[({{]" for at in self.kind.path]
        is_asked = all(re.search(rf"\b{each}", text) for each in words)
        return "permission denied" if is_asked else None

    def forget_fields(self) -> set[str]:
        """Let the server lack all that a kind can do without; return the columns of that."""
        return self.maker.forget_fields(self.kind)

    def forget_listing(self) -> None:
        """Let the server lack what the kind is read from."""
        self.maker.forget_listing(self.kind)


def _name_of(node: Node) -> Any:
    return node.get("id", node.get("name"))


def _without(schema_text: str, types: set[str], lacking: set[str]) -> str:
    """Return a schema without some fields of some types."""
    texts = []
    for each in graphql.parse(schema_text).definitions:
        text = graphql.print_ast(each)
        if each.name.value in types:
            text = "\n".join(
                line for line in text.split("\n") if re.split(r"\W", line.strip())[0] not in lacking
            )
        texts.append(text)
    return "\n".join(texts)

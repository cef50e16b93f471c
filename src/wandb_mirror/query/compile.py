"""A filter's tree as SQL over the published file.

Values are bound, identifiers quoted. A key of config or summary is compared in its typed column
where ``columns`` says that the column holds scalars of one type and nothing was left out of it;
everywhere else in the long tables, type by type. No condition is ever NULL, so NOT means not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from wandb_mirror.errors import BadFilter
from wandb_mirror.jsontext import dumps
from wandb_mirror.kinds.spec import Type
from wandb_mirror.query.fields import ColumnField, KeyField, Source, TagField, resolve
from wandb_mirror.query.filters import And, Compare, Not, Tree
from wandb_mirror.query.meaning import as_time, sort_of

SYMBOLS = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
NEVER, ALWAYS = "false", "true"


def quote(name: str) -> str:
    """Return an identifier as SQL text."""
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True)
class Key:
    """A key of config or summary in the published file."""

    key_no: int
    depth: int
    """How many parts its path has: of two that read the same, the nested one counts."""
    column: str | None = None
    """Its column in the wide table, where that can be trusted for comparisons."""
    type: str | None = None


@dataclass(frozen=True, slots=True)
class Catalog:
    """What a project's runs have: keys by source and name, parts joined by dots."""

    keys: Mapping[tuple[Source, str], Sequence[Key]]
    prefixes: Mapping[tuple[Source, str], Sequence[int]]
    """Numbers of the keys that lie below a name."""


@dataclass(slots=True)
class Compiler:
    """Compiles one filter; bound values gather in ``parameters``, in the order of the text."""

    catalog: Catalog
    parameters: list[Any] = field(default_factory=list)

    def condition(self, tree: Tree) -> str:
        """Return a condition on the rows called ``r``; never NULL."""
        if isinstance(tree, Compare):
            return self._compare(tree)
        if isinstance(tree, Not):
            return f"NOT ({self.condition(tree.part)})"
        word, empty = (" AND ", ALWAYS) if isinstance(tree, And) else (" OR ", NEVER)
        parts = [f"({self.condition(part)})" for part in tree.parts]
        return word.join(parts) if parts else empty

    def _bind(self, value: Any) -> str:
        self.parameters.append(value)
        return "?"

    def _compare(self, compare: Compare) -> str:
        found = resolve(compare.path, compare.place)
        if isinstance(found, TagField):
            return self._tag(found, compare)
        if isinstance(found, KeyField):
            return (
                self._metric(found, compare)
                if found.source == "metric"
                else self._key(found, compare)
            )
        if found.column == "tags":
            return self._tags(compare)
        return self._column(found, compare)

    def _column(self, found: ColumnField, compare: Compare) -> str:
        """Compare one of the run's own columns."""
        column = f"r.{quote(found.column)}"
        if compare.operator == "$exists":
            return f"{column} IS {'NOT ' if compare.operand else ''}NULL"
        operand = compare.operand
        if operand is None:
            return f"{column} IS NULL"
        if found.type is Type.TIME:
            if compare.operator == "$regex":
                return NEVER
            operand = as_time(operand, compare.place)
            return f"coalesce({column} {SYMBOLS[compare.operator]} {self._bind(operand)}, false)"
        has = {"text": "text", "json": "text", "integer": "number", "real": "number"}
        return self._scalar(column, has.get(found.type.value, "boolean"), compare)

    def _scalar(self, column: str, sort: str, compare: Compare) -> str:
        """Compare a column that holds values of one sort, or NULL."""
        if compare.operator == "$regex":
            if sort != "text":
                return NEVER
            return f"coalesce(regexp_matches({column}, {self._bind(compare.operand)}), false)"
        if isinstance(compare.operand, datetime):
            raise BadFilter(f"{compare.place}: {compare.path} is no time")
        if sort_of(compare.operand) != sort:
            return NEVER
        symbol = SYMBOLS[compare.operator]
        guard = f" AND NOT isnan({column}::DOUBLE)" if sort == "number" else ""
        return f"coalesce({column} {symbol} {self._bind(compare.operand)}{guard}, false)"

    def _tag(self, found: TagField, compare: Compare) -> str:
        tag = self._bind(found.tag)
        has = f"EXISTS (FROM _data.run_tags t WHERE t.run_no = r.run_no AND t.tag = {tag})"
        return _presence(has, compare)

    def _tags(self, compare: Compare) -> str:
        """Compare the list of tags: as a whole, or tag by tag."""
        if compare.operator == "$exists":
            return f"r.tags IS {'NOT ' if compare.operand else ''}NULL"
        if compare.operand is None:
            return "r.tags IS NULL"
        if isinstance(compare.operand, list):
            return f"coalesce(r.tags = {self._bind(dumps(compare.operand))}, false)"
        inner = self._scalar("t.tag", "text", compare)
        return f"EXISTS (FROM _data.run_tags t WHERE t.run_no = r.run_no AND {inner})"

    def _metric(self, found: KeyField, compare: Compare) -> str:
        keys = self.catalog.keys.get(("metric", found.names[0]), ())
        return _presence(_has("_data.metric_stats", [key.key_no for key in keys]), compare)

    def _key(self, found: KeyField, compare: Compare) -> str:
        """Compare a key: the first of its names that a run has counts."""
        keys = [
            key
            for name in found.names
            for key in sorted(
                self.catalog.keys.get((found.source, name), ()), key=lambda key: -key.depth
            )
        ]
        table = f"_data.run_{found.source}"
        below = [
            number
            for name in found.names
            for number in self.catalog.prefixes.get((found.source, name), ())
        ]
        if compare.operator == "$exists":
            has = _has(table, [*(key.key_no for key in keys), *below])
            return has if compare.operand else f"NOT {has}"
        if compare.operand is None:
            return self._null(table, keys, below)
        if len(keys) == 1 and keys[0].column is not None and not isinstance(compare.operand, list):
            sort = {"VARCHAR": "text", "BOOLEAN": "boolean"}.get(keys[0].type or "", "number")
            return self._scalar(f"r.{quote(keys[0].column)}", sort, compare)
        return self._long(table, keys, compare)

    def _null(self, table: str, keys: Sequence[Key], below: Sequence[int]) -> str:
        """Return the condition that a key is missing, null, or a list with a null in it."""
        if not keys and not below:
            return ALWAYS
        holds = f"(v.value = 'null' OR (v.value[1] = '[' AND {_any_element('NULL', ALWAYS)}))"
        conditions = [self._first(table, keys, place, holds) for place in range(len(keys))]
        here = [*(key.key_no for key in keys), *below]
        return " OR ".join([f"NOT {_has(table, here)}", *conditions])

    def _long(self, table: str, keys: Sequence[Key], compare: Compare) -> str:
        """Compare in the long table, type by type, lists element by element."""
        conditions = [
            self._first(table, keys, place, f"({self._value(compare)})")
            for place in range(len(keys))
        ]
        return " OR ".join(conditions) or NEVER

    def _first(self, table: str, keys: Sequence[Key], place: int, holds: str) -> str:
        """Return the condition that holds for a key, where no earlier one is there."""
        has = _has(table, [keys[place].key_no], f" AND {holds}")
        earlier = [key.key_no for key in keys[:place]]
        return f"({has} AND NOT {_has(table, earlier)})" if earlier else has

    def _value(self, compare: Compare) -> str:
        """Return the condition on one value of a long table, called ``v``."""
        if isinstance(compare.operand, list):
            return f"v.value = {self._bind(dumps(compare.operand))}"
        sort = "text" if compare.operator == "$regex" else sort_of(compare.operand)
        scalar = {
            "number": lambda: self._scalar("v.number", "number", compare),
            "text": lambda: (
                "v.number IS NULL AND v.value[1] = '\"' AND "
                + self._scalar("v.text", "text", compare)
            ),
            "boolean": lambda: (
                "v.value IN ('true', 'false') AND "
                + self._scalar("(v.value = 'true')", "boolean", compare)
            ),
        }.get(sort)
        if scalar is None:
            raise BadFilter(f"{compare.place}: {compare.path} is no time")
        alone = scalar()
        return f"({alone}) OR (v.value[1] = '[' AND {self._element(sort, compare)})"

    def _element(self, sort: str, compare: Compare) -> str:
        """Return the condition that an element of a list passes."""
        types, value = ELEMENTS[sort]
        return _any_element(types, self._scalar(value, sort, compare))


ELEMENTS = {
    "number": ("BIGINT UBIGINT HUGEINT DOUBLE", "TRY_CAST(e.item AS DOUBLE)"),
    "text": ("VARCHAR", "(e.item->>'$')"),
    "boolean": ("BOOLEAN", "TRY_CAST(e.item AS BOOLEAN)"),
}
"""For each sort of value: what DuckDB calls its JSON types, and how it is taken out of JSON."""


def _has(table: str, key_nos: Sequence[int], more: str = "") -> str:
    """Return the condition that a run has one of some keys."""
    listed = ", ".join(map(str, key_nos)) or "-1"
    return f"EXISTS (FROM {table} v WHERE v.run_no = r.run_no AND v.key_no IN ({listed}){more})"


def _any_element(types: str, condition: str) -> str:
    """Return the condition that an element, of one of some JSON types, of a list passes."""
    listed = ", ".join(f"'{each}'" for each in types.split())
    return (
        "EXISTS (FROM (SELECT unnest(json_extract(CASE WHEN v.value[1] = '[' "
        "AND json_valid(v.value) THEN v.value END, '$[*]')) AS item) e "
        f"WHERE json_type(e.item) IN ({listed}) AND {condition})"
    )


def _presence(has: str, compare: Compare) -> str:
    """Return a comparison of something that is there or not, and is true where it is there."""
    if compare.operator == "$exists":
        return has if compare.operand else f"NOT {has}"
    if compare.operand is None:
        return f"NOT {has}"
    return has if compare.operator == "$eq" and compare.operand is True else NEVER

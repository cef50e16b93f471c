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
from wandb_mirror.query.conditions import (
    ARRAY,
    ARTIFACT_NAMES,
    ELEMENTS,
    any_element,
    has_key,
    is_integer,
)
from wandb_mirror.query.fields import (
    PLACES,
    ColumnField,
    KeyField,
    LineageField,
    Source,
    TagField,
    resolve,
)
from wandb_mirror.query.filters import And, Compare, Not, Tree
from wandb_mirror.query.meaning import as_time, asks_for_presence, check_artifact, sort_of
from wandb_mirror.query.numbers import EXACT, against_doubles, as_integer, is_past_exact

SYMBOLS = {"$eq": "=", "$gt": ">", "$gte": ">=", "$lt": "<", "$lte": "<="}
TEXTUAL = {"$regex": "regexp_matches", "$contains": "contains"}
SORTS = {"VARCHAR": "text", "BOOLEAN": "boolean", "BIGINT": "integer"}
"""A wide column's type to the sort of values in it; all else are numbers."""
TEXTS = {"v.number": "v.value", ELEMENTS["number"][1]: "CAST(e.item AS VARCHAR)"}
"""Where numbers are doubles of JSON: the JSON that they are of."""
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
    place: tuple[str, str] = ("", "")
    """Entity and project."""
    project_no: int = -1


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
        if isinstance(found, LineageField):
            return self._artifacts(found, compare)
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
        if found.column in PLACES:
            name = self.catalog.place[PLACES.index(found.column)]
            column = "'" + name.replace("'", "''") + "'"
        if compare.operator == "$exists":
            return f"{column} IS {'NOT ' if compare.operand else ''}NULL"
        operand = compare.operand
        if operand is None:
            return f"{column} IS NULL"
        if found.type is Type.TIME:
            if compare.operator in TEXTUAL:
                raise BadFilter(
                    f"{compare.place}: {compare.path} is a time; compare it with $gte and $lt"
                )
            if compare.operator == "$size":
                return NEVER
            operand = as_time(operand, compare.place)
            return f"coalesce({column} {SYMBOLS[compare.operator]} {self._bind(operand)}, false)"
        has = {"text": "text", "json": "text", "integer": "integer", "real": "number"}
        return self._scalar(column, has.get(found.type.value, "boolean"), compare)

    def _scalar(self, column: str, sort: str, compare: Compare) -> str:
        """Compare a column that holds values of one sort, or NULL."""
        if isinstance(compare.operand, datetime):
            raise BadFilter(f"{compare.place}: {compare.path} is no time")
        wanted = sort_of(compare.operand)
        if compare.operator == "$size" or wanted != ("number" if sort == "integer" else sort):
            return NEVER
        if compare.operator in TEXTUAL:
            word = TEXTUAL[compare.operator]
            return f"coalesce({word}({column}, {self._bind(compare.operand)}), false)"
        symbol = SYMBOLS[compare.operator]
        if sort == "number":
            return f"coalesce({self._number(column, symbol, compare.operand)}, false)"
        operand = as_integer(compare.operand) if sort == "integer" else compare.operand
        return f"coalesce({column} {symbol} {self._bind(operand)}, false)"

    def _number(self, column: str, symbol: str, operand: float) -> str:
        """Compare doubles; integers past what these hold exactly, by their own digits."""
        whole, exact = as_integer(operand), ""
        if abs(whole) >= EXACT and isinstance(whole, int) and column in TEXTS:
            text = TEXTS[column]
            exact = (
                f"WHEN {is_integer(text)} "
                f"THEN TRY_CAST({text} AS HUGEINT) {symbol} {self._bind(whole)} "
            )
        as_double, near = against_doubles(symbol, whole)
        plain = (
            NEVER
            if as_double is None
            else f"{column} {as_double} {self._bind(near)} AND NOT isnan({column})"
        )
        return f"CASE {exact}ELSE {plain} END" if exact else plain

    def _tag(self, found: TagField, compare: Compare) -> str:
        is_wanted = asks_for_presence(compare)
        tag = self._bind(found.tag)
        has = f"EXISTS (FROM _data.run_tags t WHERE t.run_no = r.run_no AND t.tag = {tag})"
        return has if is_wanted else f"NOT {has}"

    def _artifacts(self, found: LineageField, compare: Compare) -> str:
        """Compare the artifacts that a run used or made, each by any of its names."""
        check_artifact(compare)
        rows = (
            f"FROM _data.{found.table} t "
            f"WHERE t.project_no = {self.catalog.project_no} AND t.run_id = r.run_id"
        )
        if compare.operator == "$exists" or compare.operand is None:
            has = f"EXISTS ({rows})"
            return has if compare.operator == "$exists" and compare.operand else f"NOT {has}"
        inner = self._scalar("n.name", "text", compare)
        return f"EXISTS (FROM (SELECT unnest([{ARTIFACT_NAMES}]) AS name {rows}) n WHERE {inner})"

    def _tags(self, compare: Compare) -> str:
        """Compare the list of tags: as a whole, or tag by tag."""
        if compare.operator == "$exists":
            return f"r.tags IS {'NOT ' if compare.operand else ''}NULL"
        if compare.operand is None:
            return "r.tags IS NULL"
        if isinstance(compare.operand, list):
            return f"coalesce(r.tags = {self._bind(dumps(compare.operand))}, false)"
        if compare.operator == "$size":
            return f"coalesce(json_array_length(r.tags) = {self._bind(compare.operand)}, false)"
        inner = self._scalar("t.tag", "text", compare)
        return f"EXISTS (FROM _data.run_tags t WHERE t.run_no = r.run_no AND {inner})"

    def _metric(self, found: KeyField, compare: Compare) -> str:
        keys = self.catalog.keys.get(("metric", found.names[0]), ())
        has = has_key("_data.metric_stats", [key.key_no for key in keys])
        return has if asks_for_presence(compare) else f"NOT {has}"

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
            has = has_key(table, [*(key.key_no for key in keys), *below])
            return has if compare.operand else f"NOT {has}"
        if compare.operand is None:
            return self._null(table, keys, below)
        if len(keys) == 1 and keys[0].column is not None and not isinstance(compare.operand, list):
            sort = SORTS.get(keys[0].type or "", "number")
            if sort != "number" or not is_past_exact(compare.operand):
                return self._scalar(f"r.{quote(keys[0].column)}", sort, compare)
        return self._long(table, keys, compare)

    def _null(self, table: str, keys: Sequence[Key], below: Sequence[int]) -> str:
        """Return the condition that a key is missing, null, or a list with a null in it."""
        if not keys and not below:
            return ALWAYS
        holds = f"(v.value = 'null' OR (v.value[1] = '[' AND {any_element('NULL', ALWAYS)}))"
        conditions = [self._first(table, keys, place, holds) for place in range(len(keys))]
        here = [*(key.key_no for key in keys), *below]
        return " OR ".join([f"NOT {has_key(table, here)}", *conditions])

    def _long(self, table: str, keys: Sequence[Key], compare: Compare) -> str:
        """Compare in the long table, type by type, lists element by element."""
        conditions = [
            self._first(table, keys, place, f"({self._value(compare)})")
            for place in range(len(keys))
        ]
        return " OR ".join(conditions) or NEVER

    def _first(self, table: str, keys: Sequence[Key], place: int, holds: str) -> str:
        """Return the condition that holds for a key, where no earlier one is there."""
        has = has_key(table, [keys[place].key_no], f" AND {holds}")
        earlier = [key.key_no for key in keys[:place]]
        return f"({has} AND NOT {has_key(table, earlier)})" if earlier else has

    def _value(self, compare: Compare) -> str:
        """Return the condition on one value of a long table, called ``v``."""
        if isinstance(compare.operand, list):
            return f"v.value = {self._bind(dumps(compare.operand))}"
        if compare.operator == "$size":
            return f"coalesce(json_array_length({ARRAY}) = {self._bind(compare.operand)}, false)"
        sort = "text" if compare.operator in TEXTUAL else sort_of(compare.operand)
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
        return any_element(types, self._scalar(value, sort, compare))

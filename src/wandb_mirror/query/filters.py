"""W&B's filters, a dialect of MongoDB's, read into a small tree.

Three steps, each its own module: text to tree (here), the meaning of a tree for one object
(``meaning``), a tree as SQL (``compile``).
"""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from wandb_mirror.errors import BadFilter
from wandb_mirror.query.numbers import LARGEST
from wandb_mirror.query.patterns import FLAGS, find_fault

COMPARISONS: dict[str, str] = {
    "$eq": "equals; for a list: equals it or one of its elements",
    "$ne": "does not equal, or is missing",
    "$gt": "is greater",
    "$gte": "is greater or equal",
    "$lt": "is less",
    "$lte": "is less or equal",
    "$in": "equals one of a list",
    "$nin": "equals none of a list, or is missing",
    "$exists": "is there (true) or missing (false)",
    "$regex": "matches a regular expression (RE2) somewhere; `$options` beside it: `i`, `m`, `s`",
    "$contains": "contains a text",
    "$all": "equals each of a list, as `$eq` does",
    "$size": "is a list of so many elements",
    "$not": "does not pass another comparison, or is missing",
}
"""Comparisons of one field, and what each means."""
LOGIC = ("$and", "$or", "$nor")
ORDERINGS = ("$gt", "$gte", "$lt", "$lte")
Scalar = str | int | float | bool | None
DEEPEST = 100
"""How far filters may be nested: far beyond what people write, and within Python's own stack."""


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison of one field."""

    path: str
    operator: str
    operand: Any
    place: str
    """Where in the filter it stands, for messages."""


@dataclass(frozen=True, slots=True)
class And:
    """All of the parts pass; with no parts, everything does."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of the parts passes; with no parts, nothing does."""

    parts: tuple[Tree, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not pass."""

    part: Tree


Tree = Compare | And | Or | Not


def parse_filter(filters: Mapping[str, Any] | None) -> Tree:
    """Return the tree of a filter; raises ``BadFilter`` naming the place in it."""
    return _parse({} if filters is None else filters, "filter", 0)


def _parse(filters: Any, place: str, depth: int) -> Tree:
    if depth > DEEPEST:
        raise BadFilter(f"filter: nested more than {DEEPEST} deep; write it flatter")
    if not isinstance(filters, Mapping):
        raise BadFilter(f'{place}: write an object like {{"state": "finished"}}, not {filters!r}')
    parts: list[Tree] = []
    for key, value in filters.items():
        if not isinstance(key, str) or not key:
            raise BadFilter(f"{place}: a field's name is text, not {key!r}")
        here = f"{place}.{key}"
        parts.append(
            _parse_logic(key, value, here, depth)
            if key[0] == "$"
            else _parse_field(key, value, here, depth)
        )
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _parse_logic(key: str, value: Any, place: str, depth: int) -> Tree:
    if key not in LOGIC:
        raise BadFilter(f"{place}: no operator {key}{_nearest(key, LOGIC)}")
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    if not is_list or (not value and key != "$and"):  # W&B's client writes "$and": [] for no filter
        raise BadFilter(f"{place}: {key} takes a list of filters, not {value!r}")
    parts = tuple(
        _parse(each, f"{place}[{number}]", depth + 1) for number, each in enumerate(value)
    )
    if key == "$and":
        return And(parts)
    return Or(parts) if key == "$or" else Not(Or(parts))


def _parse_field(path: str, value: Any, place: str, depth: int) -> Tree:
    if depth > DEEPEST:
        raise BadFilter(f"filter: nested more than {DEEPEST} deep; write it flatter")
    is_operators = isinstance(value, Mapping) and any(str(key).startswith("$") for key in value)
    if not is_operators:
        return Compare(path, "$eq", _check_value(value, place), place)
    if "$options" in value:
        value = _with_options(value, place)
    parts = [
        _parse_comparison(path, key, operand, f"{place}.{key}", depth)
        for key, operand in value.items()
    ]
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _with_options(value: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return a comparison with the options of its pattern in the pattern."""
    options, pattern = value["$options"], value.get("$regex")
    if not isinstance(options, str) or not FLAGS.issuperset(options):
        raise BadFilter(f"{place}.$options: write letters out of i, m and s, not {options!r}")
    if "$regex" not in value:
        raise BadFilter(f"{place}.$options: it goes with $regex, which is not there")
    rest = {key: operand for key, operand in value.items() if key != "$options"}
    if options and isinstance(pattern, str):
        rest["$regex"] = f"(?{options}){pattern}"
    return rest


def _parse_comparison(path: str, operator: Any, operand: Any, place: str, depth: int) -> Tree:
    if operator not in COMPARISONS:
        raise BadFilter(f"{place}: no operator {operator}{_nearest(str(operator), COMPARISONS)}")
    if operator == "$not":
        if not isinstance(operand, Mapping) or not operand:
            raise BadFilter(f'{place}: $not takes a comparison like {{"$gt": 1}}, not {operand!r}')
        return Not(_parse_field(path, operand, place, depth + 1))
    if operator == "$ne":
        return Not(Compare(path, "$eq", _check_value(operand, place), place))
    if operator in ("$in", "$nin", "$all"):
        if not isinstance(operand, Sequence) or isinstance(operand, str):
            raise BadFilter(f"{place}: {operator} takes a list, not {operand!r}")
        equals = tuple(
            Compare(path, "$eq", _check_value(each, here), here)
            for number, each in enumerate(operand)
            for here in (f"{place}[{number}]",)
        )
        if operator == "$all":
            return And(equals) if equals else Or(())
        return Or(equals) if operator == "$in" else Not(Or(equals))
    return Compare(path, operator, _check_operand(operator, operand, place), place)


def _check_operand(operator: str, operand: Any, place: str) -> Any:
    if operator == "$exists":
        if not isinstance(operand, (bool, int)):
            raise BadFilter(f"{place}: $exists takes true or false, not {operand!r}")
        return bool(operand)
    if operator in ("$regex", "$contains"):
        if not isinstance(operand, str):
            raise BadFilter(f"{place}: {operator} takes text, not {operand!r}")
        text = _check_value(operand, place)
        return _check_pattern(text, place) if operator == "$regex" else text
    if operator == "$size":
        if type(operand) is not int or not 0 <= operand < LARGEST:
            raise BadFilter(f"{place}: $size takes a whole number from 0 on, not {operand!r}")
        return operand
    if operator in ORDERINGS and (operand is None or isinstance(operand, (list, tuple))):
        raise BadFilter(
            f"{place}: {operator} compares with a number, text or time, not {operand!r}"
        )
    return _check_value(operand, place)


def _check_pattern(pattern: str, place: str) -> str:
    if fault := find_fault(pattern):
        raise BadFilter(
            f"{place}: {pattern!r} is no regular expression of W&B's (RE2, without look-around and "
            f"back-references): {fault}"
        )
    return pattern


def _check_value(value: Any, place: str) -> Any:
    """Return a value that can be compared with; times stay times."""
    if isinstance(value, float) and math.isnan(value):
        raise BadFilter(f"{place}: nothing compares with NaN; ask in SQL with isnan()")
    if isinstance(value, str):
        return _check_text(value, place)
    if isinstance(value, int) and abs(value) >= LARGEST:
        if abs(value) > sys.float_info.max:
            raise BadFilter(f"{place}: no number is as large as that")
        return float(value)
    if isinstance(value, (int, float, bool, type(None), datetime)):
        return value
    if isinstance(value, date):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if isinstance(value, (list, tuple)):
        if any(isinstance(each, date) for each in value):
            raise BadFilter(f"{place}: no list holds times; write ISO 8601 text")
        return [_check_value(each, f"{place}[{number}]") for number, each in enumerate(value)]
    if isinstance(value, Mapping):
        near = next((f"${key}" for key in value if f"${key}" in COMPARISONS), None)
        hint = (
            f"did you mean {near}?"
            if near
            else f"compare the parts of an object one by one, like {place}.KEY"
        )
        raise BadFilter(f"{place}: nothing compares with an object; {hint}")
    raise BadFilter(f"{place}: {type(value).__name__} is nothing a filter compares with")


def _check_text(text: str, place: str) -> str:
    """Return text that can be sent on: JSON may hold half a character."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadFilter(f"{place}: {text!r} is no text: {error.reason}") from error
    return text


def _nearest(word: str, known: Sequence[str] | Mapping[str, str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"

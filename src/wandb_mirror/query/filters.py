"""W&B's filters, a dialect of MongoDB's, read into a small tree.

Three steps, each its own module: text to tree (here), the meaning of a tree for one object
(``meaning``), a tree as SQL (``compile``).
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wandb_mirror.errors import BadFilter

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
    "$regex": "matches a regular expression (RE2) somewhere",
    "$not": "does not pass another comparison, or is missing",
}
"""Comparisons of one field, and what each means."""
LOGIC = ("$and", "$or", "$nor")
ORDERINGS = ("$gt", "$gte", "$lt", "$lte")
Scalar = str | int | float | bool | None
NOT_RE2 = re.compile(r"\(\?(?:[=!]|<[=!]|>|\()|\\[1-9]|\(\?P=|[*+?}]\+")
"""What Python's expressions have and RE2 has not: look-around, back-references, atomic groups."""


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
    return _parse({} if filters is None else filters, "filter")


def _parse(filters: Any, place: str) -> Tree:
    if not isinstance(filters, Mapping):
        raise BadFilter(f'{place}: write an object like {{"state": "finished"}}, not {filters!r}')
    parts: list[Tree] = []
    for key, value in filters.items():
        if not isinstance(key, str) or not key:
            raise BadFilter(f"{place}: a field's name is text, not {key!r}")
        here = f"{place}.{key}"
        parts.append(
            _parse_logic(key, value, here) if key[0] == "$" else _parse_field(key, value, here)
        )
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _parse_logic(key: str, value: Any, place: str) -> Tree:
    if key not in LOGIC:
        raise BadFilter(f"{place}: no operator {key}{_nearest(key, LOGIC)}")
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise BadFilter(f"{place}: {key} takes a list of filters, not {value!r}")
    parts = tuple(_parse(each, f"{place}[{number}]") for number, each in enumerate(value))
    if key == "$and":
        return And(parts)
    return Or(parts) if key == "$or" else Not(Or(parts))


def _parse_field(path: str, value: Any, place: str) -> Tree:
    is_operators = isinstance(value, Mapping) and any(str(key).startswith("$") for key in value)
    if not is_operators:
        return Compare(path, "$eq", _check_value(value, place), place)
    parts = [
        _parse_comparison(path, key, operand, f"{place}.{key}") for key, operand in value.items()
    ]
    return parts[0] if len(parts) == 1 else And(tuple(parts))


def _parse_comparison(path: str, operator: Any, operand: Any, place: str) -> Tree:
    if operator not in COMPARISONS:
        raise BadFilter(f"{place}: no operator {operator}{_nearest(str(operator), COMPARISONS)}")
    if operator == "$not":
        if not isinstance(operand, Mapping) or not operand:
            raise BadFilter(f'{place}: $not takes a comparison like {{"$gt": 1}}, not {operand!r}')
        return Not(_parse_field(path, operand, place))
    if operator == "$ne":
        return Not(Compare(path, "$eq", _check_value(operand, place), place))
    if operator in ("$in", "$nin"):
        if not isinstance(operand, Sequence) or isinstance(operand, str):
            raise BadFilter(f"{place}: {operator} takes a list, not {operand!r}")
        values = [_check_value(each, f"{place}[{number}]") for number, each in enumerate(operand)]
        inside = Or(tuple(Compare(path, "$eq", each, place) for each in values))
        return inside if operator == "$in" else Not(inside)
    return Compare(path, operator, _check_operand(operator, operand, place), place)


def _check_operand(operator: str, operand: Any, place: str) -> Any:
    if operator == "$exists":
        if not isinstance(operand, (bool, int)):
            raise BadFilter(f"{place}: $exists takes true or false, not {operand!r}")
        return bool(operand)
    if operator == "$regex":
        return _check_pattern(operand, place)
    if operator in ORDERINGS and (operand is None or isinstance(operand, (list, tuple))):
        raise BadFilter(
            f"{place}: {operator} compares with a number, text or time, not {operand!r}"
        )
    return _check_value(operand, place)


def _check_pattern(operand: Any, place: str) -> str:
    if not isinstance(operand, str):
        raise BadFilter(f"{place}: $regex takes text, not {operand!r}")
    if NOT_RE2.search(operand):
        raise BadFilter(
            f"{place}: look-around and back-references are not in W&B's expressions (RE2)"
        )
    try:
        re.compile(operand)
    except re.error as error:
        raise BadFilter(f"{place}: {operand!r} is no regular expression: {error}") from error
    return operand


def _check_value(value: Any, place: str) -> Any:
    """Return a value that can be compared with; times stay times."""
    if isinstance(value, float) and math.isnan(value):
        raise BadFilter(f"{place}: nothing compares with NaN; ask in SQL with isnan()")
    if isinstance(value, (str, int, float, bool, type(None), datetime)):
        return value
    if isinstance(value, (list, tuple)):
        return [_check_value(each, f"{place}[{number}]") for number, each in enumerate(value)]
    if isinstance(value, Mapping):
        raise BadFilter(f"{place}: compare the parts of an object one by one, like {place}.KEY")
    raise BadFilter(f"{place}: {type(value).__name__} is nothing a filter compares with")


def _nearest(word: str, known: Sequence[str] | Mapping[str, str]) -> str:
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {near[0]}?" if near else f"; there are {', '.join(known)}"

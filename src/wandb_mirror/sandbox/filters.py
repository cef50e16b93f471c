"""Filters in MongoDB's language, evaluated over runs in plain Python.

MongoDB's meaning decides: values of different types never compare, a list matches where one of its
elements does, ``$ne``, ``$nin``, ``$nor`` and ``$not`` match what lacks the field, null matches
null and missing. On top of it the traps of W&B's server: a time that lacks its ``Z`` matches
nothing, a number where a time belongs breaks the server, NaN in a filter is refused.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any

from wandb_mirror.sandbox.paths import MISSING, TIMES, Get, column_of, find_getter
from wandb_mirror.sandbox.problems import QueryProblem

Match = Callable[[Any], bool]
Find = Callable[[str], tuple[Get, Callable[[Any], Any]]]
"""From a filter's key to how its values are read, from objects and from the filter."""
Test = Callable[[Any], bool]
"""What a condition says about one value."""


def compile_filters(text: str | None, *, unknown: frozenset[str] = frozenset()) -> Match | None:
    """Return the meaning of a filter as it travels, or None where it takes every run.

    ``unknown`` are columns that this server does not know. Raises ``QueryProblem``.
    """

    def find(key: str) -> tuple[Get, Callable[[Any], Any]]:
        column = column_of(key)
        get: Get = (lambda _run: MISSING) if column in unknown else find_getter(key)
        return get, read_time if column in TIMES else _plain

    return compile_tree(text, find)


def match_fields(text: str | None, fields: Mapping[str, str]) -> Callable[[Any], bool]:
    """Return the meaning of a filter over objects that are no runs.

    ``fields`` gives the attribute that a key of the filter stands for; a dot goes into an object.
    """

    def find(key: str) -> tuple[Get, Callable[[Any], Any]]:
        if key not in fields:
            raise QueryProblem(f"invalid filters: no such field {key}", status=400)
        return attrgetter(fields[key]), _plain

    return compile_tree(text, find) or (lambda _value: True)


def compile_tree(text: str | None, find: Find) -> Match | None:
    """Return the meaning of a filter, or None where it takes everything."""
    if not text:
        return None
    try:
        tree = json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise QueryProblem(f"invalid filters: {error}", status=400) from error
    return _group(tree, find) if tree else None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not allowed")


def _group(tree: Any, find: Find) -> Match:
    """Return the meaning of one dict: all of its entries."""
    if not isinstance(tree, dict):
        raise QueryProblem("invalid filters: a dict was expected", status=400)
    parts = [_entry(key, value, find) for key, value in tree.items()]
    if len(parts) == 1:
        return parts[0]
    return lambda run: all(part(run) for part in parts)


def _entry(key: str, value: Any, find: Find) -> Match:
    if key in ("$and", "$or", "$nor"):
        if not isinstance(value, list) or (not value and key != "$and"):
            raise QueryProblem(f"invalid filters: {key} needs a list", status=400)
        parts = [_group(each, find) for each in value]
        if key == "$and":
            return lambda run: all(part(run) for part in parts)
        if key == "$or":
            return lambda run: any(part(run) for part in parts)
        return lambda run: not any(part(run) for part in parts)
    if key.startswith("$"):
        raise QueryProblem(f"invalid filters: unknown operator {key}", status=400)
    get, read = find(key)
    test = compile_condition(value, read)
    return lambda run: test(get(run))


def _plain(value: Any) -> Any:
    return value


def read_time(value: Any) -> Any:
    """Return the time that a filter's text names; text without ``Z`` equals no time."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise QueryProblem("internal error: cannot compare a time with this", status=500)
    if not value.endswith("Z"):
        return value
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return value


def compile_condition(condition: Any, read: Callable[[Any], Any] = _plain) -> Test:
    """Return the meaning of what stands beside a key; a bare value means ``$eq``."""
    if not isinstance(condition, dict) or not any(key.startswith("$") for key in condition):
        return _equals(read(condition))
    tests: list[Test] = []
    for name, value in condition.items():
        if name == "$options":
            continue
        if name == "$regex":
            tests.append(_matches(value, condition.get("$options", "")))
        elif name == "$not":
            tests.append(_negate(compile_condition(value, read)))
        elif name == "$elemMatch":
            tests.append(_has_element(compile_condition(value, read)))
        elif name in OPERATORS:
            tests.append(OPERATORS[name](value, read))
        else:
            raise QueryProblem(f"invalid filters: unknown operator {name}", status=400)
    if len(tests) == 1:
        return tests[0]
    return lambda value: all(test(value) for test in tests)


def _negate(test: Test) -> Test:
    return lambda value: not test(value)


def _any_of(value: Any, test: Test) -> bool:
    """Tell whether a value, or one of a list's elements, passes."""
    if isinstance(value, list):
        return test(value) or any(test(each) for each in value)
    return test(value)


def _equals(wanted: Any) -> Test:
    if wanted is None:
        return lambda value: value is MISSING or _any_of(value, lambda each: each is None)
    return lambda value: _any_of(value, lambda each: is_equal(each, wanted))


def is_equal(left: Any, right: Any) -> bool:
    """Tell whether two values are one: a boolean is no number, NaN equals NaN."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(is_equal(left[key], right[key]) for key in left)
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(is_equal, left, right))
    if isinstance(left, float) and isinstance(right, float) and math.isnan(left):
        return math.isnan(right)
    return bool(left == right)


def is_comparable(left: Any, right: Any) -> bool:
    """Tell whether two values have one type, by MongoDB's order of types."""
    for types in (bool, (int, float), str, datetime):
        if isinstance(left, types) or isinstance(right, types):
            is_one = isinstance(left, types) and isinstance(right, types)
            return is_one and isinstance(left, bool) == isinstance(right, bool)
    return False


def _compare(decide: Callable[[Any, Any], bool]) -> Callable[[Any, Callable[[Any], Any]], Test]:
    def make(operand: Any, read: Callable[[Any], Any]) -> Test:
        wanted = read(operand)
        return lambda value: _any_of(
            value, lambda each: is_comparable(each, wanted) and decide(each, wanted)
        )

    return make


def _membership(values: Any, read: Callable[[Any], Any]) -> Test:
    if not isinstance(values, list):
        raise QueryProblem("invalid filters: $in and $nin need a list", status=400)
    if all(type(each) is str for each in values) and read is _plain:
        wanted = frozenset(values)
        return lambda value: _any_of(value, lambda each: type(each) is str and each in wanted)
    tests = [_equals(read(each)) for each in values]
    return lambda value: any(test(value) for test in tests)


def _matches(pattern: Any, options: str) -> Test:
    flags = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
    try:
        found = re.compile(pattern, sum(flags.get(each, 0) for each in options))
    except (re.error, TypeError) as error:
        raise QueryProblem(f"invalid filters: $regex: {error}", status=400) from error
    return lambda value: _any_of(
        value, lambda each: isinstance(each, str) and found.search(each) is not None
    )


def _has_element(test: Test) -> Test:
    return lambda value: isinstance(value, list) and any(test(each) for each in value)


def _has_all(values: Any, read: Callable[[Any], Any]) -> Test:
    if not isinstance(values, list):
        raise QueryProblem("invalid filters: $all needs a list", status=400)
    tests = [_equals(read(each)) for each in values]
    return lambda value: bool(tests) and all(test(value) for test in tests)


def _contains(text: Any, _read: Callable[[Any], Any]) -> Test:
    return lambda value: _any_of(value, lambda each: isinstance(each, str) and str(text) in each)


def _exists(wanted: Any, _read: Callable[[Any], Any]) -> Test:
    return lambda value: (value is not MISSING) == bool(wanted)


def _has_size(size: Any, _read: Callable[[Any], Any]) -> Test:
    return lambda value: (
        isinstance(value, Sequence) and not isinstance(value, str) and (len(value) == size)
    )


OPERATORS: dict[str, Callable[[Any, Callable[[Any], Any]], Test]] = {
    "$eq": lambda value, read: _equals(read(value)),
    "$ne": lambda value, read: _negate(_equals(read(value))),
    "$gt": _compare(lambda left, right: left > right),
    "$gte": _compare(lambda left, right: left >= right),
    "$lt": _compare(lambda left, right: left < right),
    "$lte": _compare(lambda left, right: left <= right),
    "$in": _membership,
    "$nin": lambda values, read: _negate(_membership(values, read)),
    "$exists": _exists,
    "$all": _has_all,
    "$contains": _contains,
    "$size": _has_size,
}

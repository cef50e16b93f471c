"""Read and write JSON without losing a value.

orjson reads; the standard library takes over where orjson refuses (bare ``NaN``, ``1e400``, lone
surrogates) and where it is silently inexact: it reads an integer of 2**64 and more as a float.
What is written is valid JSON everywhere: non-finite numbers become the strings W&B itself uses.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any

import orjson

_FIRST_INEXACT = float(2**63)
_MANY_DIGITS = re.compile(r"[0-9]{19}")
_MANY_DIGITS_IN_BYTES = re.compile(rb"[0-9]{19}")
"""An integer of 2**63 and more has at least so many."""
DEEPEST = 100
"""Levels of nesting that are read; W&B itself recommends no more than four."""
TOO_DEEP = f"nested more than {DEEPEST} levels deep"
NON_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
"""W&B's spellings of the numbers that JSON lacks."""


def loads(text: str | bytes) -> Any:
    """Parse JSON; integers of any size stay exact, bare and overflowing numbers are real floats.

    Raises ``ValueError`` where the text is not JSON even so.
    """
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        value = _loads_slowly(text)
        has_huge_float(value)  # refuses what is nested too deeply
        return value
    if _is_plain(text):
        return value
    return _loads_slowly(text) if has_huge_float(value) else value


def _is_plain(text: str | bytes) -> bool:
    """Tell from the text alone that no number in it is huge and nothing is nested too deeply.

    Walking through every value took four times as long as parsing.
    """
    if isinstance(text, str):
        return text.count("{") + text.count("[") <= DEEPEST and not _MANY_DIGITS.search(text)
    return text.count(b"{") + text.count(b"[") <= DEEPEST and not _MANY_DIGITS_IN_BYTES.search(text)


def _loads_slowly(text: str | bytes) -> Any:
    """Parse with the standard library; too deep a nesting is a ``ValueError`` like any other."""
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error


def has_huge_float(value: Any, depth: int = 0) -> bool:
    """Tell whether a float in ``value`` may be an integer that orjson rounded.

    Raises ``ValueError`` for a nesting that what comes after could not walk through.
    """
    if type(value) is float:
        return value >= _FIRST_INEXACT or value <= -_FIRST_INEXACT
    if type(value) is not dict and type(value) is not list:
        return False
    if depth > DEEPEST:
        raise ValueError(TOO_DEEP)
    inside = value.values() if type(value) is dict else value
    return any(has_huge_float(inner, depth + 1) for inner in inside)


def dumps(value: Any) -> str:
    """Write JSON text: compact, keys in their order, ``"NaN"`` and the infinities as strings."""
    value = _spell_non_finite(value)
    try:
        return orjson.dumps(value).decode()
    except (TypeError, orjson.JSONEncodeError):  # integers past 64 bits, lone surrogates
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text


def _spell_non_finite(value: Any) -> Any:
    """Return ``value`` with W&B's strings in place of non-finite numbers."""
    if type(value) is float:
        return value if math.isfinite(value) else spell(value)
    if type(value) is dict:
        return {key: _spell_non_finite(inner) for key, inner in value.items()}
    if type(value) is list:
        return [_spell_non_finite(inner) for inner in value]
    return value


def spell(number: float) -> str:
    """Return W&B's string for a number that is not finite."""
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


def clean(text: str) -> str:
    """Return ``text`` with lone surrogates replaced, so that any database can hold it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text

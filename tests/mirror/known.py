"""What the real client makes of exported histories, and how to hold it against what was logged."""

from __future__ import annotations

import json
import math
from base64 import b64decode

NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
KNOWN = ("several_types", "in_binary", "rounded", "filled", "twice")
"""What the real client hands out otherwise, read from files; each has its row in the docs."""


def known(value):
    """Return what the real client read from a file as it was logged, as far as it can be known."""
    if isinstance(value, dict):
        if value and all(key.startswith("_type_") for key in value):
            return next((known(each) for each in value.values() if each is not None), None)
        return {key: known(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [known(each) for each in value]
    if isinstance(value, str) and value[:1] in ("W", "e"):  # "[" and "{" in base64
        try:
            return json.loads(b64decode(value, validate=True))
        except ValueError:
            return value
    return value


def once(rows):
    """Return the first row of each step."""
    return list({row["_step"]: row for row in reversed(rows)}.values())[::-1]


def plain(row):
    """Return a row as text, its keys in order, numbers as the doubles that they are nearest to."""
    return json.dumps(as_doubles(row), sort_keys=True, ensure_ascii=False)


def as_doubles(value):
    if isinstance(value, dict):
        return {key: as_doubles(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_doubles(each) for each in value]
    if isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value

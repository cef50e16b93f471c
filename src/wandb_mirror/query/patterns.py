"""Regular expressions as RE2 has them: W&B's server and DuckDB both match by it.

Python's own are another language: they have look-around, and neither classes like ``[[:alpha:]]``
nor flags in the middle; ``$`` is also before a last line break, and digits are of any script.
"""

from __future__ import annotations

from functools import cache

import duckdb

FLAGS = frozenset("ims")
"""What ``$options`` may hold."""


@cache
def _engine() -> duckdb.DuckDBPyConnection:
    """Return an instance of its own, which holds nothing; each asks through a cursor."""
    return duckdb.connect(config={"threads": 1})


def find_fault(pattern: str) -> str | None:
    """Return why RE2 does not take a pattern, None where it does."""
    try:
        is_match(pattern, "")
    except duckdb.Error as error:
        return str(error).partition(": ")[2]
    return None


def is_match(pattern: str, text: str) -> bool:
    """Tell whether a pattern matches somewhere in a text."""
    found = _engine().cursor().execute("SELECT regexp_matches(?, ?)", [text, pattern]).fetchone()
    return found == (True,)

"""Pieces of SQL that conditions on runs are made of."""

from __future__ import annotations

from collections.abc import Sequence

ARTIFACT_NAMES = (
    "t.artifact_id, t.source_collection || ':v' || t.version_index, "
    "t.source_entity || '/' || t.source_project || '/' || t.source_collection || ':v' || "
    "t.version_index"
)
"""What an artifact may be called in a filter."""
ARRAY = "CASE WHEN v.value[1] = '[' AND json_valid(v.value) THEN v.value END"
"""A value of a long table where it is a list."""
ELEMENTS = {
    "number": ("BIGINT UBIGINT HUGEINT DOUBLE", "TRY_CAST(e.item AS DOUBLE)"),
    "text": ("VARCHAR", "(e.item->>'$')"),
    "boolean": ("BOOLEAN", "TRY_CAST(e.item AS BOOLEAN)"),
}
"""For each sort of value: what DuckDB calls its JSON types, and how it is taken out of JSON."""


def has_key(table: str, key_nos: Sequence[int], more: str = "") -> str:
    """Return the condition that a run has one of some keys."""
    listed = ", ".join(map(str, key_nos)) or "-1"
    return f"EXISTS (FROM {table} v WHERE v.run_no = r.run_no AND v.key_no IN ({listed}){more})"


def any_element(types: str, condition: str) -> str:
    """Return the condition that an element, of one of some JSON types, of a list passes."""
    listed = ", ".join(f"'{each}'" for each in types.split())
    return (
        f"EXISTS (FROM (SELECT unnest(json_extract({ARRAY}, '$[*]')) AS item) e "
        f"WHERE json_type(e.item) IN ({listed}) AND {condition})"
    )


def is_integer(text: str) -> str:
    """Return the condition that the text of a number is an integer that can be read exactly."""
    return f"regexp_full_match({text}, '-?[0-9]{{16,38}}')"

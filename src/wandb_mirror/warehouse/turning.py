"""SQL that turns rows of keys and values round: a column a key."""

from __future__ import annotations

from collections.abc import Sequence

from wandb_mirror.warehouse.places import Place


def pivot(
    source: str, value: str, places: Sequence[Place], alias: str, on: str = "run_no"
) -> list[str]:
    """Return a join with ``source`` turned round, a column a key; nothing where there is no key.

    The keys are listed: DuckDB then builds no hash table to find out which there are.
    """
    if not places:
        return []
    keys = ", ".join(str(each.key_no) for each in places)
    inner = f"SELECT {on}, key_no, {value} FROM {source} WHERE key_no IN ({keys})"
    turned = f"PIVOT ({inner}) ON key_no IN ({keys}) USING first({value}) GROUP BY {on}"
    return [f"LEFT JOIN ({turned}) {alias} USING ({on})"]


def from_json(place: Place) -> str:
    """Return a column of text or booleans from the lossless JSON."""
    json = f't."{place.key_no}"'
    if place.type == "BOOLEAN":
        return f"TRY_CAST({json} AS BOOLEAN)"
    # a string is unquoted, anything else stays JSON text; true and false fit no text column
    return (
        f"CASE WHEN {json}[1] = '\"' AND json_valid({json}) THEN {json}::JSON->>'$' "
        f"WHEN {json} IN ('true', 'false', 'null') THEN NULL ELSE {json} END"
    )

"""Rows of any kind, made from the kind itself, for the laws of the store."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from wandb_mirror.kinds.pages import Row, ScopeOf
from wandb_mirror.kinds.spec import Kind, Type

NOW = datetime(2026, 1, 1)  # noqa: DTZ001  (naive UTC, as the mirror keeps times)
LATER = NOW + timedelta(hours=1)
SCOPE = ScopeOf("team", "vision", "p1", "r1", "c1", "v1", "o1", "s1", "g1")
OTHER = ScopeOf("crew", "speech", "p2", "r2", "c2", "v2", "o2", "s2", "g2")

SAMPLES: dict[Type, Any] = {
    Type.TEXT: "text",
    Type.INTEGER: 2**62,
    Type.REAL: 0.1,
    Type.BOOLEAN: True,
    Type.TIME: datetime(2025, 5, 6, 7, 8, 9, 10),  # noqa: DTZ001
    Type.JSON: '["a","b"]',
    Type.JSON_TEXT: '{"lr":{"value":NaN}}',
    Type.YAML: '{"method":"grid"}',
    Type.ADDRESS: "https://hooks.test/path",
    Type.WEBHOOK: "https://hooks.test/path",
}

VALUES: dict[Type, st.SearchStrategy[Any]] = {
    Type.TEXT: st.none() | st.text(max_size=8),
    Type.INTEGER: st.none() | st.integers(-(2**63), 2**63 - 1),
    Type.REAL: st.none() | st.floats(allow_nan=False),
    Type.BOOLEAN: st.none() | st.booleans(),
    Type.TIME: st.none() | st.datetimes(),
    Type.JSON: st.none() | st.sampled_from(["[]", '["a"]', '["a","b"]']),
    Type.JSON_TEXT: st.none() | st.sampled_from(["{}", '{"a":1}', '{"a":NaN}']),
    Type.YAML: st.none() | st.sampled_from(["{}", '{"a":1}']),
    Type.ADDRESS: st.none() | st.sampled_from(["https://hooks.test/path", ""]),
    Type.WEBHOOK: st.none() | st.sampled_from(["https://hooks.test/path", ""]),
}


def place_of(kind: Kind, scope: ScopeOf) -> Row:
    """Return the columns that say where a row of ``scope`` belongs."""
    names = kind.scope_columns or (("entity",) if kind.scope == "entity" else ())
    return scope.columns(names)


def make_row(kind: Kind, own_key: str, scope: ScopeOf = SCOPE, **changes: Any) -> Row:
    """Return a whole row with a value in every column."""
    row = {field.column: SAMPLES[field.type] for field in kind.fields}
    return row | {kind.own_key: own_key} | place_of(kind, scope) | changes


def lighten(kind: Kind, row: Row) -> Row:
    """Return what the listing that looks for changes shows of a row."""
    heavy = {field.column for field in kind.fields if field.is_heavy}
    return {name: value for name, value in row.items() if name not in heavy}


def light_column(kind: Kind) -> str:
    """Return a light text column that is neither key nor place."""
    taken = {*kind.key, *place_of(kind, SCOPE)}
    return next(
        field.column
        for field in kind.light_fields
        if field.type is Type.TEXT and field.column not in taken
    )


@st.composite
def rows(draw: st.DrawFn, kind: Kind, own_keys: st.SearchStrategy[str]) -> Row:
    """Draw a whole row of the two scopes."""
    row = {field.column: draw(VALUES[field.type]) for field in kind.fields}
    place = place_of(kind, draw(st.sampled_from([SCOPE, OTHER])))
    return row | {kind.own_key: draw(own_keys)} | place

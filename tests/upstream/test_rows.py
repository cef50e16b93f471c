from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wandb_mirror.errors import BadRow
from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.integration import INTEGRATION
from wandb_mirror.kinds.pages import ScopeOf
from wandb_mirror.kinds.run import RUN
from wandb_mirror.kinds.spec import Type
from wandb_mirror.upstream.rows import READERS, read_row

SCOPE = ScopeOf("team", "vision", "p1")
JUNE = datetime(2024, 6, 1, 12, 30, 15)  # noqa: DTZ001


def read(type_, value):
    return READERS[type_](value)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-06-01T12:30:15Z", JUNE),
        ("2024-06-01T12:30:15", JUNE),
        ("2024-06-01 12:30:15", JUNE),
        ("2024-06-01T14:30:15+02:00", JUNE),
        ("2024-06-01T12:30:15.5Z", JUNE.replace(microsecond=500_000)),
        ("2024-06-01T12:30:15.123456789Z", JUNE.replace(microsecond=123_456)),
        ("2024-06-01T12:30Z", JUNE.replace(second=0)),
    ],
)
def test_times_are_naive_utc_whatever_their_zone_and_digits(text, time):
    assert read(Type.TIME, text) == time


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        (Type.TIME, "20240601"),
        (Type.TIME, "2024-W01"),
        (Type.TIME, "2024-06-01"),
        (Type.TIME, "2024-13-01T00:00:00Z"),
        (Type.TIME, "0001-01-01T00:00:00+14:00"),
        (Type.TIME, "yesterday"),
        (Type.TIME, 1_700_000_000),
        (Type.TIME, ["2024-06-01T12:30:15Z"]),
        (Type.INTEGER, 1.5),
        (Type.INTEGER, True),
        (Type.INTEGER, "1_000"),
        (Type.INTEGER, "12 runs"),
        (Type.INTEGER, 2**63),
        (Type.INTEGER, "9" * 5000),
        (Type.INTEGER, float("nan")),
        (Type.INTEGER, float("inf")),
        (Type.INTEGER, [1]),
        (Type.REAL, False),
        (Type.REAL, "1_0"),
        (Type.REAL, "fast"),
        (Type.REAL, 10**400),
        (Type.REAL, {"value": 1}),
        (Type.BOOLEAN, "false"),
        (Type.BOOLEAN, 0),
        (Type.JSON_TEXT, "{'lr': 1}"),
        (Type.JSON_TEXT, "[" * 100_000),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_value_that_would_be_read_wrongly_is_refused(type_, value):
    with pytest.raises((ValueError, TypeError, OverflowError)):
        read(type_, value)


@pytest.mark.parametrize(
    ("type_", "value", "kept"),
    [
        (Type.INTEGER, "12", 12),
        (Type.INTEGER, 12.0, 12),
        (Type.INTEGER, -(2**63), -(2**63)),
        (Type.REAL, "12.5", 12.5),
        (Type.REAL, ".5e3", 500.0),
        (Type.REAL, 3, 3.0),
        (Type.REAL, "Infinity", float("inf")),
        (Type.TEXT, 12, "12"),
        (Type.TEXT, "", ""),
        (Type.JSON, ["b", "a"], '["b","a"]'),
        (Type.JSON, {"n": 2**70}, '{"n":1180591620717411303424}'),
        (Type.JSON_TEXT, '{"b": 1.0,\n"a":NaN}', '{"b": 1.0,\n"a":NaN}'),
        (Type.JSON_TEXT, {"b": 1}, '{"b":1}'),
        (Type.JSON_TEXT, " ", None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_value_in_another_spelling_is_kept_for_what_it_is(type_, value, kept):
    assert read(type_, value) == kept


offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(
    st.datetimes(datetime(1, 1, 3), datetime(9999, 12, 29), timezones=offsets)  # noqa: DTZ001
)
def test_a_time_means_the_same_moment_after_reading(time):
    assert read(Type.TIME, time.isoformat()).replace(tzinfo=UTC) == time


@given(st.integers(-(2**63), 2**63 - 1))
def test_an_integer_is_exact_as_number_and_as_text(number):
    assert read(Type.INTEGER, number) == read(Type.INTEGER, str(number)) == number


def test_a_column_that_the_server_lacks_comes_from_the_scope_where_that_names_it():
    fields = [RUN.field("run_id"), RUN.field("notes"), RUN.field("created_at")]
    scope = ScopeOf("team", "vision", "p1", "r1")
    row = read_row(RUN, scope, {"notes": "n"}, fields=fields, sources={"notes": "notes"})
    assert row == {"project_id": "p1", "run_id": "r1", "notes": "n", "created_at": None}


def test_a_nested_object_that_is_null_is_an_empty_column():
    fields = [RUN.field("run_id"), RUN.field("username")]
    sources = {field.column: field.source for field in fields}
    for user in (None, "ada", {"username": None}, []):
        node = {"run_id": "r1", "username": user}
        assert read_row(RUN, SCOPE, node, fields=fields, sources=sources)["username"] is None


hostile = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
CHECKS = {
    Type.TEXT: str,
    Type.INTEGER: int,
    Type.REAL: float,
    Type.BOOLEAN: bool,
    Type.TIME: datetime,
    Type.JSON: str,
    Type.JSON_TEXT: str,
    Type.YAML: str,
    Type.ADDRESS: str,
    Type.WEBHOOK: str,
}


@settings(max_examples=60)
@given(st.data())
@pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.plural)
def test_whatever_a_node_holds_it_is_a_row_of_the_right_types_or_a_bad_row(kind, data):
    columns = [field.column for field in kind.fields]
    node = data.draw(st.dictionaries(st.sampled_from(columns), hostile, min_size=1))
    node.setdefault(kind.own_key, "k1")
    sources = {field.column: field.source for field in kind.fields}
    try:
        row = read_row(kind, SCOPE, node, fields=kind.fields, sources=sources)
    except BadRow as error:
        assert len(str(error)) < 700  # noqa: PT017
        return
    assert list(row) == [*kind.scope_columns, *columns]
    for field in kind.fields:
        assert row[field.column] is None or type(row[field.column]) is CHECKS[field.type]


def test_json_nested_too_deeply_is_a_bad_row_and_no_crash():
    fields = [RUN.field("run_id"), RUN.field("config")]
    sources = {field.column: field.source for field in fields}
    for depth in (700, 1000, 5000):
        node = {"run_id": "r1", "config": "[" * depth + "]" * depth}
        with pytest.raises(BadRow, match="config cannot be read"):
            read_row(RUN, SCOPE, node, fields=fields, sources=sources)


def test_a_value_of_any_size_makes_a_short_message():
    for value in ("x" * 10_000_000, {"a": "x" * 1_000_000}, 10**4000):
        with pytest.raises((ValueError, TypeError)) as caught:
            read(Type.INTEGER, value)
        assert len(str(caught.value)) < 100


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        (
            "https://hooks.slack.com/services/T01ABCDEF/B02ABCDEF/aB3dE5gH7jK9mN1pQ3sT5vW7",
            "https://hooks.slack.com/services/T01ABCDEF/B02ABCDEF/[redacted]",
        ),
        (
            "https://discord.com/api/webhooks/123456789012345678/aB3dE5gH7jK9mN1pQ3sT5vW7-_x",
            "https://discord.com/api/webhooks/123456789012345678/[redacted]",
        ),
        (
            "https://me:key@api.github.com/repos/lab/train-resnet50-on-imagenet/dispatches?key=1#k",
            "https://api.github.com/repos/lab/train-resnet50-on-imagenet/dispatches",
        ),
        ("https://hooks.test:8443/deploy/production", "https://hooks.test:8443/deploy/production"),
    ],
)
def test_of_a_webhooks_address_nothing_is_kept_that_is_a_key(address, kept):
    field = INTEGRATION.field("webhook_address")
    node = {"integration_id": "i1", field.column: address}
    fields = [INTEGRATION.field("integration_id"), field]
    sources = {each.column: each.source for each in fields}
    row = read_row(INTEGRATION, SCOPE, node, fields=fields, sources=sources)
    assert row[field.column] == kept

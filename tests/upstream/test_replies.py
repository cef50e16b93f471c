from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wandb_mirror.errors import MirrorError, Refused, Unexplained, UpstreamBroken
from wandb_mirror.jsontext import dumps
from wandb_mirror.upstream.replies import (
    LONGEST_QUOTE,
    Missing,
    MissingFields,
    judge_errors,
    judge_status,
    read_data,
    read_wait,
)

SAID = [
    # graphql-js, graphql-core, graphql-go, gqlgen
    ("""Cannot query field "updatedAt" on type "Run".""", ("field", "updatedAt")),
    ("""Cannot query field 'x' on type 'Y'. Did you mean 'z'?""", ("field", "x")),
    ("""Unknown argument "order" on field "Project.runs".""", ("argument", "order")),
    ("""Unknown argument 'order' on field 'runs' of type 'Project'.""", ("argument", "order")),
    ("""Unknown type "JSONString".""", ("type", "JSONString")),
    (
        """Variable "$m" of type "Int64!" used in position expecting type "Int".""",
        ("type", "Int64"),
    ),
    (
        """Field "user" must not have a selection since type "String" has no subfields.""",
        ("field", "user"),
    ),
    (
        """Field "keys" of type "[Key!]" must have a selection of subfields.""",
        ("field", "keys"),
    ),
    # graphql-ruby, graphql-java, Hot Chocolate, Juniper and async-graphql, Hasura
    ("""Field 'x' doesn't exist on type 'Run'""", ("field", "x")),
    ("""Field 'runs' doesn't accept argument 'order'""", ("argument", "order")),
    (
        """Validation error (FieldUndefined@[a]) : Field 'x' in type 'R' is undefined""",
        ("field", "x"),
    ),
    ("""Validation error (UnknownArgument@[a]) : Unknown field argument 'x'""", ("argument", "x")),
    ("""The field `x` does not exist on the type `Run`.""", ("field", "x")),
    ("""The argument `x` does not exist.""", ("argument", "x")),
    ("""Unknown field "x" on type "Run" """, ("field", "x")),
    ("""field 'x' not found in type: 'Run'""", ("field", "x")),
]


@pytest.mark.parametrize(("message", "found"), SAID, ids=[message for message, _ in SAID])
def test_what_a_server_lacks_is_read_from_the_words_of_many_servers(message, found):
    error = judge_errors([{"message": message, "locations": [{"line": 7, "column": 1}]}], "host")
    assert isinstance(error, MissingFields)
    assert error.missing == (Missing(found[0], found[1], (7,)),)


@pytest.mark.parametrize(
    ("message", "kind", "is_too_large"),
    [
        ("permission denied", Refused, None),
        ("user is not authorized to read timeouts", Refused, None),
        ("context deadline exceeded", UpstreamBroken, True),
        ("upstream request timeout", UpstreamBroken, True),
        ("Internal Server Error", UpstreamBroken, True),
        ("service temporarily unavailable", UpstreamBroken, False),
        ("invalid filter", Refused, None),
        ("internalId is odd", Unexplained, None),
        ("something broke", Unexplained, None),
        ("", Unexplained, None),
    ],
)
def test_errors_in_a_reply_are_sorted_by_what_to_do_next(message, kind, is_too_large):
    error = judge_errors([{"message": message, "path": ["project"]}], "host")
    assert type(error) is kind
    assert getattr(error, "is_too_large", None) == is_too_large


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("BAD_USER_INPUT", Refused),
        ("FORBIDDEN", Refused),
        ("INTERNAL_SERVER_ERROR", UpstreamBroken),
    ],
)
def test_a_code_says_what_a_message_does_not(code, kind):
    error = judge_errors([{"message": "oh no", "extensions": {"code": code}}], "host")
    assert type(error) is kind


def test_data_that_comes_with_errors_is_not_used():
    body = b'{"data": {"project": null}, "errors": [{"message": "permission denied"}]}'
    with pytest.raises(Refused, match="no right to this"):
        read_data(body, "host")


HTTP_DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf", "ratelimit-reset": "9"}, 9.0),
        ({"ratelimit-reset": "9"}, 9.0),
        ({"retry-after": HTTP_DATE, "date": "Wed, 21 Oct 2026 07:27:30 GMT"}, 30.0),
        ({"retry-after": HTTP_DATE, "date": "Wed, 21 Oct 2026 09:00:00 GMT"}, 0.0),
        ({"retry-after": HTTP_DATE}, None),
    ],
)
def test_how_long_to_wait_is_read_as_seconds_and_as_a_date(headers, seconds):
    assert read_wait(headers) == seconds


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3)
    ),
    max_leaves=12,
)
replies = st.fixed_dictionaries(
    {},
    optional={
        "data": json_values,
        "errors": json_values
        | st.lists(
            st.fixed_dictionaries(
                {"message": json_values | st.sampled_from([message for message, _ in SAID])},
                optional={"locations": json_values, "path": json_values},
            ),
            max_size=3,
        ),
    },
)


@settings(max_examples=100)
@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=60)
    | json_values.map(lambda v: dumps(v).encode())
    | replies.map(lambda v: dumps(v).encode()),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "ratelimit-reset", "date", "location"]),
        st.text(max_size=30),
    ),
)
def test_whatever_comes_is_data_or_one_of_our_errors_with_a_short_message(status, body, headers):
    try:
        judge_status(status, headers, "host", body)
        assert isinstance(read_data(body, "host"), dict)
    except MirrorError as error:
        assert 0 < len(str(error)) < 2 * LONGEST_QUOTE + 200  # noqa: PT017

"""JSON is read without losing a value, quickly where nothing in it can be lost."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wandb_mirror.jsontext import DEEPEST, loads

numbers = st.one_of(
    st.integers(),
    st.sampled_from([2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**64 + 1, 10**40]),
    st.sampled_from([-(2**63), -(2**63) - 1, -(10**40)]),
    st.floats(allow_nan=False),
)
values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(value=values)
@settings(max_examples=400, deadline=None)
def test_what_is_read_is_what_the_standard_library_reads(value):
    text = json.dumps(value)
    assert repr(loads(text)) == repr(json.loads(text))
    assert repr(loads(text.encode())) == repr(json.loads(text))


@pytest.mark.parametrize("opening", ["[", '{"a":'])
def test_a_nesting_that_nothing_could_walk_through_is_no_json(opening):
    closing = "]" if opening == "[" else "}"
    deep = DEEPEST + 5
    assert loads(opening * 50 + "1" + closing * 50)
    with pytest.raises(ValueError, match="levels deep"):
        loads(opening * deep + "1" + closing * deep)

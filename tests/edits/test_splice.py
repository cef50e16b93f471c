"""Members of a JSON object change in its text; every other byte stays."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_mirror.edits.splice import set_members, set_wrapped
from wandb_mirror.edits.values import ABSENT

ODD = '{ "lr" : {"value": 1e400, "desc":null},\n "nan": {"value": NaN}, "_wandb":{"t":{"1":[ ]}},"big":{"value":18446744073709551617}}'


def test_what_is_not_set_keeps_every_byte():
    changed = set_wrapped(ODD, {"nan": 2})
    assert changed == ODD.replace("NaN", "2")
    assert set_wrapped(ODD, {"nan": ABSENT}) == ODD.replace('"nan": {"value": NaN}, ', "")
    assert set_wrapped(ODD, {"new": [1]}) == ODD[:-1] + ',"new":{"value":[1],"desc":null}}'


def test_the_description_of_a_key_stays_when_its_value_is_set():
    text = '{"lr":{"desc":"the rate","value":1}}'
    assert set_wrapped(text, {"lr": 2}) == '{"lr":{"desc":"the rate","value":2}}'


def test_the_last_member_goes_with_the_comma_before_it():
    assert set_members('{"a":1, "b":2}', {"b": ABSENT}) == '{"a":1}'
    assert set_members('{"a":1}', {"a": ABSENT}) == "{}"
    assert set_members("{}", {"a": 1, "b": 2}) == '{"a":1,"b":2}'


@pytest.mark.parametrize("text", ["[1]", "1", '{"a"', '{"a":1', "", '{"a":1,,}', "{1:2}"])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(ValueError):
        set_members(text, {"b": 1})


values = st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers())
objects = st.dictionaries(st.text(), values, max_size=5)


@given(objects, st.dictionaries(st.text(), values | st.just(ABSENT), max_size=4), st.booleans())
def test_a_change_of_the_text_is_the_change_of_the_object(before, changes, is_wide):
    text = json.dumps(before, indent=2 if is_wide else None)
    wanted = {key: value for key, value in {**before, **changes}.items() if value is not ABSENT}
    assert json.loads(set_members(text, changes)) == wanted


def test_unwrapped_and_half_wrapped_configs_are_taken_as_they_are():
    assert json.loads(set_wrapped('{"a":5,"b":{"x":1}}', {"a": 1, "b": 2})) == {
        "a": {"value": 1, "desc": None},
        "b": {"value": 2, "desc": None},
    }

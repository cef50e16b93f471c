"""The judge does what its table in the docs says, and never loses what somebody else did."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_mirror.edits.judge import judge
from wandb_mirror.edits.values import ABSENT, is_same

PAGE = Path(__file__).parents[2] / "docs" / "editing.md"


def read_value(text):
    return ABSENT if text in ("absent", "") else json.loads(text)


def read_table():
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 6 and cells[0] in ("scalar", "set", "map"):
            yield cells


@pytest.mark.parametrize("row", list(read_table()), ids=" ".join)
def test_the_table_of_the_docs_is_what_the_judge_does(row):
    sort, base, local, upstream, sent, wanted = row
    known = [read_value(sent)] if sent else []
    verdict = judge(sort, read_value(base), read_value(local), read_value(upstream), known)
    action, _, value = wanted.partition(" ")
    assert verdict.action == action
    if action == "send":
        assert is_same(verdict.value, read_value(value))


def test_the_table_has_every_sort_and_every_verdict():
    rows = list(read_table())
    assert {row[0] for row in rows} == {"scalar", "set", "map"}
    assert {row[5].split()[0] for row in rows} == {"send", "nothing", "conflict"}


leaves = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "a", "NaN"])
values = st.recursive(
    leaves, lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3), max_leaves=6
)
cells = values | st.just(ABSENT)


@given(cells, cells, cells)
def test_a_key_that_only_one_side_changed_is_that_sides(base, local, upstream):
    assert is_same(_outcome("map", base, base, upstream), upstream)
    assert is_same(_outcome("map", base, local, base), local)


@given(cells, cells, cells)
def test_both_sides_come_to_the_same_whoever_is_first(base, local, upstream):
    one = judge("map", base, local, upstream)
    other = judge("map", base, upstream, local)
    assert (one.action == "conflict") == (other.action == "conflict") or is_same(local, upstream)
    if one.action != "conflict":
        assert is_same(one.value, other.value)


@given(cells, cells, cells)
def test_after_sending_there_is_nothing_left_to_send(base, local, upstream):
    verdict = judge("map", base, local, upstream)
    if verdict.action == "send":
        assert judge("map", base, verdict.value, verdict.value).action == "nothing"


def _outcome(sort, base, local, upstream):
    verdict = judge(sort, base, local, upstream)
    assert verdict.action != "conflict"
    return verdict.value

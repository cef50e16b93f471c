"""Two edits of one cell are one edit; what its first reader saw stays what it is compared with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_mirror.edits.catalog import EDITABLES, RUNS
from wandb_mirror.edits.cells import (
    Change,
    apply_cells,
    find_changes,
    make_wire,
    read_cells,
    read_stored,
)
from wandb_mirror.edits.edit import Edit, Target, coalesce, settle
from wandb_mirror.edits.pointers import move, names_of
from wandb_mirror.edits.values import ABSENT, is_same
from wandb_mirror.jsontext import dumps

TARGET = Target("runs", "p", "r", "e/p/r")


def change(base, local):
    return Change("notes", "", base, local)


def edit(**values):
    return Edit(TARGET, "notes", "", **{"base": "a", "local": "b", **values})


def test_the_base_of_the_first_reader_stays():
    found = coalesce(edit(), TARGET, change("b", "c"))
    assert (found.base, found.local, found.state) == ("a", "c", "pending")


def test_an_edit_that_is_undone_is_none():
    assert coalesce(edit(), TARGET, change("b", "a")) is None
    assert coalesce(None, TARGET, change("a", "a")) is None


def test_what_was_sent_is_remembered_when_it_is_edited_again():
    found = coalesce(edit(state="sent"), TARGET, change("b", "a"))
    assert (found.local, found.state, tuple(found.sent)) == ("a", "pending", ("b",))


def test_a_conflict_stays_one_until_it_is_settled():
    found = coalesce(edit(state="conflict", upstream="x"), TARGET, change("b", "c"))
    assert (found.state, found.local, found.upstream) == ("conflict", "c", "x")


def test_what_upstream_has_is_the_base_of_what_comes_next():
    found = coalesce(edit(state="done", reply_seq=5), TARGET, change("b", "c"))
    assert (found.base, found.local, found.state, found.reply_seq) == ("b", "c", "pending", None)
    kept = edit(state="done", reply_seq=5)
    assert coalesce(kept, TARGET, change("b", "b")) == kept


def test_what_was_refused_is_tried_again_when_it_is_edited():
    found = coalesce(edit(state="refused", error="no"), TARGET, change("b", "c"))
    assert (found.state, found.error) == ("pending", None)


def test_a_settled_conflict_is_theirs_or_ours():
    conflict = edit(state="conflict", upstream="x")
    ours = settle(conflict, takes_theirs=False)
    assert (ours.base, ours.local, ours.state) == ("x", "b", "pending")
    theirs = settle(conflict, takes_theirs=True)
    assert (theirs.base, theirs.local, tuple(theirs.sent)) == ("x", "x", ("b",))
    assert replace(theirs, sent=()) == replace(ours, local="x")


values = st.none() | st.integers(-3, 3) | st.booleans() | st.sampled_from(["", "a"])
tags = st.lists(st.sampled_from("abcd"), unique=True)
objects = st.dictionaries(st.sampled_from(["k", "l", "a.b"]), values, max_size=3)


@pytest.mark.parametrize("name", ["tags", "config", "summary", "notes"])
def test_changes_made_to_what_was_seen_give_what_was_made(name):
    spec = RUNS.field(name)
    kinds = {"set": tags, "map": objects, "scalar": st.none() | st.sampled_from("ab")}

    @given(kinds[spec.sort], kinds[spec.sort])
    def holds(before, after):
        changes = find_changes(spec, before, after)
        made = apply_cells(spec, before, [(each.key, each.local) for each in changes])
        assert is_same(_sorted(made), _sorted(after))

    holds()


def _sorted(value):
    return sorted(value) if isinstance(value, list) else value


@given(objects, st.dictionaries(st.sampled_from(["k", "l", "m"]), values | st.just(ABSENT)))
def test_what_is_sent_of_a_config_is_the_config_with_the_changes(before, changes):
    spec = RUNS.field("config")
    wire = dumps({key: {"value": value, "desc": None} for key, value in before.items()})
    sent = make_wire(spec, wire, changes)
    wanted = {key: value for key, value in {**before, **changes}.items() if value is not ABSENT}
    assert is_same(read_cells(spec, read_stored(spec, sent)), wanted)


def test_nothing_is_sent_as_what_clears_a_text():
    assert make_wire(RUNS.field("notes"), "old", {"": None}) == ""
    assert make_wire(RUNS.field("tags"), '["a"]', {"a": False}) == []


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        (float("nan"), "NaN", True),
        (float("-inf"), "-Infinity", True),
        ([1, {"a": 2}], [1.0, {"a": 2}], True),
        ([1, 2], [2, 1], False),
        ({"a": None}, {}, False),
        (None, ABSENT, False),
        ("1", 1, False),
        (2**60, 2**60 + 1, False),
    ],
)
def test_values_are_equal_as_json_is(one, other, equal):
    assert is_same(one, other) is equal
    assert is_same(other, one) is equal


def test_the_page_names_the_fields_of_every_kind_that_is_edited():
    page = (Path(__file__).parents[2] / "docs" / "editing.md").read_text()
    told = {
        cells[1].strip(): cells[2].strip().split(", ")
        for line in page.splitlines()
        if (cells := line.split("|"))[1:] and cells[1].startswith((" a ", " an "))
    }
    nouns = {"version": "a version of an artifact"}
    wanted = {
        nouns.get(each.noun, f"a {each.noun}"): sorted(field.name for field in each.fields)
        for each in EDITABLES
    }
    assert {noun: sorted(fields) for noun, fields in told.items()} == wanted


def test_names_that_point_to_rows_move_without_losing_their_order():
    assert move(["a", "b"], "v1", {"a": "v2", "c": "v1"}) == ["b", "c"]
    assert move(["a"], "v2", {"a": "v2"}) == ["a"]
    assert move(["a"], "v1", {"a": ABSENT}) == []
    assert names_of({"b": "x", "a": "x", "c": "y"}, "x", ["a", "z"]) == ["a", "b"]

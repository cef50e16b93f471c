"""Loading: in batches, in order, and in nobody's way."""

from __future__ import annotations

import pytest

from fakes.storing import LATER, NOW, OTHER, SCOPE, make_row
from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.project import PROJECT
from wandb_mirror.kinds.run import RUN
from wandb_mirror.store.tables import KIND_TABLES

every_kind = pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.plural)
NAMES = [f"r{number:02}" for number in range(25)]


@pytest.fixture
def filled(store):
    """Return a store with runs of two projects, saved in pages of ten."""
    for scope in (SCOPE, OTHER):
        for start in range(0, 25, 10):
            page = [make_row(RUN, name, scope) for name in NAMES[start : start + 10]]
            store.save_rows(RUN, page, now=NOW, is_whole=True)
    return store


@pytest.mark.parametrize("batch_size", [1, 7, 25, 50, 100])
def test_every_row_comes_once_in_the_order_of_keys_whatever_the_batch(filled, batch_size):
    batches = list(filled.load_rows(RUN, batch_size=batch_size))
    keys = [(row["project_id"], row["run_id"]) for batch in batches for row in batch]
    assert keys == [(project, name) for project in ("p1", "p2") for name in NAMES]
    assert all(len(batch) == batch_size for batch in batches[:-1])


@pytest.mark.parametrize("batch_size", [1, 7, 25])
def test_rows_are_chosen_by_column(filled, batch_size):
    batches = filled.load_rows(RUN, where={"project_id": "p2"}, batch_size=batch_size)
    keys = [(row["project_id"], row["run_id"]) for batch in batches for row in batch]
    assert keys == [("p2", name) for name in NAMES]


def test_a_whole_key_chooses_one_row(filled):
    where = {"project_id": "p2", "run_id": "r03"}
    assert [len(batch) for batch in filled.load_rows(RUN, where=where, batch_size=1)] == [1]


def test_none_chooses_what_is_absent(store):
    page = [make_row(RUN, "a", notes=None), make_row(RUN, "b")]
    store.save_rows(RUN, page, now=NOW, is_whole=True)
    ((row,),) = store.load_rows(RUN, where={"notes": None})
    assert row["run_id"] == "a"


def test_only_the_columns_asked_for_come_and_the_key(filled):
    (batch,) = filled.load_rows(RUN, where={"project_id": "p1"}, columns=["state", "changed_seq"])
    assert list(batch[0]) == ["project_id", "run_id", "state", "changed_seq"]


@every_kind
def test_without_columns_a_row_has_all_of_them(store, kind):
    store.save_rows(kind, [make_row(kind, "a")], now=NOW, is_whole=True)
    ((row,),) = store.load_rows(kind)
    assert list(row) == [column.name for column in KIND_TABLES[kind.plural].columns]
    assert {field.column for field in kind.fields} <= set(row)


def test_an_empty_store_yields_no_batch(store):
    assert list(store.load_rows(RUN)) == []
    assert list(store.load_changed(RUN, after_seq=0)) == []


@pytest.mark.parametrize("batch_size", [1, 7, 10, 1000])
@pytest.mark.parametrize("after_seq", [0, 2, 6])
def test_what_changed_comes_in_the_order_of_change(filled, batch_size, after_seq):
    changed = filled.load_changed(RUN, after_seq=after_seq, batch_size=batch_size)
    found = [(row["changed_seq"], row["project_id"], row["run_id"]) for b in changed for row in b]
    expected = [
        (number, scope.project_id, name)
        for number, (scope, start) in enumerate(
            [(scope, start) for scope in (SCOPE, OTHER) for start in (0, 10, 20)], start=1
        )
        for name in NAMES[start : start + 10]
        if number > after_seq
    ]
    assert found == expected


def test_a_row_that_changes_while_rows_are_read_comes_with_its_latest_content(filled):
    found = []
    for place, batch in enumerate(filled.load_changed(RUN, after_seq=0, batch_size=10)):
        found += batch
        if place == 0:
            page = [make_row(RUN, "r00", name="new"), make_row(RUN, "r24", name="new")]
            filled.save_rows(RUN, page, now=LATER, is_whole=True)
    latest = {(row["project_id"], row["run_id"]): row["name"] for row in found}
    assert len(latest) == 50
    assert latest["p1", "r00"] == latest["p1", "r24"] == "new"


def test_a_reader_between_two_batches_keeps_nobody_from_writing(filled):
    for reading in (filled.load_rows(RUN, batch_size=5), filled.load_changed(RUN, after_seq=0)):
        next(reading)
        assert filled._engine.pool.checkedout() == 0


def test_digests_are_of_the_scope_and_of_the_keys_asked_for(filled):
    found = filled.load_digests(RUN, SCOPE, ["r01", "unknown"])
    assert list(found) == ["r01"]
    assert filled.load_digests(RUN, SCOPE, []) == {}
    filled.mark_missing(RUN, OTHER, seen=[], now=LATER)
    assert not any(each.is_gone for each in filled.load_digests(RUN, SCOPE, NAMES).values())
    gone = filled.load_digests(RUN, OTHER, NAMES)
    assert [gone[name].is_gone for name in NAMES] == [True] * 25


def test_digests_of_a_kind_found_by_its_key_alone_need_no_scope(store):
    store.save_rows(PROJECT, [make_row(PROJECT, "p1")], now=NOW, is_whole=True)
    assert list(store.load_digests(PROJECT, SCOPE, ["p1"])) == ["p1"]


def test_the_oldest_checked_come_first_and_before_them_what_never_was(filled):
    filled.save_rows(RUN, [make_row(RUN, "r03")], now=LATER, is_whole=True)
    filled.save_rows(RUN, [{"project_id": "p1", "run_id": "x"}], now=LATER, is_whole=False)
    oldest = filled.load_oldest_checked(RUN, SCOPE, 100)
    assert oldest == ["x", *(name for name in NAMES if name != "r03"), "r03"]
    assert filled.load_oldest_checked(RUN, SCOPE, 2) == ["x", "r00"]
    filled.mark_missing(RUN, SCOPE, seen=["r03"], now=LATER)
    assert filled.load_oldest_checked(RUN, SCOPE, 100) == ["r03"]

"""The outbox keeps edits and what became of them, one transaction a call."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import datetime

import pytest

from wandb_mirror.edits.cells import Change
from wandb_mirror.edits.edit import Target
from wandb_mirror.errors import CorruptFile
from wandb_mirror.store.outbox import Outcome
from wandb_mirror.store.store import Store
from wandb_mirror.store.waiting import Waiting, count_waiting

NOW = datetime(2025, 1, 1)  # noqa: DTZ001  (the store keeps naive UTC)
TARGET = Target("runs", "p", "r", "e/p/r")


@pytest.fixture
def store(tmp_path):
    with Store.open(tmp_path / "store.sqlite") as store:
        yield store


def queue(store, local="b", base="a", field="notes", key=""):
    store.outbox.queue([(TARGET, Change(field, key, base, local))], now=NOW)


def record(store, edit, result="done"):
    store.outbox.record([Outcome(edit, result)], now=NOW, who="me")


def test_what_waits_is_counted_without_opening_the_store(store, tmp_path):
    path = tmp_path / "store.sqlite"
    assert count_waiting(path) == Waiting(0, 0)
    queue(store)
    assert count_waiting(path) == Waiting(1, 1)
    queue(store)
    assert count_waiting(path).version == 1
    queue(store, "c")
    assert count_waiting(path) == Waiting(1, 2)
    assert count_waiting(tmp_path / "none.sqlite") == Waiting()
    (tmp_path / "odd.sqlite").write_bytes(b"no database at all" * 100)
    with pytest.raises(CorruptFile, match="restore it"):
        count_waiting(tmp_path / "odd.sqlite")


def test_values_come_back_as_they_were(store):
    for number, value in enumerate([1, 1.5, True, None, "x", [1, {"a": "NaN"}], 2**70, "\u2028"]):
        queue(store, value, base="a", field="config", key=f"k{number}")
        [found] = [each for each in store.outbox.load() if each.key == f"k{number}"]
        assert (type(found.local), found.local) == (type(value), value)


def test_a_change_of_type_alone_is_a_change(store):
    queue(store, 1)
    queue(store, True)
    [found] = store.outbox.load()
    assert found.local is True


def test_an_edit_made_while_another_is_pushed_is_not_overwritten_by_its_outcome(store):
    queue(store, "b")
    [seen] = store.outbox.load()
    record(store, replace(seen, state="sent"), "")
    queue(store, "c")
    record(store, replace(seen, state="done"))
    [found] = store.outbox.load()
    assert (found.base, found.local, found.state) == ("b", "c", "pending")


@pytest.mark.parametrize(("state", "left"), [("done", 1), ("conflict", 0), ("refused", 0)])
def test_an_edit_that_was_discarded_during_a_push_does_not_come_back(store, state, left):
    queue(store)
    [seen] = store.outbox.load()
    assert store.outbox.discard([seen.cell], now=NOW, who="me") == 1
    record(store, replace(seen, state=state), state)
    assert len(store.outbox.load()) == left
    assert [row["result"] for row in store.outbox.load_audit()] == ["discarded", state]


def test_what_upstream_has_cannot_be_taken_back(store):
    queue(store)
    [seen] = store.outbox.load()
    record(store, replace(seen, state="done", reply_seq=3))
    assert store.outbox.discard([seen.cell], now=NOW, who="me") == 0
    assert store.outbox.purge("runs", 2) == 0
    assert store.outbox.purge("runs", 3) == 1


def test_what_a_push_overwrote_is_written_again_or_is_a_conflict(store):
    queue(store, "b", field="config", key="own")
    lost = [
        (TARGET, Change("config", "own", "ours", "theirs")),
        (TARGET, Change("config", "other", "ours", "theirs")),
    ]
    store.outbox.record([], now=NOW, who="me", lost=lost)
    found = {each.key: each for each in store.outbox.load()}
    assert (found["own"].state, found["own"].local, found["own"].upstream) == (
        "conflict",
        "b",
        "theirs",
    )
    assert (found["other"].state, found["other"].base, found["other"].local) == (
        "pending",
        "ours",
        "theirs",
    )


def test_pending_edits_hold_json(store):
    queue(store, None, field="tags", base=True, key="x")
    [row] = store.outbox.load_pending()
    assert (row["path"], row["field"], row["key"], row["base"], row["local"]) == (
        "e/p/r",
        "tags",
        "x",
        "true",
        "null",
    )


def test_a_store_that_is_not_ours_to_write_is_a_store_without_edits(store, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise sqlite3.OperationalError("unable to open database file")

    queue(store)
    monkeypatch.setattr(sqlite3, "connect", refuse)
    assert count_waiting(tmp_path / "store.sqlite") == Waiting()

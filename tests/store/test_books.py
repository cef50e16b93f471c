"""The books: facts, scopes, the log of syncs, errors."""

from __future__ import annotations

from fakes.storing import LATER, NOW, SCOPE, make_row
from wandb_mirror.kinds.run import RUN
from wandb_mirror.store.checkpoints import Checkpoint
from wandb_mirror.store.store import Store


def test_a_fact_is_what_was_saved_last(store):
    assert store.load_fact("base_url") is None
    store.save_fact("base_url", "https://one.example")
    store.save_fact("base_url", "https://two.example")
    assert store.load_fact("base_url") == "https://two.example"
    assert store.load_changed_seq() == 0


def test_the_pair_id_stays_and_differs_from_file_to_file(tmp_path):
    with Store.open(tmp_path / "one.sqlite") as one, Store.open(tmp_path / "two.sqlite") as two:
        first = one.pair_id
        assert len(first) == 32
        assert first != two.pair_id
    with Store.open(tmp_path / "one.sqlite") as again:
        assert again.pair_id == first


def test_scopes_come_in_the_order_in_which_they_were_added(store):
    store.add_scope("team", "vision", now=NOW)
    store.add_scope("crew", "", now=LATER)
    store.add_scope("team", "vision", now=LATER)
    assert store.load_scopes() == [("team", "vision"), ("crew", "")]


def test_a_finished_sync_stands_in_the_log_with_its_figures(store):
    sync_id = store.begin_sync(NOW)
    store.finish_sync(
        sync_id,
        now=LATER,
        status="done",
        requests=9,
        retries=2,
        throttled=1,
        bytes_received=12345,
        rows=7,
    )
    assert store.load_log() == [
        {
            "sync_id": sync_id,
            "started_at": NOW,
            "finished_at": LATER,
            "status": "done",
            "requests": 9,
            "retries": 2,
            "throttled": 1,
            "bytes": 12345,
            "rows": 7,
        }
    ]


def test_a_sync_that_was_killed_does_not_seem_to_run_for_ever(store):
    store.begin_sync(NOW)
    assert [row["status"] for row in store.load_log()] == ["running"]
    last = store.begin_sync(LATER)
    assert [row["status"] for row in store.load_log()] == ["killed", "running"]
    store.finish_sync(last, now=LATER, status="done")
    assert [row["status"] for row in store.load_log()] == ["killed", "done"]


def test_an_error_counts_its_attempts_and_keeps_its_first_time(store):
    store.save_error("runs", "team/vision/a", "bad", now=NOW)
    store.save_error("runs", "team/vision/a", "worse", now=LATER)
    assert store.load_errors() == [
        {
            "kind": "runs",
            "key": "team/vision/a",
            "error": "worse",
            "attempts": 2,
            "first_at": NOW,
            "last_at": LATER,
        }
    ]


def test_an_error_is_a_change_when_it_comes_goes_or_says_something_else(store):
    numbers = []
    for error in ("bad", "bad", "worse"):
        store.save_error("runs", "a\ud800", error, now=NOW)
        numbers.append(store.load_changed_seq())
    assert store.clear_error("runs", "a\ud800")
    numbers.append(store.load_changed_seq())
    assert not store.clear_error("runs", "a\ud800")
    numbers.append(store.load_changed_seq())
    assert numbers == [1, 1, 2, 3, 3]
    assert store.load_errors() == []


def test_a_checkpoint_survives_that_its_project_is_renamed(store):
    checkpoint = Checkpoint(SCOPE, "token", NOW)
    page = [make_row(RUN, "a")]
    store.save_rows(RUN, page, now=NOW, is_whole=True, checkpoint=checkpoint)
    renamed = type(SCOPE)(SCOPE.entity, "eyes", SCOPE.project_id, SCOPE.run_id)
    assert store.load_checkpoint(RUN, renamed) == Checkpoint(renamed, "token", NOW)


def test_whoever_listens_hears_of_every_transaction(path):
    heard = []
    with Store.open(path, on_commit=heard.append) as store:
        store.save_fact("a", "b")
        store.save_rows(RUN, [make_row(RUN, "a")], now=NOW, is_whole=True)
        store.load_fact("a")
        store.mark_missing(RUN, SCOPE, seen=[], now=NOW)
    assert heard == ["store: fact a", "store: rows of runs", "store: missing runs"]

"""Saving: what differs is written under one number, what does not is left alone."""

from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.storing import LATER, NOW, SCOPE, light_column, lighten, make_row
from wandb_mirror.jsontext import clean
from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.pages import Saved
from wandb_mirror.kinds.run import RUN
from wandb_mirror.store.checkpoints import Checkpoint
from wandb_mirror.store.digest import Digest, digest_light
from wandb_mirror.store.store import Store

every_kind = pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.plural)
every_telling_kind = pytest.mark.parametrize(
    "kind",
    [kind for kind in STORED if {each.column for each in kind.fields} - {*kind.key}],
    ids=lambda kind: kind.plural,
)
"""All but those of which a row says only that there is such an object."""


def load_all(store, kind):
    return [row for batch in store.load_rows(kind) for row in batch]


@every_kind
def test_a_row_comes_back_value_for_value(store, kind):
    row = make_row(kind, "a")
    assert store.save_rows(kind, [row], now=NOW, is_whole=True) == Saved(1, 0, ("a",))
    (there,) = load_all(store, kind)
    assert {name: there[name] for name in row} == row
    assert there == row | {
        "changed_seq": 1,
        "synced_at": NOW,
        "deleted_at": None,
        "inaccessible_since": None,
        "light_digest": digest_light(kind, row),
        "checked_at": NOW,
    }


@every_telling_kind
def test_absent_values_come_back_absent_and_empty_ones_empty(store, kind):
    column = light_column(kind)
    absent = make_row(kind, "a") | {f.column: None for f in kind.fields if f.column not in kind.key}
    absent |= {name: value for name, value in make_row(kind, "a").items() if name == "entity"}
    store.save_rows(kind, [absent, make_row(kind, "b", **{column: ""})], now=NOW, is_whole=True)
    first, second = load_all(store, kind)
    assert {name: first[name] for name in absent} == absent
    assert second[column] == ""


@every_kind
@pytest.mark.parametrize("is_whole", [True, False])
def test_saving_twice_changes_nothing(store, kind, is_whole):
    page = [make_row(kind, name) for name in "abc"]
    store.save_rows(kind, page, now=NOW, is_whole=is_whole)
    before = load_all(store, kind)
    assert store.save_rows(kind, page, now=NOW, is_whole=is_whole) == Saved(0, 3, ())
    assert load_all(store, kind) == before
    assert store.load_changed_seq() == 1


@every_kind
def test_rows_found_unchanged_are_noted_as_checked_and_nothing_else(store, kind):
    store.save_rows(kind, [make_row(kind, "a")], now=NOW, is_whole=True)
    (before,) = load_all(store, kind)
    store.save_rows(kind, [make_row(kind, "a")], now=LATER, is_whole=True)
    assert load_all(store, kind) == [before | {"checked_at": LATER}]


@every_telling_kind
def test_only_the_rows_that_differ_take_the_new_number(store, kind):
    page = [make_row(kind, name) for name in "abc"]
    store.save_rows(kind, page, now=NOW, is_whole=True)
    page[1] = make_row(kind, "b", **{light_column(kind): "other"})
    saved = store.save_rows(kind, [*page, make_row(kind, "d")], now=LATER, is_whole=True)
    assert saved == Saved(2, 2, ("b", "d"))
    numbers = {row[kind.own_key]: row["changed_seq"] for row in load_all(store, kind)}
    assert numbers == {"a": 1, "b": 2, "c": 1, "d": 2}
    times = {row[kind.own_key]: row["synced_at"] for row in load_all(store, kind)}
    assert times == {"a": NOW, "b": LATER, "c": NOW, "d": LATER}


def test_a_light_row_leaves_the_heavy_columns_alone(store):
    row = make_row(RUN, "a")
    store.save_rows(RUN, [row], now=NOW, is_whole=True)
    light = lighten(RUN, row) | {"name": "renamed"}
    assert store.save_rows(RUN, [light], now=LATER, is_whole=False).changed == 1
    (there,) = load_all(store, RUN)
    assert {name: there[name] for name in row} == row | {"name": "renamed"}


def test_after_a_light_save_the_object_is_read_whole_again(store):
    row = make_row(RUN, "a")
    store.save_rows(RUN, [row], now=NOW, is_whole=True)
    store.save_rows(RUN, [lighten(RUN, row) | {"name": "b"}], now=LATER, is_whole=False)
    assert store.load_digests(RUN, SCOPE, ["a"]) == {"a": Digest(None, is_gone=False)}
    (there,) = load_all(store, RUN)
    assert there["checked_at"] == NOW
    store.save_rows(RUN, [row | {"name": "b"}], now=LATER, is_whole=True)
    digest = digest_light(RUN, row | {"name": "b"})
    assert store.load_digests(RUN, SCOPE, ["a"]) == {"a": Digest(digest, is_gone=False)}


def test_a_light_row_that_is_unchanged_does_not_settle_what_was_not_read(store):
    store.save_rows(RUN, [lighten(RUN, make_row(RUN, "a"))], now=NOW, is_whole=False)
    store.save_rows(RUN, [lighten(RUN, make_row(RUN, "a"))], now=LATER, is_whole=False)
    assert store.load_digests(RUN, SCOPE, ["a"]) == {"a": Digest(None, is_gone=False)}


def test_rows_of_one_page_may_carry_different_columns(store):
    store.save_rows(RUN, [make_row(RUN, "a"), make_row(RUN, "b")], now=NOW, is_whole=True)
    partial = [
        {"project_id": "p1", "run_id": "a", "notes": "one"},
        {"project_id": "p1", "run_id": "b", "tags": "[]"},
    ]
    assert store.save_rows(RUN, partial, now=LATER, is_whole=False).changed == 2
    first, second = load_all(store, RUN)
    assert (first["notes"], first["tags"]) == ("one", '["a","b"]')
    assert (second["notes"], second["tags"]) == ("text", "[]")


def test_the_last_of_two_rows_with_one_key_counts(store):
    page = [make_row(RUN, "a", name="first"), make_row(RUN, "a", name="last")]
    assert store.save_rows(RUN, page, now=NOW, is_whole=True) == Saved(1, 0, ("a",))
    (there,) = load_all(store, RUN)
    assert there["name"] == "last"
    assert there["light_digest"] == digest_light(RUN, page[1])


def test_one_id_in_two_projects_is_two_rows(store):
    page = [make_row(RUN, "a"), make_row(RUN, "a", project_id="p2", name="elsewhere")]
    assert store.save_rows(RUN, page, now=NOW, is_whole=True).changed == 2
    assert [row["name"] for row in load_all(store, RUN)] == ["text", "elsewhere"]


def test_a_light_page_without_changes_costs_no_write(store, path):
    page = [make_row(RUN, f"r{number}") for number in range(1200)]
    store.save_rows(RUN, page, now=NOW, is_whole=True)
    size = path.with_name("store.sqlite-wal").stat().st_size
    digests = store.load_digests(RUN, SCOPE, [row["run_id"] for row in page])
    light = [lighten(RUN, row) for row in page]
    assert [digests[row["run_id"]].light_digest for row in light] == [
        digest_light(RUN, row) for row in light
    ]
    store.save_rows(RUN, light, now=LATER, is_whole=False)
    assert path.with_name("store.sqlite-wal").stat().st_size == size


def test_saving_nothing_is_no_change(store):
    assert store.save_rows(RUN, [], now=NOW, is_whole=True) == Saved(0, 0, ())
    assert store.load_changed_seq() == 0


def test_a_page_and_its_checkpoint_are_saved_together(store):
    assert store.load_checkpoint(RUN, SCOPE) is None
    first = Checkpoint(SCOPE, "token", NOW)
    store.save_rows(RUN, [make_row(RUN, "a")], now=NOW, is_whole=True, checkpoint=first)
    assert store.load_checkpoint(RUN, SCOPE) == first
    last = Checkpoint(SCOPE, None, LATER)
    store.save_rows(RUN, [], now=LATER, is_whole=True, checkpoint=last)
    assert store.load_checkpoint(RUN, SCOPE) == last


def test_a_page_that_cannot_be_saved_leaves_no_checkpoint(store):
    broken = [make_row(RUN, "a"), make_row(RUN, "b", compute_seconds="no number")]
    with pytest.raises(Exception, match="could not convert"):
        store.save_rows(RUN, broken, now=NOW, is_whole=True, checkpoint=Checkpoint(SCOPE, "t"))
    assert store.load_checkpoint(RUN, SCOPE) is None
    assert load_all(store, RUN) == []
    assert store.load_changed_seq() == 0


def test_an_error_does_not_show_what_was_being_saved(store):
    row = make_row(RUN, "a", config='{"api_key":"hunter2"}')
    with pytest.raises(Exception, match="NOT NULL") as caught:
        store.save_rows(RUN, [row], now=None, is_whole=True)
    assert "hunter2" not in str(caught.value)


HOSTILE = [
    pytest.param("a\ud800b", id="lone-surrogate"),
    pytest.param("nul \x00 inside", id="nul"),
    pytest.param("🏃‍♀️ run é 走", id="emoji"),
    pytest.param("x" * 5_000_000, id="very-long"),
    pytest.param("'; DROP TABLE runs; --", id="sql"),
    pytest.param("\ufeff\u202e\u0085", id="odd-spaces"),
]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_and_only_lone_surrogates_are_replaced(store, text):
    row = make_row(RUN, text[:50], name=text, config=text)
    assert store.save_rows(RUN, [row], now=NOW, is_whole=True).changed == 1
    (there,) = load_all(store, RUN)
    assert (there["run_id"], there["name"], there["config"]) == (
        clean(text[:50]),
        clean(text),
        clean(text),
    )
    assert store.save_rows(RUN, [row], now=NOW, is_whole=True).changed == 0
    found = store.load_digests(RUN, SCOPE, [text[:50]])
    assert found == {text[:50]: Digest(digest_light(RUN, row), is_gone=False)}
    assert store.mark_missing(RUN, SCOPE, seen=[text[:50]], now=NOW) == []


@pytest.mark.parametrize(
    ("value", "kept"),
    [(math.nan, None), (math.inf, math.inf), (-math.inf, -math.inf), (-0.0, 0.0), (5e-324, 5e-324)],
)
def test_real_numbers_are_kept_and_nan_is_absent(store, value, kept):
    row = make_row(RUN, "a", compute_seconds=value)
    store.save_rows(RUN, [row], now=NOW, is_whole=True)
    (there,) = load_all(store, RUN)
    assert there["compute_seconds"] == kept
    assert store.save_rows(RUN, [row], now=NOW, is_whole=True).changed == 0


@settings(max_examples=40, deadline=None)
@given(text=st.text(st.characters(), max_size=20))
def test_any_text_is_saved_once_and_found_again(fresh_file, tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("text")
    path = folder / "store.sqlite"
    path.write_bytes(fresh_file.read_bytes())
    row = make_row(RUN, "a", name=text, notes=text, config=text)
    with Store.open(path) as store:
        assert store.save_rows(RUN, [row], now=NOW, is_whole=True).changed == 1
        assert store.save_rows(RUN, [row], now=NOW, is_whole=True).changed == 0
        (there,) = load_all(store, RUN)
    assert there["name"] == there["notes"] == there["config"] == clean(text)


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, True), (1, "1"), (None, ""), (None, "None"), (0, None)]
)
def test_a_digest_tells_values_apart_that_look_alike(one, other):
    column = RUN.light_fields[0].column
    assert digest_light(RUN, {column: one}) != digest_light(RUN, {column: other})


def test_a_digest_is_of_the_light_fields_alone(store):
    row = make_row(RUN, "a")
    assert digest_light(RUN, row) == digest_light(RUN, lighten(RUN, row))
    assert digest_light(RUN, row) == digest_light(RUN, row | {"project_id": "p2"})
    for field in RUN.light_fields:
        assert digest_light(RUN, row) != digest_light(RUN, row | {field.column: "other"})


def test_times_are_kept_to_the_microsecond(store):
    moment = NOW + timedelta(microseconds=1)
    store.save_rows(RUN, [make_row(RUN, "a", heartbeat_at=moment)], now=NOW, is_whole=True)
    (there,) = load_all(store, RUN)
    assert there["heartbeat_at"] == moment

"""What a complete listing did not show is marked as its kind says, inside its scope alone."""

from __future__ import annotations

import pytest

from fakes.storing import LATER, NOW, OTHER, SCOPE, lighten, make_row
from wandb_mirror.jsontext import dumps
from wandb_mirror.kinds import STORED
from wandb_mirror.kinds.pages import Saved, ScopeOf
from wandb_mirror.kinds.project import PROJECT
from wandb_mirror.kinds.run import RUN
from wandb_mirror.kinds.viewer import VIEWER
from wandb_mirror.store.checkpoints import Checkpoint

MARKS = {"deleted": "deleted_at", "inaccessible": "inaccessible_since"}
every_kind = pytest.mark.parametrize("kind", STORED, ids=lambda kind: kind.plural)
every_marked_kind = pytest.mark.parametrize(
    "kind", [kind for kind in STORED if kind.when_gone in MARKS], ids=lambda kind: kind.plural
)


def load_all(store, kind):
    return [row for batch in store.load_rows(kind) for row in batch]


@every_marked_kind
def test_what_is_missing_is_marked_and_kept(store, kind):
    store.save_rows(kind, [make_row(kind, name) for name in "abc"], now=NOW, is_whole=True)
    assert store.mark_missing(kind, SCOPE, seen=["b"], now=LATER) == ["a", "c"]
    first, second, third = load_all(store, kind)
    mark = MARKS[kind.when_gone]
    assert (first[mark], second[mark], third[mark]) == (LATER, None, LATER)
    assert [row["changed_seq"] for row in (first, second, third)] == [2, 1, 2]
    other = next(name for name in MARKS.values() if name != mark)
    assert [row[other] for row in (first, second, third)] == [None, None, None]


def test_what_is_missing_of_a_set_is_removed_and_written_down(store):
    store.save_rows(VIEWER, [make_row(VIEWER, name) for name in "ab"], now=NOW, is_whole=True)
    assert store.mark_missing(VIEWER, ScopeOf(), seen=["b"], now=LATER) == ["a"]
    assert [row["user_id"] for row in load_all(store, VIEWER)] == ["b"]
    removal = {"kind": "viewers", "key": '["a"]', "changed_seq": 2}
    assert store.load_removals(after_seq=0) == [removal]
    assert store.load_removals(after_seq=1) == [removal]
    assert store.load_removals(after_seq=2) == []


def test_a_removed_row_that_is_there_again_is_no_removal(store):
    rows = [make_row(VIEWER, name) for name in "ab"]
    store.save_rows(VIEWER, rows, now=NOW, is_whole=True)
    store.mark_missing(VIEWER, ScopeOf(), seen=[], now=NOW)
    store.save_rows(VIEWER, rows[:1], now=LATER, is_whole=True)
    assert [row["key"] for row in store.load_removals(after_seq=0)] == ['["b"]']
    store.mark_missing(VIEWER, ScopeOf(), seen=[], now=NOW)
    assert [(row["key"], row["changed_seq"]) for row in store.load_removals(after_seq=0)] == [
        ('["b"]', 2),
        ('["a"]', 4),
    ]


@every_kind
def test_nothing_missing_is_no_change(store, kind):
    store.save_rows(kind, [make_row(kind, name) for name in "ab"], now=NOW, is_whole=True)
    before = load_all(store, kind)
    assert store.mark_missing(kind, SCOPE, seen={"a", "b", "c"}, now=LATER) == []
    assert load_all(store, kind) == before
    assert store.load_changed_seq() == 1


@every_marked_kind
def test_what_was_marked_keeps_its_first_mark(store, kind):
    store.save_rows(kind, [make_row(kind, "a")], now=NOW, is_whole=True)
    store.mark_missing(kind, SCOPE, seen=[], now=NOW)
    before = load_all(store, kind)
    assert store.mark_missing(kind, SCOPE, seen=[], now=LATER) == []
    assert load_all(store, kind) == before


@pytest.mark.parametrize("kind", [PROJECT, RUN], ids=lambda kind: kind.plural)
def test_only_the_rows_of_the_scope_are_marked(store, kind):
    mine, theirs = make_row(kind, "a"), make_row(kind, "b", OTHER)
    store.save_rows(kind, [mine, theirs], now=NOW, is_whole=True)
    (before,) = [row for row in load_all(store, kind) if row[kind.own_key] == "b"]
    assert store.mark_missing(kind, SCOPE, seen=[], now=LATER) == ["a"]
    (after,) = [row for row in load_all(store, kind) if row[kind.own_key] == "b"]
    assert after == before
    assert store.count_live(kind, SCOPE) == 0
    assert store.count_live(kind, OTHER) == 1


def test_more_rows_than_fit_into_one_statement_are_marked_under_one_number(store):
    names = [f"r{number:04}" for number in range(1201)]
    store.save_rows(RUN, [make_row(RUN, name) for name in names], now=NOW, is_whole=True)
    assert store.mark_missing(RUN, SCOPE, seen=[], now=LATER) == names
    assert {row["changed_seq"] for row in load_all(store, RUN)} == {2}


@pytest.mark.parametrize("kind", [PROJECT, RUN], ids=lambda kind: kind.plural)
def test_a_scope_without_its_place_is_refused(store, kind):
    store.save_rows(kind, [make_row(kind, "a")], now=NOW, is_whole=True)
    with pytest.raises(ValueError, match="the scope of"):
        store.mark_missing(kind, ScopeOf(), seen=[], now=LATER)
    assert store.load_changed_seq() == 1


@every_marked_kind
@pytest.mark.parametrize("is_whole", [True, False])
def test_a_restored_object_loses_its_mark_and_takes_a_new_number(store, kind, is_whole):
    row = make_row(kind, "a")
    store.save_rows(kind, [row], now=NOW, is_whole=True)
    store.mark_missing(kind, SCOPE, seen=[], now=NOW)
    assert store.load_digests(kind, SCOPE, ["a"])["a"].is_gone
    page = [row if is_whole else lighten(kind, row)]
    assert store.save_rows(kind, page, now=LATER, is_whole=is_whole) == Saved(1, 0, ("a",))
    (there,) = load_all(store, kind)
    assert (there["deleted_at"], there["inaccessible_since"]) == (None, None)
    assert (there["changed_seq"], there["synced_at"]) == (3, LATER)
    assert not store.load_digests(kind, SCOPE, ["a"])["a"].is_gone


def test_one_object_is_marked_as_inaccessible_once(store):
    page = [make_row(RUN, "a"), make_row(RUN, "a", OTHER)]
    store.save_rows(RUN, page, now=NOW, is_whole=True)
    assert store.mark_inaccessible(RUN, "p1", "a", now=LATER)
    assert not store.mark_inaccessible(RUN, "p1", "a", now=LATER)
    assert not store.mark_inaccessible(RUN, "p1", "unknown", now=LATER)
    marks = [(row["inaccessible_since"], row["changed_seq"]) for row in load_all(store, RUN)]
    assert marks == [(LATER, 2), (None, 1)]
    assert store.load_changed_seq() == 2


def test_half_a_key_marks_nothing(store):
    with pytest.raises(ValueError, match="shorter"):
        store.mark_inaccessible(RUN, "p1", now=LATER)


def test_forgetting_a_project_removes_its_rows_and_books_and_no_others(store):
    for scope in (SCOPE, OTHER):
        project = make_row(PROJECT, scope.project_id, scope, project=scope.project)
        store.save_rows(PROJECT, [project], now=NOW, is_whole=True)
        checkpoint = Checkpoint(scope, "token")
        runs = [make_row(RUN, name, scope) for name in "ab"]
        store.save_rows(RUN, runs, now=NOW, is_whole=True, checkpoint=checkpoint)
        store.add_scope(scope.entity, scope.project, now=NOW)
        store.save_error("runs", f"{scope}/a", "broken", now=NOW)
        store.save_error("runs", f"{scope.entity}/{scope.project}", "broken", now=NOW)
    store.add_scope("team", "", now=LATER)
    store.save_error("runs", "team/vision2/a", "broken", now=NOW)
    before = store.load_changed_seq()
    assert store.forget("p1") == 3
    assert [row["project_id"] for row in load_all(store, PROJECT)] == ["p2"]
    assert [row["project_id"] for row in load_all(store, RUN)] == ["p2", "p2"]
    assert store.load_checkpoint(RUN, SCOPE) is None
    assert store.load_checkpoint(RUN, OTHER) == Checkpoint(OTHER, "token")
    assert store.load_scopes() == [("crew", "speech"), ("team", "")]
    assert [row["key"] for row in store.load_errors()] == [
        "crew/speech",
        "crew/speech/r2/a",
        "team/vision2/a",
    ]
    removed = {(row["kind"], row["key"]) for row in store.load_removals(after_seq=before)}
    assert removed == {
        ("projects", dumps(["p1"])),
        ("runs", dumps(["p1", "a"])),
        ("runs", dumps(["p1", "b"])),
    }


def test_forgetting_what_is_not_there_removes_nothing(store):
    assert store.forget("unknown") == 0
    assert store.load_removals(after_seq=0) == []

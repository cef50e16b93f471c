"""A comparison with upstream says what differs, mends it when asked, and is written down."""

from __future__ import annotations

import sqlite3

import pytest

from mirror.making import TEAM, first_runs, own_id, rows
from wandb_mirror.errors import NotMirrored


def log(mirror):
    with sqlite3.connect(mirror.store_path) as store:
        return store.execute(
            "SELECT status, requests > 0 FROM sync_log ORDER BY started_at"
        ).fetchall()


def test_a_comparison_leaves_a_row_in_the_log_that_says_how_it_ended(mirror, world):
    mirror.sync([TEAM])
    assert mirror.verify(is_deep=True).is_equal
    world.edit(first_runs(world)[0], tags=["behind"])
    verdict = mirror.verify()
    assert verdict.is_equal
    assert [each.problem for each in verdict.behind] == ["changed upstream"]
    assert log(mirror) == [("done", 1), ("verified: equal", 1), ("verified: behind", 1)]
    assert mirror.status()["last_complete_sync_at"] is not None


def test_projects_are_compared_by_path_or_all_of_an_entity(mirror, world):
    mirror.sync([TEAM])
    one = f"{TEAM}/{world.projects[0].name}"
    assert mirror.verify([one]).compared["runs"] == 3
    assert mirror.verify([TEAM]).compared["runs"] == 6
    assert mirror.verify([one, TEAM]).compared == mirror.verify().compared
    with pytest.raises(NotMirrored, match=f"elsewhere is not in this mirror; it holds {one}"):
        mirror.verify(["elsewhere"])


def test_what_differs_is_named_and_fetched_again_when_asked(mirror, world):
    mirror.sync([TEAM])
    bad = own_id(first_runs(world)[1])
    with sqlite3.connect(mirror.store_path) as store:
        store.execute("UPDATE runs SET config = '{}' WHERE run_id = ?", (bad,))
    verdict = mirror.verify(repairs=True)
    assert [(each.path.rsplit("/")[-1], each.problem) for each in verdict.different] == [
        (bad, "config not as upstream")
    ]
    assert [status for status, _ in log(mirror)] == ["done", "verified: different", "done"]
    assert mirror.verify(is_deep=True).different == []
    assert rows(mirror, "SELECT config <> '{}' FROM runs WHERE run_id = ?", bad) == [(True,)]

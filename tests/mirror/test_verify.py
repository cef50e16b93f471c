"""A comparison with upstream says what differs, mends it when asked, and is written down."""

from __future__ import annotations

import sqlite3

import duckdb
import pytest

from mirror.making import TEAM, first_runs, make_world, open_mirror, own_id, rows
from wandb_mirror.errors import NotMirrored
from wandb_mirror.kinds import KINDS, STORED
from wandb_mirror.kinds.spec import Type
from wandb_mirror.sandbox import Sandbox


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


def break_every_kind(mirror):
    """Change one value of each kind behind the mirror's back; return of which kinds."""
    broken = {"history", "system_metrics"}
    with sqlite3.connect(mirror.store_path) as store:
        for kind in STORED:
            named = {*kind.key, kind.seek, kind.stamped_by, kind.heard_by}
            texts = (
                each.column
                for each in kind.fields
                if each.column not in named and each.type in (Type.TEXT, Type.JSON_TEXT)
            )
            column = next(texts, kind.own_key)
            done = store.execute(
                f"UPDATE {kind.plural} SET {column} = '\"broken\"' WHERE rowid = "
                f"(SELECT min(rowid) FROM {kind.plural} WHERE deleted_at IS NULL)"
            )
            broken |= {kind.plural} if done.rowcount else set()
    with duckdb.connect(mirror.folder / "warehouse.duckdb") as warehouse:
        for table in ("plain_values", "samples"):
            first = f"SELECT min(rowid) FROM _data.{table}"
            warehouse.execute(f"UPDATE _data.{table} SET value = value + 1 WHERE rowid = ({first})")
    return broken


def test_what_is_wrong_with_any_kind_is_found_and_fetched_again(tmp_path):
    world = make_world(
        projects=1, sweeps=1, datasets=1, models=1, versions=2, reports=1,
        has_automations=True, has_registry=True,
    )  # fmt: skip
    rules = {"sync.console_lines": True, "sync.redact": ["*rate*"]}
    with Sandbox(world) as box:
        mirror = open_mirror(tmp_path / "m", box, overrides=rules)
        mirror.sync([TEAM])
        whole = mirror.verify(is_deep=True)
        assert (whole.different, whole.behind) == ([], [])
        broken = break_every_kind(mirror)
        assert len(broken) >= len(KINDS) - 1
        verdict = mirror.verify(is_deep=True, repairs=True)
        # of these a row says only that there is such an object: another is new, and this one gone
        bare = {kind.plural for kind in STORED if {f.column for f in kind.fields} <= {*kind.key}}
        assert {each.kind for each in verdict.behind} == bare
        assert {each.kind for each in verdict.different} | bare == broken == set(whole.compared)
        mended = mirror.verify(is_deep=True)
        assert (mended.different, mended.behind) == ([], [])
        assert mended.compared == whole.compared

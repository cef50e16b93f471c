"""Histories of which only some metrics are mirrored."""

from __future__ import annotations

import pytest

from mirror.making import TEAM, first_runs, make_world, open_mirror, rows
from wandb_mirror.sandbox import Sandbox

KEYS = "SELECT DISTINCT key FROM metrics ORDER BY key"
STATUS = "SELECT DISTINCT history_status FROM runs"


@pytest.fixture
def world():
    world = make_world(projects=1, metrics=6)
    for path in first_runs(world):
        world.finish(path)
    return world


def pull(folder, box, **overrides):
    mirror = open_mirror(folder, box, overrides=overrides)
    mirror.sync([TEAM], only=["projects", "runs", "history"])
    return mirror


def keys_of(mirror):
    return [key for (key,) in rows(mirror, KEYS)]


@pytest.mark.parametrize("exports", ["off", "ready"])
def test_only_metrics_that_match_a_glob_are_kept_and_the_status_says_so(world, tmp_path, exports):
    with Sandbox(world, exports=exports) as box:
        mirror = pull(
            tmp_path / "m", box, **{"history.metrics": ("l*", "acc*"), "history.exports_from": 1}
        )
        assert keys_of(mirror) == ["accuracy", "loss", "lr"]
        assert rows(mirror, STATUS) == [("selected",)]
        assert rows(mirror, "SELECT DISTINCT history_rows FROM runs") == [(30,)]


def test_a_wider_selection_fetches_what_is_missing_and_the_same_one_nothing(world, tmp_path):
    with Sandbox(world) as box:
        pull(tmp_path / "m", box, **{"history.metrics": ("loss",)})
        asked = len([each for each in box.requests if each.operation == "Steps"])
        pull(tmp_path / "m", box, **{"history.metrics": ("loss",)})
        assert len([each for each in box.requests if each.operation == "Steps"]) == asked
        mirror = pull(tmp_path / "m", box, **{"history.metrics": ("loss", "accuracy")})
        assert keys_of(mirror) == ["accuracy", "loss"]
        mirror = pull(tmp_path / "m", box)
        assert len(keys_of(mirror)) == 6
        assert rows(mirror, STATUS) == [("complete",)]


def test_a_narrower_selection_takes_nothing_away(world, tmp_path):
    with Sandbox(world) as box:
        pull(tmp_path / "m", box)
        mirror = pull(tmp_path / "m", box, **{"history.metrics": ("loss",)})
        assert len(keys_of(mirror)) == 6
        assert rows(mirror, STATUS) == [("complete",)]


def test_a_history_that_is_not_asked_for_has_status_none(world, tmp_path):
    with Sandbox(world) as box:
        mirror = pull(tmp_path / "m", box, **{"history.skip_projects": (f"{TEAM}/*",)})
        assert keys_of(mirror) == []
        assert rows(mirror, STATUS) == [("none",)]


def test_verify_holds_a_selected_history_against_what_was_selected(world, tmp_path):
    with Sandbox(world) as box:
        mirror = pull(tmp_path / "m", box, **{"history.metrics": ("loss",)})
        verdict = mirror.verify([f"{TEAM}/{world.projects[0].name}"], is_deep=True)
        assert verdict.different == []
        assert [each for each in verdict.behind if each.kind == "history"] == []

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_mirror.errors import BadSettings
from wandb_mirror.kinds import KINDS
from wandb_mirror.kinds.pages import HistoryCursor
from wandb_mirror.pull.plan import judge_history, plan_deep_slice, plan_kinds, plan_window


def names(only=(), skip=()):
    return [kind.plural for kind in plan_kinds(only, skip)]


def test_without_a_choice_every_kind_is_read_in_its_order():
    assert plan_kinds((), ()) == KINDS


def test_a_kind_brings_the_kinds_it_is_found_in():
    assert names(only=["history"]) == ["viewers", "projects", "runs", "history"]
    assert names(only=["projects"]) == ["viewers", "projects"]


def test_a_kind_left_out_stays_out():
    everything = [kind.plural for kind in KINDS]
    assert names(skip=["history"]) == [each for each in everything if each != "history"]


def test_a_word_stands_for_several_kinds_and_what_is_left_out_takes_along_what_it_leads_to():
    assert names(only=["files"]) == ["viewers", "projects", "runs", "run_files"]
    found = names(only=["registries"])
    assert found == ["viewers", "teams", "registries", "registry_members", "registry_teams"]
    everything = [kind.plural for kind in KINDS]
    without = names(skip=["artifacts", "users"])
    assert [each for each in everything if each not in without] == [
        "team_members",
        "artifact_types",
        "artifact_collections",
        "artifacts",
        "artifact_files",
        "input_artifacts",
        "output_artifacts",
    ]
    assert names(skip=["artifact_collections"]) == [
        each for each in everything if each.split("_")[0] not in ("artifacts", "artifact")
        or each == "artifact_types"
    ]  # fmt: skip


def test_an_unknown_kind_is_named_with_those_there_are():
    with pytest.raises(BadSettings, match=r"'rnus'.*viewers, .*projects, runs, history"):
        plan_kinds(["rnus"], ())


@pytest.mark.parametrize(
    ("why", "cursor", "line_count", "has_ended", "expected"),
    [
        (
            "never read: from the start",
            None,
            10,
            True,
            0,
        ),
        (
            "unchanged",
            HistoryCursor(10, 10, "complete", True),
            10,
            True,
            None,
        ),
        (
            "still running, no new lines",
            HistoryCursor(10, 10, "live", False),
            10,
            False,
            None,
        ),
        (
            "grown: from the last step",
            HistoryCursor(10, 10, "live", False),
            12,
            False,
            9,
        ),
        (
            "ended: the last step may have been merged",
            HistoryCursor(10, 10, "live", False),
            10,
            True,
            9,
        ),
        (
            "resumed",
            HistoryCursor(10, 10, "complete", True),
            12,
            False,
            9,
        ),
        (
            "rewound",
            HistoryCursor(10, 10, "complete", True),
            4,
            True,
            0,
        ),
        (
            "cut off: goes on",
            HistoryCursor(5, 10, "partial", True),
            10,
            True,
            5,
        ),
        (
            "cut off and rewound",
            HistoryCursor(5, 10, "partial", True),
            3,
            True,
            0,
        ),
        (
            "failed: tried again",
            HistoryCursor(5, 10, "failed", True),
            10,
            True,
            5,
        ),
        (
            "a server that does not count is asked while the run lives",
            HistoryCursor(5, None, "live", False),
            None,
            False,
            4,
        ),
        (
            "and not after it has ended",
            HistoryCursor(5, None, "complete", True),
            None,
            True,
            None,
        ),
    ],
)
def test_history_is_read_from_where_it_may_have_changed(
    why, cursor, line_count, has_ended, expected
):
    assert judge_history(cursor, line_count=line_count, has_ended=has_ended) == expected


def test_a_deep_slice_waits_until_it_fills_a_page():
    day = 86_400.0
    plan = {"live": 2000, "every_seconds": day, "batch": 100}
    assert plan_deep_slice(seconds_since=60, **plan) == 0
    assert plan_deep_slice(seconds_since=day / 20, **plan) == 100
    assert plan_deep_slice(seconds_since=2 * day, **plan) == 2000
    assert plan_deep_slice(seconds_since=None, **plan) == 0


@given(live=st.integers(1, 10**6), syncs=st.integers(1, 2000))
def test_over_a_period_every_object_comes_up_once(live, syncs):
    since = 0.0
    taken = 0
    for _ in range(syncs):
        since += 1.0 / syncs
        count = plan_deep_slice(live=live, seconds_since=since, every_seconds=1.0, batch=100)
        if count:
            taken += count
            since = 0.0
    assert taken <= live * 1.0001
    # each slice is rounded down, and the last may not have filled a page
    assert live - taken <= syncs + 101


@given(
    next_step=st.integers(0, 10**12),
    last_step=st.none() | st.integers(0, 10**12),
    line_count=st.none() | st.integers(0, 10**9),
    rows=st.integers(1, 10_000),
)
def test_a_window_moves_on_and_never_past_the_end(next_step, last_step, line_count, rows):
    width = plan_window(next_step=next_step, last_step=last_step, line_count=line_count, rows=rows)
    assert width >= 1
    assert last_step is None or not line_count or width <= max(1, last_step + 1 - next_step)


def test_a_few_rows_that_end_at_a_far_step_are_one_window():
    assert plan_window(next_step=0, last_step=2**40, line_count=6, rows=1000) == 2**40 + 1


def test_sparse_steps_get_wide_windows():
    assert plan_window(next_step=0, last_step=999_999, line_count=100, rows=1000) == 1_000_000
    assert plan_window(next_step=0, last_step=9_999, line_count=10_000, rows=1000) == 1000

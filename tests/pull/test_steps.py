from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.pulling import SCOPE, STEPS, FakeKeeper, FakeUpstream, reach_of
from wandb_mirror.errors import Refused, UpstreamBroken
from wandb_mirror.progress import Silence
from wandb_mirror.pull.plan import judge_history
from wandb_mirror.pull.reading import Reading
from wandb_mirror.pull.steps import FEWEST_ROWS, walk_steps


def lines(steps):
    return {step: f"{step}:row" for step in steps}


def pull(upstream, keeper, *, ended=True, workers=2):
    readings = []
    for run_id, steps in sorted(upstream.lines.items()):
        start = judge_history(keeper.cursors.get(run_id), line_count=len(steps), has_ended=ended)
        if start is not None:
            readings.append(Reading(run_id, start, ended, len(steps)))
    reach = reach_of(upstream, keeper, workers=workers)
    return walk_steps(STEPS, SCOPE, readings, reach)


SHAPES = {
    "dense": range(35),
    "one page": range(10),
    "one row": [0],
    "late": range(1000, 1021),
    "sparse": range(0, 900_000, 100_000),
    "gap": [*range(12), *range(500_000, 500_012)],
}


@pytest.mark.parametrize("says", [True, False], ids=["last step known", "last step unknown"])
@pytest.mark.parametrize("shape", SHAPES)
def test_every_row_is_read_once_whatever_the_steps_look_like(shape, says):
    upstream, keeper = (
        FakeUpstream(lines={"r": lines(SHAPES[shape])}, says_last_step=says),
        FakeKeeper(),
    )
    pull(upstream, keeper)
    assert keeper.steps == upstream.lines
    assert keeper.cursors["r"].status == "complete"


def test_short_runs_share_a_request():
    upstream, keeper = (
        FakeUpstream(lines={f"r{n}": lines(range(2)) for n in range(20)}),
        FakeKeeper(),
    )
    pull(upstream, keeper)
    assert len(upstream.requests) == 2
    assert keeper.steps == upstream.lines


def test_a_request_names_a_hundred_runs_at_most():
    upstream = FakeUpstream(lines={f"r{n:03}": lines([0]) for n in range(250)})
    keeper = FakeKeeper()
    kind = replace(STEPS, page_size=1000)
    readings = [Reading(run_id, 0, True, 1) for run_id in upstream.lines]
    walk_steps(kind, SCOPE, readings, reach_of(upstream, keeper))
    assert [len(asked) for _, asked in upstream.requests] == [100, 100, 50]
    assert keeper.steps == upstream.lines


def test_reading_twice_asks_for_nothing():
    upstream, keeper = FakeUpstream(lines={"r": lines(range(25))}), FakeKeeper()
    pull(upstream, keeper)
    upstream.requests.clear()
    pull(upstream, keeper)
    assert upstream.requests == []


def test_a_grown_run_is_read_from_its_last_step():
    upstream, keeper = FakeUpstream(lines={"r": lines(range(25))}), FakeKeeper()
    pull(upstream, keeper, ended=False)
    assert keeper.cursors["r"].status == "live"
    upstream.lines["r"] = {**lines(range(30)), 24: "24:merged"}
    upstream.requests.clear()
    pull(upstream, keeper)
    assert keeper.steps == upstream.lines
    assert [each.min_step for _, asked in upstream.requests for each in asked] == [24]


def test_a_rewound_run_loses_the_rows_it_lost_upstream():
    upstream, keeper = FakeUpstream(lines={"r": lines(range(25))}), FakeKeeper()
    pull(upstream, keeper)
    upstream.lines["r"] = lines(range(7))
    pull(upstream, keeper)
    assert keeper.steps == upstream.lines


def test_a_run_deleted_while_it_is_read_stops_nothing():
    upstream, keeper = (
        FakeUpstream(lines={"a": lines(range(25)), "b": lines(range(25))}),
        FakeKeeper(),
    )

    def delete(self):
        self.lines.pop("a", None) if len(self.requests) > 2 else None

    upstream.before_reply = delete
    walked = pull(upstream, keeper, workers=1)
    assert keeper.steps["b"] == lines(range(25))
    assert walked.set_aside == 0


def test_rows_too_wide_for_a_page_come_in_smaller_ones():
    def choke(what, requests):
        return (
            UpstreamBroken("502", is_too_large=True)
            if any(each.max_step - each.min_step > 3 for each in requests)
            else None
        )

    wide = {"r": lines(range(25))}
    upstream, keeper = FakeUpstream(lines=wide, fail=choke), FakeKeeper()
    kind_rows = STEPS.page_size
    assert kind_rows < FEWEST_ROWS
    assert pull(upstream, keeper).set_aside == 1
    assert "502" in keeper.aside["r"]


def test_a_run_that_upstream_refuses_is_set_aside_and_the_others_are_read():
    def refuse(what, requests):
        return Refused("no") if any(each.run_id == "b" for each in requests) else None

    upstream = FakeUpstream(lines={name: lines(range(3)) for name in "abc"}, fail=refuse)
    keeper = FakeKeeper()
    assert pull(upstream, keeper).set_aside == 1
    assert set(keeper.aside) == {"b"}
    assert set(keeper.steps) == {"a", "c"}


class Crash(BaseException):
    """The process is gone."""


@given(
    runs=st.lists(st.sets(st.integers(0, 200), min_size=1, max_size=60), min_size=1, max_size=5),
    at=st.integers(1, 4),
    workers=st.integers(1, 3),
)
@settings(max_examples=40, deadline=None)
def test_an_interrupted_reading_ends_where_an_unbroken_one_does(runs, at, workers):
    upstream = FakeUpstream(lines={f"r{n}": lines(steps) for n, steps in enumerate(runs)})
    keeper = FakeKeeper()
    left = [at]

    def crash():
        left[0] -= 1
        if left[0] == 0:
            raise Crash

    keeper.after_save = crash
    try:
        pull(upstream, keeper, workers=workers)
    except Crash:
        pull(upstream, keeper, workers=workers)
    assert keeper.steps == upstream.lines


class Told(Silence):
    """Writes down the total, then every step."""

    def __init__(self, told) -> None:
        self.told = told

    def begin(self, task, total=None):
        self.told.append(total)

    def advance(self, task, count=1):
        self.told.append(count)


def test_progress_counts_rows_and_comes_to_its_end():
    lines = {f"r{n}": {step: f"{step}:row" for step in range(35 * n)} for n in range(4)}
    told, keeper = [], FakeKeeper()
    reach = replace(reach_of(FakeUpstream(lines=lines), keeper), progress=Told(told))
    readings = [
        Reading(run_id, 0, True, len(steps), work=max(1, len(steps)))
        for run_id, steps in lines.items()
    ]
    walk_steps(STEPS, SCOPE, readings, reach)
    assert told[0] == sum(told[1:]) == 1 + 35 * 6
    assert len(told) > 10

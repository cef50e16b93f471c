from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.pulling import PLAIN, SCOPE, THING, FakeKeeper, FakeUpstream, reach_of, thing
from wandb_mirror.errors import Interrupted, Refused, UpstreamBroken
from wandb_mirror.pull.walk import walk_listing


def pull(upstream, keeper, *, expected=None, kind=THING, also_whole=(), workers=2):
    reach = reach_of(upstream, keeper, workers=workers)
    return walk_listing(kind, SCOPE, reach, expected=expected, also_whole=also_whole)


def count(upstream, what):
    return sum(1 for name, _ in upstream.requests if name == what)


@pytest.mark.parametrize("seeks", [True, False], ids=["seeking", "by cursor"])
@pytest.mark.parametrize("number", [0, 1, 3, 4, 5, 8, 17])
def test_everything_listed_is_kept_whole(number, seeks):
    upstream, keeper = (
        FakeUpstream([thing(n, body=f"{n}") for n in range(number)], seeks=seeks),
        FakeKeeper(),
    )
    walked = pull(upstream, keeper, expected=number)
    assert keeper.rows == {row["thing_id"]: row for row in upstream.things}
    assert (walked.seen, walked.changed, walked.missing, walked.incomplete) == (
        number,
        number,
        0,
        "",
    )


def test_pulling_twice_reads_nothing_whole_the_second_time():
    upstream, keeper = FakeUpstream([thing(n) for n in range(10)]), FakeKeeper()
    pull(upstream, keeper)
    upstream.requests.clear()
    assert pull(upstream, keeper).changed == 0
    assert count(upstream, "detail") == 0


def test_only_what_changed_is_read_whole():
    upstream, keeper = FakeUpstream([thing(n) for n in range(10)]), FakeKeeper()
    pull(upstream, keeper)
    upstream.things[4]["note"] = "edited"
    upstream.requests.clear()
    assert pull(upstream, keeper).changed == 1
    assert [about for what, about in upstream.requests if what == "detail"] == [("t4",)]


def test_what_is_due_is_read_whole_though_nothing_seems_to_change():
    upstream, keeper = FakeUpstream([thing(n) for n in range(3)]), FakeKeeper()
    pull(upstream, keeper)
    upstream.things[1]["body"] = '{"new":1}'
    pull(upstream, keeper, also_whole=["t1"])
    assert keeper.rows["t1"]["body"] == '{"new":1}'


def test_what_vanished_is_marked_and_what_came_back_is_not():
    upstream, keeper = FakeUpstream([thing(n) for n in range(6)]), FakeKeeper()
    pull(upstream, keeper, expected=6)
    lost = upstream.things.pop(2)
    assert pull(upstream, keeper, expected=5).missing == 1
    assert keeper.gone == {"t2"}
    upstream.things.append(lost)
    pull(upstream, keeper, expected=6)
    assert keeper.gone == set()


def test_a_listing_shorter_than_upstreams_own_count_deletes_nothing():
    upstream, keeper = FakeUpstream([thing(n) for n in range(6)]), FakeKeeper()
    pull(upstream, keeper, expected=6)
    upstream.things.pop()
    walked = pull(upstream, keeper, expected=6)
    assert keeper.gone == set()
    assert walked.incomplete == "upstream counts 6 and listed 5"


@pytest.mark.parametrize("seeks", [True, False], ids=["seeking", "by cursor"])
def test_a_server_that_ignores_the_cursor_does_not_hold_the_walk_for_ever(seeks):
    things = [thing(n, second=0) for n in range(9)]
    upstream, keeper = FakeUpstream(things, ignores_after=True, seeks=seeks), FakeKeeper()
    walked = pull(upstream, keeper)
    assert set(keeper.rows) == {"t0", "t1", "t2", "t3"}
    assert "again and again" in walked.incomplete or "stands still" in walked.incomplete
    assert len(upstream.requests) < 12


def test_a_server_that_ignores_the_order_is_walked_by_cursor():
    things = [thing(n) for n in range(23)]
    Random(5).shuffle(things)
    upstream, keeper = FakeUpstream(things, ignores_order=True), FakeKeeper()
    assert pull(upstream, keeper, expected=23).incomplete == ""
    assert len(keeper.rows) == 23


def test_more_things_of_one_second_than_fit_a_page_are_all_seen():
    things = [thing(n, second=n // 10) for n in range(30)]
    upstream, keeper = FakeUpstream(things), FakeKeeper()
    pull(upstream, keeper, expected=30)
    assert len(keeper.rows) == 30


def test_a_page_too_large_is_asked_for_in_smaller_ones():
    def choke(what, about):
        is_large = about > 2 if what == "listing" else len(about) > 1
        return UpstreamBroken("502", is_too_large=True) if is_large else None

    upstream, keeper = FakeUpstream([thing(n) for n in range(7)], fail=choke), FakeKeeper()
    walked = pull(upstream, keeper, expected=7)
    assert len(keeper.rows) == 7
    assert walked.set_aside == 0


def test_one_poisoned_thing_is_set_aside_and_the_rest_is_kept():
    def poison(what, about):
        return (
            UpstreamBroken("502", is_too_large=True) if what == "detail" and "t3" in about else None
        )

    upstream, keeper = FakeUpstream([thing(n) for n in range(7)], fail=poison), FakeKeeper()
    assert pull(upstream, keeper).set_aside == 1
    assert set(keeper.aside) == {"t3"}
    assert len(keeper.rows) == 6
    upstream.fail = lambda *_: None
    pull(upstream, keeper)
    assert keeper.aside == {}
    assert len(keeper.rows) == 7


def test_an_error_about_one_page_of_things_narrows_down_to_the_thing():
    def refuse(what, about):
        return Refused("no") if what == "detail" and "t1" in about else None

    upstream, keeper = FakeUpstream([thing(n) for n in range(6)], fail=refuse), FakeKeeper()
    pull(upstream, keeper)
    assert set(keeper.aside) == {"t1"}


def test_a_kind_without_heavy_fields_needs_no_second_reading():
    rows = [
        {"project_id": "p1", "thing_id": f"t{n}", "created_at": thing(n)["created_at"], "note": "x"}
        for n in range(9)
    ]
    upstream, keeper = FakeUpstream(rows, seeks=False), FakeKeeper()
    assert pull(upstream, keeper, kind=PLAIN).changed == 9
    assert count(upstream, "detail") == 0


def test_asked_to_stop_the_walk_ends_and_says_so():
    upstream, keeper = FakeUpstream([thing(n) for n in range(40)]), FakeKeeper()
    reach = reach_of(upstream, keeper)
    keeper.after_save = reach.stop.set
    with pytest.raises(Interrupted):
        walk_listing(THING, SCOPE, reach, expected=40)
    assert 0 < len(keeper.rows) < 40


class Crash(BaseException):
    """The process is gone."""


@given(number=st.integers(1, 20), at=st.integers(1, 8), workers=st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_an_interrupted_pull_ends_where_an_unbroken_one_does(number, at, workers):
    upstream, keeper = FakeUpstream([thing(n, body=f"{n}") for n in range(number)]), FakeKeeper()
    left = [at]

    def crash():
        left[0] -= 1
        if left[0] == 0:
            raise Crash

    keeper.after_save = crash
    try:
        pull(upstream, keeper, workers=workers)
    except Crash:
        kept = len(keeper.rows)
        upstream.requests.clear()
        pull(upstream, keeper, workers=workers)
        asked = sum(len(about) for what, about in upstream.requests if what == "detail")
        assert asked == number - kept
    assert keeper.rows == {row["thing_id"]: row for row in upstream.things}


@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_things_that_vanish_during_the_walk_make_it_skip_nothing_else(data):
    number = data.draw(st.integers(5, 25))
    seconds = sorted(data.draw(st.lists(st.integers(0, 30), min_size=number, max_size=number)))
    upstream = FakeUpstream([thing(n, second=second) for n, second in enumerate(seconds)])
    victims = data.draw(st.lists(st.integers(0, number - 1), max_size=5))

    def vanish(self):
        if victims:
            victim = f"t{victims.pop()}"
            self.things = [row for row in self.things if row["thing_id"] != victim]

    keeper = FakeKeeper()
    pull(upstream, keeper)
    before = dict(keeper.rows)
    upstream.before_reply = vanish
    pull(upstream, keeper)  # a server that does not count: nothing else guards the deletions
    alive = {row["thing_id"] for row in upstream.things}
    wrongly = keeper.gone & alive
    has_ties = len(set(seconds)) < len(seconds)
    assert not wrongly or has_ties
    assert before == keeper.rows

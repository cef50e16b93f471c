"""How fast a sync asks, as the server's own log of requests has it."""

from __future__ import annotations

from collections import Counter

import pytest

from mirror.making import TEAM, make_world, open_mirror
from wandb_mirror.sandbox import RateLimit, Sandbox


def most_at_once(requests):
    """Return how many requests were being answered at the same time, at most."""
    changes = [(each.at, 1) for each in requests]
    changes += [(each.at + each.seconds, -1) for each in requests]
    under_way, most = 0, 0
    for _, change in sorted(changes):
        under_way += change
        most = max(most, under_way)
    return most


ONLY = ["runs", "history"]


@pytest.fixture(scope="module")
def wide():
    """Return a world of runs that share no request."""
    return make_world(projects=1, runs=17, steps=1050, metrics=1)


@pytest.mark.parametrize("workers", [1, 2, 16])
def test_a_server_sees_as_many_requests_at_once_as_there_are_workers(tmp_path, wide, workers):
    with Sandbox(wide, latency_ms=50) as box:
        mirror = open_mirror(tmp_path / "m", box, overrides={"upstream.workers": workers})
        mirror.sync([TEAM], only=ONLY)
        assert workers / 2 < most_at_once(box.requests) <= workers


def test_a_sync_slows_down_before_it_is_refused_and_asks_in_no_burst_after_a_pause(tmp_path, wide):
    limit = RateLimit(requests=12, seconds=0.5)
    with Sandbox(wide, rate_limit=limit) as box:
        mirror = open_mirror(tmp_path / "m", box, overrides={"upstream.workers": 2})
        report = mirror.sync([TEAM], only=ONLY)
        statuses = Counter(each.status for each in box.requests)
    assert report.requests > 3 * limit.requests
    assert report.throttled == statuses[429] <= 1

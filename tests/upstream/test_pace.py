from __future__ import annotations

import threading

import pytest

from fakes.serving import Clock
from wandb_mirror.errors import BudgetSpent
from wandb_mirror.upstream.pace import TURN_SECONDS, Pace


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"ratelimit-remaining": "900", "ratelimit-reset": "30"}, 0.0),
        ({"ratelimit-remaining": "50", "ratelimit-reset": "30"}, 15.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "30"}, 30.0),
        ({"ratelimit-remaining": "-7", "ratelimit-reset": "30"}, 30.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "86400"}, 60.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "-5"}, 0.0),
        ({"ratelimit-remaining": "nan", "ratelimit-reset": "nan"}, 0.0),
        ({"ratelimit-remaining": "0", "ratelimit-reset": "inf"}, 60.0),
        ({"ratelimit-remaining": "few", "ratelimit-reset": "30"}, 0.0),
    ],
)
def test_what_is_left_of_the_limit_slows_before_a_429(headers, seconds):
    pace = Pace(0, Clock())
    pace.heed(headers)
    assert pace.seconds_to_wait() == seconds


def test_a_pause_is_never_shortened_by_another():
    clock = Clock()
    pace = Pace(0, clock)
    pace.pause(30)
    pace.pause(5)
    assert pace.seconds_to_wait() == 30
    clock.now = 31
    assert pace.seconds_to_wait() == 0


LOW = {"ratelimit-remaining": "10", "ratelimit-reset": "0"}
PLENTY = {"ratelimit-remaining": "900", "ratelimit-reset": "9"}


@pytest.mark.parametrize(
    "begin", [lambda pace: pace.heed(LOW), Pace.count_throttled, Pace.note_unreachable]
)
@pytest.mark.parametrize("end", [PLENTY, {}], ids=["plenty", "nothing said"])
def test_where_little_is_left_one_request_at_a_time_shows_what_there_is(begin, end):
    pace = Pace(0, Clock())
    begin(pace)
    assert pace.begin_request(is_retry=False) == 0
    assert pace.begin_request(is_retry=False) == TURN_SECONDS
    assert pace.begin_request(is_retry=False, is_file=True) == 0  # it comes from elsewhere
    pace.end_request()
    assert pace.begin_request(is_retry=True) == 0
    pace.heed(end)
    assert pace.begin_request(is_retry=False) == 0
    assert (pace.usage.requests, pace.usage.retries) == (4, 1)


def test_many_workers_spend_the_budget_to_the_last_request_and_no_further():
    pace = Pace(500, Clock())

    def work():
        while True:
            try:
                pace.begin_request(is_retry=False)
            except BudgetSpent:
                return

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert pace.usage.requests == 500

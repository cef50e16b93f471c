from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wandb_mirror.errors import Throttled, Unreachable, UpstreamBroken
from wandb_mirror.upstream.backoff import LONGEST_SECONDS, PATIENCE_SECONDS, judge_wait
from wandb_mirror.upstream.replies import TooLarge

ERROR = Unreachable("no network")


def test_waits_double_from_two_seconds_to_a_minute():
    waits = [judge_wait(tries, ERROR, max_retries=8, jitter=0.0) for tries in range(1, 10)]
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60, None]


@given(
    tries=st.integers(1, 10_000),
    jitter=st.floats(0, 1),
    max_retries=st.integers(0, 10_000),
    waited=st.floats(0, 10_000),
)
def test_no_wait_is_longer_than_a_minute_and_a_quarter(tries, jitter, max_retries, waited):
    wait = judge_wait(tries, ERROR, max_retries=max_retries, jitter=jitter, waited_seconds=waited)
    if tries > max_retries:
        assert wait is None
    if wait is not None:
        assert 2.0 <= wait <= LONGEST_SECONDS * 1.25
        assert waited + wait <= PATIENCE_SECONDS


@given(seconds=st.floats(0, 10_000), jitter=st.floats(0, 1))
def test_a_server_that_says_how_long_is_taken_at_its_word_within_reason(seconds, jitter):
    error = Throttled("slow down", after_seconds=seconds)
    wait = judge_wait(1, error, max_retries=8, jitter=jitter)
    assert wait == (seconds if seconds <= PATIENCE_SECONDS else None)


@pytest.mark.parametrize("error", [ERROR, Throttled("slow"), Throttled("slow", after_seconds=0.0)])
@pytest.mark.parametrize("jitter", [0.0, 1.0])
def test_a_server_that_is_gone_or_asks_for_patience_is_waited_for_longer_than_ten_minutes(
    error, jitter
):
    tries, waits = 1, []
    while (
        wait := judge_wait(
            tries,
            error,
            max_retries=8,
            jitter=jitter,
            waited_seconds=sum(waits),
            has_answered=True,
        )
    ) is not None:
        waits.append(wait)
        tries += 1
    assert 600 < sum(waits) <= PATIENCE_SECONDS
    assert len(waits) < 20
    assert judge_wait(1, error, max_retries=0, jitter=jitter, has_answered=True) is None


@pytest.mark.parametrize(
    ("error", "tries"),
    [(UpstreamBroken("504", is_too_large=True), 2), (TooLarge("413"), 1), (ERROR, 9)],
)
def test_how_often_a_request_is_sent_depends_on_what_may_mend_it(error, tries):
    sent = 1
    while judge_wait(sent, error, max_retries=8, jitter=0.5) is not None:
        sent += 1
    assert sent == tries

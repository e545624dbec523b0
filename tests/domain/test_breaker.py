"""Tests of the breaker: closed, open, half-open, and back."""

from datetime import UTC, datetime, timedelta

from wharfage.domain import limits
from wharfage.domain.breaker import CLOSED, Breaker

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OPEN = limits.BREAKER_OPEN_SECONDS


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def missed(times: int, *, apart: float = 1.0) -> Breaker:
    """Leave so many calls unanswered, the last one at NOW."""
    breaker = CLOSED
    for number in range(times):
        breaker = breaker.unanswered(at(apart * (number - times + 1)))
    return breaker


def test_it_opens_at_the_fifth_call_in_a_row_without_an_answer():
    for times in (0, 1, limits.BREAKER_MISSES - 1):
        assert missed(times).rest_seconds(NOW) == 0
    assert missed(limits.BREAKER_MISSES).rest_seconds(NOW) == OPEN
    assert missed(limits.BREAKER_MISSES + 3).rest_seconds(at(0)) <= OPEN


def test_an_answer_in_between_begins_the_count_anew():
    almost = missed(limits.BREAKER_MISSES - 1).answered()

    assert almost.unanswered(NOW).rest_seconds(NOW) == 0


def test_calls_that_are_a_window_apart_are_not_a_row():
    apart = limits.BREAKER_WINDOW_SECONDS / (limits.BREAKER_MISSES - 1)

    assert missed(limits.BREAKER_MISSES, apart=apart).rest_seconds(NOW) == 0
    assert missed(limits.BREAKER_MISSES, apart=apart - 0.1).rest_seconds(NOW) == OPEN


def test_it_is_open_for_its_time_and_no_longer():
    breaker = missed(limits.BREAKER_MISSES)

    assert breaker.rest_seconds(at(OPEN - 0.001)) == 1
    assert breaker.rest_seconds(at(OPEN)) == 0


def test_what_is_unanswered_while_it_is_open_does_not_keep_it_open():
    breaker = missed(limits.BREAKER_MISSES).unanswered(at(OPEN - 1))

    assert breaker.rest_seconds(at(OPEN)) == 0


def test_half_open_it_takes_one_trial_and_no_second_one():
    breaker = missed(limits.BREAKER_MISSES).taking(at(OPEN))

    assert breaker.rest_seconds(at(OPEN + 1)) == limits.BREAKER_TRIAL_SECONDS - 1
    assert breaker.rest_seconds(at(OPEN + limits.BREAKER_TRIAL_SECONDS)) == 0  # Nothing was heard.


def test_a_trial_that_is_answered_closes_it_and_one_that_is_not_opens_it_again():
    trial = missed(limits.BREAKER_MISSES).taking(at(OPEN))

    assert trial.answered() == CLOSED
    again = trial.unanswered(at(OPEN + 5))
    assert again.rest_seconds(at(OPEN + 5)) == OPEN
    assert again.rest_seconds(at(OPEN + 5 + OPEN)) == 0


def test_any_answer_closes_one_that_is_open():
    assert missed(limits.BREAKER_MISSES).answered().rest_seconds(NOW) == 0


def test_closed_it_takes_every_order():
    assert CLOSED.taking(NOW) is CLOSED

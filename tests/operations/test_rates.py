"""Rates: exactly the limit in each window, however many come at once."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.fixtures.edge import HandClock, ports
from wharfage.domain.errors import RateLimited
from wharfage.domain.rate import Rate
from wharfage.operations import rates


def act(limit: int, action: str = "act") -> Rate:
    return Rate(action=action, limit=limit, seconds=60)


def test_the_limit_is_let_through_and_one_more_is_not():
    world = ports()

    for _ in range(3):
        rates.take(world, act(3), "usr_1")
    with pytest.raises(RateLimited) as refused:
        rates.take(world, act(3), "usr_1")

    assert refused.value.limit == 3
    assert (refused.value.action, refused.value.window_seconds) == ("act", 60)
    assert 0 < refused.value.retry_after_seconds <= 60


def test_another_principal_and_another_action_have_windows_of_their_own():
    world = ports()
    rates.take(world, act(1), "usr_1")

    rates.take(world, act(1), "usr_2")
    rates.take(world, act(1, "other"), "usr_1")


def test_after_the_time_it_says_it_is_fine_again():
    clock = HandClock()
    world = ports(clock)
    rates.take(world, act(1), "usr_1")
    with pytest.raises(RateLimited) as refused:
        rates.take(world, act(1), "usr_1")

    clock.pass_(seconds=refused.value.retry_after_seconds)

    rates.take(world, act(1), "usr_1")


def test_of_many_at_once_exactly_the_limit_gets_through():
    world = ports()

    def attempt(_: int) -> bool:
        try:
            rates.take(world, act(10), "usr_1")
        except RateLimited:
            return False
        return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(attempt, range(100))) == 10

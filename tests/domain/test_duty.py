"""The control plane takes leases away only while it is itself in good health."""

import itertools
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.jobs import NOW
from wharfage.domain import limits
from wharfage.domain.duty import fit_to_judge, given_up, swept
from wharfage.domain.host import Watch

STALE = timedelta(seconds=limits.SWEEP_STALE_SECONDS)
RESPITE = timedelta(seconds=limits.LEASE_SECONDS + limits.LEASE_GRACE_SECONDS)
MOMENT = timedelta(milliseconds=1)


def heard(silence: timedelta, *, unfit_until: datetime | None = None) -> Watch:
    return Watch(heartbeat_seen_at=NOW - silence, unfit_until=unfit_until)


@pytest.mark.parametrize(
    ("silence", "fit"),
    [
        (timedelta(), True),
        (STALE, True),
        (STALE + MOMENT, False),
        (STALE + RESPITE - MOMENT, False),
        (STALE + RESPITE, True),
        (timedelta(days=1), True),
    ],
)
def test_when_nobody_is_heard_everybody_gets_one_more_lease(silence: timedelta, fit: bool) -> None:
    assert fit_to_judge(heard(silence), NOW) is fit


def test_before_any_host_was_heard_nobody_is_judged() -> None:
    assert not fit_to_judge(Watch(), NOW)


def test_after_a_pause_of_sweeping_nobody_is_judged_for_one_lease_and_its_grace() -> None:
    after = swept(Watch(swept_at=NOW - STALE - MOMENT), NOW)

    assert after.swept_at == NOW
    assert after.unfit_until == NOW + RESPITE
    watch = heard(timedelta(), unfit_until=NOW + RESPITE)
    assert not fit_to_judge(watch, NOW)
    assert fit_to_judge(heard(-RESPITE, unfit_until=NOW + RESPITE), NOW + RESPITE)


def test_a_sweep_in_good_time_suspends_nothing() -> None:
    assert swept(Watch(swept_at=NOW - STALE), NOW) == Watch(swept_at=NOW)


def test_the_very_first_sweep_judges_nobody_yet() -> None:
    assert swept(Watch(), NOW).unfit_until == NOW + RESPITE


@pytest.mark.parametrize(("ready", "most"), [(0, 1), (1, 1), (19, 1), (20, 2), (100, 10)])
def test_a_tenth_of_the_ready_hosts_is_given_up_in_a_minute_and_always_one(
    ready: int, most: int
) -> None:
    watch, counted = Watch(), 0

    while (count := given_up(watch, ready, NOW)) is not None:
        watch = Watch(given_up_at=count[0], given_up=count[1])
        counted += 1
        assert count == (NOW, counted)

    assert counted == most


def test_the_next_minute_counts_anew() -> None:
    watch = Watch(given_up_at=NOW - timedelta(minutes=1), given_up=1)

    assert given_up(watch, 0, NOW - MOMENT) is None
    assert given_up(watch, 0, NOW) == (NOW, 1)


@given(st.integers(0, 500), st.lists(st.integers(0, 5000), max_size=60))
def test_no_minute_begun_by_a_loss_sees_more_than_its_share(ready: int, waits: list[int]) -> None:
    watch, now = Watch(), NOW
    losses: dict[datetime, int] = {}
    for wait_ms in waits:
        now += timedelta(milliseconds=wait_ms)
        if (count := given_up(watch, ready, now)) is not None:
            watch = Watch(given_up_at=count[0], given_up=count[1])
            losses[count[0]] = losses.get(count[0], 0) + 1

    begun = sorted(losses)
    assert all(count <= max(1, ready // 10) for count in losses.values())
    assert all(other - one >= timedelta(minutes=1) for one, other in itertools.pairwise(begun))

"""Tests of usage: what a job takes of its account's counters, and how long money lasts."""

from datetime import UTC, datetime

import pytest
from hypothesis import given

from tests.fixtures.jobs import HELD, NOW, in_state, live_jobs, queued
from wharfage.domain.attempt import AttemptState, StopReason
from wharfage.domain.balance import Balance
from wharfage.domain.ending import end_attempt, stopped_end
from wharfage.domain.job import Job
from wharfage.domain.quotas import DEFAULTS, Quotas
from wharfage.domain.usage import COUNTERS, day_of, hour_of, lasts_seconds, moved, taken


def test_a_waiting_job_is_live_and_queued_and_burns_nothing():
    job = queued()

    assert taken(job) == {
        "live_jobs": 1, "queued_jobs": 1, "vcpu_millis": 1000, "memory_mb": 512, "burn_fen": 0,
    }  # fmt: skip


@pytest.mark.parametrize("state", HELD)
def test_a_job_that_a_host_holds_is_not_queued_and_burns_its_own_price(state: AttemptState):
    takes = taken(in_state(state))

    assert (takes["live_jobs"], takes["queued_jobs"], takes["burn_fen"]) == (1, 0, 27)


@given(live_jobs())
def test_the_end_of_a_job_gives_back_all_that_it_took(job: Job):
    after = end_attempt(job, stopped_end(StopReason.CANCEL), NOW).job

    change = moved(job, after)

    assert {name: taken(job)[name] + change.get(name, 0) for name in COUNTERS} == taken(after)
    assert not after.terminal or not any(taken(after).values())


def test_a_move_that_changes_no_counter_names_none():
    assert moved(in_state(AttemptState.CLAIMED), in_state(AttemptState.RUNNING)) == {}


@pytest.mark.parametrize(
    ("available", "held", "debt", "burn", "seconds"),
    [
        (100, 20, 0, 0, None),
        (100, 20, 0, 60, 7200),
        (100, 0, 50, 100, 1800),
        (0, 0, 50, 100, 0),
    ],
)
def test_all_the_money_pays_for_what_burns_and_a_debt_takes_from_it(
    available: int, held: int, debt: int, burn: int, seconds: int | None
):
    balance = Balance(account="usr_a", available=available, held=held, debt=debt)

    assert lasts_seconds(balance, burn) == seconds


def test_windows_are_hours_and_days_of_utc():
    late = datetime(2026, 3, 1, 23, 59, 59, 999_000, tzinfo=UTC)

    assert (day_of(late), hour_of(late)) == ("2026-03-01", "hour_23_fen")


def test_a_limit_that_is_not_set_is_the_default_and_zero_is_set():
    own = Quotas(live_jobs=0)

    assert own.limit("live_jobs") == 0
    assert own.limit("memory_mb") == DEFAULTS["memory_mb"]

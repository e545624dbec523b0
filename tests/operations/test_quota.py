"""Tests of quota: what an account has, and what a job would cost."""

from datetime import datetime

import pytest

from tests.fixtures.money import ALICE, START, world
from wharfage import schema
from wharfage.domain.account import Principal, Role
from wharfage.domain.balance import Balance
from wharfage.domain.errors import Invalid, NotFound, PoolUnknown
from wharfage.domain.price import Resources
from wharfage.domain.spec import JobSpec, Retry
from wharfage.domain.usage import Standing, standing
from wharfage.operations import quota
from wharfage.transaction import Put


def set_balance(here, **fields) -> None:
    here.ports.store.commit(Put(Balance(account=ALICE.account, **fields)))


def test_the_quota_shows_what_is_there():
    here = world()
    set_balance(here, available=500, held=30)

    view = quota.show(here.ports, ALICE)

    assert (view.available_fen, view.held_fen, view.debt_fen) == (500, 30, 0)
    assert view.state is Standing.ACTIVE


@pytest.mark.parametrize(
    ("frozen_at", "suspended_at", "debt", "state"),
    [
        (None, None, 0, Standing.ACTIVE),
        (None, None, 1, Standing.OVERDUE),
        (None, START, 1, Standing.SUSPENDED),
        (START, START, 1, Standing.FROZEN),
        (START, None, 0, Standing.FROZEN),
    ],
)
def test_how_an_account_stands_follows_from_its_marks_and_debt(
    frozen_at: datetime | None, suspended_at: datetime | None, debt: int, state: Standing
):
    balance = Balance(account="a", debt=debt, frozen_at=frozen_at, suspended_at=suspended_at)

    assert standing(balance) is state


def test_an_account_without_a_balance_is_not_found():
    stranger = Principal(account="usr_nobody", session="s", role=Role.USER)

    with pytest.raises(NotFound):
        quota.show(world().ports, stranger)


def test_a_check_says_the_price_the_hold_and_the_worst_case():
    here = world()
    set_balance(here, available=100)
    spec = JobSpec(
        image="busybox",
        resources=Resources(cpu_millis=2000, memory_mb=1024),
        max_run_s=3590,
        stop_grace_s=10,
        retry=Retry(max_attempts=3),
    )

    view = quota.check(here.ports, ALICE, spec)

    # An hour of 2 vCPU at 10 fen and 1 GB at 2 fen.
    assert (view.hourly_fen, view.hold_fen, view.worst_case_fen) == (22, 22, 66)
    assert (view.price_version, view.max_run_s) == ("1", 3590)
    assert view.sufficient


@pytest.mark.parametrize(("available", "sufficient"), [(11, False), (12, True), (13, True)])
def test_a_check_says_whether_the_balance_is_enough(available, sufficient):
    here = world()
    set_balance(here, available=available)
    resources = Resources(cpu_millis=1000, memory_mb=1024)
    spec = JobSpec(image="busybox", resources=resources, max_run_s=3590, stop_grace_s=10)

    view = quota.check(here.ports, ALICE, spec)

    assert (view.hold_fen, view.available_fen, view.sufficient) == (12, available, sufficient)


def test_a_cost_cap_shortens_the_run_and_the_hold():
    here = world()
    spec = JobSpec(image="busybox", max_run_s=36000, stop_grace_s=10, max_cost_fen=20)

    view = quota.check(here.ports, ALICE, spec)

    assert view.hold_fen <= 20
    assert view.max_run_s < 36000


def test_a_check_changes_nothing():
    here = world()
    before = here.balance()

    quota.check(here.ports, ALICE, JobSpec(image="busybox"))

    assert here.balance() == before
    assert not here.ports.store.query(schema.HOLD, ALICE.account, limit=1).items
    assert not here.ports.store.query(schema.JOB, ALICE.account, limit=1).items


@pytest.mark.parametrize("pool", ["gpu", "nowhere"])
def test_a_check_for_a_pool_one_may_not_use_is_refused(pool):
    with pytest.raises(PoolUnknown):
        quota.check(world().ports, ALICE, JobSpec(image="busybox", pool=pool))


def test_a_check_for_a_granted_pool_is_answered():
    who = Principal(account=ALICE.account, session="s", role=Role.USER, pools=frozenset({"gpu"}))

    assert quota.check(world().ports, who, JobSpec(image="busybox", pool="gpu")).hold_fen > 0


def test_a_check_of_a_spec_that_would_be_refused_is_refused():
    with pytest.raises(Invalid):
        quota.check(world().ports, ALICE, JobSpec(image="elsewhere.example/x"))


def test_prices_are_shown_with_their_version():
    prices = world().ports.prices

    view = quota.prices(prices)

    assert (view.version, view.vcpu_hour_fen, view.gb_hour_fen) == ("1", 10, 2)

"""Tests of quotas: checked where a job is admitted, given back where it ends, and never passed."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import msgspec
import pytest

from tests.fixtures import ledger
from tests.fixtures.money import ALICE
from tests.fixtures.work import HOLD_FEN, SPEC, World, small, world
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.account import Account, Session, principal_of
from wharfage.domain.attempt import StopReason
from wharfage.domain.errors import InsufficientFunds, LimitReached
from wharfage.domain.quotas import Quotas
from wharfage.domain.spec import JobSpec, Retry
from wharfage.domain.usage import COUNTERS, Standing, Usage
from wharfage.operations import accounts, jobs, quota

RICH = 10**6
ONE = msgspec.structs.replace(SPEC, resources=small(cpu_millis=1000, memory_mb=64))


def submit(at: World, quotas: Quotas, spec: JobSpec = ONE, *, key: str | None = None):
    return jobs.submit(at.ports, replace(ALICE, quotas=quotas), spec, key=key).value


def usage(at: World) -> Usage:
    found = at.ports.store.get(schema.USAGE.key(account=ALICE.account))
    assert found is not None
    return found


def checked(at: World) -> None:
    ledger.check_usage(at.ports.store, ALICE.account)


@pytest.mark.parametrize(
    ("name", "limit", "asked"),
    [
        ("live_jobs", 2, 1),
        ("queued_jobs", 2, 1),
        ("vcpu_millis", 2000, 1000),
        ("memory_mb", 128, 64),
        ("spend_hour_fen", 2 * HOLD_FEN, HOLD_FEN),
        ("spend_day_fen", 2 * HOLD_FEN, HOLD_FEN),
    ],
)
def test_a_quota_is_reached_and_not_passed_and_the_refusal_says_which(name, limit, asked):
    at = world(money_fen=RICH)
    own = Quotas(**{name: limit})
    submit(at, own)
    submit(at, own)

    with pytest.raises(LimitReached) as refusal:
        submit(at, own)

    assert refusal.value.facts == {
        "limit_name": name, "limit": limit, "used": limit, "asked": asked,
    }  # fmt: skip
    assert usage(at).live_jobs == 2
    assert at.money() == (RICH - 2 * HOLD_FEN, 2 * HOLD_FEN)


@pytest.mark.parametrize("name", ["vcpu_millis", "spend_hour_fen", "live_jobs"])
def test_what_is_above_a_quota_by_itself_is_refused_as_the_very_first(name):
    at = world(money_fen=RICH)

    with pytest.raises(LimitReached) as refusal:
        submit(at, Quotas(**{name: 0}))

    assert (refusal.value.limit_name, refusal.value.used) == (name, 0)
    assert at.money() == (RICH, 0)


def test_one_less_than_a_quota_is_too_little_by_one():
    at = world(money_fen=RICH)

    with pytest.raises(LimitReached):
        submit(at, Quotas(vcpu_millis=999))
    submit(at, Quotas(vcpu_millis=1000))


def test_without_money_the_refusal_speaks_of_money_first():
    at = world(money_fen=0)

    with pytest.raises(InsufficientFunds):
        submit(at, Quotas(live_jobs=0))


def test_a_hundred_parallel_submits_with_a_quota_of_three_give_exactly_three():
    at = world(money_fen=RICH)

    def one(number: int) -> bool:
        try:
            submit(at, Quotas(live_jobs=3), key=str(number))
        except LimitReached:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        admitted = sum(pool.map(one, range(100)))

    assert admitted == usage(at).live_jobs == 3
    assert at.money()[1] == 3 * HOLD_FEN
    checked(at)


def test_the_same_submit_twice_counts_once():
    at = world(money_fen=RICH)

    for _ in range(2):
        submit(at, Quotas(live_jobs=1), key="k")

    assert usage(at).live_jobs == 1


def test_what_a_job_took_is_given_back_once_however_often_its_end_comes():
    at = world(money_fen=RICH)
    host = at.host()
    own = Quotas(live_jobs=1)
    grant = host.take(submit(at, own))

    host.run(grant)
    host.finish(grant)
    jobs.cancel(at.ports, ALICE, grant.job)

    assert not any(getattr(usage(at), name) for name in COUNTERS)
    submit(at, own)
    checked(at)


def test_a_claim_leaves_the_queue_and_another_attempt_joins_it_again():
    at = world(money_fen=RICH)
    host = at.host()
    spec = msgspec.structs.replace(ONE, retry=Retry(max_attempts=2, backoff_base_s=0))
    job = submit(at, Quotas(), spec)
    grant = host.take(job)
    taken = usage(at)

    host.run(grant, exit_code=1)

    again = usage(at)
    assert (taken.queued_jobs, taken.burn_fen) == (0, 3600)
    assert (again.live_jobs, again.queued_jobs, again.burn_fen) == (1, 1, 0)
    checked(at)


def test_a_queue_that_is_full_has_room_again_when_a_host_takes_of_it():
    at = world(money_fen=RICH)
    host = at.host()
    own = Quotas(queued_jobs=1)
    job = submit(at, own)
    with pytest.raises(LimitReached):
        submit(at, own)

    host.take(job)

    submit(at, own)


def test_stopping_everything_gives_everything_back():
    at = world(money_fen=RICH)
    for _ in range(5):
        submit(at, Quotas())

    jobs.stop_all(at.ports, ALICE.account, StopReason.SUSPEND)

    assert not any(getattr(usage(at), name) for name in COUNTERS)


@pytest.mark.parametrize(
    ("name", "span"), [("spend_hour_fen", {"hours": 1}), ("spend_day_fen", {"days": 1})]
)
def test_money_committed_stays_committed_until_its_window_is_over(name, span):
    at = world(money_fen=RICH)
    own = Quotas(**{name: HOLD_FEN})
    jobs.cancel(at.ports, ALICE, submit(at, own).id)
    with pytest.raises(LimitReached):
        submit(at, own)

    at.clock.pass_(**span)

    submit(at, own)


def test_the_quota_shows_each_limit_and_what_is_used_of_it():
    at = world(money_fen=RICH)
    who = replace(ALICE, quotas=Quotas(live_jobs=7))
    host = at.host()
    host.take(submit(at, who.quotas))
    submit(at, who.quotas)

    view = quota.show(at.ports, who)

    shown = {line.name: (line.limit, line.used) for line in view.quotas}
    assert shown == {
        "live_jobs": (7, 2),
        "queued_jobs": (limits.ACCOUNT_QUEUED_JOBS, 1),
        "vcpu_millis": (limits.ACCOUNT_VCPU_MILLIS, 2000),
        "memory_mb": (limits.ACCOUNT_MEMORY_MB, 128),
        "spend_hour_fen": (limits.ACCOUNT_SPEND_HOUR_FEN, 2 * HOLD_FEN),
        "spend_day_fen": (limits.ACCOUNT_SPEND_DAY_FEN, 2 * HOLD_FEN),
    }
    assert (view.burn_fen, view.lasts_seconds) == (3600, RICH)


@pytest.mark.parametrize(
    ("hours", "state"),
    [(24, Standing.ACTIVE), (23, Standing.LOW), (2, Standing.LOW), (1, Standing.CRITICAL)],
)
def test_money_for_less_than_a_day_is_low_and_for_less_than_two_hours_critical(hours, state):
    at = world(money_fen=hours * 3600)
    host = at.host()
    host.take(submit(at, Quotas()))

    view = quota.show(at.ports, ALICE)

    assert (view.state, view.lasts_seconds) == (state, hours * 3600)


def test_the_operators_quota_is_kept_and_shown_with_the_defaults_and_told_once():
    at = world()
    own = Quotas(live_jobs=3)

    for _ in range(2):
        view = accounts.set_quotas(at.ports, ALICE, ALICE.account, own)

    assert view == accounts.show_quotas(at.ports, ALICE.account)
    assert (view.own, view.in_force["live_jobs"]) == (own, 3)
    assert view.in_force["queued_jobs"] == limits.ACCOUNT_QUEUED_JOBS
    events = at.ports.store.query(schema.EVENT, ALICE.account, prefix="evt_", limit=9).items
    assert [event.kind for event in events] == ["account.quotas_set"]


def test_an_accounts_own_quotas_come_with_whoever_asks():
    at = world()
    accounts.set_quotas(at.ports, ALICE, ALICE.account, Quotas(live_jobs=3))
    account: Account | None = at.ports.store.get(schema.ACCOUNT.key(id=ALICE.account))
    assert account is not None
    session = Session(
        id="ses_a", account=account.id, epoch=1, refresh_hash="-",
        created_at=at.clock.now(), expires_at=at.clock.now(),
    )  # fmt: skip

    assert principal_of(account, session).quotas == Quotas(live_jobs=3)

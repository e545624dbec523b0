"""Jobs are admitted with their money, shown to their owner, and stopped."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import msgspec
import pytest

from tests.fixtures.money import ALICE, BOB
from tests.fixtures.work import HOLD_FEN, ROOM, SPEC, World, small, world
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState, ReasonCode, StopReason
from wharfage.domain.errors import (
    AccountFrozen,
    AccountSuspended,
    Banned,
    InsufficientFunds,
    Invalid,
    KeyReused,
    NotFound,
    PoolUnknown,
    RateLimited,
    Refused,
)
from wharfage.domain.placement import WaitingFor
from wharfage.domain.spec import JobSpec, Priority
from wharfage.operations import jobs
from wharfage.transaction import Update, present


def spec(**changes: object) -> JobSpec:
    return msgspec.structs.replace(SPEC, **changes)


def mark(at: World, kind: str, attribute: str) -> None:
    key = {
        "account": schema.ACCOUNT.key(id=ALICE.account),
        "balance": schema.BALANCE.key(account=ALICE.account),
    }[kind]
    moment = schema.timestamp(at.clock.now())
    at.ports.store.commit(Update(key, set={attribute: moment}, when=[present()]))


def test_a_submitted_job_holds_its_worst_case_and_rings_its_pool() -> None:
    at = world(money_fen=100)

    job = at.submit()

    assert job.status == "queued"
    assert job.hold_fen == HOLD_FEN
    assert at.money() == (100 - HOLD_FEN, HOLD_FEN)
    assert [(pool, bell.job) for pool, bell in at.queue.bells] == [("default", job.id)]


def test_a_hold_of_exactly_the_balance_is_admitted_and_one_fen_more_is_refused() -> None:
    enough, short = world(money_fen=HOLD_FEN), world(money_fen=HOLD_FEN - 1)

    enough.submit()
    with pytest.raises(InsufficientFunds) as refusal:
        short.submit()

    assert enough.money() == (0, HOLD_FEN)
    assert short.money() == (HOLD_FEN - 1, 0)
    assert refusal.value.facts == {"required_fen": HOLD_FEN, "available_fen": HOLD_FEN - 1}
    assert short.queue.bells == []
    assert short.holds() == []


def test_the_same_key_with_the_same_body_gives_the_same_job_and_one_hold() -> None:
    at = world()

    first = jobs.submit(at.ports, ALICE, SPEC, key="k")
    second = jobs.submit(at.ports, ALICE, SPEC, key="k")

    assert (first.replayed, second.replayed) == (False, True)
    assert first.value.id == second.value.id
    assert at.money() == (1000 - HOLD_FEN, HOLD_FEN)


def test_the_same_key_with_another_body_is_refused_and_changes_nothing() -> None:
    at = world()
    at.submit(key="k")

    with pytest.raises(KeyReused):
        jobs.submit(at.ports, ALICE, spec(image="alpine"), key="k")

    assert at.money() == (1000 - HOLD_FEN, HOLD_FEN)


def test_fifty_parallel_submits_with_one_key_give_one_job_and_one_hold() -> None:
    at = world()

    with ThreadPoolExecutor(50) as pool:
        made = list(pool.map(lambda _: at.submit(key="k"), range(50)))

    assert len({job.id for job in made}) == 1
    assert at.money() == (1000 - HOLD_FEN, HOLD_FEN)
    assert len(at.holds()) == 1


def test_a_hundred_parallel_submits_with_money_for_three_give_exactly_three() -> None:
    at = world(money_fen=3 * HOLD_FEN + HOLD_FEN - 1)

    def submit(number: int) -> bool:
        try:
            at.submit(key=str(number))
        except InsufficientFunds:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        admitted = sum(pool.map(submit, range(100)))

    assert admitted == 3
    assert at.money() == (HOLD_FEN - 1, 3 * HOLD_FEN)


@pytest.mark.parametrize(
    ("attribute", "refusal"),
    [("frozen_at", AccountFrozen), ("suspended_at", AccountSuspended)],
)
def test_an_account_whose_money_is_stopped_can_submit_nothing(
    attribute: str, refusal: type[Refused]
) -> None:
    at = world()
    mark(at, "balance", attribute)

    with pytest.raises(refusal):
        at.submit()

    assert at.money() == (1000, 0)


def test_a_banned_account_can_submit_nothing_even_with_a_good_session() -> None:
    at = world()
    mark(at, "account", "banned_at")

    with pytest.raises(Banned):
        at.submit()

    assert at.money() == (1000, 0)


def test_a_pool_that_is_unknown_or_not_granted_is_refused() -> None:
    at = world()

    with pytest.raises(PoolUnknown):
        at.submit(spec(pool="nowhere"))
    with pytest.raises(PoolUnknown):
        at.submit(spec(pool="gpu"))
    granted = replace(ALICE, pools=frozenset({"gpu"}))
    job = jobs.submit(at.ports, granted, spec(pool="gpu"), key=None)

    assert job.value.pool == "gpu"


def test_an_image_of_a_registry_that_is_not_allowed_is_refused() -> None:
    at = world()

    with pytest.raises(Invalid) as refusal:
        at.submit(spec(image="evil.example/x"))

    assert [fault.code for fault in refusal.value.faults] == ["registry_not_allowed"]


def test_submits_over_the_rate_are_refused_until_the_next_minute() -> None:
    at = world(money_fen=10**6)
    for _ in range(limits.SUBMITS_PER_MINUTE):
        at.submit()

    with pytest.raises(RateLimited):
        at.submit()
    at.clock.pass_(minutes=1)
    at.submit()

    assert at.money()[1] == (limits.SUBMITS_PER_MINUTE + 1) * HOLD_FEN


def test_a_cost_cap_shortens_the_run_and_the_hold() -> None:
    at = world()

    job = at.submit(spec(max_cost_fen=30))

    assert (job.hold_fen, job.max_run_s) == (30, 20)


def test_a_cost_cap_that_pays_for_no_second_is_refused_with_the_least_cost() -> None:
    at = world()

    with pytest.raises(Invalid, match="11 fen"):
        at.submit(spec(max_cost_fen=10))


def test_a_cancelled_waiting_job_ends_at_once_and_gets_all_its_money_back() -> None:
    at = world()
    job = at.submit()

    cancelled = jobs.cancel(at.ports, ALICE, job.id)

    assert (cancelled.status, cancelled.cost_fen) == ("cancelled", 0)
    assert cancelled.reason_code is ReasonCode.CANCELLED
    assert at.money() == (1000, 0)


def test_a_cancelled_job_stays_cancelled_when_it_is_cancelled_again() -> None:
    at = world()
    job = at.submit()
    first = jobs.cancel(at.ports, ALICE, job.id)

    second = jobs.cancel(at.ports, ALICE, job.id)

    assert second == first
    assert at.money() == (1000, 0)


def test_cancelling_a_running_job_asks_its_host_and_keeps_the_hold_until_it_ends() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    grant = host.take(job)
    host.report(grant, AttemptState.RUNNING)
    wanted = host.row.wanted

    cancelled = jobs.cancel(at.ports, ALICE, job.id)
    jobs.cancel(at.ports, ALICE, job.id)

    assert cancelled.status == "stopping"
    assert at.queue.nudged == [host.id]
    assert host.row.wanted == wanted + 1
    assert at.money() == (1000 - HOLD_FEN, HOLD_FEN)


def test_a_job_that_ended_by_itself_stays_so_when_cancelled() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    host.run(host.take(job))

    shown = jobs.cancel(at.ports, ALICE, job.id)

    assert shown.status == "succeeded"


def test_stopping_all_ends_what_waits_and_asks_for_what_runs() -> None:
    at = world()
    host = at.host()
    running, waiting, done = at.submit(), at.submit(), at.submit()
    host.report(host.take(running), AttemptState.RUNNING)
    jobs.cancel(at.ports, ALICE, done.id)

    stopped = jobs.stop_all(at.ports, ALICE.account, StopReason.SUSPEND)

    assert stopped == 2
    assert at.show(running).status == "stopping"
    assert at.show(waiting).reason_code is ReasonCode.ACCOUNT_STOPPED


def test_stopping_all_of_a_hundred_and_one_jobs_leaves_none() -> None:
    at = world(money_fen=10**6)
    for _ in range(limits.PAGE_MAX + 1):
        at.submit()

    stopped = jobs.stop_all(at.ports, ALICE.account, StopReason.SUSPEND)

    assert stopped == limits.PAGE_MAX + 1
    assert at.money() == (10**6, 0)


def test_somebody_elses_job_is_indistinguishable_from_an_unknown_one() -> None:
    at = world()
    job = at.submit()

    refusals = []
    for job_id in (job.id, "job_unknown"):
        with pytest.raises(NotFound) as refusal:
            jobs.find(at.ports, BOB, job_id)
        refusals.append((refusal.value.code, refusal.value.facts))
    with pytest.raises(NotFound):
        jobs.cancel(at.ports, BOB, job.id)

    assert refusals[0] == refusals[1]


def test_jobs_are_listed_newest_first_a_page_at_a_time() -> None:
    at = world()
    made = [at.submit().id for _ in range(5)]

    first = jobs.find_all(at.ports, ALICE, after=None, limit=3)
    second = jobs.find_all(at.ports, ALICE, after=first.next, limit=3)

    assert [job.id for job in (*first.items, *second.items)] == made[::-1]
    assert second.next is None


def test_a_job_that_no_host_could_run_says_so_with_numbers() -> None:
    at = world()
    at.host()

    job = at.submit(spec(labels={"zone": "moon"}))

    waiting = at.show(job).waiting_for
    assert waiting is not None
    assert waiting.reason is WaitingFor.NO_MATCHING_HOST
    assert waiting.numbers == {"hosts_enrolled": 1, "hosts_matching": 0}


def test_a_job_whose_hosts_are_silent_says_so() -> None:
    at = world()
    at.host()
    job = at.submit()

    at.clock.pass_(seconds=limits.LEASE_SECONDS)

    waiting = at.show(job).waiting_for
    assert waiting is not None
    assert waiting.reason is WaitingFor.HOSTS_OFFLINE


def test_a_job_whose_hosts_are_full_says_what_it_needs_and_what_is_free() -> None:
    at = world()
    host = at.host()
    host.beat(free=msgspec.structs.replace(ROOM, cpu_millis=500), busy=True)

    job = at.submit(spec(resources=small(cpu_millis=1000)))

    waiting = at.show(job).waiting_for
    assert waiting is not None
    assert waiting.reason is WaitingFor.HOSTS_FULL
    assert waiting.numbers["cpu_millis_needed"] == 1000
    assert waiting.numbers["cpu_millis_free"] == 500


def test_the_timeline_and_the_attempts_of_a_job_tell_its_story() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    (live,) = jobs.list_attempts(at.ports, ALICE, job.id)
    host.run(host.take(job))

    (ended,) = jobs.list_attempts(at.ports, ALICE, job.id)

    assert (live.status, live.is_terminal) == ("queued", False)
    assert (ended.status, ended.is_terminal, ended.cost_fen) == ("succeeded", True, 5)
    assert at.news(job) == ["job.queued", "attempt.claimed", "attempt.running", "job.succeeded"]


def test_priority_is_a_head_start_of_ten_minutes_and_no_more() -> None:
    at = world()
    host = at.host()
    low = at.submit(spec(priority=Priority.LOW))
    at.clock.pass_(minutes=21)
    host.beat()
    high = at.submit(spec(priority=Priority.HIGH))

    granted = [grant.job for grant in host.claim().grants]

    assert granted == [low.id, high.id]

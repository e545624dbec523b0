"""Reports: each accepted once, old claims change nothing, and the end settles the money."""

from typing import Any

import msgspec
import pytest

from tests.fixtures.money import ALICE
from tests.fixtures.work import DIGEST, HOLD_FEN, ROOM, SPEC, HandHost, World, world
from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState, ReasonClass, ReasonCode, StopReason
from wharfage.domain.balance import HoldState
from wharfage.domain.errors import StaleBoot
from wharfage.domain.spec import Retry, RetryRule
from wharfage.messages import Grant, Report
from wharfage.operations import jobs


def begun(at: World, **changes: object) -> tuple[HandHost, Grant]:
    host = at.host()
    spec = msgspec.structs.replace(SPEC, **changes)
    return host, host.take(at.submit(spec))


def test_an_attempt_moves_through_its_states_to_its_end() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    grant = host.take(job)

    outcomes = [
        host.report(grant, AttemptState.PREPARING, seq=1),
        host.report(grant, AttemptState.STARTING, seq=2, image_digest=DIGEST),
        host.report(grant, AttemptState.RUNNING, seq=3),
    ]
    running = at.show(job)
    at.clock.pass_(seconds=5)
    outcomes.append(host.finish(grant, seq=4))

    ended = at.show(job)
    assert outcomes == ["accepted"] * 4
    assert (running.status, running.image_digest) == ("running", DIGEST)
    assert (ended.status, ended.exit_code, ended.cost_fen) == ("succeeded", 0, 5)


def test_the_end_captures_the_seconds_used_and_releases_the_rest() -> None:
    at = world()
    host, grant = begun(at)

    host.run(grant, seconds=5)

    (hold,) = at.holds()
    (entry,) = at.entries()
    assert at.money() == (1000 - 5, 0)
    assert (hold.state, hold.captured_fen) == (HoldState.SETTLED, 5)
    assert (entry.amount_fen, entry.reference) == (-5, f"{grant.job}.1")


def test_a_part_of_a_second_is_charged_as_a_whole_one() -> None:
    at = world()
    host, grant = begun(at)
    at.clock.pass_(seconds=10)

    host.report(grant, AttemptState.SUCCEEDED, exit_code=0, started=True, run_ms=1001)

    assert at.money() == (1000 - 2, 0)


def test_seconds_are_capped_by_our_own_time_and_by_the_run_limit() -> None:
    hasty, late = world(), world()
    hasty_host, hasty_grant = begun(hasty)
    late_host, late_grant = begun(late)
    hasty.clock.pass_(seconds=3)
    late.clock.pass_(seconds=70)

    hasty_host.finish(hasty_grant, seconds=1000)
    late_host.beat()
    late_host.finish(late_grant, seconds=1000)

    assert hasty.money() == (1000 - 3, 0)
    assert late.money() == (1000 - HOLD_FEN, 0)


def test_a_container_that_never_started_costs_nothing() -> None:
    at = world()
    host, grant = begun(at)
    at.clock.pass_(seconds=5)

    host.report(
        grant, AttemptState.FAILED, reason_code=ReasonCode.COMMAND_NOT_FOUND, exit_code=127,
        run_ms=5000,
    )  # fmt: skip

    assert at.money() == (1000, 0)
    assert [entry.amount_fen for entry in at.entries()] == [0]


def test_a_repeated_end_gets_the_same_answer_and_is_charged_once() -> None:
    at = world()
    host, grant = begun(at)
    host.run(grant)

    again = host.finish(grant)

    assert again == "repeated"
    assert at.money() == (1000 - 5, 0)
    assert len(at.entries()) == 1


def test_the_same_end_twice_in_one_call_is_accepted_once() -> None:
    at = world()
    host, grant = begun(at)
    end = Report(
        account="usr_alice", job=grant.job, attempt=1, claim_id=grant.claim_id, seq=5,
        state=AttemptState.SUCCEEDED, at=at.clock.now(), exit_code=0,
    )  # fmt: skip

    outcomes = host.tell(end, end)

    assert outcomes == ["accepted", "repeated"]


def test_another_end_of_an_ended_attempt_is_a_stale_claim() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    grant = host.take(job)
    host.run(grant)

    outcome = host.finish(grant, exit_code=1, seq=9)

    assert outcome == "stale_claim"
    assert at.show(job).status == "succeeded"


@pytest.mark.parametrize("state", [AttemptState.PREPARING, AttemptState.RUNNING])
def test_a_report_with_another_claim_changes_nothing(state: AttemptState) -> None:
    at = world()
    host = at.host()
    job = at.submit()
    grant = host.take(job)
    before = at.row(job)

    outcome = host.report(grant, state, claim_id="clm_other")

    assert outcome == "stale_claim"
    assert at.row(job) == before


def test_a_report_of_another_host_with_the_right_claim_changes_nothing() -> None:
    at = world()
    host, other = at.host(), at.host()
    job = at.submit()
    grant = host.take(job)

    outcome = other.finish(grant)

    assert outcome == "stale_claim"
    assert at.row(job).state is AttemptState.CLAIMED


def test_a_report_of_an_earlier_boot_is_refused() -> None:
    at = world()
    host, grant = begun(at)
    old = host.boot
    host.beat(boot=at.ports.ids.new("bot"), held=())
    host.boot = old

    with pytest.raises(StaleBoot):
        host.finish(grant)


def test_a_state_never_goes_back() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    grant = host.take(job)
    host.report(grant, AttemptState.RUNNING, seq=3)

    outcome = host.report(grant, AttemptState.PREPARING, seq=4)

    assert outcome == "repeated"
    assert at.row(job).state is AttemptState.RUNNING


@pytest.mark.parametrize(
    ("facts", "status", "reason"),
    [
        ({"exit_code": 3}, "failed", ReasonCode.EXIT_CODE),
        ({"exit_code": 137, "signal": 9, "oom": True}, "failed", ReasonCode.OUT_OF_MEMORY),
        ({"exit_code": 0, "oom": True}, "failed", ReasonCode.OUT_OF_MEMORY),
        ({"exit_code": 0, "stop_reason": StopReason.TIMEOUT}, "timed_out", ReasonCode.TIMEOUT),
        ({"exit_code": 143, "stop_reason": StopReason.CANCEL}, "cancelled", ReasonCode.CANCELLED),
        ({"reason_code": ReasonCode.IMAGE_NOT_FOUND}, "failed", ReasonCode.IMAGE_NOT_FOUND),
        ({"stop_reason": StopReason.DISK}, "failed", ReasonCode.DISK_EXCEEDED),
    ],
)
def test_the_end_is_what_was_seen_whatever_the_agent_calls_it(
    facts: dict[str, Any], status: str, reason: ReasonCode
) -> None:
    at = world()
    host = at.host()
    job = at.submit()
    grant = host.take(job)

    host.report(grant, AttemptState.SUCCEEDED, started=True, run_ms=1000, **facts)

    shown = at.show(job)
    assert (shown.status, shown.reason_code) == (status, reason)


def test_a_failed_attempt_is_tried_again_after_its_back_off_and_paid_from_the_balance() -> None:
    at = world(money_fen=100)
    host = at.host()
    retry = Retry(max_attempts=2, backoff_base_s=30)
    job = at.submit(msgspec.structs.replace(SPEC, retry=retry))
    host.run(host.take(job), exit_code=1)

    waiting = at.show(job)
    at.sweep(seconds=29)
    early = at.show(job).status
    at.sweep(seconds=1)

    assert (waiting.status, waiting.attempt, early) == ("pending", 2, "pending")
    assert at.show(job).status == "queued"
    assert at.money() == (100 - HOLD_FEN - 5, HOLD_FEN)
    assert [bell.attempt for _, bell in at.queue.bells][-1] == 2


def test_a_retry_that_the_balance_cannot_pay_for_ends_the_job_from_its_hold() -> None:
    at = world(money_fen=HOLD_FEN)
    host = at.host()
    job = at.submit(msgspec.structs.replace(SPEC, retry=Retry(max_attempts=2)))

    host.run(host.take(job), exit_code=1)

    shown = at.show(job)
    assert (shown.status, shown.reason_code) == ("failed", ReasonCode.FUNDS)
    assert at.money() == (HOLD_FEN - 5, 0)


def test_rules_say_which_failures_are_tried_again() -> None:
    at = world()
    host = at.host()
    retry = Retry(max_attempts=3, backoff_base_s=0, rules=(RetryRule(exit_codes=(75,)),))
    job = at.submit(msgspec.structs.replace(SPEC, retry=retry))
    host.run(host.take(job), exit_code=75)
    again = at.show(job)

    host.run(host.take(again), exit_code=1)

    assert (again.status, again.attempt) == ("queued", 2)
    assert at.show(job).status == "failed"


def test_a_job_ends_after_its_last_attempt() -> None:
    at = world()
    host = at.host()
    job = at.submit(msgspec.structs.replace(SPEC, retry=Retry(max_attempts=2, backoff_base_s=0)))

    for _ in range(2):
        host.run(host.take(at.show(job)), exit_code=1)

    shown = at.show(job)
    assert (shown.status, shown.attempt, shown.cost_fen) == ("failed", 2, 10)
    assert at.money() == (1000 - 10, 0)


def test_attempts_together_never_cost_more_than_the_cap() -> None:
    at = world()
    host = at.host()
    retry = Retry(max_attempts=9, backoff_base_s=0)
    spec = msgspec.structs.replace(SPEC, retry=retry, max_cost_fen=HOLD_FEN + 9)
    job = at.submit(spec)

    for _ in range(2):
        host.run(host.take(at.show(job)), seconds=5, exit_code=1)

    shown = at.show(job)
    assert (shown.status, shown.attempt, shown.cost_fen) == ("failed", 2, 10)
    assert at.money() == (1000 - 10, 0)


def test_a_rejected_attempt_is_free_and_tried_elsewhere_up_to_the_cap() -> None:
    at = world()
    host = at.host()
    job = at.submit()

    for _ in range(limits.PLATFORM_FAULTS_MAX):
        grant = host.take(at.show(job))
        host.report(grant, AttemptState.REJECTED, reason_code=ReasonCode.DISK_LOW)

    shown = at.show(job)
    assert (shown.status, shown.reason_class) == ("failed", ReasonClass.PLATFORM)
    assert shown.attempt == limits.PLATFORM_FAULTS_MAX
    assert at.money() == (1000, 0)


def test_platform_faults_do_not_use_up_the_customers_attempts() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    for _ in range(2):
        host.report(host.take(at.show(job)), AttemptState.REJECTED)

    host.run(host.take(at.show(job)))

    assert (at.show(job).status, at.show(job).attempt) == ("succeeded", 3)


def test_a_cancelled_attempt_that_is_lost_instead_is_cancelled_and_not_tried_again() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    host.report(host.take(job), AttemptState.RUNNING)
    jobs.cancel(at.ports, ALICE, job.id)

    host.beat(boot=at.ports.ids.new("bot"), held=())

    shown = at.show(job)
    assert (shown.status, shown.reason_code) == ("cancelled", ReasonCode.CANCELLED)
    assert at.money() == (1000, 0)


def test_a_full_host_is_still_heard() -> None:
    at = world()
    host, grant = begun(at)
    host.beat(free=msgspec.structs.replace(ROOM, slots=0), busy=True)

    assert host.run(grant) == "accepted"

"""How an attempt ends: what is said of it, what it costs, and whether another one follows."""

from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.fixtures.jobs import ENDS, HELD, LIVE, NOW, claimed, in_state, live_jobs, queued
from wharfage.domain import limits, progress
from wharfage.domain.attempt import (
    REASON_CLASSES,
    STOP_ENDS,
    AttemptState,
    ReasonClass,
    ReasonCode,
    StopReason,
)
from wharfage.domain.ending import (
    End,
    charged_seconds,
    end_attempt,
    end_unfunded,
    overdue_end,
    platform_end,
    reported_end,
    seen_by_host,
    stopped_end,
)
from wharfage.domain.job import Job
from wharfage.domain.spec import Retry

FOR_GOOD = (StopReason.CANCEL, StopReason.SUSPEND, StopReason.FUNDS)

seen = st.builds(
    reported_end,
    st.sampled_from(ENDS),
    reason=st.none() | st.sampled_from(ReasonCode),
    stop_reason=st.none() | st.sampled_from(StopReason),
    exit_code=st.none() | st.integers(0, 255),
    signal=st.none() | st.integers(1, 64),
    oom=st.booleans(),
)


def exited(code: int | None = 0, **facts: object) -> End:
    whole: dict[str, object] = {
        "reason": None, "stop_reason": None, "exit_code": code, "signal": None, "oom": False,
    }  # fmt: skip
    return reported_end(AttemptState.SUCCEEDED, **(whole | facts))  # type: ignore[arg-type]


def test_exit_code_zero_is_a_success_and_any_other_a_failure_of_the_customers() -> None:
    done, failed = exited(0), exited(3)

    assert (done.state, done.reason, done.reason_class) == (AttemptState.SUCCEEDED, None, None)
    assert (failed.state, failed.reason, failed.reason_class) == (
        AttemptState.FAILED, ReasonCode.EXIT_CODE, ReasonClass.USER,
    )  # fmt: skip
    assert exited(None).state is AttemptState.FAILED


@pytest.mark.parametrize("claimed_state", ENDS)
def test_a_host_that_calls_its_end_a_success_is_not_believed(claimed_state: AttemptState) -> None:
    end = reported_end(
        claimed_state, reason=None, stop_reason=None, exit_code=1, signal=None, oom=False
    )

    assert end.state is not AttemptState.SUCCEEDED


def test_out_of_memory_is_a_failure_whatever_the_exit_code() -> None:
    end = exited(0, oom=True)

    assert (end.state, end.reason) == (AttemptState.FAILED, ReasonCode.OUT_OF_MEMORY)


@pytest.mark.parametrize("stop", StopReason)
def test_a_stop_decides_the_end_whatever_the_exit_code(stop: StopReason) -> None:
    end = exited(0, stop_reason=stop)

    assert (end.state, end.reason, end.reason_class) == STOP_ENDS[stop]
    assert (end.stop_reason, end.exit_code) == (stop, 0)


@pytest.mark.parametrize(
    "reason", [each for each in ReasonCode if each is not ReasonCode.EXIT_CODE]
)
def test_a_reason_of_the_hosts_is_a_failure_of_its_class(reason: ReasonCode) -> None:
    end = exited(0, reason=reason)

    assert (end.state, end.reason, end.reason_class) == (
        AttemptState.FAILED, reason, REASON_CLASSES[reason],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (AttemptState.REJECTED, ReasonCode.HOST_POLICY),
        (AttemptState.LOST, ReasonCode.HOST_LOST),
    ],
)
def test_work_handed_back_is_our_fault(state: AttemptState, reason: ReasonCode) -> None:
    end = reported_end(state, reason=None, stop_reason=None, exit_code=None, signal=None, oom=False)

    assert (end.state, end.reason, end.reason_class) == (state, reason, ReasonClass.PLATFORM)


@pytest.mark.parametrize("state", LIVE)
def test_control_ends_what_is_overdue_by_what_was_known_of_it(state: AttemptState) -> None:
    expected = {
        AttemptState.QUEUED: (AttemptState.EXPIRED, ReasonCode.QUEUE_TTL),
        AttemptState.RUNNING: (AttemptState.TIMED_OUT, ReasonCode.TIMEOUT),
        AttemptState.STOPPING: (AttemptState.TIMED_OUT, ReasonCode.TIMEOUT),
    }.get(state, (AttemptState.LOST, ReasonCode.NO_REPORT))

    end = overdue_end(in_state(state))

    assert (end.state, end.reason) == expected
    assert end.run_seconds == 0


@pytest.mark.parametrize("state", HELD)
@pytest.mark.parametrize("stop", StopReason)
def test_what_was_being_stopped_ends_by_its_stop(state: AttemptState, stop: StopReason) -> None:
    job = progress.asked_to_stop(in_state(state), stop, NOW)

    assert overdue_end(job) == stopped_end(stop)


@pytest.mark.parametrize(
    ("run_ms", "since_claim_s", "charged"),
    [
        (0, 100, 0),
        (1, 100, 1),
        (1000, 100, 1),
        (1001, 100, 2),
        (99_999, 3, 3),
        (99_999_999, 10_000, 60 + 10),
        (5000, -5, 0),
    ],
)
def test_seconds_are_the_hosts_rounded_up_and_capped_by_ours_and_by_the_limit(
    run_ms: int, since_claim_s: int, charged: int
) -> None:
    job = claimed(queued(max_run_s=60, stop_grace_s=10))
    now = NOW + timedelta(seconds=since_claim_s)

    assert charged_seconds(job, run_ms=run_ms, now=now) == charged


def test_a_container_that_never_started_has_run_for_nothing() -> None:
    job = claimed(queued())

    end = seen_by_host(job, exited(127), run_ms=None, seq=4, now=NOW + timedelta(hours=1))

    assert (end.run_seconds, end.started_at, end.seq) == (0, None, 4)


@given(live_jobs(), seen, st.integers(0, 2**53), st.integers(0, 10**7))
@example(in_state(AttemptState.RUNNING), exited(1), 2**53, 10**7)
def test_an_attempt_never_costs_more_than_the_hold(
    job: Job, end: End, run_ms: int, passed_s: int
) -> None:
    now = NOW + timedelta(seconds=passed_s)
    if job.state.held_by_host:
        end = seen_by_host(job, end, run_ms=run_ms, seq=9, now=now)

    ended, unfunded = end_attempt(job, end, now), end_unfunded(job, end, now)

    assert 0 <= ended.cost_fen <= job.hold_fen
    assert unfunded.cost_fen == ended.cost_fen
    assert ended.job.cost_fen == job.cost_fen + ended.cost_fen


@pytest.mark.parametrize("state", LIVE)
@pytest.mark.parametrize("stop", [None, *StopReason])
def test_whatever_control_ends_costs_nothing(state: AttemptState, stop: StopReason | None) -> None:
    job = in_state(state)
    if stop is not None and state.held_by_host:
        job = progress.asked_to_stop(job, stop, NOW)

    ended = end_attempt(job, overdue_end(job), NOW + timedelta(days=8))

    assert (ended.cost_fen, ended.record.run_seconds) == (0, 0)


@given(live_jobs(), seen, st.integers(0, 2**53))
def test_after_an_end_the_job_is_over_or_another_attempt_of_it_waits(
    job: Job, end: End, run_ms: int
) -> None:
    if job.state.held_by_host:
        end = seen_by_host(job, end, run_ms=run_ms, seq=9, now=NOW)

    ended = end_attempt(job, end, NOW)
    after = ended.job

    assert ended.retried is not after.terminal
    assert after.version == job.version + 1
    assert (ended.record.attempt, ended.record.claim_id) == (job.attempt, job.claim_id)
    if ended.retried:
        assert after.state in (AttemptState.PENDING, AttemptState.QUEUED)
        assert after.attempt == job.attempt + 1
        assert after.due_at is not None
        assert (after.host, after.claim_id, after.stop_reason, after.seq) == (None, None, None, -1)
        assert after.attempt <= limits.ATTEMPTS_MAX + limits.PLATFORM_FAULTS_MAX
    else:
        assert after.state.terminal
        assert after.state not in (AttemptState.LOST, AttemptState.REJECTED)
        assert (after.due_at, after.ready_at, after.ended_at) == (None, None, NOW)


@given(live_jobs(), seen)
def test_a_platform_fault_is_free_and_uses_up_none_of_the_customers_attempts(
    job: Job, end: End
) -> None:
    ours = replace(end, reason_class=ReasonClass.PLATFORM, run_seconds=10)

    ended = end_attempt(job, ours, NOW)

    assert ended.cost_fen == 0
    assert ended.job.user_attempts == job.user_attempts
    assert ended.job.platform_faults == job.platform_faults + 1


@pytest.mark.parametrize("stop", FOR_GOOD)
@pytest.mark.parametrize("state", HELD)
@given(end=seen)
def test_after_a_wish_to_stop_for_good_nothing_follows(
    stop: StopReason, state: AttemptState, end: End
) -> None:
    job = in_state(state, retry=Retry(max_attempts=5))
    job = progress.asked_to_stop(job, stop, NOW)

    assert end_attempt(job, end, NOW).job.terminal


def test_a_lost_attempt_is_tried_again_at_once_and_free_up_to_the_cap() -> None:
    job, attempts = queued(), 0
    lost = platform_end(AttemptState.LOST, ReasonCode.HOST_LOST)

    while not job.terminal:
        job = end_attempt(claimed(job), lost, NOW).job
        attempts += 1

    assert attempts == limits.PLATFORM_FAULTS_MAX
    assert (job.state, job.reason_code, job.cost_fen) == (
        AttemptState.FAILED, ReasonCode.HOST_LOST, 0,
    )  # fmt: skip


def test_a_job_nobody_claimed_in_time_is_not_tried_again() -> None:
    job = queued(retry=Retry(max_attempts=5))

    ended = end_attempt(job, overdue_end(job), NOW)

    assert (ended.job.state, ended.job.terminal) == (AttemptState.EXPIRED, True)


@pytest.mark.parametrize("stop", [StopReason.DRAIN, StopReason.SUPERSEDED])
def test_work_stopped_for_our_sake_is_tried_again_free(stop: StopReason) -> None:
    job = progress.asked_to_stop(in_state(AttemptState.RUNNING), stop, NOW)

    ended = end_attempt(job, exited(143, stop_reason=stop), NOW)

    assert (ended.record.state, ended.cost_fen) == (AttemptState.LOST, 0)
    assert (ended.job.state, ended.job.attempt) == (AttemptState.QUEUED, 2)


def test_a_cancelled_job_whose_host_is_lost_is_cancelled() -> None:
    job = progress.asked_to_stop(in_state(AttemptState.RUNNING), StopReason.CANCEL, NOW)
    lost = platform_end(AttemptState.LOST, ReasonCode.HOST_LOST)

    ended = end_attempt(job, lost, NOW)

    assert (ended.job.state, ended.job.reason_code) == (
        AttemptState.CANCELLED, ReasonCode.CANCELLED,
    )  # fmt: skip
    assert ended.record.state is AttemptState.LOST


def test_a_failure_is_tried_again_after_its_back_off() -> None:
    retry = Retry(max_attempts=3, backoff_base_s=5, backoff_factor=3)
    first = end_attempt(in_state(AttemptState.RUNNING, retry=retry), exited(1), NOW).job
    second = end_attempt(claimed(progress.queued(first, NOW)), exited(1), NOW).job
    third = end_attempt(claimed(progress.queued(second, NOW)), exited(1), NOW).job

    assert (first.state, first.due_at) == (AttemptState.PENDING, NOW + timedelta(seconds=5))
    assert (second.state, second.due_at) == (AttemptState.PENDING, NOW + timedelta(seconds=15))
    assert (third.state, third.user_attempts) == (AttemptState.FAILED, 3)


@given(
    st.integers(1, 200), st.lists(st.integers(0, 10**7), min_size=1, max_size=limits.ATTEMPTS_MAX)
)
def test_all_attempts_together_never_cost_more_than_the_cap(cap: int, runs: list[int]) -> None:
    retry = Retry(max_attempts=limits.ATTEMPTS_MAX, backoff_base_s=0)
    job = queued(max_run_s=3600, stop_grace_s=1, max_cost_fen=cap, retry=retry)

    for run_ms in runs:
        if job.terminal:
            break
        taken, later = claimed(job), NOW + timedelta(days=1)
        end = seen_by_host(taken, exited(1), run_ms=run_ms, seq=9, now=later)
        job = end_attempt(taken, end, NOW).job

    assert job.cost_fen <= cap


def test_a_back_off_of_nothing_queues_at_once() -> None:
    retry = Retry(max_attempts=2, backoff_base_s=0)

    after = end_attempt(in_state(AttemptState.RUNNING, retry=retry), exited(1), NOW).job

    assert (after.state, after.ready_at) == (AttemptState.QUEUED, NOW)


@pytest.mark.parametrize("state", LIVE)
def test_without_money_for_another_attempt_the_job_ends_for_want_of_funds(
    state: AttemptState,
) -> None:
    job = in_state(state, retry=Retry(max_attempts=5))

    ended = end_unfunded(job, exited(1), NOW)

    assert (ended.job.terminal, ended.job.reason_code, ended.job.reason_class) == (
        True, ReasonCode.FUNDS, ReasonClass.POLICY,
    )  # fmt: skip
    assert ended.record.reason_code is ReasonCode.EXIT_CODE


@given(live_jobs(), seen)
def test_what_an_attempt_was_is_written_down_as_it_was(job: Job, end: End) -> None:
    record = end_attempt(job, end, NOW).record

    assert (record.state, record.exit_code, record.oom) == (end.state, end.exit_code, end.oom)
    assert (record.host, record.queued_at) == (job.host, job.queued_at)
    assert msgspec.json.decode(msgspec.json.encode(record), type=type(record)) == record

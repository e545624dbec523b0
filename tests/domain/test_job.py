"""Jobs: what admits them, what they hold, and their place in the queue."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.fixtures.jobs import NOW, PRICES, admitted, in_state, queued
from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState
from wharfage.domain.errors import Invalid
from wharfage.domain.job import admitted_run_seconds, attempt_cost_fen, ready_at, worst_case_fen
from wharfage.domain.price import Resources
from wharfage.domain.spec import JobSpec, Priority, Retry

specs = st.builds(
    JobSpec,
    image=st.just("busybox"),
    resources=st.builds(
        Resources,
        cpu_millis=st.integers(limits.CPU_MILLIS_MIN, limits.CPU_MILLIS_MAX),
        memory_mb=st.integers(limits.MEMORY_MB_MIN, limits.MEMORY_MB_MAX),
    ),
    max_run_s=st.integers(1, limits.RUN_SECONDS_MAX),
    stop_grace_s=st.integers(1, limits.STOP_GRACE_SECONDS_MAX),
    max_cost_fen=st.none() | st.integers(1, limits.TOPUP_FEN_MAX),
)


def test_a_job_is_admitted_queued_with_a_hold_of_its_worst_case() -> None:
    spec = JobSpec(image="busybox", max_run_s=3590, stop_grace_s=10, queue_ttl_s=100)

    found = admitted(spec)

    # An hour of one vCPU and half a gigabyte.
    assert (found.hold.amount_fen, found.job.hold_fen) == (27, 27)
    assert (found.job.hold, found.hold.job) == (found.hold.id, found.job.id)
    assert (found.job.state, found.job.attempt, found.job.terminal) == (
        AttemptState.QUEUED, 1, False,
    )  # fmt: skip
    assert found.job.due_at == NOW + timedelta(seconds=100)


def test_a_job_keeps_the_prices_it_was_admitted_under() -> None:
    assert queued().price == PRICES


def test_a_cost_cap_shortens_the_run_and_leaves_room_for_the_stop() -> None:
    spec = JobSpec(image="busybox", max_run_s=7200, stop_grace_s=10, max_cost_fen=27)

    job = admitted(spec).job

    assert (job.max_run_s, job.hold_fen) == (3590, 27)


def test_a_cost_cap_that_pays_for_more_changes_nothing() -> None:
    spec = JobSpec(image="busybox", max_run_s=60, stop_grace_s=10, max_cost_fen=10_000)

    assert admitted_run_seconds(spec, PRICES) == 60


def test_a_cost_cap_that_pays_for_no_second_is_refused_with_the_least_there_is() -> None:
    big = Resources(cpu_millis=64_000)
    spec = JobSpec(image="busybox", resources=big, stop_grace_s=300, max_cost_fen=128)

    with pytest.raises(Invalid) as refusal:
        admitted(spec)

    (fault,) = refusal.value.faults
    assert (fault.pointer, fault.code) == ("/max_cost_fen", "too_small")
    assert "at least 129 fen" in fault.message


@given(specs)
def test_a_hold_covers_the_run_and_the_stop_and_never_passes_the_cap(spec: JobSpec) -> None:
    try:
        run_seconds = admitted_run_seconds(spec, PRICES)
    except Invalid:
        assert spec.max_cost_fen is not None
        assert PRICES.cost_fen(spec.resources, spec.stop_grace_s + 1) > spec.max_cost_fen
        return

    hold_fen = attempt_cost_fen(spec, PRICES)
    assert 1 <= run_seconds <= spec.max_run_s
    assert hold_fen == PRICES.cost_fen(spec.resources, run_seconds + spec.stop_grace_s)
    assert spec.max_cost_fen is None or hold_fen <= spec.max_cost_fen
    if run_seconds < spec.max_run_s:  # The cap cuts, and no more than it must.
        longer = PRICES.cost_fen(spec.resources, run_seconds + 1 + spec.stop_grace_s)
        assert spec.max_cost_fen is not None
        assert longer > spec.max_cost_fen


@given(specs, st.integers(1, limits.ATTEMPTS_MAX))
def test_the_worst_case_is_all_attempts_at_their_most_and_never_passes_the_cap(
    spec: JobSpec, attempts: int
) -> None:
    asked = replace(spec, retry=Retry(max_attempts=attempts))
    try:
        hold_fen = attempt_cost_fen(asked, PRICES)
    except Invalid:
        return

    worst_fen = worst_case_fen(asked, PRICES)

    assert hold_fen <= worst_fen <= hold_fen * attempts
    assert worst_fen in (hold_fen * attempts, spec.max_cost_fen)


def test_priority_is_a_head_start_of_ten_minutes_so_low_always_moves() -> None:
    head_start = timedelta(minutes=10)

    assert ready_at(Priority.HIGH, NOW) == NOW - head_start
    assert ready_at(Priority.NORMAL, NOW) == NOW
    assert ready_at(Priority.LOW, NOW) == NOW + head_start
    late_high = ready_at(Priority.HIGH, NOW + 2 * head_start + timedelta(milliseconds=1))
    assert ready_at(Priority.LOW, NOW) < late_high


@pytest.mark.parametrize("state", [AttemptState.PENDING, AttemptState.QUEUED, AttemptState.RUNNING])
def test_a_job_is_terminal_only_once_its_last_attempt_has_ended(state: AttemptState) -> None:
    assert not in_state(state).terminal

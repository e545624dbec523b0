"""How a job moves on: forward only, each state with its deadline."""

from datetime import datetime, timedelta

import pytest

from tests.fixtures.jobs import HELD, NOW, claimed, in_state, queued, reported
from wharfage.domain import limits, progress
from wharfage.domain.attempt import AttemptState, StopReason
from wharfage.domain.spec import Priority

LATER = NOW + timedelta(seconds=7)


def seconds(moment: datetime | None) -> float:
    assert moment is not None
    return (moment - NOW).total_seconds()


def test_a_claim_gives_the_attempt_to_a_host_and_takes_it_out_of_the_queue() -> None:
    job = queued()

    after = claimed(job)

    assert (after.state, after.host, after.boot, after.claim_id) == (
        AttemptState.CLAIMED, "hst_1", "bot_1", "clm_1",
    )  # fmt: skip
    assert (after.claimed_at, after.ready_at) == (NOW, None)
    assert after.version == job.version + 1


@pytest.mark.parametrize(
    ("state", "waits"),
    [
        (AttemptState.CLAIMED, 60),
        (AttemptState.PREPARING, 15 * 60 + 60),
        (AttemptState.STARTING, 2 * 60 + 60),
        (AttemptState.RUNNING, 1000 + 20 + 60),
        (AttemptState.STOPPING, 20 + 120),
    ],
)
def test_each_state_has_a_deadline_later_than_the_agents_own(
    state: AttemptState, waits: int
) -> None:
    job = in_state(state, max_run_s=1000, stop_grace_s=20)

    assert seconds(job.due_at) == waits


@pytest.mark.parametrize("state", HELD)
def test_a_wish_to_stop_sets_the_deadline_whatever_the_state(state: AttemptState) -> None:
    job = in_state(state, stop_grace_s=20)

    after = progress.asked_to_stop(job, StopReason.CANCEL, NOW)

    assert (after.state, after.stop_reason) == (state, StopReason.CANCEL)
    assert seconds(after.due_at) == 20 + 120


def test_a_report_after_the_wish_to_stop_does_not_move_its_deadline() -> None:
    asked = progress.asked_to_stop(claimed(queued(stop_grace_s=20)), StopReason.CANCEL, NOW)

    running = reported(asked, AttemptState.RUNNING, now=LATER)
    stopping = reported(running, AttemptState.STOPPING, seq=2, now=LATER)

    assert seconds(running.due_at) == seconds(stopping.due_at) == 20 + 120


def test_the_start_is_noted_when_the_container_runs_and_not_moved_by_its_stop() -> None:
    job = claimed(queued())

    starting = reported(job, AttemptState.STARTING)
    running = reported(starting, AttemptState.RUNNING, seq=2, now=LATER)
    stopping = reported(running, AttemptState.STOPPING, seq=3, now=LATER + timedelta(seconds=1))

    assert (starting.started_at, running.started_at, stopping.started_at) == (None, LATER, LATER)


def test_the_digest_that_was_pulled_first_stays() -> None:
    job = claimed(queued())
    first, second = "sha256:" + "1" * 64, "sha256:" + "2" * 64

    once = progress.reported(job, AttemptState.STARTING, seq=1, image_digest=first, now=NOW)
    again = progress.reported(once, AttemptState.RUNNING, seq=2, image_digest=second, now=NOW)

    assert (once.image_digest, again.image_digest) == (first, first)


@pytest.mark.parametrize("state", HELD)
@pytest.mark.parametrize("reported_state", HELD)
def test_a_state_never_goes_back(state: AttemptState, reported_state: AttemptState) -> None:
    job = in_state(state)
    if reported_state.rank > state.rank:
        assert reported(job, reported_state).state is reported_state
        return

    with pytest.raises(AssertionError):
        reported(job, reported_state)


def test_an_end_is_no_progress() -> None:
    with pytest.raises(AssertionError):
        reported(in_state(AttemptState.RUNNING), AttemptState.SUCCEEDED)


@pytest.mark.parametrize("state", [AttemptState.PENDING, AttemptState.QUEUED])
def test_only_what_a_host_has_is_asked_to_stop(state: AttemptState) -> None:
    with pytest.raises(AssertionError):
        progress.asked_to_stop(in_state(state), StopReason.CANCEL, NOW)


def test_the_first_reason_to_stop_stays() -> None:
    asked = progress.asked_to_stop(in_state(AttemptState.RUNNING), StopReason.CANCEL, NOW)

    with pytest.raises(AssertionError):
        progress.asked_to_stop(asked, StopReason.DRAIN, NOW)


def test_a_reason_for_good_replaces_one_that_is_not_and_keeps_its_deadline() -> None:
    asked = progress.asked_to_stop(in_state(AttemptState.RUNNING), StopReason.DRAIN, NOW)

    after = progress.asked_to_stop(asked, StopReason.CANCEL, NOW + timedelta(seconds=5))

    assert after.stop_reason is StopReason.CANCEL
    assert (after.stop_asked_at, after.due_at) == (asked.stop_asked_at, asked.due_at)


def test_only_a_queued_attempt_can_be_claimed() -> None:
    with pytest.raises(AssertionError):
        claimed(in_state(AttemptState.RUNNING))


def test_after_its_back_off_an_attempt_waits_in_the_queue_like_a_new_one() -> None:
    job = in_state(AttemptState.PENDING, queue_ttl_s=100, priority=Priority.HIGH)

    after = progress.queued(job, LATER)

    assert (after.state, after.queued_at) == (AttemptState.QUEUED, LATER)
    assert after.due_at == LATER + timedelta(seconds=100)
    assert after.ready_at == LATER - timedelta(seconds=limits.PRIORITY_HEAD_START_SECONDS)
    with pytest.raises(AssertionError):
        progress.queued(after, LATER)

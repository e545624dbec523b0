"""How a job moves on: claimed, reported, asked to stop, overdue. Pure, forward only."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState, StopReason
from wharfage.domain.job import Job, ready_at


def claimed(job: Job, *, host: str, boot: str, claim_id: str, now: datetime) -> Job:
    """Give the current attempt to a host."""
    assert job.state is AttemptState.QUEUED
    return replace(
        job,
        state=AttemptState.CLAIMED,
        host=host,
        boot=boot,
        claim_id=claim_id,
        claimed_at=now,
        ready_at=None,
        due_at=now + timedelta(seconds=limits.CLAIMED_SECONDS),
        version=job.version + 1,
    )


def grantable_again(job: Job, now: datetime) -> bool:
    """Tell whether the host that claimed it may be told so once more.

    Later its first report would come after control had given the attempt up, and the work would
    run in two places with nothing wrong anywhere.
    """
    if job.state is not AttemptState.CLAIMED:
        return False
    assert job.claimed_at is not None
    return now < job.claimed_at + timedelta(seconds=limits.CLAIM_REPEAT_SECONDS)


def reported(
    job: Job, state: AttemptState, *, seq: int, image_digest: str | None, now: datetime
) -> Job:
    """Note what the host says of a live attempt; the state must be a later one."""
    assert job.state.rank < state.rank
    assert not state.terminal
    moved = replace(
        job,
        state=state,
        seq=seq,
        image_digest=job.image_digest or image_digest,
        started_at=now if state is AttemptState.RUNNING else job.started_at,
        version=job.version + 1,
    )
    return replace(moved, due_at=_deadline(moved, since=now))


def stoppable(job: Job, reason: StopReason) -> bool:
    """Tell whether *reason* adds anything: the first one stays, until one comes that is for good.

    A customer's wish must not be forgotten because the host was being drained before it.
    """
    return job.stop_reason is None or (reason.for_good and not job.stop_reason.for_good)


def asked_to_stop(job: Job, reason: StopReason, now: datetime) -> Job:
    """Note that the attempt should end; its deadline counts from when that was first asked."""
    assert job.state.held_by_host
    assert stoppable(job, reason)
    since = job.stop_asked_at or now
    moved = replace(job, stop_reason=reason, stop_asked_at=since, version=job.version + 1)
    return replace(moved, due_at=_deadline(moved, since=now))


def queued(job: Job, now: datetime) -> Job:
    """Put an attempt whose back-off is over into the queue."""
    assert job.state is AttemptState.PENDING
    return replace(
        job,
        state=AttemptState.QUEUED,
        queued_at=now,
        ready_at=ready_at(job.priority, now),
        due_at=now + timedelta(seconds=job.queue_ttl_s),
        version=job.version + 1,
    )


def _deadline(job: Job, *, since: datetime) -> datetime:
    """Return when control gives up waiting: later than the agent would, so that its word wins."""
    grace = limits.CONTROL_GRACE_SECONDS
    if job.stop_asked_at is not None:
        return job.stop_asked_at + timedelta(seconds=job.stop_grace_s + 2 * grace)
    seconds = {
        AttemptState.CLAIMED: limits.CLAIMED_SECONDS,
        AttemptState.PREPARING: limits.PREPARING_SECONDS + grace,
        AttemptState.STARTING: limits.STARTING_SECONDS + grace,
        AttemptState.RUNNING: job.max_run_s + job.stop_grace_s + grace,
        AttemptState.STOPPING: job.stop_grace_s + 2 * grace,
    }
    return since + timedelta(seconds=seconds[job.state])

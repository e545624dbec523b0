"""How an attempt ends: what is said of it, what it costs, and whether another one follows."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import NamedTuple

from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain.attempt import (
    REASON_CLASSES,
    STOP_ENDS,
    AttemptState,
    ReasonClass,
    ReasonCode,
    StopReason,
)
from wharfage.domain.job import AttemptRecord, Job, ready_at


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """One way an attempt can end, with what was seen of it."""

    state: AttemptState
    reason: ReasonCode | None = None
    reason_class: ReasonClass | None = None
    stop_reason: StopReason | None = None
    exit_code: int | None = None
    signal: int | None = None
    oom: bool = False
    started_at: datetime | None = None  #: When the container started, if it did.
    run_seconds: int = 0  #: What is charged for, if the end is not the platform's fault.
    seq: int | None = None  #: Of the report that brought it; None when control ended it.


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """The job after an attempt's end, the attempt's record, and its price."""

    job: Job
    record: AttemptRecord
    cost_fen: int
    cost_units: int = 0

    @property
    def retried(self) -> bool:
        """Tell whether another attempt follows, so that the hold stays open."""
        return not self.job.terminal


def platform_end(state: AttemptState, reason: ReasonCode) -> End:
    """Make an end that is our fault."""
    return End(state=state, reason=reason, reason_class=ReasonClass.PLATFORM)


def stopped_end(stop_reason: StopReason) -> End:
    """Make the end that a stop leads to when nothing was seen of it."""
    state, reason, reason_class = STOP_ENDS[stop_reason]
    return End(state=state, reason=reason, reason_class=reason_class, stop_reason=stop_reason)


def overdue_end(job: Job) -> End:
    """Decide how control ends an attempt whose deadline has passed."""
    if job.state is AttemptState.QUEUED:
        return platform_end(AttemptState.EXPIRED, ReasonCode.QUEUE_TTL)
    if job.stop_reason is not None:
        return stopped_end(job.stop_reason)
    if job.state in (AttemptState.RUNNING, AttemptState.STOPPING):
        return stopped_end(StopReason.TIMEOUT)
    return platform_end(AttemptState.LOST, ReasonCode.NO_REPORT)


def reported_end(
    state: AttemptState,
    *,
    reason: ReasonCode | None,
    stop_reason: StopReason | None,
    exit_code: int | None,
    signal: int | None,
    oom: bool,
) -> End:
    """Decide the end from what a host saw; its own word on the state is only believed so far.

    A stop reason means that the agent sent TERM: an exit before that keeps its own result, so
    the agent leaves the reason out. Out of memory and a stop are never a success.
    """
    if state is AttemptState.REJECTED:
        return platform_end(state, reason or ReasonCode.HOST_POLICY)
    if state is AttemptState.LOST:
        return platform_end(state, reason or ReasonCode.HOST_LOST)
    seen = End(state=AttemptState.SUCCEEDED, exit_code=exit_code, signal=signal, oom=oom)
    if stop_reason is not None:
        state, code, reason_class = STOP_ENDS[stop_reason]
        return dataclasses.replace(
            seen, state=state, reason=code, reason_class=reason_class, stop_reason=stop_reason
        )
    if oom:
        return _failed(seen, ReasonCode.OUT_OF_MEMORY)
    if reason is not None:
        return _failed(seen, reason)
    return seen if exit_code == 0 else _failed(seen, ReasonCode.EXIT_CODE)


def seen_by_host(job: Job, end: End, *, run_ms: int | None, seq: int, now: datetime) -> End:
    """Add what only the report tells. *run_ms* is None for a container that never started."""
    if run_ms is None:
        return dataclasses.replace(end, seq=seq)
    seconds = charged_seconds(job, run_ms=run_ms, now=now)
    started_at = job.started_at or now - timedelta(seconds=seconds)
    return dataclasses.replace(end, seq=seq, run_seconds=seconds, started_at=started_at)


def charged_seconds(job: Job, *, run_ms: int, now: datetime) -> int:
    """Return the seconds to charge: the host's, capped by ours and by the run limit."""
    assert job.claimed_at is not None
    ours = ceil((now - job.claimed_at).total_seconds())
    return max(0, min(ceil(run_ms / 1000), ours, job.max_run_s + job.stop_grace_s))


def end_attempt(job: Job, end: End, now: datetime) -> Ended:
    """End the current attempt: the job goes on with the next one, or ends with this one's end."""
    counted, cost = _counted(job, end)
    again_at = _again_at(counted, end, now)
    if again_at is None:
        after = _ended_job(counted, end, now)
    else:
        after = _next_attempt(counted, again_at, now)
    return _ended(job, after, end, cost, now)


def end_unfunded(job: Job, end: End, now: datetime) -> Ended:
    """End the current attempt and the job with it: the balance does not pay for another one."""
    counted, cost = _counted(job, end)
    after = replace(
        _ended_job(counted, end, now),
        reason_code=ReasonCode.FUNDS,
        reason_class=ReasonClass.POLICY,
    )
    return _ended(job, after, end, cost, now)


class _Cost(NamedTuple):
    """What one attempt costs."""

    fen: int = 0
    units: int = 0


def _cost(job: Job, end: End) -> _Cost:
    """Price an attempt: by the second, or by its template, whole and only for a success.

    Nothing is paid for a container that never started, whatever is said of its end.
    """
    if end.reason_class is ReasonClass.PLATFORM:
        return _Cost()
    if job.template is None:
        return _Cost(fen=job.price.cost_fen(job.resources, end.run_seconds))
    started = job.started_at or end.started_at
    if end.state is not AttemptState.SUCCEEDED or started is None:
        return _Cost()
    return _Cost(fen=job.hold_fen, units=job.hold_units)


def _counted(job: Job, end: End) -> tuple[Job, _Cost]:
    platform = end.reason_class is ReasonClass.PLATFORM
    cost = _cost(job, end)
    counted = replace(
        job,
        cost_fen=job.cost_fen + cost.fen,
        cost_units=job.cost_units + cost.units,
        user_attempts=job.user_attempts + (not platform),
        platform_faults=job.platform_faults + platform,
        version=job.version + 1,
    )
    return counted, cost


def _again_at(job: Job, end: End, now: datetime) -> datetime | None:
    """Return when the next attempt may start, None if there is none."""
    if job.stop_reason is not None and job.stop_reason.for_good:
        return None
    if end.reason_class is ReasonClass.PLATFORM:
        faulty = job.platform_faults >= limits.PLATFORM_FAULTS_MAX
        return None if faulty or end.state is AttemptState.EXPIRED else now
    if end.state not in (AttemptState.FAILED, AttemptState.TIMED_OUT):
        return None
    if not job.retry.allows(job.user_attempts, end.exit_code, end.reason):
        return None
    if job.max_cost_fen is not None and job.cost_fen + job.hold_fen > job.max_cost_fen:
        return None
    return now + timedelta(seconds=job.retry.backoff_seconds(job.user_attempts))


def _next_attempt(job: Job, again_at: datetime, now: datetime) -> Job:
    waiting = again_at > now
    return replace(
        job,
        attempt=job.attempt + 1,
        state=AttemptState.PENDING if waiting else AttemptState.QUEUED,
        queued_at=None if waiting else now,
        ready_at=None if waiting else ready_at(job.priority, now),
        due_at=again_at if waiting else now + timedelta(seconds=job.queue_ttl_s),
        host=None,
        boot=None,
        claim_id=None,
        claimed_at=None,
        started_at=None,
        stop_reason=None,
        stop_asked_at=None,
        seq=-1,
    )


def _ended_job(job: Job, end: End, now: datetime) -> Job:
    if end.state in (AttemptState.LOST, AttemptState.REJECTED):
        # A job is not lost: its attempts were, once too often or after a wish to stop.
        if job.stop_reason is not None and job.stop_reason.for_good:
            end = stopped_end(job.stop_reason)
        else:
            end = dataclasses.replace(end, state=AttemptState.FAILED)
    return replace(
        job,
        state=end.state,
        ready_at=None,
        due_at=None,
        started_at=job.started_at or end.started_at,
        ended_at=now,
        seq=job.seq if end.seq is None else end.seq,
        reason_code=end.reason,
        reason_class=end.reason_class,
        exit_code=end.exit_code,
        signal=end.signal,
        oom=end.oom,
    )


def _ended(job: Job, after: Job, end: End, cost: _Cost, now: datetime) -> Ended:
    record = _record(job, end, cost, now)
    return Ended(job=after, record=record, cost_fen=cost.fen, cost_units=cost.units)


def _record(job: Job, end: End, cost: _Cost, now: datetime) -> AttemptRecord:
    return AttemptRecord(
        job=job.id,
        attempt=job.attempt,
        state=end.state,
        ended_at=now,
        run_seconds=end.run_seconds,
        cost_fen=cost.fen,
        cost_units=cost.units,
        oom=end.oom,
        host=job.host,
        claim_id=job.claim_id,
        queued_at=job.queued_at,
        claimed_at=job.claimed_at,
        started_at=job.started_at or end.started_at,
        reason_code=end.reason,
        reason_class=end.reason_class,
        stop_reason=end.stop_reason,
        exit_code=end.exit_code,
        signal=end.signal,
        seq=end.seq,
    )


def _failed(seen: End, reason: ReasonCode) -> End:
    reason_class = REASON_CLASSES[reason]
    return dataclasses.replace(
        seen, state=AttemptState.FAILED, reason=reason, reason_class=reason_class
    )

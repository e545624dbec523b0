"""What a customer is shown of a job and its attempts."""

from datetime import datetime

from wharfage.domain.attempt import AttemptState, ReasonClass, ReasonCode
from wharfage.domain.job import AttemptRecord, Job
from wharfage.domain.placement import Waiting
from wharfage.domain.price import Resources
from wharfage.domain.record import View
from wharfage.domain.spec import Priority


class JobView(View, frozen=True, kw_only=True):
    """A job as its owner sees it. Clients must treat unknown states as still working."""

    id: str
    status: str
    is_terminal: bool
    image: str
    image_digest: str | None
    pool: str
    priority: Priority
    resources: Resources
    max_run_s: int
    attempt: int
    template: str | None
    template_version: int | None
    hold_fen: int
    hold_units: int
    cost_fen: int
    cost_units: int
    price_version: str
    created_at: datetime
    queued_at: datetime | None
    claimed_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    host: str | None
    waiting_for: Waiting | None
    reason_code: ReasonCode | None
    reason_class: ReasonClass | None
    exit_code: int | None
    signal: int | None
    oom: bool
    version: int


class AttemptView(View, frozen=True, kw_only=True):
    """One attempt of a job as its owner sees it."""

    attempt: int
    status: str
    is_terminal: bool
    host: str | None
    queued_at: datetime | None
    claimed_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    reason_code: ReasonCode | None
    reason_class: ReasonClass | None
    exit_code: int | None
    signal: int | None
    oom: bool
    run_seconds: int
    cost_fen: int
    cost_units: int


def status(job: Job) -> str:
    """Name where the job is, in the customer's words."""
    if not job.terminal and job.stop_reason is not None:
        return AttemptState.STOPPING.value
    if job.state in (AttemptState.CLAIMED, AttemptState.PREPARING):
        return AttemptState.STARTING.value
    return job.state.value


def show(job: Job, waiting: Waiting | None = None) -> JobView:
    """Show a job to its owner."""
    return JobView(
        id=job.id,
        status=status(job),
        is_terminal=job.terminal,
        image=job.image,
        image_digest=job.image_digest,
        pool=job.pool,
        priority=job.priority,
        resources=job.resources,
        max_run_s=job.max_run_s,
        attempt=job.attempt,
        template=job.template,
        template_version=job.template_version,
        hold_fen=job.hold_fen,
        hold_units=job.hold_units,
        cost_fen=job.cost_fen,
        cost_units=job.cost_units,
        price_version=job.price.version,
        created_at=job.created_at,
        queued_at=job.queued_at,
        claimed_at=job.claimed_at,
        started_at=job.started_at,
        ended_at=job.ended_at,
        host=job.host,
        waiting_for=waiting,
        reason_code=job.reason_code,
        reason_class=job.reason_class,
        exit_code=job.exit_code,
        signal=job.signal,
        oom=job.oom,
        version=job.version,
    )


def show_ended_attempt(record: AttemptRecord) -> AttemptView:
    """Show an attempt that has ended."""
    return AttemptView(
        attempt=record.attempt,
        status=record.state.value,
        is_terminal=True,
        host=record.host,
        queued_at=record.queued_at,
        claimed_at=record.claimed_at,
        started_at=record.started_at,
        ended_at=record.ended_at,
        reason_code=record.reason_code,
        reason_class=record.reason_class,
        exit_code=record.exit_code,
        signal=record.signal,
        oom=record.oom,
        run_seconds=record.run_seconds,
        cost_fen=record.cost_fen,
        cost_units=record.cost_units,
    )


def show_live_attempt(job: Job) -> AttemptView:
    """Show the attempt that has not ended yet."""
    return AttemptView(
        attempt=job.attempt,
        status=job.state.value,
        is_terminal=False,
        host=job.host,
        queued_at=job.queued_at,
        claimed_at=job.claimed_at,
        started_at=job.started_at,
        ended_at=None,
        reason_code=None,
        reason_class=None,
        exit_code=None,
        signal=None,
        oom=False,
        run_seconds=0,
        cost_fen=0,
        cost_units=0,
    )

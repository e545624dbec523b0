"""Jobs: an image run to its end, over one or more attempts."""

from datetime import datetime, timedelta
from typing import Self

import msgspec
from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState, ReasonClass, ReasonCode, StopReason
from wharfage.domain.balance import Hold
from wharfage.domain.errors import fault
from wharfage.domain.price import PriceList, Resources
from wharfage.domain.record import Record
from wharfage.domain.spec import JobSpec, OnHostLost, Priority, Retry, input_json
from wharfage.domain.template import Fare


class InputFile(Record, frozen=True, kw_only=True):
    """An upload that a job uses, as it was when the job was submitted."""

    name: str
    upload: str
    size_bytes: int
    sha256: str


class SpecRecord(Record, frozen=True, kw_only=True):
    """A job's specification, as submitted; immutable. Its input is kept as the text it is."""

    job: str
    spec: JobSpec  #: Without its input.
    input_json: bytes | None = None
    files: tuple[InputFile, ...] = ()

    @classmethod
    def of(cls, job: str, spec: JobSpec, files: tuple[InputFile, ...]) -> Self:
        """Make the record of a job. What is stored holds no float, and an input may."""
        stored = replace(spec, input=None)
        return cls(job=job, spec=stored, input_json=input_json(spec), files=files)

    @property
    def whole(self) -> JobSpec:
        """Return the specification with its input."""
        given = None if self.input_json is None else msgspec.json.decode(self.input_json)
        return replace(self.spec, input=given)


class AttemptRecord(Record, frozen=True, kw_only=True):
    """How one attempt ended; written once. *seq* is that of the report that ended it."""

    job: str
    attempt: int
    state: AttemptState
    ended_at: datetime
    run_seconds: int
    cost_fen: int
    cost_units: int = 0
    oom: bool
    host: str | None = None
    claim_id: str | None = None
    queued_at: datetime | None = None
    claimed_at: datetime | None = None
    started_at: datetime | None = None
    reason_code: ReasonCode | None = None
    reason_class: ReasonClass | None = None
    stop_reason: StopReason | None = None
    exit_code: int | None = None
    signal: int | None = None
    seq: int | None = None

    @property
    def never_started(self) -> bool:
        """Tell whether its container cannot have run: a host that was given up may have run it."""
        told = self.claim_id is None or self.seq is not None
        return told and self.started_at is None


class Job(Record, frozen=True, kw_only=True):
    """The state row of a job: its current attempt, and what all attempts add up to."""

    id: str
    account: str
    pool: str
    image: str
    priority: Priority
    resources: Resources
    labels: dict[str, str]
    retry: Retry
    on_host_lost: OnHostLost
    max_run_s: int  #: After `max_cost_fen` has shortened it.
    queue_ttl_s: int
    stop_grace_s: int
    price: PriceList  #: The prices it was admitted under.
    hold: str
    hold_fen: int
    hold_units: int = 0  #: Held instead of money, in the period that began at *period*.
    period: datetime | None = None
    template: str | None = None  #: Its price is then fixed, and due only for a success.
    template_version: int | None = None
    max_cost_fen: int | None = None  #: What all attempts together may cost.
    created_at: datetime
    state: AttemptState
    attempt: int = 1
    user_attempts: int = 0  #: Ended attempts that used up one of the customer's.
    platform_faults: int = 0  #: Ended attempts that were our fault, and free.
    queued_at: datetime | None = None
    ready_at: datetime | None = None
    due_at: datetime | None = None
    host: str | None = None
    boot: str | None = None
    claim_id: str | None = None
    claimed_at: datetime | None = None
    started_at: datetime | None = None
    stop_reason: StopReason | None = None
    stop_asked_at: datetime | None = None
    seq: int = -1  #: Of the newest report.
    image_digest: str | None = None
    cost_fen: int = 0
    cost_units: int = 0
    ended_at: datetime | None = None  #: Set once, with the end of the last attempt.
    reason_code: ReasonCode | None = None
    reason_class: ReasonClass | None = None
    exit_code: int | None = None
    signal: int | None = None
    oom: bool = False
    version: int = 1

    @property
    def terminal(self) -> bool:
        """Tell whether the job has ended, and so its money is settled."""
        return self.ended_at is not None


def admitted_run_seconds(spec: JobSpec, price: PriceList) -> int:
    """Return the run limit after `max_cost_fen` has shortened it.

    Raises: Invalid, if the cost cap does not pay for one second.
    """
    if spec.max_cost_fen is None:
        return spec.max_run_s
    paid = price.seconds_for(spec.resources, spec.max_cost_fen) - spec.stop_grace_s
    if paid < 1:
        least = price.cost_fen(spec.resources, spec.stop_grace_s + 1)
        raise fault("/max_cost_fen", "too_small", f"This job costs at least {least} fen.")
    return min(spec.max_run_s, paid)


def attempt_cost_fen(spec: JobSpec, price: PriceList) -> int:
    """Return what one attempt can cost at most: run limit and stop grace at the full price."""
    return price.cost_fen(spec.resources, admitted_run_seconds(spec, price) + spec.stop_grace_s)


def worst_case_fen(spec: JobSpec, price: PriceList) -> int:
    """Return what all attempts together can cost at most."""
    whole = attempt_cost_fen(spec, price) * spec.retry.max_attempts
    return whole if spec.max_cost_fen is None else min(whole, spec.max_cost_fen)


def admit(
    spec: JobSpec,
    *,
    fare: Fare | None = None,
    job_id: str,
    hold_id: str,
    account: str,
    price: PriceList,
    now: datetime,
) -> tuple[Job, Hold]:
    """Make a queued job and the hold of its worst case, or of its template's *fare*.

    Raises: Invalid.
    """
    hold_fen = fare.hold_fen if fare else attempt_cost_fen(spec, price)
    units, period = (fare.hold_units, fare.period) if fare else (0, None)
    job = Job(
        id=job_id,
        account=account,
        pool=spec.pool,
        image=spec.image,
        priority=spec.priority,
        resources=spec.resources,
        labels=spec.labels,
        retry=spec.retry,
        on_host_lost=spec.on_host_lost,
        max_run_s=admitted_run_seconds(spec, price),
        queue_ttl_s=spec.queue_ttl_s,
        stop_grace_s=spec.stop_grace_s,
        price=price,
        hold=hold_id,
        hold_fen=hold_fen,
        hold_units=units,
        period=period,
        template=fare.template if fare else None,
        template_version=fare.version if fare else None,
        max_cost_fen=spec.max_cost_fen,
        created_at=now,
        state=AttemptState.QUEUED,
        queued_at=now,
        ready_at=ready_at(spec.priority, now),
        due_at=now + timedelta(seconds=spec.queue_ttl_s),
    )
    hold = Hold(
        id=hold_id, account=account, job=job_id, amount_fen=hold_fen, units=units, period=period,
        created_at=now,
    )  # fmt: skip
    return job, hold


def latest_end(spec: JobSpec, now: datetime) -> datetime:
    """Return a moment by which a job that is submitted *now* has ended, whatever happens to it."""
    attempts = spec.retry.max_attempts + limits.PLATFORM_FAULTS_MAX
    attempt_seconds = (
        spec.queue_ttl_s
        + limits.CLAIMED_SECONDS
        + limits.PREPARING_SECONDS
        + limits.STARTING_SECONDS
        + spec.max_run_s
        + spec.stop_grace_s
        + spec.retry.backoff_cap_s
        + 5 * limits.CONTROL_GRACE_SECONDS
    )
    return now + timedelta(seconds=attempts * attempt_seconds)


def ready_at(priority: Priority, queued_at: datetime) -> datetime:
    """Return the place in the queue: the time, with a head start or a handicap."""
    head_start = timedelta(seconds=limits.PRIORITY_HEAD_START_SECONDS)
    match priority:
        case Priority.HIGH:
            return queued_at - head_start
        case Priority.LOW:
            return queued_at + head_start
        case Priority.NORMAL:
            return queued_at

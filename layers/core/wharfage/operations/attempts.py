"""The end of an attempt: state, record, money, event and assignment, in one transaction."""

from datetime import datetime

from wharfage.domain.attempt import AttemptState
from wharfage.domain.balance import REVENUE, Entry, EntryCode, HoldState
from wharfage.domain.ending import End, Ended, end_attempt, end_unfunded
from wharfage.domain.errors import InsufficientFunds
from wharfage.domain.event import Event
from wharfage.domain.job import AttemptRecord, Job
from wharfage.items import change
from wharfage.messages import Doorbell
from wharfage.operations import usage
from wharfage.ports import Ports
from wharfage.schema import ASSIGNMENT, BALANCE, HOLD, PERIOD, timestamp
from wharfage.transaction import Action, Check, Delete, Item, Put, Update, absent, at_least, equals


def end(ports: Ports, job: Job, how: End, *, actor: str, only_if: Check | None = None) -> Job:
    """End the current attempt of *job* and return the job after it.

    An attempt that is followed by another one is paid from the available balance, so that the
    hold stays whole; if that is refused, the job ends and is paid from its hold.

    Raises: StateConflict, if the job has moved since it was read, or *only_if* fails.
    """
    now = ports.clock.now()
    checks = [only_if] if only_if else []
    ended = end_attempt(job, how, now)
    try:
        ports.store.commit(*_actions(ports, job, ended, actor), *checks)
    except InsufficientFunds:
        ended = end_unfunded(job, how, now)
        ports.store.commit(*_actions(ports, job, ended, actor), *checks)
    if ended.job.state is AttemptState.QUEUED:
        ports.queue.ring(job.pool, [doorbell(ended.job)])
    return ended.job


def claim_holds(
    job: Job | None, record: AttemptRecord | None, *, claim: tuple[str, int, str], now: datetime
) -> bool:
    """Tell whether a claim (host, attempt, claim id) is the attempt's own, and it is not over.

    An attempt that has ended is over when *now* is later: who gives grace, gives an earlier time.
    """
    host, _, claim_id = claim
    if job is None:
        return False
    if record is not None:
        return (record.host, record.claim_id) == (host, claim_id) and now <= record.ended_at
    return (job.host, job.attempt, job.claim_id) == claim


def doorbell(job: Job) -> Doorbell:
    """Make the message that says where this job waits."""
    return Doorbell(account=job.account, job=job.id, attempt=job.attempt)


def event(ports: Ports, job: Job, kind: str, actor: str, **data: str | int | bool) -> Put:
    """Write one line of the job's timeline; being new, it proves the transaction it is in."""
    record = Event(
        id=ports.ids.new("evt"),
        subject=job.id,
        account=job.account,
        kind=kind,
        at=ports.clock.now(),
        actor=actor,
        data={"attempt": job.attempt, **data},
    )
    return Put(record, when=[absent()], proves=True)


def _actions(ports: Ports, job: Job, ended: Ended, actor: str) -> list[Action]:
    record = ended.record
    kind = f"attempt.{record.state}" if ended.retried else f"job.{ended.job.state}"
    facts: dict[str, str | int | bool] = {"cost_fen": ended.cost_fen}
    if job.hold_units and not ended.retried:
        facts |= {
            "cost_units": ended.cost_units,
            "returned_units": job.hold_units - ended.cost_units,
        }
    if record.reason_code is not None:
        facts["reason_code"] = record.reason_code.value
    actions: list[Action] = [
        change(job, ended.job),
        Put(record, when=[absent()]),
        *(_captured(job, ended) if ended.retried else _settled(job, ended)),
        *usage.move(job, ended.job, record.ended_at),
        event(ports, job, kind, actor, **facts),
    ]
    if job.host is not None:
        key = ASSIGNMENT.key(host=job.host, job=job.id, attempt=job.attempt)
        actions.append(Delete(key))
    return actions


def _captured(job: Job, ended: Ended) -> list[Action]:
    """Take the cost from the available balance and leave the hold open."""
    return [*_charge(job, ended.cost_fen), *_entry(job, ended)]


def _charge(job: Job, cost_fen: int) -> list[Action]:
    if not cost_fen:
        return []
    return [
        Update(
            BALANCE.key(account=job.account),
            add={"available": -cost_fen},
            when=[at_least("available", cost_fen)],
            otherwise=lambda item: InsufficientFunds(
                required_fen=cost_fen, available_fen=_available(item)
            ),
        )
    ]


def _settled(job: Job, ended: Ended) -> list[Action]:
    """Close the hold: what it cost is captured, the rest is released."""
    return [
        Update(
            HOLD.key(account=job.account, id=job.hold),
            set={
                "state": HoldState.SETTLED.value,
                "captured_fen": ended.cost_fen,
                "captured_units": ended.cost_units,
                "settled_at": timestamp(ended.record.ended_at),
            },
            when=[equals("state", HoldState.OPEN.value)],
        ),
        _released(job, ended),
        *_entry(job, ended),
    ]


def _released(job: Job, ended: Ended) -> Update:
    """Move what was held to where it goes, in the place it was taken from, also if that ended."""
    if job.period is None:
        return Update(
            BALANCE.key(account=job.account),
            add={"held": -job.hold_fen, "available": job.hold_fen - ended.cost_fen},
            when=[at_least("held", job.hold_fen)],
        )
    return Update(
        PERIOD.key(account=job.account, starts_at=job.period),
        add={
            "held": -job.hold_units,
            "used": ended.cost_units,
            "remaining": job.hold_units - ended.cost_units,
        },
        when=[at_least("held", job.hold_units)],
    )


def _entry(job: Job, ended: Ended) -> list[Action]:
    """Post the attempt's cost, also when it is nothing; an attempt no host had has no line."""
    if job.claim_id is None:
        return []
    entry = Entry(
        account=job.account,
        code=EntryCode.USE,
        reference=f"{job.id}.{job.attempt}",
        amount_fen=-ended.cost_fen,
        units=-ended.cost_units,
        period=job.period,
        debit=job.account,
        credit=REVENUE,
        posted_at=ended.record.ended_at,
        note=_note(job, ended),
    )
    return [Put(entry, when=[absent()])]


def _note(job: Job, ended: Ended) -> str:
    what = job.image if job.template is None else f"{job.template} {job.template_version}"
    note = f"{what}, attempt {job.attempt}"
    reason = ended.record.reason_code
    return note if job.template is None or reason is None else f"{note}: {reason}"


def _available(item: Item | None) -> int:
    return int(item["available"]) if item else 0

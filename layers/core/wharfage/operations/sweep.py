"""The sweeper: finds what is past its deadline and moves it on, with the same conditional writes.

The due index only nominates. Each item is read consistently, decided by its own rules, and what
fails is pushed on, so that one bad item cannot block the rest. Two sweepers at once agree.
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec import ValidationError

from wharfage.domain import duty, limits, progress
from wharfage.domain.attempt import AttemptState
from wharfage.domain.ending import overdue_end
from wharfage.domain.errors import Refused, StateConflict
from wharfage.domain.host import Host, HostStatus, Watch
from wharfage.domain.job import Job
from wharfage.domain.placement import FleetView, reachable, takes_work
from wharfage.items import change, merge
from wharfage.operations import (
    accounts,
    assignments,
    attempts,
    disputes,
    hosts,
    invoices,
    life,
    memberships,
    outputs,
    payments,
    refunds,
    uploads,
)
from wharfage.ports import Ports
from wharfage.schema import (
    ACCOUNT,
    DISPUTE,
    DUE,
    HOST,
    INVOICE,
    JOB,
    MEMBERSHIP,
    ORDER,
    OUTPUTS,
    PERIOD,
    READY,
    REFUND,
    UPLOAD,
    USAGE,
    WATCH,
    Kind,
    due_partition,
    timestamp,
)
from wharfage.transaction import Condition, Key, Update, equals, present

logger = logging.getLogger(__name__)

SWEEPER = "sweeper"  #: Who the events say it was.


@dataclass(frozen=True, kw_only=True, slots=True)
class Swept:
    """What one sweep did."""

    moved: int = 0
    failed: int = 0
    rung: int = 0
    oldest_due_seconds: int = 0  #: How late the latest item was.
    working: bool = False  #: Some host holds work or is to be judged: the next should come soon.


def sweep(ports: Ports) -> Swept:
    """Move on everything that is due, ring the pools where jobs still wait, then ask channels.

    A channel that is away makes each of its orders wait, so they have their turn last, and what
    takes a kind of item too long stays due for the next sweep.
    """
    now = ports.clock.now()
    watch = ports.store.get(WATCH.key(name="watch")) or Watch()
    ports.store.commit(merge(duty.swept(watch, now)))
    moves = [_move_kind(ports, *mover, now) for mover in _MOVERS.items()]
    working = False
    rung = 0
    for pool in sorted(ports.terms.pools):
        fleet = hosts.fleet(ports, pool)
        working = working or any(_holds_work(each) or _silent(each.host, now) for each in fleet)
        rung += _ring(ports, pool, fleet, now)
    moves += [_move_kind(ports, *mover, now) for mover in _ASKERS.items()]
    return Swept(
        moved=sum(each.moved for each in moves),
        failed=sum(each.failed for each in moves),
        rung=rung,
        oldest_due_seconds=max(each.oldest_due_seconds for each in moves),
        working=working,
    )


def _move_kind(
    ports: Ports, kind: str, move_on: Callable[[Ports, Any], None], now: datetime
) -> Swept:
    """Move on what is due of one kind, as far as its time allows."""
    until = ports.clock.now() + timedelta(seconds=limits.SWEEP_KIND_SECONDS)
    moved, failed, lateness = 0, 0, [0]
    for key in _due(ports, kind, now):
        if ports.clock.now() >= until:
            logger.warning("left for the next sweep", extra={"action": "sweep", "kind": kind})
            break
        try:
            lateness += _moved_on(ports, key, move_on, now)
            moved += 1
        except Exception:  # The edge of one item: what is wrong with it stays with it.
            logger.exception("due item failed", extra={"action": "sweep", "item": key.sort})
            _push_on(ports, key, now)
            failed += 1
    return Swept(moved=moved, failed=failed, oldest_due_seconds=max(lateness))


def _due(ports: Ports, kind: str, now: datetime) -> Iterator[Key[Any]]:
    for part in _PARTS[kind]:
        yield from ports.store.nominate(_KINDS[kind], DUE, part, until=now, limit=limits.SWEEP_PAGE)


def _moved_on(
    ports: Ports, key: Key[Any], move_on: Callable[[Ports, Any], None], now: datetime
) -> Iterator[int]:
    """Move on one item if it is due indeed; yield how many seconds late it was."""
    record = ports.store.get(key)
    if record is None or record.due_at is None or record.due_at > now:
        return
    with suppress(StateConflict):  # Somebody else has just moved it.
        move_on(ports, record)
    yield int((now - record.due_at).total_seconds())


def _push_on(ports: Ports, key: Key[Any], now: datetime) -> None:
    """Look at an item that failed again later, so that it cannot block its page.

    One that has moved is left alone: only the answer was lost, and its new deadline is its own.
    """
    later = timestamp(ports.clock.now() + timedelta(seconds=limits.SWEEP_BACKOFF_SECONDS))
    as_read: Condition = present("due_at")
    try:
        with suppress(ValidationError):  # What cannot be read is pushed on as it is.
            record = ports.store.get(key)
            if record is None or record.due_at is None or record.due_at > now:
                return
            as_read = equals("due_at", timestamp(record.due_at))
        ports.store.commit(Update(key, set={"due_at": later}, when=[as_read]))
    except Refused:
        logger.info("due item moved by itself", extra={"action": "sweep", "item": key.sort})


def _move_job(ports: Ports, job: Job) -> None:
    """Queue a job whose back-off is over; end an attempt whose deadline has passed."""
    now = ports.clock.now()
    if job.state is not AttemptState.PENDING:
        attempts.end(ports, job, overdue_end(job), actor=SWEEPER)
        return
    after = progress.queued(job, now)
    ports.store.commit(change(job, after), attempts.event(ports, after, "attempt.queued", SWEEPER))
    ports.queue.ring(job.pool, [attempts.doorbell(after)])


def _move_host(ports: Ports, host: Host) -> None:
    """Hand back what a draining host still has at its deadline; fence a host that is silent."""
    now = ports.clock.now()
    if host.boot is not None and host.lease_until is not None:
        silent_at = host.lease_until + _LEASE_GRACE
        if now < silent_at:
            # It is due for its drain, which may have been called off since: its lease is good.
            if host.drain_by is not None and host.drain_by <= now:
                hosts.stop_for_drain(ports, host.id)
            _set_due(ports, host, silent_at)
            return
        if not _fence(ports, host, now):
            return
    spare = (
        assignments.spare_none if host.status is HostStatus.REVOKED else assignments.spare_waiting
    )
    assignments.give_up(ports, host.id, boot=None, spare=spare)
    _set_due(ports, host, None)


def _fence(ports: Ports, host: Host, now: datetime) -> bool:
    """Take a silent host's lease away, if we are fit to judge and not too many went before it."""
    watch = ports.store.get(WATCH.key(name="watch")) or Watch()
    ready = sum(takes_work(member.host, now) for member in hosts.fleet(ports, host.pool))
    count = duty.given_up(watch, ready, now)
    if count is None or not duty.fit_to_judge(watch, now):
        return False
    given_up_at, given_up = count
    assert host.lease_until is not None
    ports.store.commit(
        Update(
            HOST.key(id=host.id),
            set={"due_at": timestamp(now)},
            remove=["boot"],
            when=[
                equals("boot", host.boot),
                equals("lease_until", timestamp(host.lease_until)),
            ],
        ),
        Update(
            WATCH.key(name="watch"),
            set={"given_up_at": timestamp(given_up_at), "given_up": given_up},
            when=[present(), equals("given_up", watch.given_up)],
        ),
    )
    return True


def _set_due(ports: Ports, host: Host, due_at: datetime | None) -> None:
    """Say when the host is next looked at, unless it was heard from meanwhile."""
    assert host.due_at is not None
    unheard = equals("seen_at", timestamp(host.seen_at) if host.seen_at else None)
    ports.store.commit(
        Update(
            HOST.key(id=host.id),
            set={"due_at": timestamp(due_at)} if due_at else {},
            remove=[] if due_at else ["due_at"],
            when=[present(), unheard],
        )
    )


def _ring(ports: Ports, pool: str, fleet: list[FleetView], now: datetime) -> int:
    """Ring again for jobs that still wait: no more bells than waiting jobs and free hosts."""
    free = sum(takes_work(member.host, now) and _has_room(member) for member in fleet)
    if not free:
        return 0
    waiting = ports.store.nominate(JOB, READY, pool, until=None, limit=min(free, limits.SWEEP_PAGE))
    jobs = ports.store.get_many(waiting)
    bells = [attempts.doorbell(job) for job in jobs if job and job.state is AttemptState.QUEUED]
    if bells:
        ports.queue.ring(pool, bells)
    return len(bells)


def _has_room(member: FleetView) -> bool:
    return member.host.free is not None and member.host.free.slots > 0


def _holds_work(member: FleetView) -> bool:
    """Tell whether a host works as far as it has said; what was said before a fence is over."""
    boot, free = member.host.boot, member.host.free
    return boot is not None and free is not None and free.slots < member.facts.capacity.slots


def _silent(host: Host, now: datetime) -> bool:
    """Tell whether a lease has run out that is to be taken away: seldom swept, nobody is judged."""
    return host.boot is not None and not reachable(host, now)


_LEASE_GRACE = timedelta(seconds=limits.LEASE_GRACE_SECONDS)
_KINDS: Mapping[str, Kind[Any]] = {
    kind.name: kind
    for kind in (
        JOB,
        HOST,
        ORDER,
        REFUND,
        DISPUTE,
        ACCOUNT,
        UPLOAD,
        OUTPUTS,
        MEMBERSHIP,
        PERIOD,
        USAGE,
        INVOICE,
    )
}
_PARTS: Mapping[str, tuple[str, ...]] = {
    kind.name: tuple(due_partition(kind.name, number) for number in range(kind.due))
    for kind in _KINDS.values()
}
_MOVERS: Mapping[str, Callable[[Ports, Any], None]] = {
    JOB.name: _move_job,
    HOST.name: _move_host,
    DISPUTE.name: disputes.remind,
    ACCOUNT.name: accounts.finish_ban,
    UPLOAD.name: uploads.sweep_upload,
    OUTPUTS.name: outputs.sweep_outputs,
    MEMBERSHIP.name: memberships.remind,
    PERIOD.name: memberships.lapse,
    USAGE.name: life.look,
}

#: What asks a channel, which may be away, and what follows from its answers.
_ASKERS: Mapping[str, Callable[[Ports, Any], None]] = {
    ORDER.name: payments.sweep_order,
    REFUND.name: refunds.sweep_refund,
    INVOICE.name: invoices.look,
}

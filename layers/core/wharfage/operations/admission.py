"""Admission: what a submitted job is made of, what pays for it, and how it is taken in."""

import dataclasses
from dataclasses import dataclass
from datetime import datetime

from wharfage.domain.account import Principal
from wharfage.domain.errors import (
    AccountFrozen,
    AccountSuspended,
    Banned,
    InsufficientFunds,
    NotFound,
    Refused,
)
from wharfage.domain.job import Job, SpecRecord, admit
from wharfage.domain.membership import open_month
from wharfage.domain.spec import JobSpec, Submission
from wharfage.domain.template import Fare, Template, fare, job_spec
from wharfage.operations import attempts, keys, memberships, uploads, usage
from wharfage.ports import Ports
from wharfage.schema import ACCOUNT, BALANCE, PERIOD, TEMPLATE, TEMPLATE_VERSION
from wharfage.transaction import Action, Check, Item, Put, Update, absent, at_least, present


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A job that is asked for, whole, and what it costs if it is a template's."""

    spec: JobSpec
    fare: Fare | None = None

    def from_balance(self) -> "Asked":
        """Ask for the same, to be paid from the balance."""
        return dataclasses.replace(
            self, fare=self.fare and dataclasses.replace(self.fare, period=None)
        )


@dataclass(eq=False, kw_only=True)
class _NoUnits(Refused):
    """The open period does not have enough, or has just ended: the balance pays. Never leaves."""

    available: int = 0


def resolve(ports: Ports, who: Principal, asked: Submission | JobSpec, now: datetime) -> Asked:
    """Make the whole job of what is asked; a template's is tried on the open period first.

    Raises: Invalid, NotFound for a template that is not there or retired.
    """
    if isinstance(asked, JobSpec):
        return Asked(spec=asked)
    if asked.template is None:
        return Asked(spec=asked.job_spec())
    head, pinned, membership = ports.store.get_many(
        [
            TEMPLATE.key(name=asked.template),
            TEMPLATE_VERSION.key(name=asked.template, version=asked.template_version or 1),
            memberships.key(who.account),
        ]
    )
    newest: Template | None = head and head.newest
    template: Template | None = newest if asked.template_version is None else pinned
    if head is None or template is None or head.retired_at is not None:
        raise NotFound(what="template")
    return Asked(spec=job_spec(template, asked), fare=fare(template, open_month(membership, now)))


def take_in(ports: Ports, request: keys.Request, asked: Asked, now: datetime) -> Job:
    """Hold what the job costs and queue it, in one transaction.

    Raises: Invalid, NotFound of an upload, InsufficientFunds, LimitReached, AccountFrozen,
    AccountSuspended, Banned, KeyReused, Unavailable, keys.Replay.
    """
    if asked.fare is None or asked.fare.period is None:
        return _commit(ports, request, asked, now)
    try:
        return _commit(ports, request, asked, now)
    except _NoUnits as refusal:
        units = refusal.available
    try:
        return _commit(ports, request, asked.from_balance(), now)
    except InsufficientFunds as refusal:
        raise InsufficientFunds(
            required_fen=refusal.required_fen,
            available_fen=refusal.available_fen,
            required_units=asked.fare.units,
            available_units=units,
        ) from None


def _commit(ports: Ports, request: keys.Request, asked: Asked, now: datetime) -> Job:
    account = request.who.account
    job, hold = admit(
        asked.spec,
        fare=asked.fare,
        job_id=ports.ids.new("job"),
        hold_id=ports.ids.new("hld"),
        account=account,
        price=ports.prices,
        now=now,
    )
    files = uploads.take_up(ports, request, asked.spec)
    ports.store.commit(
        *keys.record(request, object_id=job.id, now=now),  # First: it decides.
        Check(ACCOUNT.key(id=account), when=[present(), absent("banned_at")], otherwise=Banned()),
        *(_hold_money(job) if job.period is None else _hold_units(job, job.period)),
        *usage.admit(job, request.who.quotas, now),
        Put(hold, when=[absent()]),
        Put(job, when=[absent()]),
        Put(SpecRecord.of(job.id, asked.spec, files), when=[absent()]),
        attempts.event(ports, job, "job.queued", account),
    )
    return job


_FREE = (absent("frozen_at"), absent("suspended_at"))


def _hold_money(job: Job) -> list[Action]:
    return [
        Update(
            BALANCE.key(account=job.account),
            add={"available": -job.hold_fen, "held": job.hold_fen},
            when=[at_least("available", job.hold_fen), *_FREE],
            otherwise=lambda item: _no_money(item, job.hold_fen),
        )
    ]


def _hold_units(job: Job, period: datetime) -> list[Action]:
    """Take units of the period that was open when the job came, unless it was written off since."""
    return [
        Check(
            BALANCE.key(account=job.account),
            when=[present(), *_FREE],
            otherwise=lambda item: _no_money(item, job.hold_fen),
        ),
        Update(
            PERIOD.key(account=job.account, starts_at=period),
            add={"remaining": -job.hold_units, "held": job.hold_units},
            when=[at_least("remaining", job.hold_units), absent("lapsed_at")],
            otherwise=_no_units,
        ),
    ]


def _no_money(item: Item | None, required_fen: int) -> Refused:
    if item is None:
        return InsufficientFunds(required_fen=required_fen, available_fen=0)
    if "frozen_at" in item:
        return AccountFrozen()
    if "suspended_at" in item:
        return AccountSuspended(debt_fen=item["debt"])
    return InsufficientFunds(required_fen=required_fen, available_fen=item["available"])


def _no_units(item: Item | None) -> Refused:
    if item is None or "lapsed_at" in item:
        return _NoUnits()
    return _NoUnits(available=item["remaining"])

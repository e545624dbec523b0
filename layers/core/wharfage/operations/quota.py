"""Quota: what an account can spend, and what a job would cost, without doing anything."""

from datetime import datetime
from enum import StrEnum

from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.account import Principal
from wharfage.domain.errors import NotFound
from wharfage.domain.job import admitted_run_seconds, attempt_cost_fen, worst_case_fen
from wharfage.domain.membership import Membership, QuotaPeriod, open_month
from wharfage.domain.price import PriceList
from wharfage.domain.quotas import QuotaLine
from wharfage.domain.record import View
from wharfage.domain.spec import JobSpec, Submission
from wharfage.domain.usage import Standing, lasts_seconds, standing
from wharfage.operations import admission, memberships, usage
from wharfage.operations.memberships import MembershipView, PeriodView
from wharfage.ports import Ports


class Source(StrEnum):
    """What pays for a job; never both."""

    UNITS = "units"  #: The open period.
    BALANCE = "balance"  #: Money.


class QuotaView(View, frozen=True, kw_only=True):
    """An account's money and units. *held* is set aside for the worst case of its jobs.

    What runs now costs *burn_fen* an hour, and all the money pays for it for *lasts_seconds*
    (null: nothing runs).

    *period* is the month of units that is open now; *periods* are the latest, newest first.
    """

    available_fen: int
    held_fen: int
    debt_fen: int
    state: Standing
    burn_fen: int
    lasts_seconds: int | None
    quotas: tuple[QuotaLine, ...]
    membership: MembershipView | None
    period: PeriodView | None
    periods: tuple[PeriodView, ...]


class CheckView(View, frozen=True, kw_only=True):
    """What a job would cost: per attempt at most *hold_fen*, in all at most *worst_case_fen*.

    A template's job costs its price, whole, from one *source*, and nothing unless it succeeds.
    """

    price_version: str
    hourly_fen: int
    max_run_s: int
    source: Source
    hold_fen: int
    hold_units: int
    worst_case_fen: int
    available_fen: int
    available_units: int
    sufficient: bool


class PricesView(View, frozen=True, kw_only=True):
    """The prices that new work is admitted under, in fen."""

    version: str
    vcpu_hour_fen: int
    gb_hour_fen: int


def show(ports: Ports, who: Principal) -> QuotaView:
    """Show the caller's money and units. Raises: NotFound."""
    now = ports.clock.now()
    balance, membership, counters, spend = ports.store.get_many(
        [
            schema.BALANCE.key(account=who.account),
            memberships.key(who.account),
            *usage.keys(who.account, now),
        ]
    )
    if balance is None:
        raise NotFound(what="balance")
    burn_fen = counters.burn_fen if counters else 0
    newest = ports.store.query(
        schema.PERIOD, who.account, newest_first=True, limit=limits.PERIODS_SHOWN
    )
    open_now = _open_period(ports, membership, now)
    return QuotaView(
        available_fen=balance.available,
        held_fen=balance.held,
        debt_fen=balance.debt,
        state=standing(balance, burn_fen),
        burn_fen=burn_fen,
        lasts_seconds=lasts_seconds(balance, burn_fen),
        quotas=usage.lines(who.quotas, counters, spend, now),
        membership=memberships.show(membership, now) if membership else None,
        period=memberships.show_period(open_now, now) if open_now else None,
        periods=tuple(
            memberships.show_period(period, now) for period in newest.items if period.granted
        ),
    )


def check(ports: Ports, who: Principal, asked: Submission | JobSpec) -> CheckView:
    """Say what a job would hold and cost, from where, and whether that is enough now.

    Raises: Invalid, PoolUnknown, NotFound.
    """
    now = ports.clock.now()
    whole = admission.resolve(ports, who, asked, now)
    spec = whole.spec
    ports.terms.check(spec, who)
    balance, membership = ports.store.get_many(
        [schema.BALANCE.key(account=who.account), memberships.key(who.account)]
    )
    if balance is None:
        raise NotFound(what="balance")
    open_now = _open_period(ports, membership, now)
    units = open_now.remaining if open_now else 0
    if whole.fare and units < whole.fare.units:
        whole = whole.from_balance()
    fare = whole.fare
    hold_fen = fare.hold_fen if fare else attempt_cost_fen(spec, ports.prices)
    return CheckView(
        price_version=ports.prices.version,
        hourly_fen=ports.prices.cost_fen(spec.resources, 3600),
        max_run_s=admitted_run_seconds(spec, ports.prices),
        source=Source.UNITS if fare and fare.period else Source.BALANCE,
        hold_fen=hold_fen,
        hold_units=fare.hold_units if fare else 0,
        worst_case_fen=hold_fen if fare else worst_case_fen(spec, ports.prices),
        available_fen=balance.available,
        available_units=units,
        sufficient=balance.available >= hold_fen,
    )


def prices(prices: PriceList) -> PricesView:
    """Show a price list."""
    return PricesView(
        version=prices.version,
        vcpu_hour_fen=prices.vcpu_hour_fen,
        gb_hour_fen=prices.gb_hour_fen,
    )


def _open_period(ports: Ports, membership: Membership | None, now: datetime) -> QuotaPeriod | None:
    starts_at = open_month(membership, now)
    if membership is None or starts_at is None:
        return None
    return ports.store.get(schema.PERIOD.key(account=membership.account, starts_at=starts_at))

"""Memberships: bought with an order, looked at, reminded of, lapsed; and their units' lines."""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec.structs import replace

from wharfage import items, schema
from wharfage.domain import limits
from wharfage.domain.balance import REVENUE, Entry, EntryCode
from wharfage.domain.errors import Refused, StateConflict
from wharfage.domain.event import Event
from wharfage.domain.membership import (
    Extension,
    Membership,
    MembershipNews,
    Plan,
    QuotaPeriod,
    Title,
    days_left,
    extended,
    reminded,
)
from wharfage.domain.order import Order
from wharfage.domain.record import View
from wharfage.ports import Ports
from wharfage.transaction import Action, Key, Put, Update, absent, below, equals

SWEEPER = "sweeper"  #: Who acts when the clock does.


@dataclass(eq=False)
class Moved(Refused):
    """The membership has changed since it was read: read it and extend it again. Never leaves."""


class PlanView(View, frozen=True, kw_only=True):
    """A membership that can be bought, a month at a time."""

    name: str
    title: Title
    price_fen: int
    units: int


class PeriodState(StrEnum):
    """Where a month stands."""

    UPCOMING = "upcoming"  #: Paid, and not begun.
    OPEN = "open"  #: Its units can be used.
    ENDED = "ended"  #: What was not used of it has lapsed.


class PeriodView(View, frozen=True, kw_only=True):
    """One month's units: granted = remaining + held + used + lapsed."""

    plan: str
    state: PeriodState
    starts_at: datetime
    ends_at: datetime
    granted: int
    remaining: int
    held: int
    used: int
    lapsed: int


class MembershipView(View, frozen=True, kw_only=True):
    """An account's membership: months on end since *anchor*, each of which has its own units."""

    plan: str
    active: bool
    anchor: datetime
    time_zone: str
    months: int
    ends_at: datetime


def plans(ports: Ports) -> list[PlanView]:
    """Show what memberships there are."""
    return [_plan_view(plan) for plan in ports.plans.values()]


def key(account: str) -> Key[Membership]:
    """Name the row of an account's membership."""
    return schema.MEMBERSHIP.key(account=account)


def credit(ports: Ports, order: Order, now: datetime) -> tuple[Order, list[Action]]:
    """Make what a paid order of a membership writes beside its payment: a month, and its lines.

    Back comes the order, too, which knows its month then. The money goes in and out by two
    entries, so the available balance stays as it is. The commit raises Moved when another
    renewal came first.
    """
    assert order.membership is not None, "an order of a membership says what it buys"
    current = ports.store.get(key(order.account))
    made = extended(current, order.membership, account=order.account, now=now)
    made = dataclasses.replace(made, period=replace(made.period, order=order.id))
    with_month = replace(order, month=made.period.starts_at)
    return with_month, [*written(current, made), *_lines(order, made, now)]


def written(current: Membership | None, made: Extension) -> list[Action]:
    """Write a membership that is a month longer, and the month; the commit raises Moved.

    In the month's place there may be one that went back whole, of which nothing is granted.
    """
    if current is None:
        membership: Action = Put(made.membership, when=[absent()], otherwise=Moved())
    else:
        membership = items.change(current, made.membership, otherwise=Moved())
    month = items.merge(made.period)
    fresh = dataclasses.replace(month, when=[below("granted", 1)], otherwise=Moved())
    return [membership, fresh]


def show(membership: Membership, now: datetime) -> MembershipView:
    """Show a membership to its owner."""
    return MembershipView(
        plan=membership.plan,
        active=now < membership.ends_at,
        anchor=membership.anchor,
        time_zone=membership.zone,
        months=membership.months,
        ends_at=membership.ends_at,
    )


def show_period(period: QuotaPeriod, now: datetime) -> PeriodView:
    """Show a month. What remains after its end has lapsed, also before it is written off."""
    lapsed = period.lapsed(now)
    return PeriodView(
        plan=period.plan,
        state=_state(period, now),
        starts_at=period.starts_at,
        ends_at=period.ends_at,
        granted=period.granted,
        remaining=period.remaining - lapsed,
        held=period.held,
        used=period.used,
        lapsed=lapsed,
    )


def remind(ports: Ports, membership: Membership) -> None:
    """Tell an owner, once, that the membership ends or has ended; the sweeper's due item."""
    now = ports.clock.now()
    after, news = reminded(membership, now)
    event = _event(
        ports,
        membership.account,
        news,
        now,
        days_left=days_left(membership, now),
        ends_at=schema.timestamp(membership.ends_at),
    )
    ports.store.commit(items.change(membership, after), event)


def lapse(ports: Ports, period: QuotaPeriod) -> None:
    """Write off what remains of a month that has ended, once no hold keeps any of it.

    What a hold gives back after the end is written off with the rest.
    """
    now = ports.clock.now()
    at = schema.PERIOD.key(account=period.account, starts_at=period.starts_at)
    as_read = [equals("remaining", period.remaining), equals("held", period.held)]
    if period.held:
        later = schema.timestamp(now + timedelta(seconds=limits.LAPSE_WAIT_SECONDS))
        ports.store.commit(Update(at, set={"due_at": later}, when=as_read))
        return
    written_off = Update(
        at,
        set={"lapsed_at": schema.timestamp(now)},
        remove=["due_at"],
        when=[*as_read, equals("lapsed_at", None)],
    )
    if not period.remaining:
        ports.store.commit(written_off)
        return
    entry = Entry(
        account=period.account,
        code=EntryCode.LAPSE,
        reference=schema.timestamp(period.starts_at),
        amount_fen=0,
        units=-period.remaining,
        period=period.starts_at,
        debit=period.account,
        credit=plan_account(period),
        posted_at=now,
    )
    event = _event(ports, period.account, "units.lapsed", now, units=period.remaining)
    ports.store.commit(written_off, Put(entry, when=[absent()], otherwise=StateConflict()), event)


def plan_account(period: QuotaPeriod) -> str:
    """Name the system account that a plan's units come from and go back to."""
    return f"plan:{period.plan}"


def _lines(order: Order, made: Extension, now: datetime) -> Iterator[Put]:
    entry = Entry(
        account=order.account,
        code=EntryCode.MEMBERSHIP,
        reference=order.id,
        amount_fen=-order.amount_fen,
        debit=order.account,
        credit=REVENUE,
        posted_at=now,
        note=made.period.plan,
    )
    granted = replace(
        entry,
        code=EntryCode.UNITS,
        amount_fen=0,
        units=made.period.granted,
        period=made.period.starts_at,
        debit=plan_account(made.period),
        credit=order.account,
    )
    yield Put(entry, when=[absent()])
    yield Put(granted, when=[absent()])


def _event(
    ports: Ports, account: str, kind: MembershipNews | str, now: datetime, **data: int | str
) -> Put:
    event = Event(
        id=ports.ids.new("evt"),
        subject=account,
        account=account,
        kind=kind,
        at=now,
        actor=SWEEPER,
        data={**data},
    )
    return Put(event, when=[absent()], proves=True)


def _plan_view(plan: Plan) -> PlanView:
    return PlanView(**{name: getattr(plan, name) for name in PlanView.__struct_fields__})


def _state(period: QuotaPeriod, now: datetime) -> PeriodState:
    if now < period.starts_at:
        return PeriodState.UPCOMING
    return PeriodState.OPEN if period.open(now) else PeriodState.ENDED

"""What leaves an account of an order's money, and comes back: of the balance, or of a month.

What a membership's order paid for never was on the balance. Its unused units go back instead, and
revenue gives back what they had cost; only what they do not cover is the balance's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from wharfage import schema
from wharfage.domain.balance import REVENUE, Entry, EntryCode
from wharfage.domain.errors import AccountFrozen, InsufficientFunds, NotFound, Refused
from wharfage.domain.membership import QuotaPeriod
from wharfage.domain.order import Order
from wharfage.domain.refund import Refund
from wharfage.domain.unused import Month, Share, month_again
from wharfage.items import change
from wharfage.operations import memberships, receipts, usage
from wharfage.ports import Ports
from wharfage.transaction import (
    Action,
    Check,
    Condition,
    Item,
    Key,
    Put,
    Update,
    absent,
    at_least,
    equals,
    present,
)


@dataclass(eq=False)
class Moved(Refused):
    """The balance or the month has changed since it was read: read it and decide again."""


MOVED = (Moved, memberships.Moved)  #: What a commit raises that is to be decided anew.


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdrawal:
    """Some of an order's money on its way from a customer to a system account, or back."""

    order: Order
    reference: str  #: Of its entries.
    amount_fen: int
    share: Share  #: The part that unused units stand for.
    to: str
    codes: tuple[EntryCode, EntryCode]  #: Of the way there, and of the way back.

    @property
    def balance_fen(self) -> int:
        """Return the part that is the balance's."""
        return self.amount_fen - self.share.fen


def of_refund(order: Order, refund: Refund) -> Withdrawal:
    """Describe what a refund moves to the channel's clearing account."""
    return Withdrawal(
        order=order,
        reference=refund.entry_reference,
        amount_fen=refund.amount_fen,
        share=Share(units=refund.units, fen=refund.units_fen),
        to=f"clearing:{refund.channel}",
        codes=(EntryCode.REFUND, EntryCode.REFUND_REVERSAL),
    )


def month_of(ports: Ports, order: Order) -> Month | None:
    """Read the month that an order bought, None if it bought none."""
    return months_of(ports, [order]).get(order.id)


def months_of(ports: Ports, orders: Sequence[Order]) -> dict[str, Month]:
    """Read the months that one account's orders bought, by order."""
    bought = [(order, order.month) for order in orders if order.month is not None]
    if not bought:
        return {}
    account = bought[0][0].account
    membership = ports.store.get(memberships.key(account))
    assert membership is not None, "who has bought a month has a membership"
    keys = [schema.PERIOD.key(account=account, starts_at=at) for _, at in bought]
    periods = ports.store.get_many(keys)
    return {
        order.id: Month(order=order, period=period, membership=membership)
        for (order, _), period in zip(bought, periods, strict=True)
    }


def asked_for(ports: Ports, away: Withdrawal, *, into_debt: bool) -> Iterator[Action]:
    """Take the balance's part of what its owner asks for, unless the money is frozen.

    What is not there is owed, or refuses it. Raises: AccountFrozen; so does the commit.
    """
    key = schema.BALANCE.key(account=away.order.account)
    amount_fen = away.balance_fen
    free: list[Condition] = [present(), absent("frozen_at")]
    if not amount_fen:
        yield Check(key, when=free, otherwise=lambda item: _unfunded(item, 0))
    elif not into_debt:
        yield Update(
            key,
            add={"available": -amount_fen},
            when=[*free, at_least("available", amount_fen)],
            otherwise=lambda item: _unfunded(item, amount_fen),
        )
    else:
        balance = ports.store.get(key)
        if balance is not None and balance.frozen_at is not None:
            raise AccountFrozen
        taken, *watch = from_balance(ports, away)
        yield replace(taken, when=[*taken.when, *free])
        yield from watch


def from_balance(ports: Ports, away: Withdrawal) -> Iterator[Update]:
    """Take the balance's part from what is available; what is not there is owed."""
    key = schema.BALANCE.key(account=away.order.account)
    amount_fen = away.balance_fen
    if not amount_fen:
        return
    balance = ports.store.get(key)
    if balance is None:
        raise NotFound(what="account")
    there = min(balance.available, amount_fen)
    yield Update(
        key,
        add={"available": -there, "debt": amount_fen - there},
        when=[present(), at_least("available", there)],
        otherwise=Moved(),
    )
    if there < amount_fen:
        yield usage.watch(away.order.account, ports.clock.now())


def from_month(away: Withdrawal, month: Month | None, now: datetime) -> Iterator[Action]:
    """Take a withdrawal's units from their month as it was read, and the month if that is all."""
    units = away.share.units
    if month is None or not units:
        return
    period = month.period
    yield Update(
        _key(period),
        add={"granted": -units, "remaining": -units, "gone": units},
        when=[
            *(equals(name, getattr(period, name)) for name in ("remaining", "held", "used")),
            equals("order", away.order.id),
            absent("lapsed_at"),
        ],
        otherwise=Moved(),
    )
    shorter = month.shortened(units, now)
    if shorter is not None:
        yield change(month.membership, shorter, otherwise=Moved())


def line(away: Withdrawal, now: datetime) -> Put:
    """Write the move of a withdrawal's money."""
    return _posted(away, away.codes[0], -away.amount_fen, away.to, now)


def lines(away: Withdrawal, now: datetime) -> Iterator[Put]:
    """Write all moves of a withdrawal: of its money, and of what unused units had cost."""
    yield line(away, now)
    if away.share.units:
        yield _posted(away, EntryCode.MEMBERSHIP_RETURN, away.share.fen, REVENUE, now)
        yield _units(away, EntryCode.UNITS_RETURN, -away.share.units, away.order.month, now)


def give_back(
    ports: Ports, away: Withdrawal, *, actor: str, owes: receipts.Owes | None
) -> tuple[datetime | None, list[Action]]:
    """Return what was withdrawn: the month in which the units are then, and what is written.

    Units come back into their month; where that is over or gone whole they come as a month of
    their own, after the last. The commit raises Moved, or receipts.Owes.
    """
    now, there = ports.clock.now(), away.order.month
    actions: list[Action] = [_posted(away, away.codes[1], away.amount_fen, away.to, now)]
    if away.balance_fen:
        account = away.order.account
        actions += receipts.credit(ports, account, away.balance_fen, actor=actor, owes=owes)
    if away.share.units:
        there, restored = _restored(ports, away, now)
        actions += restored
        actions += [
            _posted(away, EntryCode.MEMBERSHIP_AGAIN, -away.share.fen, REVENUE, now),
            _units(away, EntryCode.UNITS_AGAIN, away.share.units, there, now),
        ]
    return there, actions


def _restored(ports: Ports, away: Withdrawal, now: datetime) -> tuple[datetime, list[Action]]:
    month, units = month_of(ports, away.order), away.share.units
    assert month is not None, "units were taken of a month"
    if month.takes_back(now):
        again = Update(
            _key(month.period),
            add={"granted": units, "remaining": units, "gone": -units},
            when=[at_least("granted", 1), equals("order", away.order.id), absent("lapsed_at")],
            otherwise=Moved(),
        )
        return month.period.starts_at, [again]
    made = month_again(away.order, month.membership, units, now)
    return made.period.starts_at, memberships.written(month.membership, made)


def _posted(away: Withdrawal, code: EntryCode, amount_fen: int, other: str, now: datetime) -> Put:
    account = away.order.account
    debit, credit = (account, other) if amount_fen < 0 else (other, account)
    entry = Entry(
        account=account,
        code=code,
        reference=away.reference,
        amount_fen=amount_fen,
        debit=debit,
        credit=credit,
        posted_at=now,
    )
    return Put(entry, when=[absent()])


def _units(
    away: Withdrawal, code: EntryCode, units: int, period: datetime | None, now: datetime
) -> Put:
    assert away.order.membership is not None, "units were bought"
    account, plan = away.order.account, f"plan:{away.order.membership.plan}"
    entry = Entry(
        account=account,
        code=code,
        reference=away.reference,
        amount_fen=0,
        units=units,
        period=period,
        debit=account if units < 0 else plan,
        credit=plan if units < 0 else account,
        posted_at=now,
    )
    return Put(entry, when=[absent()])


def _key(period: QuotaPeriod) -> Key[QuotaPeriod]:
    return schema.PERIOD.key(account=period.account, starts_at=period.starts_at)


def _unfunded(item: Item | None, required_fen: int) -> Refused:
    if item is None:
        return NotFound(what="account")
    if "frozen_at" in item:
        return AccountFrozen()
    return InsufficientFunds(required_fen=required_fen, available_fen=item["available"])

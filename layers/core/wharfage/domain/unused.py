"""What of a paid month went unused: its units, what they were paid with, and giving them back.

Units are worth what their order cost, pro rata and rounded down. The later month goes first: while
one is paid that comes after it, nothing of a month is given back. What is held may yet be used,
and what has ended was delivered.
"""

from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from wharfage.domain.membership import Extension, Membership, QuotaPeriod, extended, reminder_after
from wharfage.domain.order import Order


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """Units that go back, and the part of an order's price that they stand for."""

    units: int = 0
    fen: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Month:
    """The month that an order bought, as it was read together with its membership."""

    order: Order
    period: QuotaPeriod
    membership: Membership

    def there(self, now: datetime) -> bool:
        """Tell whether it is not over, and no other order has bought it since it went back."""
        mine = self.period.order == self.order.id
        return mine and now < self.period.ends_at and self.period.lapsed_at is None

    @property
    def last(self) -> bool:
        """Tell whether no later month is paid."""
        return self.membership.ends_at <= self.period.ends_at

    def unused(self, now: datetime) -> int:
        """Return the units of the purchase that are left; what the operator gave is none."""
        if not self.there(now):
            return 0
        period = self.period
        bought = _bought(self.order) - period.used - period.held - period.gone
        return max(0, min(period.remaining, bought))

    def refundable_fen(self, now: datetime) -> int:
        """Return what a new refund can take now."""
        if not self.last:
            return 0
        worth_fen = self.order.amount_fen * self.unused(now) // _bought(self.order)
        return min(self.order.refundable_fen, worth_fen)

    def share(self, amount_fen: int, now: datetime) -> Share:
        """Return as much of an amount as unused units stand for; a begun unit goes whole."""
        there, whole = self.unused(now), self.order.amount_fen
        needed = -(-amount_fen * _bought(self.order) // whole)
        if needed <= there:
            return Share(units=needed, fen=amount_fen)
        return Share(units=there, fen=whole * there // _bought(self.order))

    def shortened(self, units: int, now: datetime) -> Membership | None:
        """Return the membership without its last month if *units* are all there was of it."""
        if units < self.period.granted or not self.last:
            return None
        return replace(
            self.membership,
            months=self.membership.months - 1,
            ends_at=self.period.starts_at,
            due_at=reminder_after(self.period.starts_at, now),
            version=self.membership.version + 1,
        )

    def takes_back(self, now: datetime) -> bool:
        """Tell whether units can come back into this month: it has not gone back whole."""
        return self.period.granted > 0 and self.there(now)


def refundable(order: Order, month: Month | None, now: datetime) -> int:
    """Return what a new refund of an order can take now, in fen."""
    if order.membership is None:
        return order.refundable_fen
    return 0 if month is None else month.refundable_fen(now)


def month_again(order: Order, membership: Membership, units: int, now: datetime) -> Extension:
    """Make a month of its own of units that come back and whose own month is over or gone."""
    assert order.membership is not None, "only what was bought comes back"
    purchase = replace(order.membership, units=units)
    made = extended(membership, purchase, account=order.account, now=now)
    period = replace(made.period, order=order.id, gone=_bought(order) - units)
    return Extension(membership=made.membership, period=period)


def _bought(order: Order) -> int:
    assert order.membership is not None, "an order of a membership says what it buys"
    return order.membership.units

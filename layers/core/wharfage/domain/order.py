"""Orders: what a customer means to pay for, and what the channels say about it."""

import dataclasses
import re
from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain.membership import Purchase
from wharfage.domain.record import Record
from wharfage.domain.risk import Review
from wharfage.domain.trade import TradeStatus, TradeView

#: What every channel accepts as a merchant's order number (Alipay 64 characters, others 32).
NUMBER = re.compile(r"[0-9A-Za-z_]{6,32}", re.ASCII)

_EARLY_QUERIES = (timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=5))
_CLOSE_GRACE = timedelta(minutes=1)
_HOURLY = timedelta(hours=1)
_HOURLY_FOR = timedelta(hours=25)  #: As long as a channel repeats its notifies.
_DAILY = timedelta(days=1)


class OrderKind(StrEnum):
    """What an order buys."""

    TOPUP = "topup"  #: Its amount is added to the balance.
    MEMBERSHIP = "membership"  #: A month of a plan's units.


class OrderState(StrEnum):
    """Where an order stands."""

    OPEN = "open"  #: Waiting for a payment until it expires.
    PAID = "paid"  #: Credited, once; what became of it since is its standing.
    CLOSED = "closed"  #: No payment came; a late one is still credited.


class OrderStanding(StrEnum):
    """Where an order and its refunds stand, as customers see it.

    Derived from the order's state and amounts, so that it cannot contradict them.
    """

    OPEN = "open"
    PAID = "paid"  #: Nothing of it has gone back.
    CLOSED = "closed"
    REFUNDING = "refunding"  #: Money is on its way back, or waits for the operator's word.
    PART_REFUNDED = "part_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"  #: A dispute keeps some of it, or has taken it for good.


_GIVEN_BACK = frozenset({OrderStanding.REFUNDING, OrderStanding.REFUNDED})


class OrderNews(StrEnum):
    """What is written on an order's timeline."""

    OPENED = "order.opened"
    PAID = "order.paid"
    PAID_LATE = "order.paid_late"  #: Paid after we had closed it; credited all the same.
    CLOSED = "order.closed"
    FINISHED = "order.finished"  #: The channel will not refund it any more.
    DUPLICATE_PAID = "order.duplicate_paid"  #: Paid again by another trade; to be refunded.
    REFUND_SEEN = "order.refund_seen"  #: The channel speaks of a refund that is not ours.
    CONTRADICTED = "order.contradicted"  #: The channel calls a paid trade unpaid.
    AMOUNT_DIFFERS = "order.amount_differs"  #: Paid, but not this order's amount.
    APPROVED = "order.approved"  #: The operator lets a flagged order be paid.
    REFUSED = "order.refused"  #: The operator has closed a flagged order.
    DOUBTED = "order.doubted"  #: News that is not believed as it is: the channel is asked.


class Order(Record, frozen=True, kw_only=True):
    """One intended payment. It has no TTL: a channel can speak of it a year later."""

    id: str
    account: str
    kind: OrderKind
    amount_fen: int
    state: OrderState
    created_at: datetime
    expires_at: datetime
    due_at: datetime | None = None  #: When the channel is to be asked next.
    channel: str
    trade_no: str | None = None
    paid_at: datetime | None = None
    closed_at: datetime | None = None
    late: bool = False  #: It was paid after we had closed it.
    refundable: bool = True  #: False once the channel says the trade is finished.
    refund_seen: bool = False  #: Paid and given back whole before it was ever credited,
    gone_trade_no: str | None = None  #: by this trade.
    refundable_fen: int = 0  #: What new refunds can still take.
    refunded_fen: int = 0  #: What has gone back for good.
    disputed_fen: int = 0  #: What disputes keep from refunds; what is none of these is on its way.
    reference: str | None = None  #: The channel's own name of what it made of the order.
    duplicates: tuple[str, ...] = ()  #: Trades that paid it again.
    review: Review | None = None  #: Set when the rules have flagged it.
    membership: Purchase | None = None  #: What it buys, if that is a month of membership.
    month: datetime | None = None  #: The beginning of the month that it has bought.
    version: int = 1

    @property
    def payable_from(self) -> datetime | None:
        """Say since when it can be paid; None while it waits for the operator."""
        if self.review is None:
            return self.created_at
        return self.review.decided_at

    @property
    def standing(self) -> OrderStanding:
        """Say where the order and its refunds stand."""
        if self.state is not OrderState.PAID:
            return OrderStanding(self.state)
        if self.refundable_fen + self.refunded_fen + self.disputed_fen < self.amount_fen:
            return OrderStanding.REFUNDING
        if self.disputed_fen:
            return OrderStanding.DISPUTED
        if not self.refunded_fen:
            return OrderStanding.PAID
        part = self.refunded_fen < self.amount_fen
        return OrderStanding.PART_REFUNDED if part else OrderStanding.REFUNDED

    def overdue(self, now: datetime) -> bool:
        """Tell whether an unpaid order is to be closed now."""
        return self.state is OrderState.OPEN and now >= self.expires_at + _CLOSE_GRACE

    def may_be_gone(self, trade: TradeView) -> bool:
        """Tell whether what is said to have paid may be what was given back long ago."""
        known = (trade.trade_no, self.gone_trade_no)
        return self.refund_seen and (None in known or known[0] == known[1])

    def hastened(self, now: datetime) -> "Order":
        """Make an open order due at once; one that is due or not open is itself."""
        if self.state is not OrderState.OPEN or (self.due_at is not None and self.due_at <= now):
            return self
        return replace(self, due_at=now, version=self.version + 1)


class Source(StrEnum):
    """How news of a trade came."""

    NOTIFY = "notify"  #: The channel told us.
    QUERY = "query"  #: We asked; a doubt is not worth asking again.


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What news of a trade means for an order: the order after it, and what else to write.

    The order is the very same object when nothing is to be written.
    """

    order: Order
    news: OrderNews | None = None
    credited: bool = False  #: The order's amount goes to the account, by this trade.
    duplicate: bool = False  #: This trade paid again; it is recorded and not credited.
    alarm: bool = False  #: The operator has to look.
    give_back: bool = False  #: What is credited is refunded at once.
    look_up: str | None = None  #: The number of a refund that may not be ours: to be asked about.

    def knowing(self, refunds: Container[str]) -> "Decision":
        """Leave a refund alone that we know: it is ours, or is being looked up already."""
        if self.look_up is None or self.look_up not in refunds:
            return self
        if self.news is OrderNews.REFUND_SEEN:
            return dataclasses.replace(self, look_up=None, news=None, alarm=False)
        return dataclasses.replace(self, look_up=None)


def opened(
    number: str,
    *,
    account: str,
    kind: OrderKind,
    amount_fen: int,
    membership: Purchase | None = None,
    channel: str,
    now: datetime,
) -> Order:
    """Make an order that waits for its payment until a whole second, as channels count."""
    assert NUMBER.fullmatch(number), "an order number that a channel refuses"
    assert (kind is OrderKind.MEMBERSHIP) == (membership is not None), "a kind that buys no such"
    expires_at = now.replace(microsecond=0) + timedelta(seconds=limits.ORDER_SECONDS)
    order = Order(
        id=number,
        account=account,
        kind=kind,
        amount_fen=amount_fen,
        membership=membership,
        state=OrderState.OPEN,
        created_at=now,
        expires_at=expires_at,
        channel=channel,
    )
    return replace(order, due_at=next_query(order, now))


def next_query(order: Order, now: datetime) -> datetime:
    """Say when an open order's channel is to be asked next, after *now*.

    Early while the customer is paying, once to close, hourly for as long as a channel repeats
    its notifies; then daily, for an open order must not be forgotten. While nobody can pay it
    there is nothing to ask, until it is to be closed.
    """
    closing, since = order.expires_at + _CLOSE_GRACE, order.payable_from
    early = () if since is None else tuple(since + delay for delay in _EARLY_QUERIES)
    for moment in (*early, closing):
        if moment > now:
            return moment
    step = _HOURLY if now < (since or order.created_at) + _HOURLY_FOR else _DAILY
    return now + step


def decide(
    order: Order, trade: TradeView, *, source: Source, now: datetime, refund_late: bool = False
) -> Decision:
    """Decide what news of its trade means for an order, in one table of every state and event.

    Where the channel speaks of a refund, its number is to be looked up; the amount that a
    notify names is never used. Where the channel is to be asked, the order becomes due at once
    and the answer comes through here again, with `Source.QUERY`. With *refund_late* a payment
    that came after we had closed the order goes back.
    """
    decision = _by_table(order, trade, source, now)
    late = decision.credited and decision.order.late and decision.order.refundable
    if refund_late and late and decision.look_up is None:
        given = replace(decision.order, refundable_fen=0)
        decision = dataclasses.replace(decision, order=given, give_back=True)
    after = decision.order
    if source is Source.QUERY:
        after = replace(after, due_at=_due_after_answer(after, trade, now))
    return _versioned(decision, order, after)


def doubt(order: Order, *, now: datetime) -> Decision:
    """Decide on news that may not be what it says: believe nothing, ask the channel."""
    decision = _ask(order, now)
    return _versioned(decision, order, decision.order)


def _by_table(order: Order, trade: TradeView, source: Source, now: datetime) -> Decision:
    if trade.status.paid and trade.amount_fen != order.amount_fen:
        return Decision(order=order, news=OrderNews.AMOUNT_DIFFERS, alarm=True)
    if order.trade_no is not None and trade.trade_no not in {None, order.trade_no}:
        return _other_trade(order, trade, source, now)
    match order.state:
        case OrderState.OPEN:
            return _open(order, trade, source, now)
        case OrderState.PAID:
            return _paid(order, trade, source, now)
        case OrderState.CLOSED:
            return _closed(order, trade, source, now)


def _open(order: Order, trade: TradeView, source: Source, now: datetime) -> Decision:
    match trade.status, trade.refunded:
        case ((TradeStatus.SUCCESS | TradeStatus.FINISHED), _):
            return _credit(order, trade, now, OrderNews.PAID)
        case TradeStatus.CLOSED, False:
            closed = replace(order, state=OrderState.CLOSED, closed_at=now, due_at=None)
            return Decision(order=closed, news=OrderNews.CLOSED)
        case TradeStatus.CLOSED, True if source is Source.QUERY:
            # Paid and given back whole, both behind our back: net 0.
            closed = replace(order, state=OrderState.CLOSED, closed_at=now, due_at=None)
            return _never_ours(closed, trade)
        case TradeStatus.CLOSED, True:
            return _ask(order, now)
        case TradeStatus.UNKNOWN, _ if source is Source.NOTIFY:
            return _ask(order, now)
        case _:
            return Decision(order=order)


def _paid(order: Order, trade: TradeView, source: Source, now: datetime) -> Decision:
    match trade.status, trade.refunded:
        case ((TradeStatus.SUCCESS | TradeStatus.CLOSED), True) if (
            not order.refundable_fen and trade.refund_no is None
        ):
            return Decision(order=order)  # Our own refunds account for all of it.
        case ((TradeStatus.SUCCESS | TradeStatus.CLOSED), True):
            return _look_up(order, trade)
        case ((TradeStatus.FINISHED | TradeStatus.CLOSED), _) if order.standing in _GIVEN_BACK:
            return Decision(order=order)
        case TradeStatus.FINISHED, _ if order.refundable:
            return Decision(order=replace(order, refundable=False), news=OrderNews.FINISHED)
        case TradeStatus.CLOSED, False:
            return _contradicted(order, source, now)
        case TradeStatus.NOT_FOUND, _ if source is Source.QUERY:
            return _contradicted(order, source, now)
        case TradeStatus.UNKNOWN, _ if source is Source.NOTIFY:
            return _ask(order, now)
        case _:
            return Decision(order=order)


def _closed(order: Order, trade: TradeView, source: Source, now: datetime) -> Decision:
    match trade.status, trade.refunded:
        case ((TradeStatus.SUCCESS | TradeStatus.FINISHED), _) if (
            order.may_be_gone(trade) and source is Source.NOTIFY
        ):
            return _ask(order, now)  # It may have been sent before the money went back.
        case ((TradeStatus.SUCCESS | TradeStatus.FINISHED), _):
            return _credit(order, trade, now, OrderNews.PAID_LATE)
        case TradeStatus.CLOSED, True if source is Source.QUERY:
            return Decision(order=order) if order.refund_seen else _never_ours(order, trade)
        case TradeStatus.CLOSED, True:
            return Decision(order=order) if order.refund_seen else _ask(order, now)
        case TradeStatus.UNKNOWN, _ if source is Source.NOTIFY:
            return _ask(order, now)
        case _:
            return Decision(order=order)


def _other_trade(order: Order, trade: TradeView, source: Source, now: datetime) -> Decision:
    """Decide on news of another trade than the one that paid the order."""
    assert trade.trade_no is not None, "only a named trade is another one"
    if trade.status.paid and trade.trade_no not in {order.gone_trade_no, *order.duplicates}:
        after = replace(order, duplicates=(*order.duplicates, trade.trade_no))
        return Decision(
            order=after,
            news=OrderNews.DUPLICATE_PAID,
            duplicate=True,
            alarm=True,
            look_up=trade.refund_no,
        )
    if trade.refund_no is not None:
        return _look_up(order, trade)
    if trade.status is TradeStatus.CLOSED and trade.refunded and source is Source.NOTIFY:
        return _ask(order, now)
    return Decision(order=order)


def _credit(order: Order, trade: TradeView, now: datetime, news: OrderNews) -> Decision:
    after = replace(
        order,
        state=OrderState.PAID,
        trade_no=trade.trade_no,
        paid_at=now,
        due_at=None,
        late=news is OrderNews.PAID_LATE,
        refundable=trade.status is TradeStatus.SUCCESS,
        refundable_fen=order.amount_fen,
    )
    look_up = _number(order, trade) if trade.refunded else None
    return Decision(order=after, news=news, credited=True, alarm=trade.refunded, look_up=look_up)


def _look_up(order: Order, trade: TradeView) -> Decision:
    """Have a refund asked about that may have been made behind our back."""
    return Decision(
        order=order, news=OrderNews.REFUND_SEEN, look_up=_number(order, trade), alarm=True
    )


def _number(order: Order, trade: TradeView) -> str:
    """Name a refund; a channel that was given no number for it takes the order's."""
    return trade.refund_no or order.id


def _never_ours(order: Order, trade: TradeView) -> Decision:
    """Mark money that came and went before it was credited."""
    after = replace(order, refund_seen=True, gone_trade_no=trade.trade_no)
    return Decision(order=after, news=OrderNews.REFUND_SEEN, alarm=True)


def _contradicted(order: Order, source: Source, now: datetime) -> Decision:
    if source is Source.NOTIFY:
        return _ask(order, now)
    return Decision(order=order, news=OrderNews.CONTRADICTED, alarm=True)


def _ask(order: Order, now: datetime) -> Decision:
    """Have the channel asked at once; an order that is due already is not made due again."""
    if order.due_at is not None and order.due_at <= now:
        return Decision(order=order, alarm=True)
    return Decision(order=replace(order, due_at=now), news=OrderNews.DOUBTED, alarm=True)


def _due_after_answer(order: Order, trade: TradeView, now: datetime) -> datetime | None:
    if order.state is OrderState.OPEN:
        return next_query(order, now)
    return now + _HOURLY if trade.status is TradeStatus.UNKNOWN else None


def _versioned(decision: Decision, before: Order, after: Order) -> Decision:
    if after == before:
        return dataclasses.replace(decision, order=before)
    return dataclasses.replace(decision, order=replace(after, version=before.version + 1))

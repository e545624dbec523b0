"""Refunds: asked for, decided on by the operator, carried out by the channel, booked once."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from wharfage import items, schema
from wharfage.domain import limits
from wharfage.domain.account import Principal
from wharfage.domain.errors import (
    AccountFrozen,
    NotFound,
    NotRefundable,
    Refused,
    StateConflict,
    Unavailable,
)
from wharfage.domain.event import Event
from wharfage.domain.order import Order, OrderState
from wharfage.domain.record import Body, View
from wharfage.domain.refund import (
    Refund,
    RefundNews,
    RefundOrigin,
    RefundState,
    asked,
    called,
    calling,
    later,
    of_order,
)
from wharfage.domain.unused import Month, refundable
from wharfage.operations import keys, payments, receipts, withdrawals
from wharfage.operations.keys import Made
from wharfage.ports import Page, Ports
from wharfage.transaction import Action, Item, Put, Update, absent, at_least, equals, present

logger = logging.getLogger(__name__)

_TRIES = 5  #: What is read seldom changes before the write that follows it.
_NEWS = {RefundState.SUCCEEDED: RefundNews.SUCCEEDED, RefundState.FAILED: RefundNews.FAILED}

RefundFen = Annotated[int, Meta(ge=1, le=limits.TOPUP_FEN_MAX)]
Reason = Annotated[str, Meta(min_length=1, max_length=200)]


class AskRefund(Body, frozen=True, kw_only=True):
    """What is to go back: *amount_fen* of the order, or all that is left of it."""

    amount_fen: RefundFen | None = None
    reason: Reason | None = None


class RejectRefund(Body, frozen=True, kw_only=True):
    """Why a refund is refused."""

    reason: Reason


class OrderRefundView(View, frozen=True, kw_only=True):
    """A refund of an order. *units* of its month go, too. *failure*: why nothing became of it."""

    order: str
    id: str
    amount_fen: int
    units: int
    state: RefundState
    origin: RefundOrigin
    reason: str | None
    failure: str | None
    created_at: datetime
    ended_at: datetime | None
    version: int

    @classmethod
    def of(cls, refund: Refund) -> "OrderRefundView":
        """Show a refund."""
        return cls(**{name: getattr(refund, name) for name in cls.__struct_fields__})


@dataclass(eq=False)
class _Overdrawn(Refused):
    """More of the order is on its way back already than the channel's console leaves room for."""


def ask(
    ports: Ports, who: Principal, order_id: str, body: AskRefund, *, key: str | None
) -> Made[OrderRefundView]:
    """Ask for money back; it leaves the balance now, and waits for the operator's word.

    A membership's is what its unused units had cost; they go now, with the month if that is all.

    Raises: NotFound, NotRefundable, InsufficientFunds, AccountFrozen, KeyReused, Unavailable,
    Unanswered.
    """
    request = keys.Request(who=who, operation=f"refunds.ask.{order_id}", key=key, body=body)
    for _ in range(_TRIES):
        try:
            return Made(value=OrderRefundView.of(_ask(ports, request, order_id, body)))
        except keys.Replay as replay:
            return Made(value=_view(ports, order_id, replay.object_id), replayed=True)
        except (NotRefundable, AccountFrozen):
            # It may be this very request that took what there was.
            if (made := keys.made_before(ports, request)) is None:
                raise
            return Made(value=_view(ports, order_id, made), replayed=True)
        except withdrawals.MOVED:
            continue
    raise Unavailable


def find_all(
    ports: Ports, who: Principal, order_id: str, *, after: str | None, limit: int
) -> Page[OrderRefundView]:
    """List the refunds of one of the caller's orders, oldest first. Raises: NotFound."""
    order = _own(ports, who, order_id)
    found = ports.store.query(schema.REFUND, order.id, after=after, limit=limit)
    return Page(tuple(map(OrderRefundView.of, found.items)), found.next)


def in_state(
    ports: Ports, state: RefundState, *, after: str | None, limit: int
) -> Page[OrderRefundView]:
    """List every account's refunds that are in a state, newest first, for the operator."""
    found = ports.store.timeline(schema.REFUND, f"refunds#{state}", after=after, limit=limit)
    return Page(tuple(map(OrderRefundView.of, found.items)), found.next)


def approve(ports: Ports, who: Principal, order_id: str, refund_id: str) -> OrderRefundView:
    """Let a refund be carried out; approved again, it is the same.

    Raises: NotFound, StateConflict if it was rejected, Unavailable, Unanswered.
    """
    refund = _find(ports, order_id, refund_id)
    if refund.state is RefundState.REQUESTED:
        approved = replace(
            refund,
            state=RefundState.APPROVED,
            due_at=ports.clock.now(),
            decided_by=who.account,
            version=refund.version + 1,
        )
        ports.store.commit(
            items.change(refund, approved),
            _event(ports, approved, RefundNews.APPROVED, who.account),
        )
        return OrderRefundView.of(approved)
    if refund.state is RefundState.REJECTED:
        raise StateConflict(state=refund.state)
    return OrderRefundView.of(refund)


def reject(
    ports: Ports, who: Principal, order_id: str, refund_id: str, body: RejectRefund
) -> OrderRefundView:
    """Refuse a refund that waits; its money is available again. Rejected again, it is the same.

    Raises: NotFound, StateConflict if it was approved, Unavailable, Unanswered.
    """
    refund = _find(ports, order_id, refund_id)
    if refund.state is RefundState.REJECTED:
        return OrderRefundView.of(refund)
    if refund.state is not RefundState.REQUESTED:
        raise StateConflict(state=refund.state)
    rejected = replace(
        refund,
        state=RefundState.REJECTED,
        failure=body.reason,
        decided_by=who.account,
        ended_at=ports.clock.now(),
        version=refund.version + 1,
    )
    _commit(ports, refund, rejected, RefundNews.REJECTED, who.account)
    return OrderRefundView.of(rejected)


def sweep_refund(ports: Ports, refund: Refund) -> None:
    """Carry out one due refund: call the channel, or ask it what became of an earlier call.

    Idempotent, and safe with two sweepers at once: that the channel is about to be called is
    written first, by one of them. Raises: StateConflict, Unavailable, Unanswered.
    """
    channel = payments.channel_of(ports, refund.channel)
    order = ports.store.get(schema.ORDER.key(id=refund.order))
    assert order is not None, "a refund has an order"
    if refund.to_call:
        before = calling(refund, ports.clock.now())
        ports.store.commit(items.change(refund, before))
        after = called(before, channel.refund(order, before), ports.clock.now())
    else:
        before = refund
        after = asked(refund, channel.query_refund(order, refund), ports.clock.now())
    try:
        _commit(ports, before, after, _NEWS.get(after.state), payments.SWEEPER)
    except _Overdrawn:
        after = later(before, ports.clock.now())
        ports.store.commit(items.change(before, after))
    _tell(order, after)


def _ask(ports: Ports, request: keys.Request, order_id: str, body: AskRefund) -> Refund:
    order, now = _own(ports, request.who, order_id), ports.clock.now()
    month = withdrawals.month_of(ports, order)
    refund = _asked_for(order, month, body, ports.ids.new("rfd"), now)
    away, into_debt = withdrawals.of_refund(order, refund), ports.terms.refund_into_debt
    ports.store.commit(
        *keys.record(request, object_id=refund.id, now=now),  # First: it decides.
        _reserve(refund),
        Put(refund, when=[absent()]),
        *withdrawals.asked_for(ports, away, into_debt=into_debt),
        *withdrawals.from_month(away, month, now),
        *withdrawals.lines(away, now),
        _event(ports, refund, RefundNews.REQUESTED, order.account),
    )
    return refund


def _asked_for(
    order: Order, month: Month | None, body: AskRefund, number: str, now: datetime
) -> Refund:
    """Hold a wish against the order as it was read; the transaction holds it again."""
    possible = order.state is OrderState.PAID and order.refundable
    refundable_fen = refundable(order, month, now)
    amount_fen = body.amount_fen or refundable_fen
    if not possible or not 0 < amount_fen <= refundable_fen:
        renewed = month is not None and not month.last
        state = "renewed" if renewed else order.standing.value
        raise NotRefundable(state=state, refundable_fen=refundable_fen)
    refund = of_order(order, number, amount_fen=amount_fen, origin=RefundOrigin.CUSTOMER, now=now)
    return _sharing(replace(refund, reason=body.reason), month, now)


def _sharing(refund: Refund, month: Month | None, now: datetime) -> Refund:
    """Say which units of its month a refund takes, as far as they stand for it."""
    if month is None:
        return refund
    share = month.share(refund.amount_fen, now)
    return replace(refund, units=share.units, units_fen=share.fen)


def _reserve(refund: Refund) -> Update:
    """Take a refund's amount from what refunds can still take of the order, if it is there.

    It needs no version as read, so that refunds of one order do not wait for each other.
    """
    return Update(
        schema.ORDER.key(id=refund.order),
        add={"refundable_fen": -refund.amount_fen, "version": 1},
        when=[
            equals("state", OrderState.PAID.value),
            equals("refundable", True),
            at_least("refundable_fen", refund.amount_fen),
        ],
        otherwise=_not_refundable,
    )


def _not_refundable(item: Item | None) -> Refused:
    if item is None:
        return NotFound(what="order")
    order = items.decode(item)
    assert isinstance(order, Order)
    return NotRefundable(state=order.standing, refundable_fen=order.refundable_fen)


def _commit(
    ports: Ports, before: Refund, after: Refund, news: RefundNews | None, actor: str
) -> None:
    """Write what became of a refund and what that moves, all of it or nothing.

    Raises: _Overdrawn, StateConflict, Unavailable, Unanswered.
    """
    receipts.settled(
        lambda owes: ports.store.commit(*_actions(ports, before, after, news, actor, owes)),
        moved=withdrawals.MOVED,
    )


def _actions(
    ports: Ports,
    before: Refund,
    after: Refund,
    news: RefundNews | None,
    actor: str,
    owes: receipts.Owes | None,
) -> Iterator[Action]:
    now = ports.clock.now()
    order = ports.store.get(schema.ORDER.key(id=after.order))
    assert order is not None, "a refund has an order"
    console = after.origin is RefundOrigin.CONSOLE
    ours = console and order.trade_no == after.trade_no
    succeeded = after.state is RefundState.SUCCEEDED
    if succeeded and ours:
        month = withdrawals.month_of(ports, order)
        after = _sharing(replace(after, booked=True), month, now)
        away = withdrawals.of_refund(order, after)
        yield items.change(before, after)
        yield from withdrawals.from_balance(ports, away)
        yield from withdrawals.from_month(away, month, now)
        yield from withdrawals.lines(away, now)
    else:
        yield items.change(before, after)
    if succeeded and after.booked:
        yield _gone_back(after, console=console)
    if not after.live and after.booked:
        away = withdrawals.of_refund(order, after)
        there, returned = withdrawals.give_back(ports, away, actor=actor, owes=owes)
        yield _refundable_again(order, after, there)
        yield from returned
    if news:
        yield _event(ports, after, news, actor)


def _refundable_again(order: Order, refund: Refund, month: datetime | None) -> Update:
    """Let an amount that has not gone back be asked for again; its units may be in a new month."""
    moved = {} if month is None or month == order.month else {"month": month}
    return Update(
        schema.ORDER.key(id=order.id),
        add={"refundable_fen": refund.amount_fen, "version": 1},
        set=moved,
        when=[present(), equals("month", order.month)],
        otherwise=withdrawals.Moved(),
    )


def _gone_back(refund: Refund, *, console: bool) -> Update:
    """Count an amount as gone back; one from the console was never set aside."""
    key = schema.ORDER.key(id=refund.order)
    gone = {"refunded_fen": refund.amount_fen, "version": 1}
    if not console:
        return Update(key, add=gone, when=[present()])
    return Update(
        key,
        add=gone | {"refundable_fen": -refund.amount_fen},
        when=[at_least("refundable_fen", refund.amount_fen)],
        otherwise=_Overdrawn(),
    )


def _tell(order: Order, refund: Refund) -> None:
    """Say aloud what the operator must know."""
    alarm = refund.stuck or refund.state is RefundState.FAILED
    alarm = alarm or (refund.origin is RefundOrigin.CONSOLE and refund.state.terminal)
    logger.log(
        logging.ERROR if alarm else logging.INFO,
        "refund.stuck" if refund.stuck else f"refund.{refund.state}",
        extra={"action": "refund", "order_id": order.id, "reason": refund.failure},
    )


def _event(ports: Ports, refund: Refund, news: RefundNews, actor: str) -> Put:
    event = Event(
        id=ports.ids.new("evt"),
        subject=refund.order,
        account=refund.account,
        kind=news,
        at=ports.clock.now(),
        actor=actor,
        data={"refund": refund.id, "amount_fen": refund.amount_fen, "origin": refund.origin.value},
    )
    return Put(event, when=[absent()], proves=True)


def _own(ports: Ports, who: Principal, order_id: str) -> Order:
    order = ports.store.get(schema.ORDER.key(id=order_id))
    if order is None or order.account != who.account:
        raise NotFound(what="order")
    return order


def _find(ports: Ports, order_id: str, refund_id: str) -> Refund:
    refund = ports.store.get(schema.REFUND.key(order=order_id, id=refund_id))
    if refund is None:
        raise NotFound(what="refund")
    return refund


def _view(ports: Ports, order_id: str, refund_id: str) -> OrderRefundView:
    return OrderRefundView.of(_find(ports, order_id, refund_id))

"""Payments: what channels say about orders, believed or not, decided once, and written once."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wharfage import items, schema
from wharfage.domain.balance import Entry, EntryCode
from wharfage.domain.errors import NotifyRefused, Refused, Unavailable
from wharfage.domain.event import Event
from wharfage.domain.order import NUMBER, Decision, Order, Source, decide, doubt
from wharfage.domain.payment import Payment, TradeBinding
from wharfage.domain.refund import RefundOrigin, of_duplicate, of_order, seen_elsewhere
from wharfage.domain.trade import (
    CloseOutcome,
    NotifyRequest,
    NotifyStep,
    TradeEvent,
    TradeStatus,
    TradeView,
)
from wharfage.operations import memberships, receipts, withdrawals
from wharfage.ports import Channel, Ports
from wharfage.transaction import Action, Key, Put, absent

logger = logging.getLogger(__name__)

SWEEPER = "sweeper"  #: Who acts when the clock does.
_TRIES = 5  #: An order changes a handful of times in its life, so this is never reached honestly.


@dataclass(eq=False)
class _Moved(Refused):
    """The order has changed since it was read: read it and decide again."""


@dataclass(eq=False)
class _Bound(Refused):
    """The trade number belongs to another order."""


def receive(ports: Ports, channel: str, request: NotifyRequest) -> None:
    """Act on a channel's notify; when this returns, what it says is durable, or was before.

    Raises: NotifyRefused, with the step that failed; Unavailable.
    """
    ours = channel_of(ports, channel)
    event = ours.parse_notify(request)
    for _ in range(_TRIES):
        order, binding, refund = ports.store.get_many(_compared(event))
        try:
            decision = _judge(ports, ours, event, order, binding)
            decision = decision.knowing(() if refund is None else (refund.id,))
            _write(ports, order, decision, event.trade, actor=channel)
        except _Moved:
            continue
        except _Bound:
            raise NotifyRefused(step=NotifyStep.TRADE) from None
        return
    raise Unavailable


def judged(ports: Ports, channel: str, request: NotifyRequest) -> Decision:
    """Decide on a notify as `receive` would now, and write nothing.

    Raises: NotifyRefused, with the step that failed; Unavailable.
    """
    ours = channel_of(ports, channel)
    event = ours.parse_notify(request)
    order, binding, refund = ports.store.get_many(_compared(event))
    decision = _judge(ports, ours, event, order, binding)
    return decision.knowing(() if refund is None else (refund.id,))


def hasten(ports: Ports, order_id: str) -> None:
    """Have the sweeper ask about an open order at once; anything else is left as it is.

    The buyer's browser came back from paying, which proves nothing and is worth one query.
    """
    order = ports.store.get(schema.ORDER.key(id=order_id)) if NUMBER.fullmatch(order_id) else None
    if order is None:
        return
    hastened = order.hastened(ports.clock.now())
    if hastened is order:
        return
    try:
        ports.store.commit(items.change(order, hastened, otherwise=_Moved()))
    except _Moved:
        return  # News came meanwhile, which is better than a question.


def sweep_order(ports: Ports, order: Order) -> None:
    """Ask the channel about one due order, close it if its time is over, and act on the answer.

    Idempotent, and safe with two sweepers at once: both may ask, one writes.
    Raises: Unavailable, Unanswered; the order is still due then.
    """
    settle(ports, order, closing=order.overdue(ports.clock.now()), actor=SWEEPER)


def settle(ports: Ports, order: Order, *, closing: bool, actor: str) -> None:
    """Ask the channel what became of an order and act on it; with *closing*, end it if unpaid.

    When news overtakes the question nothing is written, for it was decided on by itself.
    Raises: Unavailable, Unanswered.
    """
    channel = channel_of(ports, order.channel)
    trade = channel.query(order)
    if closing:
        trade = _close(channel, order, trade)
    if _belongs_elsewhere(ports, order, trade):
        logger.error("order.trade_bound", extra={"action": "payment", "order_id": order.id})
        trade = TradeView(status=TradeStatus.UNKNOWN)
    late = ports.terms.refund_late
    decision = decide(order, trade, source=Source.QUERY, now=ports.clock.now(), refund_late=late)
    number = decision.look_up
    if number and ports.store.get(schema.REFUND.key(order=order.id, id=number)):
        decision = decision.knowing({number})
    try:
        _write(ports, order, decision, trade, actor=actor)
    except (_Moved, _Bound):
        logger.info("order.overtaken", extra={"action": "payment", "order_id": order.id})


def channel_of(ports: Ports, name: str) -> Channel:
    """Find a channel by its name. Raises: Unavailable where it is not set up."""
    try:
        return ports.channels[name]
    except KeyError:
        raise Unavailable from None


def _compared(event: TradeEvent) -> list[Key[Any]]:
    """Name what a notify is compared with."""
    return [
        schema.ORDER.key(id=event.order),
        _trade_key(event.channel, event.trade),
        schema.REFUND.key(order=event.order, id=event.trade.refund_no or event.order),
    ]


def _judge(
    ports: Ports,
    channel: Channel,
    event: TradeEvent,
    order: Order | None,
    binding: TradeBinding | None,
) -> Decision:
    """Compare a notify with the order, in money.md's sequence, then decide."""
    if order is None or order.channel != channel.name:
        raise NotifyRefused(step=NotifyStep.ORDER)
    if event.ambiguous:
        return doubt(order, now=ports.clock.now())
    if event.seller != channel.seller:
        raise NotifyRefused(step=NotifyStep.SELLER)
    if event.trade.amount_fen != order.amount_fen:
        raise NotifyRefused(step=NotifyStep.AMOUNT)
    if binding is not None and binding.order != order.id:
        raise NotifyRefused(step=NotifyStep.TRADE)
    late = ports.terms.refund_late
    return decide(order, event.trade, source=Source.NOTIFY, now=ports.clock.now(), refund_late=late)


def _close(channel: Channel, order: Order, trade: TradeView) -> TradeView:
    """End a trade that was seen unpaid; the answer is what is known of it afterwards."""
    closed = TradeView(status=TradeStatus.CLOSED, trade_no=trade.trade_no)
    if trade.status is TradeStatus.NOT_FOUND:
        return closed  # Nobody ever scanned it. Should somebody still, it is a late payment.
    if trade.status is not TradeStatus.WAITING:
        return trade
    match channel.close(order):
        case CloseOutcome.CLOSED | CloseOutcome.NOT_FOUND:
            return closed
        case CloseOutcome.NOT_WAITING:
            return channel.query(order)
        case CloseOutcome.UNKNOWN:
            return TradeView(status=TradeStatus.UNKNOWN)


def _belongs_elsewhere(ports: Ports, order: Order, trade: TradeView) -> bool:
    if trade.trade_no in {None, order.trade_no}:
        return False
    binding = ports.store.get(_trade_key(order.channel, trade))
    return binding is not None and binding.order != order.id


def _write(
    ports: Ports, before: Order, decision: Decision, trade: TradeView, *, actor: str
) -> None:
    """Write what was decided, all of it or nothing; then say aloud what the operator must know.

    Raises: _Moved, _Bound, Unavailable, Unanswered.
    """
    if decision.order is not before or decision.look_up:
        _commit(ports, before, decision, trade, actor=actor)
    if decision.news or decision.alarm:
        logger.log(
            logging.ERROR if decision.alarm else logging.INFO,
            decision.news or "order.doubted_again",
            extra={"action": "payment", "order_id": before.id, "trade_no": trade.trade_no},
        )


def _commit(
    ports: Ports, before: Order, decision: Decision, trade: TradeView, *, actor: str
) -> None:
    """Write what was decided; what came in between is taken into account."""
    receipts.settled(
        lambda owes: ports.store.commit(*_actions(ports, before, decision, trade, actor, owes)),
        moved=(memberships.Moved,),
    )


def _actions(
    ports: Ports,
    before: Order,
    decision: Decision,
    trade: TradeView,
    actor: str,
    owes: receipts.Owes | None,
) -> Iterator[Action]:
    now = ports.clock.now()
    order = decision.order
    month: list[Action] = []
    if decision.credited and not decision.give_back and order.membership is not None:
        order, month = memberships.credit(ports, order, now)
    if order is not before:
        yield items.change(before, order, otherwise=_Moved())
    if decision.credited or decision.duplicate:
        yield from _payment(order, trade, now, duplicate=decision.duplicate)
    if decision.credited:
        yield _topup(order, now)
    if decision.give_back:
        yield from _give_back(ports, order, now)
    elif month:
        yield from month
    elif decision.credited:
        yield from receipts.credit(
            ports, order.account, order.amount_fen, actor=order.channel, owes=owes
        )
    yield from _refunds(ports, decision, trade, now)
    if decision.news:
        data: dict[str, str | int | bool] = {"state": order.state}
        if trade.trade_no:
            data["trade_no"] = trade.trade_no
        event = Event(
            id=ports.ids.new("evt"),
            subject=order.id,
            account=order.account,
            kind=decision.news,
            at=now,
            actor=actor,
            data=data,
        )
        yield Put(event, when=[absent()], proves=True)


def _payment(order: Order, trade: TradeView, now: datetime, *, duplicate: bool) -> Iterator[Action]:
    assert trade.trade_no is not None, "a payment has a trade number"
    binding = TradeBinding(channel=order.channel, trade_no=trade.trade_no, order=order.id)
    yield Put(binding, when=[absent()], otherwise=_Bound())
    payment = Payment(
        order=order.id,
        channel=order.channel,
        trade_no=trade.trade_no,
        amount_fen=order.amount_fen,
        recorded_at=now,
        duplicate=duplicate,
    )
    yield Put(payment, when=[absent()])


def _topup(order: Order, now: datetime) -> Put:
    """Write the move of the stored amount, never one that a channel names."""
    entry = Entry(
        account=order.account,
        code=EntryCode.TOPUP,
        reference=order.id,
        amount_fen=order.amount_fen,
        debit=f"clearing:{order.channel}",
        credit=order.account,
        posted_at=now,
    )
    return Put(entry, when=[absent()])


def _give_back(ports: Ports, order: Order, now: datetime) -> Iterator[Action]:
    """Send back what came too late: it came and goes on the ledger, past the balance."""
    refund = of_order(
        order,
        ports.ids.new("rfd"),
        amount_fen=order.amount_fen,
        origin=RefundOrigin.LATE,
        now=now,
    )
    yield Put(refund, when=[absent()])
    yield withdrawals.line(withdrawals.of_refund(order, refund), now)


def _refunds(ports: Ports, decision: Decision, trade: TradeView, now: datetime) -> Iterator[Action]:
    """Send back a second payment; have a refund looked up that may not be ours."""
    order = decision.order
    if decision.duplicate:
        assert trade.trade_no is not None, "a payment has a trade number"
        refund = of_duplicate(order, trade.trade_no, ports.ids.new("rfd"), now)
        yield Put(refund, when=[absent()])
    if decision.look_up:
        trade_no = trade.trade_no or order.trade_no
        assert trade_no is not None, "what goes back has come by a trade"
        seen = seen_elsewhere(order, trade_no, decision.look_up, now)
        yield Put(seen, when=[absent()], otherwise=_Moved())


def _trade_key(channel: str, trade: TradeView) -> Key[TradeBinding]:
    return schema.TRADE.key(channel=channel, trade_no=trade.trade_no)

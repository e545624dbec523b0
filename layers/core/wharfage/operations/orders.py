"""Orders: opened, paid, looked at, and cancelled by the customer who made them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from wharfage import items, schema
from wharfage.domain import limits, rate, review
from wharfage.domain.account import Principal
from wharfage.domain.errors import (
    NotFound,
    OrderNotOpen,
    OrderRefused,
    Refused,
    Unanswered,
    Unavailable,
    fault,
)
from wharfage.domain.event import Event
from wharfage.domain.membership import PlanName, Purchase
from wharfage.domain.order import Order, OrderKind, OrderNews, OrderStanding, OrderState, opened
from wharfage.domain.record import Body, View
from wharfage.domain.review import ReviewEntry
from wharfage.domain.risk import OrderFlow, Outcome, ReviewState, Rule, assess, flow_of
from wharfage.domain.routing import Wish, misfit
from wharfage.domain.trade import PayAction, PayMethod
from wharfage.domain.unused import refundable
from wharfage.operations import channels, keys, payments, rates, withdrawals
from wharfage.operations.keys import Made
from wharfage.ports import Page, Ports
from wharfage.transaction import Action, Put, absent

_TRIES = 5  #: One account opens orders one after another, but for a script of its own.

logger = logging.getLogger(__name__)

ChannelName = Annotated[str, Meta(pattern=r"^[a-z]{1,20}$(?!\n)")]
OpenId = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_-]{1,128}$(?!\n)")]
PayerIp = Annotated[str, Meta(min_length=2, max_length=45)]
AmountFen = Annotated[int, Meta(ge=limits.TOPUP_FEN_MIN, le=limits.TOPUP_FEN_MAX)]


class OpenOrder(Body, frozen=True, kw_only=True):
    """What to buy: a top-up of *amount_fen*, or a month of membership of a *plan*, at its price.

    It is paid by *channel*, or by the first that fits; with *method*, by one that can be paid so.
    """

    kind: OrderKind = OrderKind.TOPUP
    amount_fen: AmountFen | None = None
    plan: PlanName | None = None
    channel: ChannelName | None = None
    method: PayMethod | None = None


class PayOrder(Body, frozen=True, kw_only=True):
    """How to pay. `jsapi` needs the payer's *openid* in our app at the channel.

    `wap` takes *payer_ip*, the address of the payer's browser; without it the request's own.
    """

    method: PayMethod
    openid: OpenId | None = None
    payer_ip: PayerIp | None = None


class ReviewView(View, frozen=True, kw_only=True):
    """Why an order was flagged, and where the operator's look at it stands.

    While it is `pending` the order cannot be paid; it closes at its `expires_at`.
    """

    state: ReviewState
    rule: Rule
    decided_at: datetime | None

    @classmethod
    def of(cls, order: Order) -> "ReviewView | None":
        """Show an order's review, if the rules have flagged it."""
        state = review.state_of(order)
        if order.review is None or state is None:
            return None
        return cls(state=state, rule=order.review.rule, decided_at=order.review.decided_at)


class OrderView(View, frozen=True, kw_only=True):
    """An order as its customer sees it. *late*: paid after it was closed. *refundable_fen*: what
    a new refund can take now; of a membership, what its unused units had cost.
    """

    id: str
    kind: OrderKind
    amount_fen: int
    plan: str | None
    state: OrderStanding
    channel: str
    created_at: datetime
    expires_at: datetime
    paid_at: datetime | None
    closed_at: datetime | None
    late: bool
    review: ReviewView | None
    refundable_fen: int
    refunded_fen: int
    version: int

    @classmethod
    def of(cls, order: Order, refundable_fen: int) -> "OrderView":
        """Show an order."""
        derived = {"plan", "state", "review", "refundable_fen"}
        names = [name for name in cls.__struct_fields__ if name not in derived]
        return cls(
            state=order.standing,
            plan=order.membership.plan if order.membership else None,
            review=ReviewView.of(order),
            refundable_fen=refundable_fen,
            **{name: getattr(order, name) for name in names},
        )


class PayView(View, frozen=True, kw_only=True):
    """What the customer has to do: open *url*, scan *qr_text* shown as a QR code, or hand
    *app_string* to the channel's app, from an app or from a page within it.
    """

    method: PayMethod
    url: str | None
    qr_text: str | None
    app_string: str | None
    expires_at: datetime


@dataclass(eq=False)
class _Overtaken(Refused):
    """Another order of the account was counted since its flow was read: read it again."""


def open(  # noqa: A001 - it is read as `orders.open`
    ports: Ports, who: Principal, body: OpenOrder, *, key: str | None
) -> Made[OrderView]:
    """Record an order that waits for its payment; an unusual one waits for the operator first.

    Raises: Invalid, KeyReused, RateLimited, OrderRefused, Unavailable, Unanswered.
    """
    amount_fen, membership = _bought(ports, who, body)
    wish = Wish(amount_fen=amount_fen, method=body.method)
    channel = channels.choose(ports, wish, named=body.channel)
    now = ports.clock.now()
    order = opened(
        ports.ids.new("ord"),
        account=who.account,
        kind=body.kind,
        amount_fen=amount_fen,
        membership=membership,
        channel=channel,
        now=now,
    )
    request = keys.Request(who=who, operation="orders.open", key=key, body=body)
    event_id = ports.ids.new("evt")
    for _ in range(_TRIES):
        try:
            assessed, counting = _assessed(ports, request, order)
            ports.store.commit(
                *keys.record(request, object_id=order.id, now=now),  # First: it decides.
                rates.count(rate.ORDERS, who.account, now=now),
                *counting,
                Put(assessed, when=[absent()]),
                Put(_opened(order, event_id), when=[absent()], proves=True),
            )
        except keys.Replay as replay:
            return Made(value=find(ports, who, replay.object_id), replayed=True)
        except _Overtaken:
            continue
        return Made(value=OrderView.of(assessed, refundable_fen=0))
    raise Unavailable


def find(ports: Ports, who: Principal, order_id: str) -> OrderView:
    """Show one of the caller's orders. Raises: NotFound."""
    [view] = _views(ports, [_own(ports, who, order_id)])
    return view


def find_all(ports: Ports, who: Principal, *, after: str | None, limit: int) -> Page[OrderView]:
    """List the caller's orders, newest first."""
    orders = ports.store.timeline(schema.ORDER, f"{who.account}#orders", after=after, limit=limit)
    return Page(tuple(_views(ports, orders.items)), orders.next)


def pay(
    ports: Ports, who: Principal, order_id: str, body: PayOrder, *, address: str | None = None
) -> PayView:
    """Say how to pay an open order; asked again, it is the same trade.

    *address* is the network address that the request came from.

    Raises: NotFound, OrderInReview, OrderRefused, OrderNotOpen, Invalid, Unavailable, Unanswered.
    """
    order = _own(ports, who, order_id)
    now = ports.clock.now()
    review.require_payable(order, now=now)
    if order.state is not OrderState.OPEN:
        raise OrderNotOpen(state=order.standing)
    if now >= order.expires_at:
        raise OrderNotOpen(state="expired")
    channel = payments.channel_of(ports, order.channel)
    wish = Wish(amount_fen=order.amount_fen, method=body.method)
    if wrong := misfit(order.channel, channel.capabilities, wish):
        raise wrong
    payer = channels.payer(body.method, openid=body.openid, payer_ip=body.payer_ip, address=address)
    action = channel.create(order, body.method, payer)
    if action.reference is not None:
        _keep_reference(ports, order, action.reference)
    return _pay_view(action, order)


def cancel(ports: Ports, who: Principal, order_id: str) -> OrderView:
    """Close an open order, after asking the channel: a payment that came first wins.

    Raises: NotFound, OrderNotOpen if it is paid, Unanswered while the channel does not tell.
    """
    order = _own(ports, who, order_id)
    if order.state is OrderState.OPEN:
        payments.settle(ports, order, closing=True, actor=who.account)
        order = _own(ports, who, order_id)
    match order.state:
        case OrderState.CLOSED:
            return OrderView.of(order, refundable_fen=0)
        case OrderState.PAID:
            raise OrderNotOpen(state=order.standing)
        case OrderState.OPEN:
            raise Unanswered


def _bought(ports: Ports, who: Principal, body: OpenOrder) -> tuple[int, Purchase | None]:
    """Say what an order costs and, if it is not a top-up, what it buys. Raises: Invalid."""
    if body.kind is OrderKind.TOPUP:
        if body.plan is not None:
            raise fault("/plan", "unknown", "A top-up has an amount and no plan.")
        if body.amount_fen is None:
            raise fault("/amount_fen", "missing", "A top-up needs an amount.")
        return body.amount_fen, None
    if body.amount_fen is not None:
        raise fault("/amount_fen", "unknown", "A membership costs what its plan says.")
    plan = ports.plans.get(body.plan or "")
    if plan is None:
        raise fault("/plan", "plan_unknown", "There is no such plan: see GET /v1/plans.")
    return plan.price_fen, Purchase(plan=plan.name, units=plan.units, zone=who.time_zone)


def _keep_reference(ports: Ports, order: Order, reference: str) -> None:
    """Keep the channel's name of what it made, before the customer can pay it.

    Raises: OrderNotOpen where the order changed meanwhile; Unavailable, Unanswered.
    """
    if order.reference == reference:
        return
    after = replace(
        order,
        reference=reference,
        version=order.version + 1,
    )
    ports.store.commit(items.change(order, after, otherwise=OrderNotOpen(state="changed")))


def _own(ports: Ports, who: Principal, order_id: str) -> Order:
    order = ports.store.get(schema.ORDER.key(id=order_id))
    if order is None or order.account != who.account:
        raise NotFound(what="order")
    return order


def _views(ports: Ports, orders: Sequence[Order]) -> list[OrderView]:
    months, now = withdrawals.months_of(ports, orders), ports.clock.now()
    return [OrderView.of(each, refundable(each, months.get(each.id), now)) for each in orders]


def _assessed(ports: Ports, request: keys.Request, order: Order) -> tuple[Order, list[Action]]:
    """Hold an order against the rules, with what the account has ordered in this window.

    Back come the order, held for review if need be, and what counts it in its own transaction.

    Raises: OrderRefused; Replay or KeyReused, for a key that made an order before is not new.
    """
    rules, now = ports.terms.order_rules, order.created_at
    empty = flow_of(order.account, rules, now)
    account, seen, made = ports.store.get_many(
        [
            schema.ACCOUNT.key(id=order.account),
            schema.FLOW.key(account=order.account, window=empty.window),
            schema.KEY.key(
                account=order.account, operation=request.operation, key=request.key or ""
            ),
        ]
    )
    keys.known(request, made)
    flow: OrderFlow = (seen or empty).with_order(order.amount_fen)
    age = timedelta() if account is None else now - account.created_at
    verdict = assess(rules, flow, amount_fen=order.amount_fen, account_age=age)
    counting: list[Action] = [
        items.change(seen, flow, otherwise=_Overtaken())
        if seen
        else Put(flow, when=[absent()], otherwise=_Overtaken())
    ]
    if verdict.outcome is Outcome.ALLOW:
        return order, counting
    assert verdict.rule is not None, "what is not allowed is not allowed by a rule"
    if verdict.outcome is Outcome.REFUSE:
        logger.warning("order.risky", extra={"action": "order", "reason": verdict.rule.value})
        raise OrderRefused(rule=verdict.rule)
    entry = ReviewEntry(order=order.id, asked_at=now)
    held = review.held(order, verdict.rule, seconds=rules.review_seconds, now=now)
    return held, [*counting, Put(entry, when=[absent()])]


def _opened(order: Order, event_id: str) -> Event:
    return Event(
        id=event_id,
        subject=order.id,
        account=order.account,
        kind=OrderNews.OPENED,
        at=order.created_at,
        actor=order.account,
        data={"amount_fen": order.amount_fen},
    )


def _pay_view(action: PayAction, order: Order) -> PayView:
    return PayView(
        method=action.method,
        url=action.url,
        qr_text=action.qr_text,
        app_string=action.app_string,
        expires_at=order.expires_at,
    )

"""Tests of orders as their customers use them."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import msgspec
import pytest

from tests.fixtures.money import ALICE, BOB, paid, world
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.errors import (
    KeyReused,
    NotFound,
    OrderNotOpen,
    RateLimited,
    Unanswered,
    Unavailable,
)
from wharfage.domain.order import NUMBER, OrderStanding, OrderState
from wharfage.domain.trade import CloseOutcome, PayMethod, TradeStatus, TradeView
from wharfage.operations import orders
from wharfage.operations.orders import OpenOrder, PayOrder

WAITING = TradeView(status=TradeStatus.WAITING, trade_no="T1", amount_fen=9900)
UNKNOWN = TradeView(status=TradeStatus.UNKNOWN)


def test_an_opened_order_waits_and_is_due_and_is_written_on_its_timeline():
    here = world()

    order = here.order(9900)

    assert order.state is OrderState.OPEN
    assert NUMBER.fullmatch(order.id)
    assert order.due_at is not None
    assert here.news(order) == ["order.opened"]
    assert here.balance().available == 0


def test_the_same_request_again_is_the_same_order():
    here = world()
    body = OpenOrder(amount_fen=9900)
    first = orders.open(here.ports, ALICE, body, key="k")

    again = orders.open(here.ports, ALICE, body, key="k")

    assert (first.replayed, again.replayed) == (False, True)
    assert again.value == first.value
    assert len(orders.find_all(here.ports, ALICE, after=None, limit=10).items) == 1


def test_a_key_for_another_amount_is_refused_and_opens_nothing():
    here = world()
    orders.open(here.ports, ALICE, OpenOrder(amount_fen=9900), key="k")

    with pytest.raises(KeyReused):
        orders.open(here.ports, ALICE, OpenOrder(amount_fen=9901), key="k")

    assert len(orders.find_all(here.ports, ALICE, after=None, limit=10).items) == 1


def test_fifty_parallel_requests_with_one_key_open_one_order():
    here = world()
    body = OpenOrder(amount_fen=9900)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: orders.open(here.ports, ALICE, body, key="k"), range(50)))

    assert len({each.value.id for each in made}) == 1
    assert Counter(each.replayed for each in made) == {True: 49, False: 1}


@pytest.mark.parametrize("amount_fen", [limits.TOPUP_FEN_MIN, limits.TOPUP_FEN_MAX])
def test_amounts_at_their_limits_are_taken(amount_fen):
    body = msgspec.json.decode(b'{"amount_fen":%d}' % amount_fen, type=OpenOrder)

    assert body.amount_fen == amount_fen


@pytest.mark.parametrize(
    "amount",
    [
        limits.TOPUP_FEN_MIN - 1, limits.TOPUP_FEN_MAX + 1, 0, -1, "100.0", "1e3", '"100"', "true",
        2**63, 10**39,
    ],
)  # fmt: skip
def test_other_amounts_are_refused_as_they_are_read(amount):
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(f'{{"amount_fen":{amount}}}'.encode(), type=OpenOrder)


def test_orders_are_opened_so_often_in_a_window_and_no_more():
    here = world()
    for _ in range(limits.OPEN_ORDERS_MAX):
        here.order()

    with pytest.raises(RateLimited) as refusal:
        here.order()

    assert refusal.value.limit == limits.OPEN_ORDERS_MAX
    assert 0 < refusal.value.retry_after_seconds <= limits.ORDER_SECONDS
    here.order(who=BOB)  # Others are not concerned.
    here.clock.pass_(seconds=refusal.value.retry_after_seconds)
    here.order()


def test_a_replay_is_not_counted_in_the_window():
    here = world()
    for _ in range(limits.OPEN_ORDERS_MAX + 5):
        orders.open(here.ports, ALICE, OpenOrder(amount_fen=100), key="k")

    here.order()


def test_without_its_channel_no_order_is_opened():
    here = world()
    ports = replace(here.ports, channels={})

    with pytest.raises(Unavailable):
        orders.open(ports, ALICE, OpenOrder(amount_fen=100), key=None)


def test_anothers_order_is_as_unknown_as_none():
    here = world()
    order = here.order(who=BOB)

    for order_id in (order.id, "ord_nothing"):
        for look in (
            lambda order_id=order_id: orders.find(here.ports, ALICE, order_id),
            lambda order_id=order_id: orders.cancel(here.ports, ALICE, order_id),
            lambda order_id=order_id: orders.pay(
                here.ports, ALICE, order_id, PayOrder(method=PayMethod.PAGE)
            ),
        ):
            with pytest.raises(NotFound) as refusal:
                look()
            assert refusal.value.facts == {"what": "order"}


def test_orders_are_listed_newest_first_page_by_page():
    here = world()
    opened = []
    for _ in range(5):
        opened.append(here.order().id)
        here.clock.pass_(seconds=1)
    here.order(who=BOB)

    first = orders.find_all(here.ports, ALICE, after=None, limit=3)
    second = orders.find_all(here.ports, ALICE, after=first.next, limit=3)

    listed = [view.id for view in (*first.items, *second.items)]
    assert listed == opened[::-1]
    assert second.next is None


def test_an_open_order_says_how_it_is_paid():
    here = world()
    order = here.order()

    view = orders.pay(here.ports, ALICE, order.id, PayOrder(method=PayMethod.PAGE))

    assert view.url is not None
    assert order.id in view.url
    assert view.expires_at == order.expires_at
    assert here.row(order.id) == order


def test_an_order_can_be_paid_until_it_expires_and_not_then():
    here = world()
    order = here.order()
    body = PayOrder(method=PayMethod.PAGE)
    here.clock.moment = order.expires_at.replace(second=59, minute=14)
    orders.pay(here.ports, ALICE, order.id, body)
    here.clock.moment = order.expires_at

    with pytest.raises(OrderNotOpen):
        orders.pay(here.ports, ALICE, order.id, body)


def test_a_paid_order_cannot_be_paid_or_cancelled():
    here = world()
    order = here.order()
    here.notify(order)

    with pytest.raises(OrderNotOpen) as refusal:
        orders.pay(here.ports, ALICE, order.id, PayOrder(method=PayMethod.PAGE))
    assert refusal.value.state == "paid"
    with pytest.raises(OrderNotOpen):
        orders.cancel(here.ports, ALICE, order.id)


def test_cancelling_closes_the_trade_first_and_then_the_order():
    here = world()
    order = here.order()
    here.channel.trades[order.id] = WAITING

    view = orders.cancel(here.ports, ALICE, order.id)

    assert view.state is OrderStanding.CLOSED
    assert here.channel.calls == ["query", "close"]
    assert here.row(order.id).due_at is None
    assert here.news(order) == ["order.opened", "order.closed"]


def test_cancelling_again_agrees():
    here = world()
    order = here.order()
    first = orders.cancel(here.ports, ALICE, order.id)

    assert orders.cancel(here.ports, ALICE, order.id) == first


def test_cancelling_what_was_never_scanned_needs_no_close():
    here = world()
    order = here.order()

    assert orders.cancel(here.ports, ALICE, order.id).state is OrderStanding.CLOSED
    assert here.channel.calls == ["query"]


def test_a_payment_that_came_before_the_cancel_wins():
    here = world()
    order = here.order()
    here.channel.trades[order.id] = paid(order)

    with pytest.raises(OrderNotOpen):
        orders.cancel(here.ports, ALICE, order.id)

    assert here.balance().available == 9900


def test_a_payment_between_query_and_close_wins():
    here = world()
    order = here.order()
    here.channel.trades[order.id] = WAITING
    here.channel.closes[order.id] = CloseOutcome.NOT_WAITING
    here.channel.on_query = lambda order: here.channel.trades.update({order.id: paid(order)})

    with pytest.raises(OrderNotOpen):
        orders.cancel(here.ports, ALICE, order.id)

    assert here.channel.calls == ["query", "close", "query"]
    assert here.balance().available == 9900


@pytest.mark.parametrize("where", ["query", "close"])
def test_a_cancel_that_the_channel_does_not_answer_leaves_the_order_open(where):
    here = world()
    order = here.order()
    here.channel.trades[order.id] = UNKNOWN if where == "query" else WAITING
    here.channel.closes[order.id] = CloseOutcome.UNKNOWN

    with pytest.raises(Unanswered):
        orders.cancel(here.ports, ALICE, order.id)

    assert here.row(order.id).state is OrderState.OPEN


def test_an_order_shows_nothing_of_how_we_work():
    here = world()

    shown = msgspec.to_builtins(orders.find(here.ports, ALICE, here.order().id))

    assert not {"account", "due_at", "trade_no", "refund_seen"} & set(shown)


def test_orders_and_their_guards_have_no_ttl():
    assert not any(kind.ttl for kind in (schema.ORDER, schema.TRADE, schema.PAYMENT, schema.ENTRY))

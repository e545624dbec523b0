"""One suite for what every channel is asked: each adapter against its stand-in."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from tests.fixtures import alipay, stripe, wechat
from tests.fixtures.channels import settled
from tests.fixtures.money import ALICE
from wharfage.domain.errors import Refused, Unanswered
from wharfage.domain.order import Order
from wharfage.domain.refund import Refund, RefundOrigin, RefundState, RefundStatus
from wharfage.domain.trade import CloseOutcome, PayMethod, TradeStatus
from wharfage.operations import orders, payments


def refund_of(order: Order, amount_fen: int, number: str = "rfd_0000000001") -> Refund:
    assert order.trade_no is not None
    return Refund(
        order=order.id, id=number, account=order.account, channel=order.channel,
        trade_no=order.trade_no, amount_fen=amount_fen, state=RefundState.APPROVED,
        origin=RefundOrigin.CUSTOMER, created_at=datetime.now(UTC),
    )  # fmt: skip


def test_a_query_tells_of_a_payment_that_nobody_told(shop):
    here = shop.world()
    order = shop.open(here)
    assert shop.channel.query(order).status in {TradeStatus.WAITING, TradeStatus.NOT_FOUND}
    shop.paid(order)

    view = shop.channel.query(order)

    assert (view.status, view.amount_fen) == (TradeStatus.SUCCESS, 9900)
    assert view.trade_no
    payments.settle(here.ports, order, closing=False, actor="sweeper")
    assert here.balance().available == 9900


def test_the_same_order_gives_the_same_trade(shop):
    here = shop.world()
    order = shop.open(here)
    shop.channel.create(order, shop.method)

    [trade] = shop.trades.all()
    assert (trade.order_no, trade.amount) == (order.id, "99.00")


def test_an_unpaid_trade_is_closed_and_a_paid_one_is_not(shop):
    here = shop.world()
    unpaid, paid = shop.open(here), shop.open(here)
    shop.paid(paid)

    outcome = shop.channel.close(unpaid)

    assert outcome in {CloseOutcome.CLOSED, CloseOutcome.NOT_FOUND}
    assert not shop.channel.query(unpaid).status.paid
    assert shop.channel.close(paid) is CloseOutcome.NOT_WAITING


def test_without_an_answer_everything_is_unknown_and_nothing_is_failed(shop, tmp_path):
    here, order = settled(shop)
    away = type(shop.channel)(away_settings(shop.name), timeout_seconds=0.2)

    assert away.query(order).status is TradeStatus.UNKNOWN
    assert away.close(order) is CloseOutcome.UNKNOWN
    assert away.refund(order, refund_of(order, 100)).status is RefundStatus.UNKNOWN
    assert away.query_refund(order, refund_of(order, 100)).status is RefundStatus.UNKNOWN
    with pytest.raises(Unanswered):
        away.create(order, shop.method)
    assert here.balance().available == 9900


def test_a_channel_that_is_away_can_only_do_what_it_says_is_done_without_asking_it(shop):
    _, order = settled(shop)
    away = type(shop.channel)(away_settings(shop.name), timeout_seconds=0.2)

    for method in shop.channel.capabilities.methods - shop.channel.capabilities.offline:
        with pytest.raises(Unanswered):
            away.create(order, method)
    for method in shop.channel.capabilities.offline:
        assert away.create(order, method).method is method
    unnamed = away.query(replace(order, reference=None)).status is not TradeStatus.UNKNOWN
    assert unnamed is shop.channel.capabilities.references


def away_settings(name: str):
    return {"alipay": alipay, "stripe": stripe, "wechat": wechat}[name].settings()


def test_a_way_of_paying_that_a_channel_does_not_have_is_refused(shop):
    here = shop.world()
    order = shop.open(here)

    for method in set(PayMethod) - shop.channel.capabilities.methods:
        with pytest.raises(Refused) as refused:
            orders.pay(here.ports, ALICE, order.id, how_to_pay(method))
        assert refused.value.code == "invalid"


def how_to_pay(method: PayMethod) -> orders.PayOrder:
    openid = "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o" if method is PayMethod.JSAPI else None
    return orders.PayOrder(method=method, openid=openid)


def test_every_way_of_paying_that_a_channel_has_gives_the_customer_one_thing_to_do(shop):
    here = shop.world()

    for method in shop.channel.capabilities.methods:
        body = orders.OpenOrder(amount_fen=9900, channel=shop.name, method=method)
        order = orders.open(here.ports, ALICE, body, key=None).value
        told = orders.pay(here.ports, ALICE, order.id, how_to_pay(method), address="192.0.2.7")
        shown = [each for each in (told.url, told.qr_text, told.app_string) if each]
        assert told.method is method
        assert len(shown) == 1, method


def test_a_refund_is_made_once_by_its_number_and_found_again(shop):
    _, order = settled(shop)
    refund = refund_of(order, 3000)
    assert shop.channel.query_refund(order, refund).status is RefundStatus.NOT_FOUND

    first = shop.channel.refund(order, refund)
    again = shop.channel.refund(order, refund)
    found = shop.channel.query_refund(order, refund)

    known = {RefundStatus.PENDING, RefundStatus.SUCCEEDED}
    assert first.status in known
    assert again.status in {*known, RefundStatus.UNKNOWN}
    assert (found.status, found.amount_fen) == (RefundStatus.SUCCEEDED, 3000)
    assert (
        [*shop.trades.refunded(str(order.trade_no).removeprefix("pi_")).values()]
        == [first.amount_fen]
        == [3000]
    )


def test_more_than_was_paid_is_not_refunded(shop):
    _, order = settled(shop)
    shop.channel.refund(order, refund_of(order, 3000))

    refused = shop.channel.refund(order, refund_of(order, 7000, "rfd_0000000002"))

    assert refused.status is RefundStatus.FAILED
    assert refused.reason

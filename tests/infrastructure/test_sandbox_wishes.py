"""Tests of what goes wrong with one order only, and once."""

import json
from typing import Any

import pytest

from tests.fixtures import stripe, wechat
from tests.fixtures.stack import Caller
from tests.fixtures.waiting import until
from tests.infrastructure.test_sandbox import There, merchant, there  # noqa: F401 - fixtures
from tests.infrastructure.test_sandbox_refunds import paid, refund
from wharfage.domain.errors import NotifyRefused
from wharfage.domain.order import Order
from wharfage.domain.refund import RefundStatus
from wharfage.domain.trade import TradeStatus


def wished(there: There, **faults: Any) -> Order:  # noqa: F811
    """Make an order with which something is to go wrong."""
    order = there.order()
    there.cashier(order)
    assert there.ask("POST", f"/control/trades/{order.id}/faults", faults)[0] == 200
    return order


def shown(there: There) -> Any:  # noqa: F811
    return json.loads(there.ask("GET", "/control/trades/ord_000001")[2])


def test_only_the_order_it_is_wished_for_is_told_wrongly_and_only_once(there):  # noqa: F811
    there.pay(wished(there, wrong_amount=True))
    there.pay(there.order("ord_000002"))
    there.told(2)
    there.ask("POST", "/control/trades/ord_000001/finish", {})

    amounts = [(event.order, event.trade.amount_fen) for event in there.told(3)]

    assert sorted(amounts) == [("ord_000001", 1), ("ord_000001", 9900), ("ord_000002", 9900)]
    assert not any(shown(there)["faults"].values())


def test_a_lost_notify_is_sent_again_by_the_schedule(there):  # noqa: F811
    there.pay(wished(there, drop=2))

    there.told(1)

    until(lambda: shown(there)["notifies"][0]["sends"] == 3, what="the third send")
    assert not any(shown(there)["faults"].values())


def test_copies_come_with_the_first_send_only(there):  # noqa: F811
    there.pay(wished(there, repeat=4))
    there.told(5)
    until(lambda: shown(there)["notifies"][0]["due_at"] is None, what="the answers")

    there.ask("POST", "/control/trades/ord_000001/notify", {})

    there.told(6)
    until(lambda: shown(there)["notifies"][0]["sends"] == 1, what="the last answer")
    assert len(there.merchant.bodies) == 6


def test_a_forged_notify_stays_forged_and_the_next_one_is_genuine(there):  # noqa: F811
    there.pay(wished(there, tamper=True))
    with pytest.raises(NotifyRefused):
        there.told(1)
    until(lambda: not any(shown(there)["faults"].values()), what="the send")
    there.merchant.bodies.clear()

    there.ask("POST", "/control/trades/ord_000001/finish", {})

    assert there.told(1)[0].trade.status is TradeStatus.FINISHED


def test_a_second_payment_is_made_for_the_one_order(there):  # noqa: F811
    there.pay(wished(there, twice=True))
    there.pay(there.order("ord_000002"))

    events = there.told(3)

    assert sorted(event.order for event in events) == ["ord_000001", "ord_000001", "ord_000002"]


def test_a_question_that_is_not_answered_is_unknown_and_the_next_is_answered(there):  # noqa: F811
    order = wished(there, query_lost=1)
    there.pay(order)

    looks = [there.channel.query(order).status for _ in range(2)]

    assert looks == [TradeStatus.UNKNOWN, TradeStatus.SUCCESS]


def test_a_refund_whose_answer_is_lost_was_made(there):  # noqa: F811
    order = paid(there)
    there.ask("POST", f"/control/trades/{order.id}/faults", {"refund_lost": 1})

    view = there.channel.refund(order, refund(order, 3000))

    assert view.status is RefundStatus.UNKNOWN
    assert there.channel.query_refund(order, refund(order, 3000)).amount_fen == 3000


@pytest.mark.parametrize(
    ("faults", "status"),
    [({"bill_missing": 1}, 422), ({"sun": 1}, 422), ({"drop": "many"}, 422), ({}, 200)],
)
def test_what_cannot_go_wrong_with_one_order_is_refused(there, faults, status):  # noqa: F811
    there.cashier(there.order())

    assert there.ask("POST", "/control/trades/ord_000001/faults", faults)[0] == status
    assert there.ask("POST", "/control/trades/ord_000009/faults", faults)[0] == 404


def test_what_goes_wrong_with_every_order_goes_on(there):  # noqa: F811
    there.faults(wrong_amount=True)
    there.pay(wished(there, drop=1))
    there.pay(there.order("ord_000002"))

    assert {event.trade.amount_fen for event in there.told(2)} == {1}


@pytest.mark.parametrize("far", [wechat.sandbox, stripe.sandbox])
def test_what_a_stand_in_does_not_play_is_refused(far, tmp_path):
    with far(tmp_path) as (url, _):
        control = Caller(url=url)
        answers = [
            control.ask("POST", "/control/faults", faults).status
            for faults in ({"query_lost": 1}, {"bill_bomb": True}, {"bill_late": True})
        ]

    assert answers == [422, 422, 200]

"""Tests of refunds that nobody asked for: second payments, late ones, and the console's."""

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fixtures.money import ALICE, OPERATOR, event, paid, world
from wharfage import items
from wharfage.domain.order import OrderStanding
from wharfage.domain.refund import RefundOrigin, RefundState, RefundStatus, RefundView
from wharfage.domain.trade import TradeStatus
from wharfage.operations import ledger, refunds
from wharfage.operations.ledger import Adjustment
from wharfage.operations.refunds import RejectRefund

UNKNOWN = RefundView(status=RefundStatus.UNKNOWN)
NOT_FOUND = RefundView(status=RefundStatus.NOT_FOUND)
PENDING = RefundView(status=RefundStatus.PENDING)
FAILED = RefundView(status=RefundStatus.FAILED, reason="ACQ.TRADE_HAS_FINISHED")
SUCCEEDED, SHUT = RefundView(status=RefundStatus.SUCCEEDED), TradeStatus.CLOSED


def spend(here, amount_fen):
    body = Adjustment(
        account=ALICE.account, amount_fen=-amount_fen, reason="spent", reference="spent"
    )
    ledger.adjust(here.ports, OPERATOR, body)


def terms(here, **changes):
    here.ports = replace(here.ports, terms=replace(here.ports.terms, **changes))


@pytest.mark.parametrize("times", [1, 3])
def test_a_second_payment_goes_back_by_its_own_trade_and_touches_no_balance(times):
    here = world()
    order = here.paid_order(9900)

    for _ in range(times):
        here.notify(order, trade_no="T2")

    [refund] = here.refunds(order)
    assert (refund.origin, refund.trade_no, refund.amount_fen) == ("duplicate", "T2", 9900)
    assert here.carried_out(refund).state is RefundState.SUCCEEDED
    assert here.balance().available == 9900
    assert here.row(order.id).standing is OrderStanding.PAID
    here.adds_up()


def test_a_second_payment_that_cannot_go_back_is_the_operators_to_see(caplog):
    here = world()
    order = here.paid_order()
    here.notify(order, trade_no="T2")
    [refund] = here.refunds(order)
    here.channel.refunds[refund.id] = [FAILED]

    assert here.carried_out(refund).state is RefundState.FAILED

    assert here.balance().available == 9900
    assert "refund.failed" in caplog.messages
    here.adds_up()


def test_a_late_payment_goes_back_by_a_setting():
    here = world()
    terms(here, refund_late=True)
    order = here.order(9900)
    here.clock.pass_(minutes=17)
    here.sweep(order)

    here.notify(order)
    here.notify(order)

    [refund] = here.refunds(order)
    assert (refund.origin, refund.amount_fen) == (RefundOrigin.LATE, 9900)
    assert here.balance().available == 0
    assert sorted(entry.amount_fen for entry in here.entries()) == [-9900, 9900]
    here.adds_up()
    assert here.carried_out(refund).state is RefundState.SUCCEEDED
    assert here.row(order.id).standing is OrderStanding.REFUNDED
    here.adds_up()


def test_a_late_payment_that_cannot_go_back_is_credited():
    here = world()
    terms(here, refund_late=True)
    order = here.order(9900)
    here.clock.pass_(minutes=17)
    here.sweep(order)
    here.notify(order, status=TradeStatus.FINISHED)

    assert here.balance().available == 9900
    assert here.refunds(order) == []


def seen(here, order, number="console-1", **changes):
    said = {"status": TradeStatus.SUCCESS, "refunded": True, "refund_no": number}
    here.notify(order, **said | changes)


@pytest.mark.parametrize("times", [1, 3])
def test_a_refund_from_the_console_is_asked_about_and_booked_once(times, caplog):
    here = world()
    order = here.paid_order(9900)
    here.channel.done["console-1"] = 3000

    for _ in range(times):
        seen(here, order)
    [refund] = here.refunds(order)
    assert (refund.origin, refund.booked) == (RefundOrigin.CONSOLE, False)
    assert here.balance().available == 9900
    for _ in range(times):
        done = here.carried_out(refund)
        seen(here, order)

    assert (done.state, done.amount_fen, done.booked) == (RefundState.SUCCEEDED, 3000, True)
    assert here.balance().available == 6900
    assert here.channel.calls == ["query_refund"]
    assert here.row(order.id).standing is OrderStanding.PART_REFUNDED
    assert here.news(order).count("order.refund_seen") == 1
    assert "refund.succeeded" in caplog.messages
    here.adds_up()


def test_refunds_of_two_orders_under_one_number_of_the_console_are_both_booked():
    here = world()
    orders = [here.paid_order(9900), here.paid_order(5000)]
    here.channel.done["console-1"] = 3000

    for order in orders:
        seen(here, order)
        [refund] = here.refunds(order)
        assert here.carried_out(refund).state is RefundState.SUCCEEDED

    assert here.balance().available == 9900 + 5000 - 2 * 3000
    here.adds_up()


def test_a_refund_from_the_console_of_spent_money_is_owed():
    here = world()
    order = here.paid_order(9900)
    spend(here, 8000)
    here.channel.done["console-1"] = 3000
    seen(here, order)

    here.carried_out(here.refunds(order)[0])

    assert (here.balance().available, here.balance().debt) == (0, 1100)
    here.adds_up()


def test_a_whole_refund_without_a_number_is_asked_about_by_the_orders():
    here = world()
    order = here.paid_order(9900)
    here.channel.done[order.id] = 9900
    seen(here, order, None, status=SHUT)

    here.carried_out(here.refunds(order)[0])

    assert here.row(order.id).standing is OrderStanding.REFUNDED
    assert here.balance().available == 0
    here.adds_up()


def test_a_refund_that_the_channel_does_not_know_is_given_up_and_nothing_is_booked():
    here = world()
    order = here.paid_order(9900)
    seen(here, order)
    [refund] = here.refunds(order)

    for _ in range(6):
        row = here.carried_out(refund)
        here.clock.moment = row.due_at or here.clock.moment

    assert row.state is RefundState.FAILED
    assert here.channel.calls == ["query_refund"] * 6
    assert here.balance().available == 9900
    here.adds_up()


def test_a_refund_of_ours_is_no_news():
    here = world()
    order = here.paid_order(9900)
    refund = here.carried_out(here.approved(here.refund(order, 3000)))

    seen(here, order, refund.id)

    assert here.refunds(order) == [refund]
    assert "order.refund_seen" not in here.news(order)


def test_a_refund_from_the_console_waits_while_ours_leave_it_no_room():
    here = world()
    order = here.paid_order(9900)
    mine = here.refund(order, 9000)
    here.channel.done["console-1"] = 3000
    seen(here, order)
    console = next(each for each in here.refunds(order) if each.id == "console-1")

    assert here.carried_out(console).state is RefundState.UNKNOWN
    here.adds_up()
    refunds.reject(here.ports, OPERATOR, order.id, mine.id, RejectRefund(reason="no"))
    here.clock.pass_(hours=1)

    assert here.carried_out(console).state is RefundState.SUCCEEDED
    here.adds_up()


def test_a_refund_from_the_console_of_a_second_payment_touches_no_balance():
    here = world()
    order = here.paid_order(9900)
    here.notify(order, trade_no="T2")
    here.channel.done["console-1"] = 9900
    seen(here, order, trade_no="T2", status=SHUT)
    console = next(each for each in here.refunds(order) if each.id == "console-1")

    done = here.carried_out(console)

    assert (done.state, done.booked) == (RefundState.SUCCEEDED, False)
    assert here.balance().available == 9900
    here.adds_up()


def test_a_refund_is_due_in_the_index_until_it_ends():
    here = world()
    order = here.paid_order()
    refund = here.approved(here.refund(order))

    assert items.encode(refund)[1]["due"].startswith("refund#")
    assert refund.due_at == here.clock.now()
    assert "due_at" not in items.encode(here.carried_out(refund))[1]
    assert paid(order) == event(order).trade
    assert here.clock.now() - refund.created_at == timedelta(0)

"""Tests of refunds: money leaves once, comes back once, and an unknown answer is never a no."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.fixtures.money import ALICE, BOB, OPERATOR, RacedStore, with_store, world
from tests.fixtures.waiting import gate
from wharfage.domain.errors import (
    InsufficientFunds,
    KeyReused,
    NotFound,
    NotRefundable,
    StateConflict,
    Unavailable,
)
from wharfage.domain.order import OrderStanding
from wharfage.domain.refund import RefundState
from wharfage.domain.trade import TradeStatus
from wharfage.operations import ledger, refunds
from wharfage.operations.ledger import Adjustment
from wharfage.operations.refunds import AskRefund, RejectRefund


def spend(here, amount_fen):
    body = Adjustment(
        account=ALICE.account, amount_fen=-amount_fen, reason="spent", reference="spent"
    )
    ledger.adjust(here.ports, OPERATOR, body)


def terms(here, **changes):
    here.ports = replace(here.ports, terms=replace(here.ports.terms, **changes))


# Asked for.


def test_a_refund_takes_its_money_from_the_balance_when_it_is_asked_for():
    here = world()
    order = here.paid_order(9900)

    refund = here.refund(order, 3000)

    assert (refund.state, refund.amount_fen, refund.due_at) == (RefundState.REQUESTED, 3000, None)
    assert here.balance().available == 6900
    [move] = [entry for entry in here.entries() if entry.code == "refund"]
    assert (move.reference, move.amount_fen) == (f"{order.id}.{refund.id}", -3000)
    assert (move.debit, move.credit) == (ALICE.account, "clearing:alipay")
    after = here.row(order.id)
    assert (after.refundable_fen, after.refunded_fen) == (6900, 0)
    assert after.standing is OrderStanding.REFUNDING
    assert here.channel.calls == []
    here.adds_up()


def test_without_an_amount_all_that_is_left_goes_back():
    here = world()
    order = here.paid_order(9900)
    here.refund(order, 3000)

    assert here.refund(order).amount_fen == 6900
    here.adds_up()


@pytest.mark.parametrize(("amount_fen", "taken"), [(9899, True), (9900, True), (9901, False)])
def test_no_more_than_was_paid_goes_back(amount_fen, taken):
    here = world()
    order = here.paid_order(9900)

    if taken:
        assert here.refund(order, amount_fen).amount_fen == amount_fen
        return
    with pytest.raises(NotRefundable) as refusal:
        here.refund(order, amount_fen)

    assert refusal.value.refundable_fen == 9900
    assert here.balance().available == 9900


def test_what_was_spent_is_not_refunded():
    here = world()
    order = here.paid_order(9900)
    spend(here, 9000)

    with pytest.raises(InsufficientFunds) as refusal:
        here.refund(order, 901)

    assert (refusal.value.required_fen, refusal.value.available_fen) == (901, 900)
    assert here.row(order.id).refundable_fen == 9900
    assert here.refunds(order) == []
    assert here.refund(order, 900).amount_fen == 900


def test_by_a_setting_what_was_spent_is_owed():
    here = world()
    terms(here, refund_into_debt=True)
    order = here.paid_order(9900)
    spend(here, 9000)

    refund = here.refund(order, 1000)

    assert (here.balance().available, here.balance().debt) == (0, 100)
    here.adds_up()
    refunds.reject(here.ports, OPERATOR, order.id, refund.id, RejectRefund(reason="no"))
    assert (here.balance().available, here.balance().debt) == (900, 0)
    here.adds_up()


def test_the_same_key_asks_once_and_another_body_under_it_is_refused():
    here = world()
    order = here.paid_order(9900)

    first, again = here.refund(order, 3000, key="k"), here.refund(order, 3000, key="k")

    assert first == again
    assert here.balance().available == 6900
    with pytest.raises(KeyReused):
        here.refund(order, 3001, key="k")


def test_the_same_key_asks_once_when_it_took_all_that_there_was():
    here = world()
    order = here.paid_order(9900)

    assert here.refund(order, key="k") == here.refund(order, key="k")

    assert len(here.refunds(order)) == 1
    with pytest.raises(NotRefundable):
        here.refund(order, key="another")
    with pytest.raises(KeyReused):
        here.refund(order, 3000, key="k")


def test_an_order_of_somebody_else_cannot_be_told_from_none():
    here = world()
    order = here.paid_order()

    for number in (order.id, "ord_none"):
        with pytest.raises(NotFound):
            refunds.ask(here.ports, BOB, number, AskRefund(), key=None)
        with pytest.raises(NotFound):
            refunds.find_all(here.ports, BOB, number, after=None, limit=10)


def test_an_order_that_is_not_paid_or_finished_is_not_refunded():
    here = world()
    unpaid = here.order()
    finished = here.paid_order()
    here.notify(finished, status=TradeStatus.FINISHED)

    for order in (unpaid, finished):
        with pytest.raises(NotRefundable):
            here.refund(order)


def test_an_order_that_finishes_meanwhile_is_not_refunded():
    here = world()
    order = here.paid_order()
    finish = lambda: here.notify(order, status=TradeStatus.FINISHED)  # noqa: E731
    ports = with_store(here, RacedStore(here.ports.store, finish))

    with pytest.raises(NotRefundable):
        refunds.ask(ports, ALICE, order.id, AskRefund(), key=None)

    assert here.balance().available == 9900


def test_what_another_refund_takes_meanwhile_is_not_refunded_as_well():
    here = world()
    order = here.paid_order(9900)
    here.paid_order(9900)  # So that the balance alone refuses nothing.
    ports = with_store(here, RacedStore(here.ports.store, lambda: here.refund(order)))

    with pytest.raises(NotRefundable):
        refunds.ask(ports, ALICE, order.id, AskRefund(), key=None)

    assert here.row(order.id).refundable_fen == 0
    here.adds_up()


@pytest.mark.parametrize("durable", [False, True])
def test_of_twenty_refunds_at_once_exactly_three_fit(store_in_file, durable):
    here = world(store_in_file if durable else None)
    order = here.paid_order(9900)
    start = gate(20)

    def ask() -> bool:
        start.wait()
        while True:
            try:
                here.refund(order, 3000)
            except NotRefundable:
                return False
            except Unavailable:
                continue
            return True

    with ThreadPoolExecutor(20) as pool:
        taken = [each.result() for each in [pool.submit(ask) for _ in range(20)]]

    assert sum(taken) == 3
    assert (here.balance().available, here.row(order.id).refundable_fen) == (900, 900)
    assert len(here.refunds(order)) == 3
    here.adds_up()


# Decided on.


def test_what_waits_is_listed_until_it_is_decided_on():
    here = world()
    order = here.paid_order()
    first, second = here.refund(order, 100), here.refund(order, 200)

    waiting = refunds.in_state(here.ports, RefundState.REQUESTED, after=None, limit=10)
    assert {each.id for each in waiting.items} == {first.id, second.id}
    here.approved(first)

    waiting = refunds.in_state(here.ports, RefundState.REQUESTED, after=None, limit=10)
    assert [each.id for each in waiting.items] == [second.id]


def test_a_rejected_refund_gives_its_money_back_once():
    here = world()
    order = here.paid_order(9900)
    refund = here.refund(order, 3000)

    for _ in range(2):
        body = RejectRefund(reason="spent on work")
        view = refunds.reject(here.ports, OPERATOR, order.id, refund.id, body)

    assert (view.state, view.failure) == (RefundState.REJECTED, "spent on work")
    assert here.balance().available == 9900
    assert here.row(order.id).standing is OrderStanding.PAID
    assert here.news(order).count("refund.rejected") == 1
    here.adds_up()
    with pytest.raises(StateConflict):
        here.approved(refund)


def test_an_approved_refund_is_not_rejected_and_approved_once():
    here = world()
    order = here.paid_order()
    refund = here.refund(order)

    assert here.approved(refund) == here.approved(refund)

    with pytest.raises(StateConflict):
        refunds.reject(here.ports, OPERATOR, order.id, refund.id, RejectRefund(reason="late"))
    assert here.news(order).count("refund.approved") == 1


def test_there_is_no_refund_of_another_order():
    here = world()
    refund = here.refund(here.paid_order())

    with pytest.raises(NotFound):
        refunds.approve(here.ports, OPERATOR, here.order().id, refund.id)

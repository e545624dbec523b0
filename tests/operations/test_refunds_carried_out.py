"""Tests of refunds at their channel: an unknown answer is never a no, and a no comes once."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.fixtures.money import world
from tests.fixtures.waiting import gate
from wharfage.domain.errors import (
    NotRefundable,
    StateConflict,
)
from wharfage.domain.order import OrderStanding
from wharfage.domain.refund import RefundState, RefundStatus, RefundView
from wharfage.domain.trade import TradeStatus
from wharfage.operations import refunds

UNKNOWN = RefundView(status=RefundStatus.UNKNOWN)
NOT_FOUND = RefundView(status=RefundStatus.NOT_FOUND)
PENDING = RefundView(status=RefundStatus.PENDING)
FAILED = RefundView(status=RefundStatus.FAILED, reason="ACQ.TRADE_HAS_FINISHED")
SUCCEEDED, SHUT = RefundView(status=RefundStatus.SUCCEEDED), TradeStatus.CLOSED


def test_an_approved_refund_succeeds_and_moves_nothing_more():
    here = world()
    order = here.paid_order(9900)
    refund = here.approved(here.refund(order, 3000))

    done = here.carried_out(refund)

    assert (done.state, done.due_at) == (RefundState.SUCCEEDED, None)
    assert here.channel.done == {refund.id: 3000}
    assert here.balance().available == 6900
    after = here.row(order.id)
    assert (after.refundable_fen, after.refunded_fen) == (6900, 3000)
    assert after.standing is OrderStanding.PART_REFUNDED
    here.adds_up()


def test_an_order_given_back_whole_is_refunded():
    here = world()
    order = here.paid_order()

    here.carried_out(here.approved(here.refund(order)))

    assert here.row(order.id).standing is OrderStanding.REFUNDED
    with pytest.raises(NotRefundable):
        here.refund(order)


def test_a_refused_refund_gives_its_money_back_once():
    here = world()
    order = here.paid_order(9900)
    refund = here.approved(here.refund(order, 3000))
    here.channel.refunds[refund.id] = [FAILED]

    failed = here.carried_out(refund)

    assert (failed.state, failed.failure) == (RefundState.FAILED, FAILED.reason)
    assert here.balance().available == 9900
    assert here.row(order.id).refundable_fen == 9900
    here.carried_out(refund)
    assert [str(each.code) for each in here.entries()].count("refund_reversal") == 1
    here.adds_up()


def test_an_unanswered_refund_is_asked_about_and_never_before_ten_seconds():
    here = world()
    order = here.paid_order()
    refund = here.approved(here.refund(order))
    here.channel.refunds[refund.id] = [UNKNOWN, SUCCEEDED]

    assert here.carried_out(refund).state is RefundState.UNKNOWN
    here.clock.pass_(seconds=9.999)
    assert here.carried_out(refund).state is RefundState.UNKNOWN
    assert here.channel.calls == ["refund"]
    here.clock.pass_(seconds=0.001)

    assert here.carried_out(refund).state is RefundState.SUCCEEDED
    assert here.channel.calls == ["refund", "query_refund"]
    here.adds_up()


def test_what_the_channel_never_saw_is_called_again_with_the_same_number():
    here = world()
    order = here.paid_order(9900)
    refund = here.approved(here.refund(order, 3000))
    here.channel.refunds[refund.id] = [UNKNOWN, NOT_FOUND]

    here.carried_out(refund)
    here.clock.pass_(seconds=10)
    here.carried_out(refund)
    done = here.carried_out(refund)

    assert here.channel.calls == ["refund", "query_refund", "refund"]
    assert done.state is RefundState.SUCCEEDED
    assert here.channel.done == {refund.id: 3000}


def test_a_call_that_was_cut_short_is_asked_about_before_it_is_repeated(monkeypatch):
    here = world()
    order = here.paid_order(9900)
    refund = here.approved(here.refund(order, 3000))

    def cut(order, refund):
        here.channel.done[refund.id] = refund.amount_fen  # Carried out, and we died.
        raise RuntimeError

    monkeypatch.setattr(here.channel, "refund", cut)
    with pytest.raises(RuntimeError):
        here.carried_out(refund)
    assert here.refund_row(order, refund.id).state is RefundState.UNKNOWN
    here.clock.pass_(seconds=30)

    assert here.carried_out(refund).state is RefundState.SUCCEEDED
    here.adds_up()


def test_a_refusal_of_a_repeat_is_not_believed_before_the_channel_knows_of_no_refund():
    here = world()
    order = here.paid_order(9900)
    refund = here.approved(here.refund(order, 3000))
    here.channel.refunds[refund.id] = [UNKNOWN, NOT_FOUND, FAILED, SUCCEEDED]

    here.carried_out(refund)
    here.clock.pass_(seconds=10)
    here.carried_out(refund)
    assert here.carried_out(refund).state is RefundState.UNKNOWN
    here.clock.pass_(seconds=20)

    assert here.carried_out(refund).state is RefundState.SUCCEEDED
    assert here.balance().available == 6900
    here.adds_up()


def test_a_refused_repeat_that_the_channel_knows_nothing_of_has_failed():
    here = world()
    order = here.paid_order(9900)
    refund = here.approved(here.refund(order, 3000))
    here.channel.refunds[refund.id] = [UNKNOWN, NOT_FOUND, FAILED, NOT_FOUND]

    here.carried_out(refund)
    here.clock.pass_(seconds=10)
    here.carried_out(refund)
    here.carried_out(refund)
    here.clock.pass_(seconds=20)

    assert here.carried_out(refund).state is RefundState.FAILED
    assert here.balance().available == 9900
    here.adds_up()


def test_a_channel_that_works_on_it_is_asked_until_it_is_done():
    here = world()
    order = here.paid_order()
    refund = here.approved(here.refund(order))
    here.channel.refunds[refund.id] = [PENDING, PENDING, SUCCEEDED]

    assert here.carried_out(refund).state is RefundState.SUBMITTED
    here.clock.pass_(seconds=10)
    assert here.carried_out(refund).state is RefundState.SUBMITTED
    here.clock.pass_(seconds=20)

    assert here.carried_out(refund).state is RefundState.SUCCEEDED


def test_what_stays_unknown_is_asked_less_often_alarmed_and_never_failed(caplog):
    here = world()
    order = here.paid_order()
    refund = here.approved(here.refund(order))
    here.channel.refunds[refund.id] = [UNKNOWN] * 20
    waits = []

    for _ in range(15):
        row = here.carried_out(refund)
        assert row.state is RefundState.UNKNOWN
        assert row.due_at is not None
        waits.append((row.due_at - here.clock.now()).total_seconds())
        here.clock.moment = row.due_at

    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (10, 3600)
    assert any("refund.stuck" in each.message for each in caplog.records)
    assert here.balance().available == 0


def test_another_amount_than_ours_is_no_success():
    here = world()
    order = here.paid_order(9900)
    refund = here.approved(here.refund(order, 3000))
    here.channel.refunds[refund.id] = [
        replace(SUCCEEDED, amount_fen=2999), replace(SUCCEEDED, amount_fen=2999)
    ]  # fmt: skip

    here.carried_out(refund)
    here.clock.pass_(seconds=10)

    assert here.carried_out(refund).state is RefundState.UNKNOWN


def test_two_sweepers_at_once_call_once(store_in_file):
    here = world(store_in_file)
    order = here.paid_order()
    refund = here.approved(here.refund(order))
    start = gate(8)

    def sweep() -> None:
        start.wait()
        try:
            refunds.sweep_refund(here.ports, refund)
        except StateConflict:
            return

    with ThreadPoolExecutor(8) as pool:
        for each in [pool.submit(sweep) for _ in range(8)]:
            each.result()

    assert here.channel.calls == ["refund"]
    assert here.refund_row(order, refund.id).state is RefundState.SUCCEEDED
    here.adds_up()

"""Rows held against our books: what agrees, each thing that does not, and what is mended."""

from datetime import timedelta

import pytest

from tests.fixtures.bills import (
    DAY,
    breaks_of,
    enlist,
    look,
    next_morning,
    paid_orders,
    publish,
    row,
    run_of,
    told,
)
from tests.fixtures.money import (
    ALICE,
    paid,
    world,
)
from wharfage import schema
from wharfage.domain.bill import Claim, FeeTerms, RowKind
from wharfage.domain.order import OrderState
from wharfage.domain.reconciliation import LEDGER
from wharfage.domain.refund import RefundStatus, RefundView
from wharfage.domain.trade import TradeStatus, TradeView
from wharfage.transaction import Delete, Update, present

NEXT = DAY + timedelta(days=1)


@pytest.fixture
def here():
    return world()


def test_a_payment_that_no_notify_told_of_is_asked_for_and_credited(here):
    order = here.order(1000)
    here.channel.trades[order.id] = paid(order)
    publish(here, row(order))
    next_morning(here)

    standing = look(here)

    assert here.row(order.id).state is OrderState.PAID
    assert here.balance().available == 1000
    assert told(here) == [("missing_here", "mended", order.id)]
    assert standing.open_breaks == 0


def test_a_payment_that_the_channel_does_not_answer_for_stays_open_until_it_does(here):
    order = here.order(1000)
    here.channel.trades[order.id] = TradeView(status=TradeStatus.UNKNOWN)
    publish(here, row(order))
    next_morning(here)
    assert look(here).open_breaks == 1
    assert here.balance().available == 0

    here.channel.trades[order.id] = paid(order)
    here.clock.pass_(days=1)
    standing = look(here)

    assert here.balance().available == 1000
    assert run_of(here).round == 2
    assert told(here) == [("missing_here", "mended", order.id)]
    assert standing.open_breaks == 0


def test_a_payment_that_the_bill_does_not_have_is_missing_there(here):
    first, second = paid_orders(here, 2)
    publish(here, row(first))
    next_morning(here)

    assert look(here).open_breaks == 1

    [found] = breaks_of(here)
    assert (found.type, found.order, found.ours_fen) == ("missing_there", second.id, 1001)
    assert run_of(here).due_at is not None


@pytest.mark.parametrize("bill_of", [0, 1])
def test_what_is_recorded_around_midnight_may_be_on_either_days_bill(here, bill_of):
    """23:55 in China, by our clock; the channel's may be on either side of midnight."""
    here.clock.pass_(hours=11, minutes=55)
    [order] = paid_orders(here, 1)
    days = [DAY, NEXT]
    for at, day in enumerate(days):
        publish(here, *([row(order)] if at == bill_of else []), day=day)
    for day in days:
        next_morning(here, day)
        look(here)

    assert told(here) == told(here, day=NEXT) == []
    assert [run_of(here, day=day).ours for day in days] == [0, 1]


@pytest.mark.parametrize("minutes", [-1, 1])
def test_what_no_bill_has_is_a_break_after_the_second_at_latest(here, minutes):
    here.clock.pass_(hours=12, minutes=minutes)
    [order] = paid_orders(here, 1)
    for day in (DAY, NEXT):
        publish(here, day=day)
        next_morning(here, day)
        look(here)

    assert told(here) == []
    assert told(here, day=NEXT) == [("missing_there", "open", order.id)]


def test_a_payment_found_a_day_late_is_on_the_bill_of_its_own_day(here):
    order = here.order(1000)
    publish(here, row(order))
    here.channel.trades[order.id] = paid(order)
    next_morning(here)
    look(here)  # Which records it, on the next day.
    publish(here, day=NEXT)
    next_morning(here, NEXT)

    look(here)

    assert told(here, day=NEXT) == []


def test_each_other_disagreement_is_a_break_of_its_type(here):
    enlist(here, ALICE)
    extra, altered, doubled, status, ledger, dear = paid_orders(here, 6)
    store = here.ports.store
    store.commit(Update(schema.ORDER.key(id=status.id), set={"state": "open"}, when=[present()]))
    entry = schema.ENTRY.key(account=ALICE.account, code="topup", reference=ledger.id)
    store.commit(Delete(entry))
    publish(
        here,
        row(extra, order="ord_of_somebody_else"), row(extra),
        row(altered, amount_fen=1), row(doubled), row(doubled),
        row(status), row(ledger), row(dear, fee_fen=500),
        fee_terms=FeeTerms(basis_points=60),
        claims=(Claim(name="payments_received", stated_fen=1, counted_fen=2),),
    )  # fmt: skip
    next_morning(here)

    standing = look(here)

    assert told(here) == [
        ("amount", "open", altered.id),
        ("duplicate", "open", doubled.id),
        ("fee", "open", dear.id),
        ("ledger", "open", ledger.id),
        ("status", "open", status.id),
        ("total", "open", ""),
        ("unknown_order", "open", "ord_of_somebody_else"),
    ]
    # The entry that is gone is missed by its account's replay, too.
    assert told(here, LEDGER) == [("ledger", "open", ALICE.account)]
    assert standing.open_breaks == 8


def test_a_row_on_two_days_bills_is_a_duplicate_of_the_later_one(here):
    [order] = paid_orders(here, 1)
    for day in (DAY, NEXT):
        publish(here, row(order), day=day)
        next_morning(here, day)
        look(here)

    assert told(here) == []
    assert told(here, day=NEXT) == [("duplicate", "open", order.id)]


def test_what_is_missing_here_and_there_twice_is_mended_and_stays_a_duplicate(here):
    order = here.order(1000)
    here.channel.trades[order.id] = paid(order)
    publish(here, row(order), row(order))
    next_morning(here)

    look(here)

    assert here.balance().available == 1000
    assert told(here) == [
        ("duplicate", "open", order.id), ("missing_here", "mended", order.id),
    ]  # fmt: skip


def refunded(here, **made):
    """Pay an order, refund a part of it, and give the rows of both."""
    order = here.paid_order(1000)
    refund = here.approved(here.refund(order, 300))
    for name, view in made.items():
        here.channel.refunds[refund.id] = [view]
        assert name == "answer"
    return order, here.carried_out(refund), refund_row(order, refund.id, 300)


def refund_row(order, number: str, amount_fen: int):
    return row(order, kind=RowKind.REFUND, refund=number, amount_fen=amount_fen)


def test_a_refund_that_agrees_is_no_break(here):
    order, refund, back = refunded(here)
    publish(here, row(order), back)
    next_morning(here)

    look(here)

    assert refund.state == "succeeded"
    assert told(here) == []
    assert (run_of(here).refunds, run_of(here).refunds_fen, run_of(here).ours) == (1, 300, 2)


def test_a_refund_that_the_bill_does_not_have_is_missing_there(here):
    order, refund, _ = refunded(here)
    publish(here, row(order))
    next_morning(here)

    look(here)

    [found] = breaks_of(here)
    assert (found.type, found.kind, found.number) == ("missing_there", "refund", refund.id)
    assert found.ours_fen == 300


def test_a_refund_whose_answer_was_lost_is_asked_for(here):
    order, refund, back = refunded(here, answer=RefundView(status=RefundStatus.UNKNOWN))
    here.channel.done[refund.id] = 300
    publish(here, row(order), back)
    next_morning(here)

    look(here)

    assert refund.state == "unknown"
    assert here.refund_row(order, refund.id).state == "succeeded"
    assert told(here) == [("status", "mended", order.id)]


@pytest.mark.parametrize(("amount_fen", "type_"), [(299, "amount"), (301, "amount")])
def test_a_refund_of_another_amount_is_a_break(here, amount_fen, type_):
    order, refund, _ = refunded(here)
    publish(here, row(order), refund_row(order, refund.id, amount_fen))
    next_morning(here)

    look(here)

    assert told(here) == [(type_, "open", order.id)]


def test_a_refund_without_its_move_on_the_ledger_is_a_break(here):
    order, refund, back = refunded(here)
    here.ports.store.commit(
        Delete(
            schema.ENTRY.key(account=ALICE.account, code="refund", reference=refund.entry_reference)
        )
    )
    publish(here, row(order), back)
    next_morning(here)

    look(here)

    assert told(here) == [("ledger", "open", order.id)]


def test_a_refund_of_the_console_is_found_and_booked(here):
    order = here.paid_order(1000)
    here.channel.done["console_1"] = 300
    publish(here, row(order), refund_row(order, "console_1", 300))
    next_morning(here)

    look(here)

    assert told(here) == [("missing_here", "mended", order.id)]
    assert here.balance().available == 700
    assert [entry.code for entry in here.entries()] == ["refund", "topup"]


@pytest.mark.parametrize("number", ["console_1", ""])
def test_a_refund_that_the_channel_does_not_know_either_stays_missing_here(here, number):
    order = here.paid_order(1000)
    publish(here, row(order), refund_row(order, number, 300))
    next_morning(here)

    look(here)

    assert told(here) == [("missing_here", "open", order.id)]
    assert here.balance().available == 1000


def test_an_order_of_another_channel_is_unknown_to_this_one(here):
    [order] = paid_orders(here, 1)
    here.ports.store.commit(
        Update(schema.ORDER.key(id=order.id), set={"channel": "wechat"}, when=[present()])
    )
    publish(here, row(order), row(order, order=""), row(order, order="trade#alipay#T1"))
    next_morning(here)

    look(here)

    assert [each.type for each in breaks_of(here)] == ["unknown_order"] * 3

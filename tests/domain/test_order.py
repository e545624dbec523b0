"""Tests of orders: their numbers, when they are asked about, and what news of them does."""

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.fixtures.orders import (
    CLOSED,
    FINISHED,
    NOTIFY,
    NOW,
    OPEN,
    ORDERS,
    PAID,
    PART,
    QUERY,
    REFUNDED,
    REFUNDING,
    SHUT,
    SOON,
    SUCCESS,
    trade,
)
from wharfage.domain.order import (
    Order,
    OrderKind,
    OrderNews,
    OrderState,
    Source,
    decide,
    doubt,
    next_query,
    opened,
)
from wharfage.domain.trade import TradeStatus, TradeView


def test_an_order_waits_for_fifteen_minutes_to_a_whole_second():
    assert OPEN.expires_at == datetime(2026, 3, 1, 4, 15, tzinfo=UTC)
    assert OPEN.state is OrderState.OPEN


@pytest.mark.parametrize("number", ["ord_1a", "a" * 6, "A9_" * 10 + "zz"])
def test_a_number_that_every_channel_takes_is_taken(number):
    order = opened(
        number, account="a", kind=OrderKind.TOPUP, amount_fen=1, channel="alipay", now=NOW
    )

    assert order.id == number


@pytest.mark.parametrize(
    "number", ["", "short", "a" * 33, "ord-123", "ord 123", "ord_123\n", "订单一二三四"]
)
def test_a_number_that_some_channel_refuses_is_our_own_mistake(number):
    with pytest.raises(AssertionError):
        opened(number, account="a", kind=OrderKind.TOPUP, amount_fen=1, channel="alipay", now=NOW)


def test_a_channel_is_asked_early_then_to_close_then_hourly_then_daily():
    moments, moment = [], NOW
    while moment < NOW + timedelta(days=4):
        moment = next_query(OPEN, moment)
        moments.append(moment)

    spans = [moment - NOW for moment in moments[:3]]
    assert spans == [timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=5)]
    assert moments[3] == OPEN.expires_at + timedelta(minutes=1)
    assert moments[4] - moments[3] == timedelta(hours=1)
    assert sum(moment <= NOW + timedelta(hours=26) for moment in moments[4:]) == 25
    assert moments[-1] - moments[-2] == timedelta(days=1)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=800)))
def test_an_open_order_is_always_asked_about_later(span):
    assert next_query(OPEN, NOW + span) > NOW + span


@pytest.mark.parametrize(("seconds", "overdue"), [(59.999, False), (60, True), (61, True)])
def test_an_order_is_overdue_a_minute_after_it_expired(seconds, overdue):
    assert OPEN.overdue(OPEN.expires_at + timedelta(seconds=seconds)) is overdue
    assert not PAID.overdue(OPEN.expires_at + timedelta(days=9))


@pytest.mark.parametrize("order", [OPEN, CLOSED])
def test_a_payment_is_written_with_its_trade_and_time(order):
    after = decide(order, trade(SUCCESS), source=NOTIFY, now=SOON).order

    assert (after.trade_no, after.paid_at) == ("T1", SOON)
    assert after.refundable
    assert after.late is (order is CLOSED)


@pytest.mark.parametrize("order", [OPEN, CLOSED])
def test_a_finished_trade_cannot_be_refunded(order):
    assert not decide(order, trade(FINISHED), source=NOTIFY, now=SOON).order.refundable


def test_a_payment_with_a_refund_is_credited_and_the_refund_looked_up_and_told():
    decision = decide(OPEN, trade(SUCCESS, refunded=True), source=NOTIFY, now=SOON)

    assert decision.credited
    assert decision.look_up == OPEN.id
    assert decision.alarm


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("status", [SUCCESS, SHUT])
@pytest.mark.parametrize("order", [PAID, REFUNDING, PART, REFUNDED])
def test_a_refund_that_is_named_is_looked_up_unless_it_is_known(order, status, source):
    view = dataclasses.replace(trade(status, refunded=True), refund_no="R1")

    decision = decide(order, view, source=source, now=SOON)

    assert (decision.look_up, decision.news) == ("R1", OrderNews.REFUND_SEEN)
    assert decision.order is order
    known = decision.knowing({"R1"})
    assert (known.look_up, known.news, known.alarm) == (None, None, False)
    assert decision.knowing({"R2"}) is decision


def test_a_payment_is_news_though_its_refund_is_known():
    decision = decide(OPEN, trade(SUCCESS, refunded=True), source=NOTIFY, now=SOON)

    known = decision.knowing({OPEN.id})

    assert (known.look_up, known.news, known.credited) == (None, OrderNews.PAID, True)


@pytest.mark.parametrize(
    ("order", "status", "back"),
    [(CLOSED, SUCCESS, True), (CLOSED, FINISHED, False), (OPEN, SUCCESS, False)],
)
def test_by_a_setting_a_late_payment_that_can_go_back_does(order, status, back):
    decision = decide(order, trade(status), source=NOTIFY, now=SOON, refund_late=True)

    assert (decision.credited, decision.give_back) == (True, back)
    assert decision.order.refundable_fen == (0 if back else 9900)


@pytest.mark.parametrize("status", [SUCCESS, FINISHED])
def test_a_payment_that_may_have_gone_back_since_is_asked_about(status):
    gone = replace(CLOSED, refund_seen=True)

    decision = decide(gone, trade(status), source=NOTIFY, now=SOON)

    assert (decision.credited, decision.order.due_at) == (False, SOON)
    assert decide(gone, trade(status), source=QUERY, now=SOON).credited


def test_another_trade_than_the_one_that_was_given_back_before_its_credit_is_credited():
    seen = decide(CLOSED, trade(SHUT, refunded=True), source=QUERY, now=SOON).order

    same = decide(seen, trade(SUCCESS), source=NOTIFY, now=SOON)
    other = decide(seen, trade(SUCCESS, trade_no="T2"), source=NOTIFY, now=SOON)
    old = decide(other.order, trade(SUCCESS), source=NOTIFY, now=SOON)

    assert (same.credited, same.order.due_at) == (False, SOON)
    assert (other.credited, other.order.trade_no) == (True, "T2")
    assert (old.order, old.duplicate) == (other.order, False)


def test_a_late_payment_of_which_a_part_went_back_is_credited_whatever_the_setting():
    view = trade(SUCCESS, refunded=True)

    decision = decide(CLOSED, view, source=NOTIFY, now=SOON, refund_late=True)

    assert (decision.credited, decision.give_back, decision.look_up) == (True, False, CLOSED.id)


@pytest.mark.parametrize(
    ("order", "standing"),
    [
        (OPEN, "open"), (CLOSED, "closed"), (PAID, "paid"), (REFUNDING, "refunding"),
        (PART, "part_refunded"), (REFUNDED, "refunded"),
        (replace(PAID, refundable_fen=0, refunded_fen=3000), "refunding"),
    ],
)  # fmt: skip
def test_a_standing_follows_from_the_amounts(order, standing):
    assert order.standing == standing


def test_a_finished_trade_is_marked_once():
    finished = replace(PAID, refundable=False)

    assert decide(finished, trade(FINISHED), source=NOTIFY, now=SOON).order is finished


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("refunded", [False, True])
@pytest.mark.parametrize("status", [SUCCESS, FINISHED])
def test_another_trade_that_paid_is_recorded_and_not_credited(status, refunded, source):
    other = trade(status, refunded=refunded, trade_no="T2")

    decision = decide(PAID, other, source=source, now=SOON)

    assert decision.duplicate
    assert decision.alarm
    assert not decision.credited
    assert decision.order.duplicates == ("T2",)
    assert decision.order.trade_no == "T1"


def test_another_trade_that_paid_is_recorded_once():
    twice = replace(PAID, duplicates=("T2",))

    decision = decide(twice, trade(SUCCESS, trade_no="T2"), source=NOTIFY, now=SOON)

    assert decision.order is twice
    assert not decision.duplicate


def test_another_trade_that_closed_is_nothing():
    assert decide(PAID, trade(SHUT, trade_no="T2"), source=NOTIFY, now=SOON).order is PAID


def test_another_trade_that_was_refunded_is_asked_about():
    other = trade(SHUT, refunded=True, trade_no="T2")

    decision = decide(PAID, other, source=NOTIFY, now=SOON)

    assert decision.order.due_at == SOON
    assert decision.alarm


def test_a_named_refund_of_another_trade_is_looked_up():
    view = dataclasses.replace(trade(SHUT, refunded=True, trade_no="T2"), refund_no="R1")

    assert decide(PAID, view, source=NOTIFY, now=SOON).look_up == "R1"


def test_a_second_payment_of_which_some_went_back_is_recorded_and_the_refund_looked_up_once():
    view = dataclasses.replace(trade(SUCCESS, refunded=True, trade_no="T2"), refund_no="R1")

    first = decide(PAID, view, source=NOTIFY, now=SOON)
    again = decide(first.order, view, source=NOTIFY, now=SOON)

    assert (first.duplicate, first.look_up) == (True, "R1")
    assert (again.duplicate, again.look_up) == (False, "R1")
    assert again.knowing({"R1"}).look_up is None


def test_the_answer_about_another_trade_is_not_asked_about_again():
    due = replace(PAID, due_at=SOON)

    decision = decide(due, trade(SHUT, refunded=True, trade_no="T2"), source=QUERY, now=SOON)

    assert decision.order.due_at is None


@pytest.mark.parametrize("order", ORDERS.values())
@pytest.mark.parametrize("amount_fen", [None, 0, 1, 9899, 9901])
def test_another_amount_is_never_credited(order, amount_fen):
    view = TradeView(status=SUCCESS, trade_no="T1", amount_fen=amount_fen)

    decision = decide(order, view, source=QUERY, now=SOON)

    assert not decision.credited
    assert decision.order.state is order.state
    assert decision.news is OrderNews.AMOUNT_DIFFERS
    assert decision.alarm


def test_a_doubt_is_asked_about_at_once_and_changes_nothing_else():
    decision = doubt(PAID, now=SOON)

    assert decision.order == replace(PAID, due_at=SOON, version=PAID.version + 1)
    assert decision.alarm


def test_a_doubt_about_what_is_due_already_writes_nothing():
    due = replace(OPEN, due_at=NOW)

    decision = doubt(due, now=SOON)

    assert decision.order is due
    assert decision.alarm


def test_only_an_open_order_is_hastened_and_once():
    hastened = OPEN.hastened(SOON)

    assert (hastened.due_at, hastened.version) == (SOON, OPEN.version + 1)
    assert hastened.hastened(SOON) is hastened
    assert PAID.hastened(SOON) is PAID


VIEWS = st.builds(
    TradeView,
    status=st.sampled_from(TradeStatus),
    trade_no=st.sampled_from(["T1", "T2"]),
    amount_fen=st.sampled_from([9900, 1]),
    refunded=st.booleans(),
)


@given(st.lists(st.tuples(VIEWS, st.sampled_from(Source)), max_size=12))
def test_whatever_the_news_and_their_order_an_order_is_credited_at_most_once(news):
    order: Order = OPEN
    credited = []

    for step, (view, source) in enumerate(news):
        decision = decide(order, view, source=source, now=NOW + timedelta(minutes=step))
        if decision.credited:
            credited.append(view)
        order = decision.order

    assert len(credited) <= 1
    assert (order.state is OrderState.PAID) == bool(credited)
    believed = [view for view, _ in news if view.status.paid and view.amount_fen == 9900]
    if any(source is QUERY for view, source in news if view in believed):
        assert credited  # Money that a query found is never left lying.

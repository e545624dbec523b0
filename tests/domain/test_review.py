"""Tests of reviews: held, decided once, or expired."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain.errors import OrderInReview, OrderNotOpen, OrderRefused, StateConflict
from wharfage.domain.order import Order, OrderKind, OrderState, opened
from wharfage.domain.review import decided, held, require_payable, state_of
from wharfage.domain.risk import ReviewState, Rule

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
APPROVED, REFUSED = ReviewState.APPROVED, ReviewState.REFUSED


def order() -> Order:
    return opened(
        "ord_000001",
        account="usr_1",
        kind=OrderKind.TOPUP,
        amount_fen=100,
        channel="alipay",
        now=NOW,
    )


def flagged() -> Order:
    return held(order(), Rule.AMOUNT, seconds=7200, now=NOW)


def test_an_order_that_nothing_flagged_has_no_review_and_is_payable():
    require_payable(order(), now=NOW)

    assert state_of(order()) is None


def test_a_held_order_cannot_be_paid_and_says_until_when_it_waits():
    with pytest.raises(OrderInReview) as refusal:
        require_payable(flagged(), now=NOW)

    assert refusal.value.rule == Rule.AMOUNT
    assert refusal.value.decided_before == NOW + 2 * HOUR


def test_nobody_is_asked_about_a_held_order_before_it_is_to_be_closed():
    assert flagged().due_at == NOW + 2 * HOUR + timedelta(minutes=1)


def test_an_approved_order_waits_for_its_payment_from_then_on():
    after = decided(flagged(), APPROVED, by="usr_op", now=NOW + HOUR)

    require_payable(after, now=NOW)
    assert after.expires_at == NOW + HOUR + timedelta(seconds=limits.ORDER_SECONDS)
    assert after.due_at == NOW + HOUR + timedelta(seconds=30)
    assert (after.state, state_of(after)) == (OrderState.OPEN, APPROVED)


def test_a_refused_order_is_closed_for_good():
    after = decided(flagged(), REFUSED, by="usr_op", now=NOW + HOUR)

    assert (after.state, after.closed_at, after.due_at) == (OrderState.CLOSED, NOW + HOUR, None)
    assert state_of(after) is REFUSED
    with pytest.raises(OrderRefused):
        require_payable(after, now=NOW)


@pytest.mark.parametrize("answer", [APPROVED, REFUSED])
def test_the_same_answer_again_changes_nothing_and_another_conflicts(answer):
    after = decided(flagged(), answer, by="usr_op", now=NOW)
    other = REFUSED if answer is APPROVED else APPROVED

    assert decided(after, answer, by="usr_two", now=NOW + HOUR) is after
    with pytest.raises(StateConflict) as refusal:
        decided(after, other, by="usr_two", now=NOW)
    assert refusal.value.state == answer


@pytest.mark.parametrize("late", [timedelta(), timedelta(seconds=1)])
def test_at_its_end_nobody_can_answer_any_more(late):
    just_before = NOW + 2 * HOUR - timedelta(milliseconds=1)
    decided(flagged(), APPROVED, by="usr_op", now=just_before)

    with pytest.raises(OrderNotOpen) as refusal:
        decided(flagged(), APPROVED, by="usr_op", now=NOW + 2 * HOUR + late)
    assert refusal.value.state == ReviewState.EXPIRED


def test_an_order_that_closed_undecided_shows_as_expired():
    closed = replace(flagged(), state=OrderState.CLOSED)

    assert state_of(closed) is ReviewState.EXPIRED
    require_payable(closed, now=NOW)  # That it is not open any more is said by the order itself.

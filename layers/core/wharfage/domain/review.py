"""Reviews: an unusual order held until the operator has looked at it, once."""

from datetime import datetime, timedelta

from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain.errors import OrderInReview, OrderNotOpen, OrderRefused, StateConflict
from wharfage.domain.order import Order, OrderState, next_query
from wharfage.domain.record import Record
from wharfage.domain.risk import Review, ReviewState, Rule


class ReviewEntry(Record, frozen=True, kw_only=True):
    """Lists a flagged order for the operator; what became of it is on the order."""

    order: str
    asked_at: datetime


def held(order: Order, rule: Rule, *, seconds: int, now: datetime) -> Order:
    """Hold a new order for review; without one it closes after so many seconds."""
    order = replace(
        order,
        review=Review(state=ReviewState.PENDING, rule=rule),
        expires_at=now.replace(microsecond=0) + timedelta(seconds=seconds),
    )
    return replace(order, due_at=next_query(order, now))


def decided(order: Order, answer: ReviewState, *, by: str, now: datetime) -> Order:
    """Decide on a flagged order; the same answer again is the same order, as it is.

    An approved one waits for its payment as long as any other, from now on.

    Raises: StateConflict (it was answered otherwise), OrderNotOpen (nobody looked in time).
    """
    assert answer in {ReviewState.APPROVED, ReviewState.REFUSED}, "an operator's answer"
    review = order.review
    assert review is not None, "an order that was flagged"
    if review.state is answer:
        return order
    if review.state is not ReviewState.PENDING:
        raise StateConflict(state=review.state)
    if order.state is not OrderState.OPEN or now >= order.expires_at:
        raise OrderNotOpen(state=ReviewState.EXPIRED)
    after = replace(
        order,
        review=replace(review, state=answer, decided_at=now, decided_by=by),
        version=order.version + 1,
    )
    if answer is ReviewState.REFUSED:
        return replace(after, state=OrderState.CLOSED, closed_at=now, due_at=None)
    expires_at = now.replace(microsecond=0) + timedelta(seconds=limits.ORDER_SECONDS)
    after = replace(after, expires_at=expires_at)
    return replace(after, due_at=next_query(after, now))


def require_payable(order: Order, *, now: datetime) -> None:
    """Refuse to have an order paid that the operator has not approved, or has refused.

    One that nobody looked at in time is no longer open, which the order itself says.

    Raises: OrderInReview, OrderRefused.
    """
    if order.review is None:
        return
    if order.review.state is ReviewState.REFUSED:
        raise OrderRefused(rule=order.review.rule)
    if state_of(order) is ReviewState.PENDING and now < order.expires_at:
        raise OrderInReview(rule=order.review.rule, decided_before=order.expires_at)


def state_of(order: Order) -> ReviewState | None:
    """Say where an order's review stands; None for an order that nothing flagged."""
    if order.review is None:
        return None
    if order.review.state is ReviewState.PENDING and order.state is not OrderState.OPEN:
        return ReviewState.EXPIRED
    return order.review.state

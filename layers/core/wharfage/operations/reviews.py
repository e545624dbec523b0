"""Reviews: the operator looks at unusual orders, and lets each be paid or not, once."""

from datetime import datetime

from wharfage import items, schema
from wharfage.domain.account import Principal
from wharfage.domain.errors import NotFound, Refused, Unavailable
from wharfage.domain.event import Event
from wharfage.domain.order import Order, OrderNews, OrderState
from wharfage.domain.record import View
from wharfage.domain.review import decided, state_of
from wharfage.domain.risk import ReviewState, Rule
from wharfage.ports import Page, Ports
from wharfage.transaction import Put, absent

_TRIES = 5  #: An order changes a handful of times in its life.
_NEWS = {ReviewState.APPROVED: OrderNews.APPROVED, ReviewState.REFUSED: OrderNews.REFUSED}


class FlaggedOrder(View, frozen=True, kw_only=True):
    """An order that the rules have flagged, as the operator sees it."""

    id: str
    account: str
    amount_fen: int
    state: OrderState
    rule: Rule
    review: ReviewState
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    version: int

    @classmethod
    def of(cls, order: Order) -> "FlaggedOrder":
        """Show a flagged order."""
        review, state = order.review, state_of(order)
        assert review is not None, "only a flagged order is listed"
        assert state is not None, "a review has a state"
        return cls(
            id=order.id,
            account=order.account,
            amount_fen=order.amount_fen,
            state=order.state,
            rule=review.rule,
            review=state,
            created_at=order.created_at,
            expires_at=order.expires_at,
            decided_at=review.decided_at,
            decided_by=review.decided_by,
            version=order.version,
        )


class _Moved(Refused):
    """The order has changed since it was read: read it and decide again."""


def find_all(ports: Ports, *, after: str | None, limit: int) -> Page[FlaggedOrder]:
    """List flagged orders, newest first, whatever became of them."""
    page = ports.store.query(schema.REVIEW, "reviews", after=after, newest_first=True, limit=limit)
    orders = ports.store.get_many([schema.ORDER.key(id=entry.order) for entry in page.items])
    return Page(tuple(FlaggedOrder.of(order) for order in orders if order is not None), page.next)


def decide(ports: Ports, who: Principal, order_id: str, answer: ReviewState) -> FlaggedOrder:
    """Answer a flagged order; the same answer again agrees, another one conflicts.

    Raises: NotFound, StateConflict, OrderNotOpen, Unavailable, Unanswered.
    """
    event_id = ports.ids.new("evt")
    for _ in range(_TRIES):
        order = ports.store.get(schema.ORDER.key(id=order_id))
        if order is None or order.review is None:
            raise NotFound(what="review")
        now = ports.clock.now()
        after = decided(order, answer, by=who.account, now=now)
        if after is order:
            return FlaggedOrder.of(order)
        event = Event(
            id=event_id,
            subject=order.id,
            account=order.account,
            kind=_NEWS[answer],
            at=now,
            actor=who.account,
            data={"rule": order.review.rule},
        )
        try:
            ports.store.commit(
                items.change(order, after, otherwise=_Moved()),
                Put(event, when=[absent()], proves=True),
            )
        except _Moved:
            continue
        return FlaggedOrder.of(after)
    raise Unavailable

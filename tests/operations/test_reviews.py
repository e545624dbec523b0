"""Tests of unusual orders: counted exactly, held, answered once, and never paid before."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.fixtures.money import ALICE, BOB, OPERATOR, RacedStore, World, with_store, world
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.account import Account, Role
from wharfage.domain.errors import (
    KeyReused,
    NotFound,
    OrderInReview,
    OrderNotOpen,
    OrderRefused,
    RateLimited,
    StateConflict,
    Unavailable,
)
from wharfage.domain.order import OrderStanding, OrderState
from wharfage.domain.risk import ReviewState, Rule, flow_of
from wharfage.domain.trade import PayMethod
from wharfage.operations import orders, reviews
from wharfage.operations.orders import OpenOrder, PayOrder
from wharfage.ports import Ports
from wharfage.transaction import Put, absent

PAGE = PayOrder(method=PayMethod.PAGE)
UNUSUAL = 200_001  #: Over what a new account pays without a look.


def flagged(here: World) -> str:
    return here.order(amount_fen=UNUSUAL).id


def with_rules(here: World, **changes) -> Ports:
    found = here.ports.terms.order_rules
    rules = type(found)(
        **{name: getattr(found, name) for name in found.__struct_fields__} | changes
    )
    return replace(here.ports, terms=replace(here.ports.terms, order_rules=rules))


def orders_bound(here: World, *, review: int, refuse: int) -> Ports:
    bound = type(here.ports.terms.order_rules.amount)(review=review, refuse=refuse)
    return with_rules(here, orders_in_window=bound)


def test_an_unusual_order_is_held_and_cannot_be_paid_until_it_is_approved():
    here = world()
    order_id = flagged(here)
    with pytest.raises(OrderInReview):
        orders.pay(here.ports, ALICE, order_id, PAGE)

    shown = reviews.decide(here.ports, OPERATOR, order_id, ReviewState.APPROVED)

    assert (shown.review, shown.decided_by) == (ReviewState.APPROVED, OPERATOR.account)
    orders.pay(here.ports, ALICE, order_id, PAGE)
    assert here.news(here.row(order_id)) == ["order.opened", "order.approved"]


def test_a_usual_order_is_paid_at_once_and_not_listed():
    here = world()
    order = here.order(amount_fen=UNUSUAL - 1)

    orders.pay(here.ports, ALICE, order.id, PAGE)

    assert orders.find(here.ports, ALICE, order.id).review is None
    assert reviews.find_all(here.ports, after=None, limit=10).items == ()
    with pytest.raises(NotFound):
        reviews.decide(here.ports, OPERATOR, order.id, ReviewState.APPROVED)


def test_an_account_of_age_orders_more_without_a_look():
    here = world()
    born = here.clock.now() - timedelta(days=2)
    here.ports.store.commit(
        Put(
            Account(
                id=ALICE.account, email="a@example.com", password_hash="-", role=Role.USER,
                epoch=1, created_at=born,
            ),
            when=[absent()],
        )
    )  # fmt: skip

    assert orders.find(here.ports, ALICE, flagged(here)).review is None


def test_an_order_beyond_all_measure_is_not_made():
    here = world()

    with pytest.raises(OrderRefused) as refusal:
        here.order(amount_fen=2_000_001)

    assert refusal.value.rule == Rule.NEW_ACCOUNT
    assert orders.find_all(here.ports, ALICE, after=None, limit=10).items == ()


def test_a_key_that_made_an_order_replays_it_though_the_rules_would_refuse_it_now():
    here = world()
    ports = orders_bound(here, review=1, refuse=1)
    body = OpenOrder(amount_fen=100)
    first = orders.open(ports, ALICE, body, key="k")
    with pytest.raises(OrderRefused):
        orders.open(ports, ALICE, body, key="other")

    again = orders.open(ports, ALICE, body, key="k")

    assert (again.value, again.replayed) == (first.value, True)
    with pytest.raises(KeyReused):
        orders.open(ports, ALICE, OpenOrder(amount_fen=101), key="k")


def test_of_many_orders_at_once_exactly_so_many_are_not_looked_at():
    here = world()
    ports = orders_bound(here, review=5, refuse=8)

    def attempt(_: int) -> str:
        while True:
            try:
                made = orders.open(ports, ALICE, OpenOrder(amount_fen=100), key=None)
            except Unavailable:
                continue
            except OrderRefused:
                return "refused"
            return "held" if made.value.review else "open"

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(attempt, range(12)))

    assert [found.count(each) for each in ("open", "held", "refused")] == [5, 3, 4]
    rules = ports.terms.order_rules
    window = flow_of(ALICE.account, rules, here.clock.now()).window
    flow: Any = here.ports.store.get(schema.FLOW.key(account=ALICE.account, window=window))
    assert (flow.orders, flow.amount_fen) == (8, 800)


def test_what_is_refused_by_the_rate_is_not_counted_by_the_rules():
    here = world()
    ports = orders_bound(here, review=100, refuse=100)
    for _ in range(limits.OPEN_ORDERS_MAX):
        orders.open(ports, ALICE, OpenOrder(amount_fen=100), key=None)
    with pytest.raises(RateLimited):
        orders.open(ports, ALICE, OpenOrder(amount_fen=100), key=None)

    window = flow_of(ALICE.account, ports.terms.order_rules, here.clock.now()).window
    flow: Any = here.ports.store.get(schema.FLOW.key(account=ALICE.account, window=window))
    assert flow.orders == limits.OPEN_ORDERS_MAX


def test_others_and_the_next_window_are_not_concerned():
    here = world()
    ports = orders_bound(here, review=1, refuse=1)
    orders.open(ports, ALICE, OpenOrder(amount_fen=100), key=None)

    orders.open(ports, BOB, OpenOrder(amount_fen=100), key=None)
    here.clock.pass_(days=1)
    orders.open(ports, ALICE, OpenOrder(amount_fen=100), key=None)


@pytest.mark.parametrize("answer", [ReviewState.APPROVED, ReviewState.REFUSED])
def test_an_answer_is_given_once_its_repeat_agrees_and_another_conflicts(answer):
    here = world()
    order_id = flagged(here)
    first = reviews.decide(here.ports, OPERATOR, order_id, answer)
    other = ({ReviewState.APPROVED, ReviewState.REFUSED} - {answer}).pop()

    assert reviews.decide(here.ports, OPERATOR, order_id, answer) == first
    with pytest.raises(StateConflict):
        reviews.decide(here.ports, OPERATOR, order_id, other)
    assert len(here.news(here.row(order_id))) == 2


def test_of_two_answers_at_once_the_first_holds():
    here = world()
    order_id = flagged(here)
    race = lambda: reviews.decide(here.ports, OPERATOR, order_id, ReviewState.REFUSED)  # noqa: E731
    raced = with_store(here, RacedStore(here.ports.store, race))

    with pytest.raises(StateConflict):
        reviews.decide(raced, OPERATOR, order_id, ReviewState.APPROVED)

    assert here.row(order_id).state is OrderState.CLOSED


def test_a_refused_order_says_so_to_its_customer():
    here = world()
    order_id = flagged(here)
    reviews.decide(here.ports, OPERATOR, order_id, ReviewState.REFUSED)

    with pytest.raises(OrderRefused):
        orders.pay(here.ports, ALICE, order_id, PAGE)


def test_nobody_looks_and_the_order_closes_by_itself():
    here = world()
    order_id = flagged(here)
    here.clock.pass_(days=1, minutes=2)
    with pytest.raises(OrderNotOpen):
        reviews.decide(here.ports, OPERATOR, order_id, ReviewState.APPROVED)
    with pytest.raises(OrderNotOpen):
        orders.pay(here.ports, ALICE, order_id, PAGE)

    here.sweep(here.row(order_id))

    shown = orders.find(here.ports, ALICE, order_id)
    assert shown.state is OrderStanding.CLOSED
    assert shown.review is not None
    assert shown.review.state is ReviewState.EXPIRED


def test_money_that_comes_for_a_held_order_all_the_same_is_credited():
    here = world()
    order = here.row(flagged(here))

    here.notify(order)

    assert here.row(order.id).state is OrderState.PAID
    assert here.balance().available == UNUSUAL


def test_flagged_orders_are_listed_page_by_page_newest_first():
    here = world()
    made = []
    for _ in range(3):
        made.append(flagged(here))
        here.clock.pass_(seconds=1)

    first = reviews.find_all(here.ports, after=None, limit=2)
    rest = reviews.find_all(here.ports, after=first.next, limit=2)

    assert [each.id for each in (*first.items, *rest.items)] == made[::-1]

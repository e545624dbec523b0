"""Tests of channels behind their breaker: what it hears, and that it stops new orders only."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import msgspec
import pytest
from msgspec.structs import replace as changed

from tests.fixtures.money import ALICE, CAPABILITIES, SELLER, HandClock, ScriptedChannel, world
from tests.fixtures.waiting import gate
from wharfage.adapters.breakers import Breakers
from wharfage.domain import limits
from wharfage.domain.errors import Invalid, Unanswered, Unavailable
from wharfage.domain.order import Order
from wharfage.domain.refund import Refund, RefundOrigin, RefundStatus, RefundView, of_order
from wharfage.domain.trade import (
    UNNAMED,
    CloseOutcome,
    NotifyRequest,
    PayAction,
    Payer,
    PayMethod,
    Reception,
    TradeEvent,
    TradeStatus,
    TradeView,
)
from wharfage.operations import orders

MISSES = limits.BREAKER_MISSES
NOTHING = TradeView(status=TradeStatus.UNKNOWN)
HERE = world()
ORDER: Order = HERE.order()
REFUND: Refund = of_order(
    changed(ORDER, trade_no="T1"),
    "rfd_1",
    amount_fen=1,
    origin=RefundOrigin.CUSTOMER,
    now=ORDER.created_at,
)


class Moody(ScriptedChannel):
    """A channel that answers, refuses, or does not answer."""

    refusal: Exception | None = None

    @property
    def away(self) -> bool:
        return isinstance(self.refusal, Unanswered)

    def create(self, order: Order, method: PayMethod, payer: Payer = UNNAMED) -> PayAction:
        self.calls.append("create")
        if self.refusal is not None:
            raise self.refusal
        return super().create(order, method)

    def query(self, order: Order) -> TradeView:
        return NOTHING if self.away else super().query(order)

    def close(self, order: Order) -> CloseOutcome:
        return CloseOutcome.UNKNOWN if self.away else CloseOutcome.NOT_FOUND

    def refund(self, order: Order, refund: Refund) -> RefundView:
        found = super().refund(order, refund)
        return RefundView(status=RefundStatus.UNKNOWN) if self.away else found

    def query_refund(self, order: Order, refund: Refund) -> RefundView:
        found = super().query_refund(order, refund)
        return RefundView(status=RefundStatus.UNKNOWN) if self.away else found


class Guard:
    """A channel behind its breaker."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.breakers = Breakers(self.clock)
        self.far = Moody()
        self.near = self.breakers.around(self.far)

    @property
    def rest(self) -> int:
        return self.breakers.rest_seconds("alipay")

    def open(self) -> "Guard":
        """Have it not answer until its breaker is open."""
        self.far.refusal = Unanswered()
        for _ in range(MISSES):
            self.near.query(ORDER)
        assert self.rest == limits.BREAKER_OPEN_SECONDS
        return self


CALLS: dict[str, Callable[[Guard], object]] = {
    "query": lambda guard: guard.near.query(ORDER),
    "close": lambda guard: guard.near.close(ORDER),
    "refund": lambda guard: guard.near.refund(ORDER, REFUND),
    "query_refund": lambda guard: guard.near.query_refund(ORDER, REFUND),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_every_kind_of_call_without_an_answer_counts_and_one_with_an_answer_closes(call):
    guard = Guard()
    guard.far.refusal = Unanswered()

    for _ in range(MISSES - 1):
        call(guard)
    assert guard.rest == 0
    call(guard)
    assert guard.rest == limits.BREAKER_OPEN_SECONDS

    guard.far.refusal = None
    call(guard)
    assert guard.rest == 0


def test_new_orders_that_are_not_answered_count_and_refusals_do_not():
    guard = Guard()
    for refusal in (Unavailable(), Invalid()):
        guard.far.refusal = refusal
        for _ in range(2 * MISSES):
            with pytest.raises(type(refusal)):
                guard.near.create(ORDER, PayMethod.QR)
        assert guard.rest == 0

    guard.far.refusal = Unanswered()
    for _ in range(MISSES):
        with pytest.raises(Unanswered):
            guard.near.create(ORDER, PayMethod.QR)
    assert guard.rest == limits.BREAKER_OPEN_SECONDS


def test_while_it_is_open_a_new_order_is_refused_at_once_with_the_time_to_wait():
    guard = Guard().open()
    guard.clock.pass_(seconds=10)

    with pytest.raises(Unavailable) as refused:
        guard.near.create(ORDER, PayMethod.QR)

    assert refused.value.retry_after_seconds == limits.BREAKER_OPEN_SECONDS - 10
    assert "create" not in guard.far.calls


def test_while_it_is_open_money_in_doubt_is_asked_about_and_notifies_are_read():
    guard = Guard().open()
    guard.far.calls.clear()

    for call in (CALLS["refund"], CALLS["query_refund"]):
        call(guard)
    assert guard.far.calls == ["refund", "query_refund"]

    asked: list[str] = []
    guard.far.on_query = lambda order: asked.append(order.id)
    guard.far.refusal = None
    guard.near.query(ORDER)
    assert asked == [ORDER.id]


def test_while_it_is_open_notifies_are_read_and_acknowledged():
    guard = Guard().open()
    told = TradeEvent(channel="alipay", order=ORDER.id, seller=SELLER, trade=NOTHING)
    request = NotifyRequest(method="POST", content_type="", body=msgspec.json.encode(told))

    assert guard.near.parse_notify(request) == told
    assert guard.near.acknowledge(Reception.ACCEPTED).status == 200


def test_half_open_one_order_is_let_through_of_many_at_once():
    guard = Guard().open()
    guard.clock.pass_(seconds=limits.BREAKER_OPEN_SECONDS)
    start, tried = gate(8), []

    def trial(number: int) -> bool:
        start.wait()
        try:
            guard.breakers.take("alipay")
        except Unavailable:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        tried = list(pool.map(trial, range(8)))

    assert sum(tried) == 1


def test_a_trial_that_is_answered_lets_all_through_again():
    guard = Guard().open()
    guard.clock.pass_(seconds=limits.BREAKER_OPEN_SECONDS)
    guard.far.refusal = None

    guard.near.create(ORDER, PayMethod.QR)

    assert guard.rest == 0


def test_a_way_that_is_made_without_a_call_proves_nothing():
    guard = Guard()
    guard.far.capabilities = replace(CAPABILITIES, offline=frozenset({PayMethod.PAGE}))
    guard.open()
    guard.far.refusal = None
    guard.clock.pass_(seconds=limits.BREAKER_OPEN_SECONDS)

    guard.near.create(ORDER, PayMethod.PAGE)

    assert guard.rest == limits.BREAKER_TRIAL_SECONDS


def test_what_a_channel_says_of_an_order_that_it_cannot_have_been_asked_about_proves_nothing():
    guard = Guard()
    guard.far.capabilities = replace(CAPABILITIES, references=True)
    named = changed(ORDER, reference="cs_1")
    guard.far.refusal = Unanswered()
    for _ in range(MISSES):
        guard.near.query(named)
    guard.far.refusal = None

    guard.near.query(ORDER)
    assert guard.rest > 0

    guard.near.query(named)
    assert guard.rest == 0


def test_each_channel_has_a_breaker_of_its_own():
    guard = Guard().open()

    assert guard.breakers.rest_seconds("wechat") == 0


def test_it_speaks_for_its_channel():
    guard = Guard()

    assert (guard.near.name, guard.near.seller) == (guard.far.name, guard.far.seller)
    assert guard.near.capabilities is guard.far.capabilities
    assert guard.near.fetch_bill(ORDER.created_at.date()).rows == ()


def test_paying_an_open_order_of_a_channel_that_rests_is_refused_with_the_time():
    here, guard = world(), Guard().open()
    here.ports = replace(here.ports, channels={"alipay": guard.far}, breakers=Breakers(here.clock))
    order = here.order()
    here.ports = replace(here.ports, channels={"alipay": guard.near}, breakers=guard.breakers)

    with pytest.raises(Unavailable) as refused:
        orders.pay(here.ports, ALICE, order.id, orders.PayOrder(method=PayMethod.QR))

    assert refused.value.retry_after_seconds == limits.BREAKER_OPEN_SECONDS

"""One suite for every channel's notifies: each adapter against its stand-in, by real signatures."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from msgspec.structs import replace as changed

from tests.fixtures.channels import counter, settled
from tests.fixtures.money import ALICE, World
from tests.fixtures.waiting import gate
from wharfage import items, schema
from wharfage.domain.errors import NotifyRefused, Refused, Unanswered, Unavailable
from wharfage.domain.order import Order, OrderKind, OrderState
from wharfage.domain.refund import RefundStatus
from wharfage.domain.trade import NotifyStep, Reception
from wharfage.operations import notifies, orders
from wharfage.operations.notifies import InspectNotify


def untouched(here: World, order: Order) -> bool:
    return here.row(order.id) == order and here.balance().available == 0 and not here.entries()


def test_a_payment_is_credited_once_however_often_it_is_told(shop):
    here = shop.world()
    order = shop.open(here)
    trade = shop.paid(order)

    for _ in range(3):
        shop.receive(here, shop.told(trade))

    after = here.row(order.id)
    assert (after.state, after.channel) == (OrderState.PAID, shop.name)
    assert here.balance().available == 9900
    [entry] = here.entries()
    assert entry.debit == f"clearing:{shop.name}"


def test_each_field_of_a_genuine_notify_changed_dropped_or_emptied_is_refused(shop):
    here = shop.world()
    order = shop.open(here)
    genuine = shop.told(shop.paid(order))

    accepted = []
    for what, spoilt in shop.damaged(genuine):
        try:
            shop.receive(here, spoilt)
        except NotifyRefused:
            continue
        accepted.append(what)

    assert accepted == []
    assert untouched(here, order)
    shop.receive(here, genuine)
    assert here.balance().available == 9900


def test_the_inspector_reads_what_was_pasted_as_receiving_would_and_changes_nothing(shop):
    here = shop.world()
    order = shop.open(here)
    genuine = shop.told(shop.paid(order))
    pasted = InspectNotify(
        channel=shop.name, form=genuine.body.decode(), headers=dict(genuine.headers)
    )

    found = notifies.inspect(here.ports, pasted)
    spoilt = notifies.inspect(here.ports, changed(pasted, form=f"{pasted.form}x"))

    assert (found.believed, found.order, found.credited) == (True, order.id, True)
    assert not spoilt.believed
    assert spoilt.step is not None
    assert spoilt.why == notifies.WHY[spoilt.step]
    assert untouched(here, order)


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"method": "GET"}, NotifyStep.METHOD),
        ({"content_type": "text/plain"}, NotifyStep.CONTENT_TYPE),
        ({"body": b"x" * 20_000}, NotifyStep.SIZE),
    ],
)
def test_a_notify_of_another_form_is_refused(shop, change, step):
    here = shop.world()
    order = shop.open(here)
    genuine = shop.told(shop.paid(order))

    with pytest.raises(NotifyRefused) as refused:
        shop.receive(here, replace(genuine, **change))

    assert refused.value.step is step
    assert untouched(here, order)


def test_forty_of_one_notify_at_once_credit_once(shop, store_in_file):
    here = shop.world(store_in_file)
    order = shop.open(here)
    request = shop.told(shop.paid(order))
    start = gate(8)

    def post(number: int) -> None:
        if number < 8:
            start.wait()
        shop.receive(here, request)

    with ThreadPoolExecutor(8) as posting:
        list(posting.map(post, range(40)))

    assert here.balance().available == 9900
    assert len(here.entries()) == len(here.payments(order)) == 1


def test_a_month_of_membership_is_paid_like_a_top_up(shop):
    here = shop.world()
    body = orders.OpenOrder(kind=OrderKind.MEMBERSHIP, plan="basic", channel=shop.name)
    made = orders.open(here.ports, ALICE, body, key=None).value
    orders.pay(here.ports, ALICE, made.id, orders.PayOrder(method=shop.method))

    shop.receive(here, shop.told(shop.paid(here.row(made.id))))

    assert here.row(made.id).state is OrderState.PAID
    assert here.balance().available == 0


@pytest.mark.parametrize("later", [{"minutes": 11}, {"days": 1}, {"days": 400}])
def test_a_late_repeat_credits_nothing_more(shop, later):
    here, order = settled(shop)
    trade = shop.trades.find(order_no=order.id, now=0)
    here.ports = replace(here.ports, clock=Later(timedelta(**later)))

    shop.receive(here, shop.told(trade))

    assert here.balance().available == 9900
    assert here.row(order.id).state is OrderState.PAID


class Later:
    """A clock that is ahead."""

    def __init__(self, span: timedelta) -> None:
        self._span = span

    def now(self) -> datetime:
        return datetime.now(UTC) + self._span


def test_a_payment_to_somebody_else_is_refused(shop):
    here = shop.world()
    order = shop.open(here)
    trade = shop.paid(order)

    with pytest.raises(NotifyRefused) as refused:
        shop.receive(here, shop.told(trade, wrong_seller=True))

    assert refused.value.step is NotifyStep.SELLER
    assert untouched(here, order)


def test_a_wrong_amount_that_is_signed_moves_only_what_the_channel_says_when_asked(shop):
    here = shop.world()
    order = shop.open(here)
    trade = shop.paid(order)

    if shop.name == "stripe":  # Of which no notify is believed: the true amount was fetched.
        shop.receive(here, shop.told(trade, wrong_amount=True))
        assert here.balance().available == 9900
        return
    with pytest.raises(NotifyRefused) as refused:
        shop.receive(here, shop.told(trade, wrong_amount=True))
    assert refused.value.step is NotifyStep.AMOUNT
    assert untouched(here, order)


def test_a_notify_of_an_unknown_order_is_refused_and_good_once_the_order_is_there(shop):
    here, elsewhere = shop.world(), shop.world()
    order = shop.open(here)
    request = shop.told(shop.paid(order))

    with pytest.raises(NotifyRefused) as refused:
        shop.receive(elsewhere, request)

    assert refused.value.step is NotifyStep.ORDER
    shop.receive(here, request)
    assert here.balance().available == 9900


def test_a_payment_after_the_close_is_credited_as_late(shop):
    here = shop.world()
    order = shop.open(here)
    trade = shop.paid(order)
    closed = replace_order(here, order, OrderState.CLOSED)

    shop.receive(here, shop.told(trade))

    after = here.row(closed.id)
    assert (after.state, after.late) == (OrderState.PAID, True)
    assert here.balance().available == 9900


def replace_order(here: World, order: Order, state: OrderState) -> Order:
    """Close an order as the sweeper would, behind the channel's back."""
    after = changed(order, state=state, due_at=None, version=order.version + 1)
    here.ports.store.commit(items.change(order, after, otherwise=Unavailable()))
    return after


@pytest.mark.slow
def test_a_payment_and_a_cancel_at_once_lose_no_money_in_many_rounds(shop, store_in_file):
    here = shop.world(store_in_file)
    rounds = 5  # As many orders as a customer may have open in a window, and more is no other race.

    for done in range(1, rounds + 1):
        order = shop.open(here)
        trade = shop.paid(order)
        request, start = shop.told(trade), gate(2)

        def cancel(start: Barrier = start, number: str = order.id) -> None:
            start.wait()
            try:
                orders.cancel(here.ports, ALICE, number)
            except Refused:
                return

        with ThreadPoolExecutor(2) as both:
            cancelling = both.submit(cancel)
            start.wait()
            shop.receive(here, request)
            cancelling.result()

        assert here.row(order.id).state is OrderState.PAID
        assert here.balance().available == 9900 * done


def test_a_commit_that_is_throttled_is_told_again_and_credited_once(shop):
    here = shop.world()
    order = shop.open(here)
    request = shop.told(shop.paid(order))
    store = here.ports.store
    here.ports = replace(here.ports, store=Refusing(store, Unavailable()))

    with pytest.raises(Unavailable):
        shop.receive(here, request)
    here.ports = replace(here.ports, store=store)
    assert untouched(here, order)

    shop.receive(here, request)
    assert here.balance().available == 9900


def test_what_died_between_the_commit_and_the_answer_is_told_again_and_credited_once(shop):
    here = shop.world()
    order = shop.open(here)
    request = shop.told(shop.paid(order))
    store = here.ports.store
    here.ports = replace(here.ports, store=Refusing(store, Unanswered(), after=True))

    with pytest.raises(Unanswered):
        shop.receive(here, request)
    here.ports = replace(here.ports, store=store)

    shop.receive(here, request)
    assert here.balance().available == 9900
    assert len(here.entries()) == 1


class Refusing:
    """A store whose commits fail, before or after they are done."""

    def __init__(self, store, error: Refused, *, after: bool = False) -> None:
        self._store, self._error, self._after = store, error, after

    def __getattr__(self, name: str):
        return getattr(self._store, name)

    def commit(self, *actions) -> None:
        if self._after:
            self._store.commit(*actions)
        raise self._error


def test_every_reception_has_an_answer_of_the_channel(shop):
    said = {each: shop.channel.acknowledge(each) for each in Reception}

    assert said[Reception.ACCEPTED].status == 200
    assert said[Reception.REFUSED].status == 400
    assert said[Reception.FAILED].status == 500


def test_news_of_a_refund_that_is_not_ours_is_looked_up_by_its_number(shop):
    here, order = settled(shop)
    assert order.trade_no is not None
    trade = shop.trades.find(order_no=order.id, now=0)
    assert trade is not None
    shop.trades.refund(trade, "console_1", 3000, now=0)

    shop.receive(here, shop.told(trade, refund="console_1"))
    shop.receive(here, shop.told(trade, refund="console_1"))

    [seen] = here.ports.store.query(schema.REFUND, order.id, limit=10).items
    assert (seen.id, seen.channel) == ("console_1", shop.name)
    assert shop.channel.query_refund(order, seen).status is RefundStatus.SUCCEEDED


@pytest.mark.parametrize("name", ["wechat", "stripe"])
def test_a_notify_that_was_signed_too_long_ago_is_refused(name, tmp_path):
    with counter(name, tmp_path) as shop:
        here = shop.world()
        order = shop.open(here)
        request = shop.told(shop.paid(order))
        for seconds, step in ((-302, NotifyStep.STALE), (302, NotifyStep.STALE), (298, None)):
            shop.channel._clock = Later(timedelta(seconds=seconds))  # type: ignore[attr-defined]
            if step is None:
                shop.receive(here, request)
                continue
            with pytest.raises(NotifyRefused) as refused:
                shop.receive(here, request)
            assert refused.value.step is step
        assert here.balance().available == 9900

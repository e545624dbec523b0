"""Tests of payments that we ask about: by the sweeper, or because the buyer came back."""

import random
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fixtures import work
from tests.fixtures.money import ALICE, RacedStore, ScriptedChannel, paid, with_store, world
from wharfage.domain.order import OrderState
from wharfage.domain.trade import CloseOutcome, TradeStatus, TradeView
from wharfage.operations import ledger, orders, payments, sweep

SUCCESS, FINISHED, SHUT = TradeStatus.SUCCESS, TradeStatus.FINISHED, TradeStatus.CLOSED
WAITING = TradeView(status=TradeStatus.WAITING, trade_no="T1", amount_fen=9900)
UNKNOWN = TradeView(status=TradeStatus.UNKNOWN)


def test_an_unpaid_order_is_asked_about_on_schedule_then_closed():
    here = world()
    order = here.order()
    here.channel.trades[order.id] = WAITING
    asked = []

    while (due_at := here.row(order.id).due_at) is not None:
        here.clock.moment = due_at
        asked.append(due_at - order.created_at)
        here.sweep(order)

    closing = order.expires_at + timedelta(minutes=1) - order.created_at
    assert asked == [
        timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=5), closing,
    ]  # fmt: skip
    assert here.channel.calls == ["query"] * 4 + ["close"]
    assert here.row(order.id).state is OrderState.CLOSED
    assert here.balance().available == 0


def test_an_order_nobody_scanned_is_closed_without_a_close():
    here = world()
    order = here.order()
    here.clock.moment = order.expires_at + timedelta(minutes=1)

    here.sweep(order)

    assert here.channel.calls == ["query"]
    assert here.row(order.id).state is OrderState.CLOSED


def test_a_lost_notify_is_made_good_by_a_query():
    here = world()
    order = here.order()
    here.channel.trades[order.id] = paid(order)
    here.clock.pass_(seconds=30)

    here.sweep(order)
    here.notify(order)

    assert here.balance().available == 9900
    assert here.news(order) == ["order.opened", "order.paid"]


def test_what_is_unknown_is_never_taken_for_unpaid_and_never_forgotten():
    here = world()
    order = here.order()
    here.channel.trades[order.id] = UNKNOWN

    for _ in range(40):
        due_at = here.row(order.id).due_at
        assert due_at is not None
        here.clock.moment = due_at
        here.sweep(order)

    assert here.row(order.id).state is OrderState.OPEN
    assert "close" not in here.channel.calls
    here.channel.trades[order.id] = paid(order)
    here.sweep(order)
    assert here.balance().available == 9900


def test_a_close_that_is_not_answered_leaves_the_order_open_and_due():
    here = world()
    order = here.order()
    here.channel.trades[order.id] = WAITING
    here.channel.closes[order.id] = CloseOutcome.UNKNOWN
    here.clock.moment = order.expires_at + timedelta(minutes=1)

    here.sweep(order)

    after = here.row(order.id)
    assert after.state is OrderState.OPEN
    assert after.due_at == here.clock.now() + timedelta(hours=1)


def test_a_payment_that_overtakes_the_query_stays():
    here = world()
    order = here.order()
    here.clock.moment = order.expires_at + timedelta(minutes=1)
    here.channel.on_query = here.notify

    here.sweep(order)

    assert here.row(order.id).state is OrderState.PAID
    assert here.balance().available == 9900
    assert here.news(order) == ["order.opened", "order.paid"]


def test_orders_of_a_channel_that_is_away_have_their_turn_last_and_not_all_at_once():
    at, channel = work.world(), ScriptedChannel()
    ports = replace(at.ports, channels={"alipay": channel})
    job = at.submit()
    for _ in range(8):
        orders.open(ports, ALICE, orders.OpenOrder(amount_fen=9900), key=None)
    seen = []

    def be_slow(order):
        seen.append(at.show(job).status)
        at.clock.pass_(seconds=5)

    channel.on_query = be_slow
    at.clock.pass_(seconds=work.SPEC.queue_ttl_s)

    swept = [sweep.sweep(ports).moved for _ in range(2)]

    assert swept == [1 + 3, 3]
    assert seen == ["expired"] * 6


def test_two_sweepers_at_once_write_once():
    here = world()
    order = here.order()
    here.channel.trades[order.id] = paid(order)
    seen = here.row(order.id)

    payments.sweep_order(here.ports, seen)
    payments.sweep_order(here.ports, seen)

    assert here.balance().available == 9900
    assert here.news(order) == ["order.opened", "order.paid"]


def test_another_amount_found_by_a_query_is_told_and_not_credited(caplog):
    here = world()
    order = here.order()
    here.channel.trades[order.id] = paid(order, amount_fen=1)

    here.sweep(order)

    after = here.row(order.id)
    assert after.state is OrderState.OPEN
    assert after.due_at is not None
    assert here.balance().available == 0
    assert "order.amount_differs" in caplog.messages


def test_anothers_trade_found_by_a_query_is_told_and_not_credited(caplog):
    here = world()
    first, second = here.order(), here.order()
    here.notify(first, trade_no="T1")
    here.channel.trades[second.id] = paid(second, trade_no="T1")
    here.clock.pass_(seconds=30)

    here.sweep(second)

    after = here.row(second.id)
    assert after.state is OrderState.OPEN
    assert after.due_at is not None
    assert after.due_at > here.clock.now()
    assert here.balance().available == 9900
    assert "order.trade_bound" in caplog.messages


def test_who_comes_back_from_paying_has_the_order_asked_about_once():
    here = world()
    order = here.order()
    here.channel.trades[order.id] = paid(order)

    payments.hasten(here.ports, order.id)
    hastened = here.row(order.id)
    payments.hasten(here.ports, order.id)

    assert hastened.due_at == here.clock.now()
    assert here.row(order.id) == hastened
    assert hastened.state is OrderState.OPEN
    here.sweep(order)
    assert here.balance().available == 9900


def test_coming_back_to_an_unknown_or_paid_order_changes_nothing():
    here = world()
    order = here.order()
    here.notify(order)
    before = here.row(order.id)

    payments.hasten(here.ports, "ord_nothing")
    payments.hasten(here.ports, order.id)

    assert here.row(order.id) == before


def test_a_notify_that_overtakes_the_return_stays():
    here = world()
    order = here.order()
    store = RacedStore(here.ports.store, lambda: here.notify(order))

    payments.hasten(with_store(here, store), order.id)

    assert here.row(order.id).state is OrderState.PAID


@pytest.mark.parametrize("seed", range(200))
def test_a_close_and_a_payment_at_once_never_lose_the_money(seed):
    chance = random.Random(seed)
    here = world()
    order = here.order()
    here.clock.moment = order.expires_at + timedelta(minutes=1)
    here.channel.trades[order.id] = chance.choice([WAITING, UNKNOWN, paid(order)])
    steps = [lambda: here.sweep(order), lambda: here.notify(order), lambda: here.notify(order)]
    if chance.random() < 0.5:
        here.channel.on_query = here.notify
    chance.shuffle(steps)

    for step in steps:
        step()

    assert here.row(order.id).state is OrderState.PAID
    assert here.balance().available == 9900
    assert ledger.audit(here.ports, ALICE.account).exact

"""Tests of payments: what is believed, what it does, and that it does it once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from tests.fixtures.money import (
    ALICE,
    BOB,
    SELLER,
    CountedStore,
    RacedStore,
    event,
    paid,
    request,
    with_store,
    world,
)
from tests.fixtures.waiting import gate
from wharfage import schema
from wharfage.domain.errors import NotFound, NotifyRefused, Unavailable
from wharfage.domain.order import OrderState
from wharfage.domain.trade import NotifyStep, TradeStatus, TradeView
from wharfage.operations import ledger, orders, payments

SUCCESS, FINISHED, SHUT = TradeStatus.SUCCESS, TradeStatus.FINISHED, TradeStatus.CLOSED
WAITING = TradeView(status=TradeStatus.WAITING, trade_no="T1", amount_fen=9900)
UNKNOWN = TradeView(status=TradeStatus.UNKNOWN)


def test_a_payment_credits_the_stored_amount_once_and_says_so():
    here = world()
    order = here.order(9900)

    here.notify(order)

    after = here.row(order.id)
    assert (after.state, after.trade_no) == (OrderState.PAID, event(order).trade.trade_no)
    assert after.due_at is None
    assert here.balance().available == 9900
    [entry] = here.entries()
    assert (entry.code, entry.reference, entry.amount_fen) == ("topup", order.id, 9900)
    assert (entry.debit, entry.credit) == ("clearing:alipay", ALICE.account)
    [payment] = here.payments(order)
    assert (payment.amount_fen, payment.duplicate) == (9900, False)
    assert here.news(order) == ["order.opened", "order.paid"]
    assert here.balance(BOB).available == 0


def test_a_notify_costs_one_read_and_one_transaction_and_a_repeat_one_read():
    here = world()
    order = here.order()
    store = CountedStore(here.ports.store)
    ports = with_store(here, store)

    payments.receive(ports, "alipay", request(event(order)))
    assert store.calls == ["get_many", "commit"]

    store.calls.clear()
    payments.receive(ports, "alipay", request(event(order)))
    assert store.calls == ["get_many"]


@pytest.mark.parametrize("days", [0.01, 1, 400])
def test_a_notify_repeated_later_is_agreed_to_and_credits_nothing(days):
    here = world()
    order = here.order()
    here.notify(order)
    here.clock.pass_(days=days)

    here.notify(order)

    assert here.balance().available == 9900
    assert len(here.news(order)) == 2


@pytest.mark.parametrize("kind", ["memory", "file"])
def test_forty_parallel_notifies_are_one_credit(kind, store_in_file):
    here = world(store_in_file if kind == "file" else None)
    order = here.order()
    start = gate(40)

    def notify(_):
        start.wait()
        here.notify(order)

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(notify, range(40)))

    assert here.balance().available == 9900
    assert len(here.entries()) == 1
    assert ledger.audit(here.ports, ALICE.account).exact


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"order": "ord_nothing_of_ours"}, NotifyStep.ORDER),
        ({"seller": None}, NotifyStep.SELLER),
        ({"seller": "2088000000000002"}, NotifyStep.SELLER),
        ({"seller": SELLER + " "}, NotifyStep.SELLER),
        ({"amount_fen": 1}, NotifyStep.AMOUNT),
        ({"amount_fen": 990000}, NotifyStep.AMOUNT),
        ({"amount_fen": None}, NotifyStep.AMOUNT),
    ],
)
@pytest.mark.parametrize("status", [SUCCESS, FINISHED, SHUT])
def test_a_notify_that_does_not_fit_the_order_changes_nothing(changes, step, status):
    here = world()
    order = here.order()

    with pytest.raises(NotifyRefused) as refusal:
        here.notify(order, status=status, **changes)

    assert refusal.value.step == step
    assert here.row(order.id) == order
    assert here.balance().available == 0
    assert here.news(order) == ["order.opened"]


def test_the_checks_come_in_their_order():
    here = world()
    order, other = here.order(), here.order(who=BOB)
    here.notify(other, trade_no="T1")
    wrong = {"order": "ord_none", "seller": "2", "amount_fen": 1, "trade_no": "T1"}

    steps = []
    for name in [*wrong, None]:
        try:
            here.notify(order, **wrong)
        except NotifyRefused as refusal:
            steps.append(refusal.step)
        if name:
            del wrong[name]

    assert steps == [NotifyStep.ORDER, NotifyStep.SELLER, NotifyStep.AMOUNT, NotifyStep.TRADE]
    assert here.row(order.id).state is OrderState.PAID


def test_an_unknown_order_is_credited_when_the_channel_repeats_after_it_became_known():
    here = world()
    order = here.order()
    lost = event(order)
    fresh = world()
    with pytest.raises(NotifyRefused):
        payments.receive(fresh.ports, "alipay", request(lost))

    assert fresh.order().id == order.id  # The same ids come again.
    payments.receive(fresh.ports, "alipay", request(lost))

    assert fresh.balance().available == 9900


def test_a_trade_number_pays_one_order_for_all_time():
    here = world()
    first, second = here.order(), here.order()
    here.notify(first, trade_no="T1")

    with pytest.raises(NotifyRefused) as refusal:
        here.notify(second, trade_no="T1")

    assert refusal.value.step == NotifyStep.TRADE
    assert here.row(second.id).state is OrderState.OPEN
    assert here.balance().available == 9900


def test_a_trade_number_that_is_bound_while_we_decide_pays_one_order():
    here = world()
    first, second = here.order(), here.order()
    store = RacedStore(here.ports.store, lambda: here.notify(first, trade_no="T1"))

    with pytest.raises(NotifyRefused) as refusal:
        payments.receive(with_store(here, store), "alipay", request(event(second, trade_no="T1")))

    assert refusal.value.step == NotifyStep.TRADE
    assert here.balance().available == 9900


def test_an_order_that_moves_while_we_decide_is_decided_again():
    here = world()
    order = here.order()
    store = RacedStore(here.ports.store, lambda: orders.cancel(here.ports, ALICE, order.id))

    payments.receive(with_store(here, store), "alipay", request(event(order)))

    after = here.row(order.id)
    assert (after.state, after.late) == (OrderState.PAID, True)
    assert here.balance().available == 9900
    assert here.news(order) == ["order.opened", "order.closed", "order.paid_late"]


def test_another_trade_that_pays_is_recorded_once_told_and_never_credited(caplog):
    here = world()
    order = here.order()
    here.notify(order, trade_no="T1")

    for _ in range(3):
        here.notify(order, trade_no="T2")

    assert here.balance().available == 9900
    assert [(each.trade_no, each.duplicate) for each in here.payments(order)] == [
        ("T1", False),
        ("T2", True),
    ]
    assert here.news(order).count("order.duplicate_paid") == 1
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == [
        "order.duplicate_paid"
    ]


def test_a_late_payment_is_credited_and_marked():
    here = world()
    order = here.order()
    here.clock.moment = order.expires_at + timedelta(minutes=1)
    here.sweep(order)
    assert here.row(order.id).state is OrderState.CLOSED

    here.notify(order)

    after = here.row(order.id)
    assert (after.state, after.late) == (OrderState.PAID, True)
    assert here.balance().available == 9900


@pytest.mark.parametrize("first", [SUCCESS, FINISHED])
def test_finished_and_success_in_either_order_credit_once(first):
    here = world()
    order = here.order()
    second = FINISHED if first is SUCCESS else SUCCESS

    here.notify(order, status=first)
    here.clock.pass_(days=365)
    here.notify(order, status=second)
    here.notify(order, status=second)

    assert here.balance().available == 9900
    assert here.row(order.id).refundable is False


def test_a_refund_by_notify_moves_no_money_and_is_told_once():
    here = world()
    order = here.order()
    here.notify(order)

    for _ in range(3):
        here.notify(order, refunded=True)

    assert here.balance().available == 9900
    assert [each.origin for each in here.refunds(order)] == ["console"]
    assert here.news(order).count("order.refund_seen") == 1


def test_a_close_after_a_payment_is_asked_about_and_changes_nothing(caplog):
    here = world()
    order = here.order()
    here.notify(order)

    here.notify(order, status=SHUT)
    assert here.row(order.id).due_at == here.clock.now()
    here.channel.trades[order.id] = paid(order)
    here.sweep(order)

    after = here.row(order.id)
    assert (after.state, after.due_at) == (OrderState.PAID, None)
    assert here.balance().available == 9900
    assert "order.doubted" in caplog.messages


def test_an_ambiguous_notify_is_not_believed_but_asked_about(caplog):
    here = world()
    order = here.order()

    here.notify(order, ambiguous=True)
    here.notify(order, ambiguous=True)

    after = here.row(order.id)
    assert (after.state, after.due_at) == (OrderState.OPEN, here.clock.now())
    assert here.balance().available == 0
    assert here.news(order) == ["order.opened", "order.doubted"]
    assert "order.doubted" in caplog.messages


def test_an_ambiguous_notify_of_a_true_payment_is_credited_by_the_query():
    here = world()
    order = here.order()
    here.channel.trades[order.id] = paid(order)

    here.notify(order, ambiguous=True)
    here.sweep(order)

    assert here.balance().available == 9900


def test_a_channel_that_is_not_set_up_is_unavailable():
    here = world()

    with pytest.raises(Unavailable):
        payments.receive(here.ports, "wechat", request(event(here.order())))


def test_without_a_balance_nothing_is_credited_and_nothing_is_said_to_be():
    here = world()
    order = here.order()
    from wharfage.transaction import Delete

    here.ports.store.commit(Delete(schema.BALANCE.key(account=ALICE.account)))

    with pytest.raises(NotFound):
        here.notify(order)

    assert here.row(order.id).state is OrderState.OPEN

"""Memberships: bought with an order, extended once for each payment, reminded of, lapsed."""

import threading
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.fixtures import ledger as checker
from tests.fixtures.counting import Meter
from tests.fixtures.money import ALICE, BOB, OPERATOR, START, RacedStore, with_store, world
from tests.fixtures.units import numbers, period
from tests.fixtures.waiting import gate
from wharfage import schema
from wharfage.domain.account import DirectoryEntry
from wharfage.domain.balance import EntryCode
from wharfage.domain.errors import InsufficientFunds, Invalid, KeyReused
from wharfage.domain.membership import Plan, Title
from wharfage.domain.order import OrderKind, OrderState
from wharfage.domain.trade import TradeStatus
from wharfage.operations import ledger, memberships, orders, quota, sweep
from wharfage.operations.ledger import Adjustment
from wharfage.operations.memberships import PeriodState
from wharfage.operations.orders import OpenOrder
from wharfage.transaction import Put, Update, present

MONTH = OpenOrder(kind=OrderKind.MEMBERSHIP, plan="basic")


@pytest.fixture
def here():
    made = world()
    made.ports.store.commit(
        Put(DirectoryEntry(account=ALICE.account, email="a@example.com", created_at=START))
    )
    yield made
    checker.check(made.ports.store)
    assert ledger.audit(made.ports, ALICE.account).exact


def opened(here, who=ALICE):
    return here.row(orders.open(here.ports, who, MONTH, key=None).value.id)


def bought(here, count=1):
    for _ in range(count):
        here.notify(opened(here))


def row(here, who=ALICE):
    return here.ports.store.get(memberships.key(who.account))


def news(here):
    events = here.ports.store.query(schema.EVENT, ALICE.account, prefix="evt_", limit=100).items
    return [(event.kind, event.data.get("days_left", event.data.get("units"))) for event in events]


def test_a_paid_month_shows_both_entries_and_leaves_the_balance_as_it_was(here):
    order = opened(here)

    here.notify(order)

    assert here.row(order.id).state is OrderState.PAID
    assert here.balance().available == 0
    lines = {entry.code: (entry.amount_fen, entry.units) for entry in here.entries()}
    assert lines == {
        EntryCode.TOPUP: (9900, 0), EntryCode.MEMBERSHIP: (-9900, 0), EntryCode.UNITS: (0, 100),
    }  # fmt: skip
    assert numbers(period(here.ports)) == (100, 100, 0, 0)


def test_a_notify_that_comes_again_adds_no_month(here):
    order = opened(here)

    for _ in range(3):
        here.notify(order)
    here.clock.pass_(days=400)
    here.notify(order)
    here.notify(order, status=TradeStatus.FINISHED)

    assert row(here).months == 1


def test_a_second_trade_for_one_order_is_recorded_and_adds_no_month(here):
    order = opened(here)
    here.notify(order)

    here.notify(order, trade_no="T-other")

    assert row(here).months == 1
    assert sorted(payment.duplicate for payment in here.payments(order)) == [False, True]


def test_a_month_that_is_paid_late_is_given_all_the_same(here):
    order = opened(here)
    here.clock.pass_(minutes=20)
    here.sweep(order)
    assert here.row(order.id).state is OrderState.CLOSED

    here.notify(order)

    assert row(here).anchor == here.clock.now()
    assert numbers(period(here.ports)) == (100, 100, 0, 0)


def test_the_price_is_the_plans_and_an_order_keeps_the_one_it_was_opened_at(here):
    order = opened(here)
    dearer = Plan(name="basic", title=Title(en="B", zh="基"), price_fen=19_900, units=200)
    here.ports.plans["basic"] = dearer

    here.notify(order)
    newer = opened(here)

    assert (order.amount_fen, newer.amount_fen) == (9900, 19_900)
    assert period(here.ports).granted == 100


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"kind": OrderKind.MEMBERSHIP}, "/plan"),
        ({"kind": OrderKind.MEMBERSHIP, "plan": "gold"}, "/plan"),
        ({"kind": OrderKind.MEMBERSHIP, "plan": "basic", "amount_fen": 9900}, "/amount_fen"),
        ({"kind": OrderKind.TOPUP, "plan": "basic"}, "/plan"),
        ({"kind": OrderKind.TOPUP, "plan": "basic", "amount_fen": 9900}, "/plan"),
        ({}, "/amount_fen"),
    ],
)
def test_an_order_is_for_an_amount_or_for_a_plan(here, body, pointer):
    with pytest.raises(Invalid) as refusal:
        orders.open(here.ports, ALICE, OpenOrder(**body), key=None)

    assert [fault.pointer for fault in refusal.value.faults] == [pointer]


def test_a_renewal_extends_and_does_not_refill_the_open_month(here):
    bought(here)
    first = period(here.ports)
    here.clock.pass_(days=10)

    bought(here)

    assert period(here.ports) == first
    assert row(here).months == 2
    here.clock.moment = first.ends_at
    assert period(here.ports).starts_at == first.ends_at


def test_two_renewals_paid_at_once_extend_by_two():
    for _ in range(50):
        here = world()
        bought(here)
        pair = [opened(here), opened(here)]
        start = gate(2)

        def pay(order, here=here, start=start):
            start.wait()
            here.notify(order)

        threads = [threading.Thread(target=pay, args=(order,)) for order in pair]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert row(here).months == 3
        assert [here.row(order.id).state for order in pair] == [OrderState.PAID] * 2


@pytest.mark.parametrize("before", [0, 1])
def test_a_payment_that_another_one_overtakes_extends_what_is_there_then(here, before):
    for _ in range(before):
        bought(here)
    first, second = opened(here), opened(here)
    raced = with_store(here, RacedStore(here.ports.store, lambda: here.notify(second)))

    replace(here, ports=raced).notify(first)

    assert row(here).months == before + 2


def test_after_a_lapse_a_month_begins_when_it_is_paid(here):
    bought(here)
    here.clock.moment = row(here).ends_at

    bought(here)

    assert row(here).anchor == here.clock.now()
    assert row(here).months == 1
    assert len(here.ports.store.query(schema.PERIOD, ALICE.account, limit=9).items) == 2


def test_a_notify_of_a_membership_costs_two_reads_and_a_transaction(here):
    bought(here)
    order = opened(here)
    meter = Meter(here.ports)
    here.ports = meter.ports

    with meter.of() as tally:
        here.notify(order)
    with meter.of() as repeat:
        here.notify(order)

    assert tally.calls == {"reads": 2, "writes": 1}
    assert [len(actions) for actions in tally.transactions] == [9]
    assert repeat.calls == {"reads": 1}


def test_an_owner_is_reminded_twice_told_of_the_end_and_of_what_lapsed_each_once(here):
    bought(here)
    ends_at = row(here).ends_at

    for before in (timedelta(days=4), timedelta(days=3), timedelta(days=2), timedelta(days=1)):
        here.clock.moment = ends_at - before
        for _ in range(2):
            sweep.sweep(here.ports)
    here.clock.moment = ends_at
    for _ in range(3):
        sweep.sweep(here.ports)
        here.clock.pass_(days=2)

    assert news(here) == [
        ("membership.ending", 3), ("membership.ending", 1), ("membership.lapsed", 0),
        ("units.lapsed", 100),
    ]  # fmt: skip


def test_a_renewal_puts_the_reminders_off_to_the_new_end(here):
    bought(here)
    here.clock.moment = row(here).ends_at - timedelta(days=2)
    sweep.sweep(here.ports)
    bought(here)

    here.clock.moment = row(here).ends_at - timedelta(days=3)
    sweep.sweep(here.ports)

    assert [kind for kind, _ in news(here)].count("membership.ending") == 2
    assert "membership.lapsed" not in dict(news(here))


def test_the_quota_shows_the_membership_its_open_month_and_those_around_it(here):
    bought(here, 3)
    here.clock.moment = period(here.ports).ends_at

    found = quota.show(here.ports, ALICE)

    assert found.membership is not None
    assert (found.membership.active, found.membership.months) == (True, 3)
    assert found.period is not None
    assert found.period.starts_at == here.clock.now()
    assert [(each.state, each.remaining, each.lapsed) for each in found.periods] == [
        (PeriodState.UPCOMING, 100, 0), (PeriodState.OPEN, 100, 0), (PeriodState.ENDED, 0, 100),
    ]  # fmt: skip


def test_a_membership_that_has_ended_is_shown_as_such(here):
    bought(here)
    here.clock.moment = row(here).ends_at

    found = quota.show(here.ports, ALICE)

    assert found.membership is not None
    assert not found.membership.active
    assert found.period is None


def adjustment(count, reference="gift-1", reason="a gift"):
    return Adjustment(
        account=ALICE.account, units=count, reason=reason, reference=reference
    )  # fmt: skip


def test_the_operator_gives_and_takes_units_once_for_each_reference(here):
    bought(here)

    given = ledger.adjust(here.ports, OPERATOR, adjustment(10))
    again = ledger.adjust(here.ports, OPERATOR, adjustment(10))
    ledger.adjust(here.ports, OPERATOR, adjustment(-30, reference="back-1"))

    assert (given.replayed, again.replayed) == (False, True)
    assert numbers(period(here.ports)) == (80, 80, 0, 0)
    with pytest.raises(KeyReused):
        ledger.adjust(here.ports, OPERATOR, adjustment(11))


def test_the_same_reference_is_the_same_move_also_after_its_month(here):
    bought(here, 2)
    ledger.adjust(here.ports, OPERATOR, adjustment(10))
    here.clock.moment = period(here.ports).ends_at

    again = ledger.adjust(here.ports, OPERATOR, adjustment(10))
    here.clock.moment = row(here).ends_at
    later = ledger.adjust(here.ports, OPERATOR, adjustment(10))

    assert again.replayed
    assert later.value == again.value


def test_no_more_units_are_taken_back_than_are_left(here):
    bought(here)

    with pytest.raises(InsufficientFunds) as refusal:
        ledger.adjust(here.ports, OPERATOR, adjustment(-101))
    ledger.adjust(here.ports, OPERATOR, adjustment(-100, reference="all"))

    assert (refusal.value.required_units, refusal.value.available_units) == (101, 100)
    assert numbers(period(here.ports)) == (0, 0, 0, 0)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"units": 5}, "no_period"),
        ({"units": 0}, "zero"),
        ({"amount_fen": 0}, "zero"),
        ({"units": 5, "amount_fen": 5}, "one_of"),
        ({}, "one_of"),
    ],
)
def test_an_adjustment_moves_money_or_units_of_an_open_month(here, body, code):
    asked = Adjustment(account=ALICE.account, reason="why", reference="ref", **body)

    with pytest.raises(Invalid) as refusal:
        ledger.adjust(here.ports, OPERATOR, asked)

    assert [fault.code for fault in refusal.value.faults] == [code]


def test_the_audit_finds_units_that_no_entry_explains(here):
    bought(here)
    key = schema.PERIOD.key(account=ALICE.account, starts_at=period(here.ports).starts_at)
    for change in ({"remaining": 1}, {"remaining": -1, "held": 1}, {"used": 1, "remaining": -1}):
        here.ports.store.commit(Update(key, add=change, when=[present()]))
        assert not ledger.audit(here.ports, ALICE.account).exact
        back = {name: -number for name, number in change.items()}
        here.ports.store.commit(Update(key, add=back, when=[present()]))


def test_units_of_another_account_are_another_accounts(here):
    bought(here)

    assert quota.show(here.ports, BOB).membership is None

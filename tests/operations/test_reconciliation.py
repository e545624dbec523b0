"""Days looked at: when they begin, in which steps, what is in the way, and two looks at once."""

import threading
from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.fixtures.bills import (
    DAY,
    breaks_of,
    look,
    next_morning,
    paid_orders,
    publish,
    row,
    run_of,
    told,
)
from tests.fixtures.money import (
    CountedStore,
    RacedStore,
    paid,
    with_store,
    world,
)
from tests.fixtures.waiting import gate
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.bill import BillFault
from wharfage.domain.errors import BillRefused, NotFound, Unanswered
from wharfage.domain.reconciliation import LEDGER, Stage
from wharfage.operations import reconciliation

NEXT = DAY + timedelta(days=1)


@pytest.fixture
def here():
    return world()


def test_a_day_that_agrees_has_no_break_and_is_done(here):
    orders = paid_orders(here, 3)
    publish(here, *map(row, orders))
    next_morning(here)

    standing = look(here)

    run = run_of(here)
    assert (standing.open_breaks, standing.late_days) == (0, 0)
    assert (run.stage, run.open_breaks, run.due_at) == (Stage.DONE, 0, None)
    assert (run.payments, run.payments_fen, run.ours) == (3, 3003, 3)
    assert told(here) == []


def test_nothing_is_begun_before_ten_but_the_day_before(here):
    next_morning(here)
    here.clock.pass_(milliseconds=-1)
    look(here)
    assert run_of(here, day=DAY - timedelta(days=1)).stage is Stage.DONE
    assert here.ports.store.get(schema.RECONCILIATION.key(channel="alipay", day=DAY)) is None

    here.clock.pass_(milliseconds=1)
    look(here)

    assert run_of(here).stage is Stage.DONE


def test_days_that_were_missed_are_caught_up_with_in_their_order(here):
    next_morning(here)
    look(here)
    here.clock.pass_(days=3)

    look(here)

    for days in range(4):
        assert run_of(here, day=DAY + timedelta(days=days)).stage is Stage.DONE
        assert run_of(here, LEDGER, day=DAY + timedelta(days=days)).stage is Stage.DONE


def test_open_breaks_have_their_day_looked_at_again_every_day(here):
    [order] = paid_orders(here, 1)
    publish(here)
    next_morning(here)
    look(here)
    here.clock.pass_(hours=23, minutes=59)
    look(here)
    assert run_of(here).round == 1

    here.clock.pass_(minutes=1)
    publish(here, row(order))
    look(here)

    assert run_of(here).round == 2
    assert run_of(here).due_at is None
    assert told(here) == [("missing_there", "cleared", order.id)]


@pytest.mark.parametrize("hours", [0, -11])
def test_a_bill_that_is_not_there_is_waited_for_while_we_had_payments(here, hours):
    """At noon, and at one in the morning, which in UTC is the day before."""
    here.clock.pass_(hours=hours)
    [order] = paid_orders(here, 1)
    next_morning(here)
    look(here)
    run = run_of(here)
    assert (run.stage, run.trouble) == (Stage.BILL, "bill_not_published")
    here.clock.pass_(minutes=59)
    look(here)
    assert here.channel.calls.count("bill") == 1

    here.clock.pass_(minutes=1)
    publish(here, row(order))
    look(here)

    assert run_of(here).stage is Stage.DONE
    assert run_of(here).trouble is None


def test_a_bill_that_never_comes_is_alarmed_and_then_read_as_empty(here):
    [order] = paid_orders(here, 1)
    next_morning(here)
    look(here)

    here.clock.pass_(hours=limits.RECONCILE_LATE_HOURS)
    assert look(here).late_days == 1
    here.clock.pass_(hours=24 - limits.RECONCILE_LATE_HOURS)
    look(here)

    assert told(here) == [("missing_there", "open", order.id)]


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (Unanswered(), "unanswered"),
        (BillRefused(reason=BillFault.COUNT), "bill_count"),
        (RuntimeError("a bug"), "failed"),
    ],
)
def test_what_is_in_the_way_is_said_and_tried_again_in_an_hour(here, monkeypatch, error, trouble):
    def fail(day: date) -> None:
        raise error

    with monkeypatch.context() as patched:
        patched.setattr(here.channel, "fetch_bill", fail)
        next_morning(here)
        look(here)
        assert run_of(here).trouble == trouble
        assert run_of(here, LEDGER).stage is Stage.DONE
    here.clock.pass_(minutes=59)
    look(here)
    assert run_of(here).trouble == trouble

    here.clock.pass_(minutes=1)
    look(here)

    assert (run_of(here).stage, run_of(here).trouble) == (Stage.DONE, None)


def test_a_day_is_looked_at_in_steps_that_fit_into_any_time(here):
    orders = paid_orders(here, limits.RECONCILE_PAGE + 5)
    altered = [row(each, amount_fen=each.amount_fen + 1) for each in orders]
    publish(here, *altered)
    next_morning(here)
    ticks = 0
    while ticks == 0 or run_of(here).stage is not Stage.DONE:
        look(here, seconds=0)
        ticks += 1
        assert ticks < 500

    assert ticks > limits.RECONCILE_PAGE
    assert run_of(here).open_breaks == len(orders)
    assert len(breaks_of(here)) == len(orders)
    assert run_of(here).ours == len(orders)


def test_a_bill_that_changes_between_two_steps_is_begun_anew(here):
    orders = paid_orders(here, 4)
    publish(here, *(row(each, amount_fen=1) for each in orders))
    next_morning(here)
    for _ in range(3):
        look(here, seconds=0)
    assert len(breaks_of(here)) == 3

    publish(here, *map(row, orders))
    look(here)

    assert run_of(here).round == 2
    assert [state for _, state, _ in told(here)] == ["cleared"] * 3


def test_two_looks_at_once_find_the_same_once(store_in_file):
    here = world(store_in_file)
    orders = paid_orders(here, 40)
    here.clock.pass_(seconds=limits.ORDER_SECONDS)
    missed = here.order(5)
    here.channel.trades[missed.id] = paid(missed)
    publish(here, *(row(each, amount_fen=1) for each in orders[:20]), row(missed))
    next_morning(here)
    start = gate(4)

    def run() -> None:
        start.wait()
        look(here)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    look(here)

    states = [(type_, state) for type_, state, _ in told(here)]
    assert states.count(("amount", "open")) == 20
    assert states.count(("missing_there", "open")) == 20
    assert run_of(here).stage is Stage.DONE
    assert run_of(here).open_breaks == 40
    assert here.balance().available == sum(each.amount_fen for each in (*orders, missed))
    assert sum(entry.reference == missed.id for entry in here.entries()) == 1


def test_another_look_that_moved_the_day_ends_this_one(here):
    orders = paid_orders(here, 2)
    publish(here, *map(row, orders))
    next_morning(here)
    look(here, seconds=0)
    raced = RacedStore(here.ports.store, lambda: look(here))

    look(here, with_store(here, raced))

    assert run_of(here).stage is Stage.DONE
    assert run_of(here).round == 1


def test_the_operator_has_a_day_looked_at(here):
    [order] = paid_orders(here, 1)
    publish(here, row(order, amount_fen=1))
    next_morning(here)
    here.clock.pass_(hours=-1)  # Before the clock itself would.
    look(here)
    asked = reconciliation.request(here.ports, "alipay", DAY)
    assert reconciliation.request(here.ports, "alipay", DAY) == asked
    look(here)

    assert asked.stage is Stage.BILL
    assert told(here) == [("amount", "open", order.id)]
    assert reconciliation.find(here.ports, "alipay", DAY).open_breaks == 1


@pytest.mark.parametrize(
    ("channel", "days"),
    [("stripe", 0), ("alipay", 1), ("alipay", -limits.RECONCILE_DAYS_BACK)],
)
def test_a_day_that_cannot_be_looked_at_is_refused(here, channel, days):
    next_morning(here)
    look(here)

    with pytest.raises(NotFound):
        reconciliation.request(here.ports, channel, DAY + timedelta(days=days))
    with pytest.raises(NotFound):
        reconciliation.find(here.ports, channel, DAY + timedelta(days=days))


def test_the_oldest_day_that_can_be_looked_at_is_taken(here):
    next_morning(here)
    look(here)

    oldest = DAY + timedelta(days=1 - limits.RECONCILE_DAYS_BACK)
    assert reconciliation.request(here.ports, "alipay", oldest).day == oldest


def test_runs_are_listed_newest_day_first(here):
    next_morning(here)
    look(here)
    here.clock.pass_(days=1)
    look(here)

    page = reconciliation.find_all(here.ports, after=None, limit=3)
    rest = reconciliation.find_all(here.ports, after=page.next, limit=3)

    assert [(run.day, run.channel) for run in (*page.items, *rest.items)] == [
        (NEXT, "ledger"), (NEXT, "alipay"), (DAY, "ledger"), (DAY, "alipay"),
    ]  # fmt: skip


def test_a_row_costs_two_reads_a_page_and_one_write(here):
    orders = paid_orders(here, limits.RECONCILE_PAGE)
    publish(here, *map(row, orders))
    next_morning(here)
    counted = CountedStore(here.ports.store)

    look(here, replace(here.ports, store=counted))

    commits = counted.calls.count("commit")
    assert commits <= limits.RECONCILE_PAGE + 12
    assert counted.calls.count("get_many") <= 40

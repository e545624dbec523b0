"""Tests of refunds of memberships: unused units go back pro rata, and come back if it fails."""

from datetime import timedelta

import pytest

from tests.fixtures import ledger as checker
from tests.fixtures import units
from tests.fixtures.club import club
from tests.fixtures.money import ALICE, OPERATOR, RacedStore, with_store
from tests.fixtures.units import numbers
from wharfage.domain.balance import EntryCode
from wharfage.domain.errors import InsufficientFunds, NotRefundable
from wharfage.domain.order import OrderStanding
from wharfage.domain.refund import RefundState, RefundStatus, RefundView
from wharfage.domain.trade import TradeStatus
from wharfage.operations import jobs, quota, refunds, sweep
from wharfage.operations.refunds import AskRefund, RejectRefund

FAILED = RefundView(status=RefundStatus.FAILED, reason="ACQ.TRADE_HAS_FINISHED")
SHUT = TradeStatus.CLOSED


@pytest.fixture
def here():
    made = club()
    yield made
    checker.check(made.ports.store)
    made.adds_up()


def test_an_unused_month_goes_back_whole_and_the_membership_ends(here):
    order = here.paid_month()
    assert here.shown(order) == 9900

    refund = here.refund(order)

    assert (refund.amount_fen, refund.units, refund.units_fen) == (9900, 100, 9900)
    assert numbers(here.month(order)) == (0, 0, 0, 0)
    assert (here.membership().months, here.membership().ends_at) == (0, here.membership().anchor)
    assert here.balance().available == 0
    assert here.moves(f"{order.id}.{refund.id}") == {
        "refund": (-9900, 0), "membership_return": (9900, 0), "units_return": (0, -100),
    }  # fmt: skip
    assert here.row(order.id).standing is OrderStanding.REFUNDING
    assert here.shown(order) == 0
    here.approved(refund)
    assert here.carried_out(refund).state is RefundState.SUCCEEDED
    assert here.row(order.id).standing is OrderStanding.REFUNDED


def test_what_was_used_is_not_refunded_and_its_month_stays(here):
    order = here.paid_month()
    here.use()
    assert here.shown(order) == 6930

    refund = here.refund(order)

    assert (refund.amount_fen, refund.units) == (6930, 70)
    assert numbers(here.month(order)) == (30, 0, 0, 30)
    assert here.membership().months == 1
    with pytest.raises(InsufficientFunds):
        here.hold()


def test_what_is_held_is_not_refunded_before_its_job_has_ended(here):
    order = here.paid_month()
    job = here.hold()

    refund = here.refund(order)

    assert (refund.amount_fen, here.shown(order)) == (6930, 0)
    assert numbers(here.month(order)) == (30, 0, 30, 0)
    jobs.cancel(here.ports, ALICE, job.id)
    assert here.shown(order) == 2970
    assert here.refund(order).units == 30
    assert here.membership().months == 0


@pytest.mark.parametrize(
    ("amount_fen", "taken"), [(1, 1), (98, 1), (99, 1), (100, 2), (9801, 99), (9900, 100)]
)
def test_a_begun_unit_goes_whole(here, amount_fen, taken):
    order = here.paid_month()

    refund = here.refund(order, amount_fen)

    assert (refund.amount_fen, refund.units) == (amount_fen, taken)
    assert here.shown(order) == min(9900 - amount_fen, 99 * (100 - taken))


@pytest.mark.parametrize(("amount_fen", "possible"), [(6929, True), (6930, True), (6931, False)])
def test_no_more_goes_back_than_unused_units_had_cost(here, amount_fen, possible):
    order = here.paid_month()
    here.use()

    if possible:
        assert here.refund(order, amount_fen).units == 70
        return
    with pytest.raises(NotRefundable) as refusal:
        here.refund(order, amount_fen)

    assert refusal.value.refundable_fen == 6930
    assert here.refunds(order) == []


def test_units_that_the_operator_gave_are_not_refunded(here):
    order = here.paid_month()
    here.give(50)
    here.use()

    assert here.shown(order) == 6930
    here.refund(order)

    assert numbers(here.month(order)) == (80, 50, 0, 30)
    assert here.shown(order) == 0


def test_the_later_month_goes_first(here):
    first, second = here.paid_month(), here.paid_month()

    with pytest.raises(NotRefundable) as refusal:
        here.refund(first)
    assert (refusal.value.state, here.shown(first), here.shown(second)) == ("renewed", 0, 9900)
    here.refund(second)

    assert here.membership().months == 1
    assert here.membership().ends_at == here.month(first).ends_at
    assert here.shown(first) == 9900
    assert here.refund(first).units == 100
    assert [each.granted for each in quota.show(here.ports, ALICE).periods] == []


def test_a_month_that_is_over_is_not_refunded(here):
    order = here.paid_month()
    ends_in = here.month(order).ends_at - here.clock.now()
    here.clock.pass_(seconds=ends_in.total_seconds() - 0.001)
    assert here.shown(order) == 9900
    here.clock.pass_(seconds=0.001)

    assert here.shown(order) == 0
    with pytest.raises(NotRefundable):
        here.refund(order)


def test_a_month_that_went_back_can_be_bought_again_in_its_place(here):
    here.paid_month()
    second = here.paid_month()
    starts_at = here.month(second).starts_at
    here.refund(second)

    third = here.paid_month()

    assert here.month(third).starts_at == starts_at
    assert numbers(here.month(third)) == (100, 100, 0, 0)
    assert (here.membership().months, here.shown(third)) == (2, 9900)


# It comes to nothing.


def test_units_of_a_rejected_refund_come_back_into_their_month(here):
    order = here.paid_month()
    here.use()
    refund = here.refund(order, 990)

    for _ in range(2):
        here.rejected(refund)

    assert numbers(here.month(order)) == (100, 70, 0, 30)
    assert here.moves(f"{order.id}.{refund.id}") == {
        "refund": (-990, 0), "membership_return": (990, 0), "units_return": (0, -10),
        "refund_reversal": (990, 0), "membership_again": (-990, 0), "units_again": (0, 10),
    }  # fmt: skip
    assert here.row(order.id).standing is OrderStanding.PAID
    assert (here.shown(order), here.balance().available) == (6930, 0)


def test_a_month_that_the_channel_refuses_to_refund_is_the_last_again(here):
    here.paid_month()
    order = here.paid_month()
    before, month = here.membership(), here.month(order)
    refund = here.refund(order)
    here.channel.refunds[refund.id] = [FAILED]

    here.approved(refund)
    assert here.carried_out(refund).state is RefundState.FAILED

    assert (here.membership().months, here.membership().ends_at) == (2, before.ends_at)
    assert numbers(here.month(order)) == (100, 100, 0, 0)
    assert here.month(order).starts_at == month.starts_at
    assert here.shown(order) == 9900


def test_a_month_whose_place_was_taken_comes_back_after_the_last(here):
    here.paid_month()
    order = here.paid_month()
    refund = here.refund(order)
    other = here.paid_month()

    here.rejected(refund)

    assert here.month(order).starts_at == here.month(other).ends_at
    assert numbers(here.month(order)) == (100, 100, 0, 0)
    assert here.membership().months == 3
    assert (here.shown(other), here.shown(order)) == (0, 9900)
    assert here.refund(order).units == 100


def test_an_open_month_that_went_whole_begins_anew_when_it_comes_back(here):
    order = here.paid_month()
    refund = here.refund(order)
    here.clock.pass_(days=10)

    here.rejected(refund)

    assert here.membership().anchor == here.clock.now()
    assert numbers(here.month(order)) == (100, 100, 0, 0)
    assert numbers(units.period(here.ports)) == (100, 100, 0, 0)


def test_units_whose_month_is_over_come_back_as_a_month_of_their_own(here):
    order = here.paid_month()
    here.use()
    refund = here.refund(order)
    here.clock.pass_(days=32)
    sweep.sweep(here.ports)

    here.rejected(refund)

    month = here.month(order)
    assert numbers(month) == (70, 70, 0, 0)
    assert (month.starts_at, month.open(here.clock.now())) == (here.clock.now(), True)
    assert here.shown(order) == 6930
    here.give(50)
    assert here.shown(order) == 6930
    assert here.refund(order).units == 70


def test_two_refunds_of_one_month_come_back_into_one(here):
    order = here.paid_month()
    first, second = here.refund(order, 4950), here.refund(order, 4950)
    here.clock.pass_(days=40)

    here.rejected(first)
    here.rejected(second)

    assert numbers(here.month(order)) == (100, 100, 0, 0)
    assert here.membership().months == 1
    assert here.shown(order) == 9900


# Behind our back.


def console(here, order, amount_fen):
    """Have the console refund, and it be heard of."""
    here.channel.done["c1"] = amount_fen
    whole = amount_fen == order.amount_fen
    here.notify(order, refunded=True, refund_no="c1", **({"status": SHUT} if whole else {}))
    [refund] = here.refunds(order)
    return here.carried_out(refund)


def test_a_month_that_the_console_refunds_ends_and_nothing_is_owed(here):
    order = here.paid_month()

    refund = console(here, order, 9900)

    assert (refund.state, refund.units, refund.units_fen) == ("succeeded", 100, 9900)
    assert (here.balance().available, here.balance().debt) == (0, 0)
    assert here.membership().months == 0


def test_what_the_console_refunds_of_used_units_is_the_balances(here):
    order = here.paid_month()
    here.use()

    refund = console(here, order, 9900)

    assert (refund.units, refund.units_fen) == (70, 6930)
    assert (here.balance().available, here.balance().debt) == (0, 2970)
    assert numbers(here.month(order)) == (30, 0, 0, 30)
    assert here.row(order.id).standing is OrderStanding.REFUNDED


def test_the_console_refunds_an_earlier_month_and_the_later_one_stays(here):
    first, second = here.paid_month(), here.paid_month()

    console(here, first, 9900)

    assert numbers(here.month(first)) == (0, 0, 0, 0)
    assert (here.membership().months, here.shown(second)) == (2, 9900)
    assert here.balance().debt == 0


# Meanwhile.


def test_units_taken_meanwhile_are_not_refunded(here):
    order = here.paid_month()
    ports = with_store(here, RacedStore(here.ports.store, here.hold))

    made = refunds.ask(ports, ALICE, order.id, AskRefund(), key=None)

    assert made.value.amount_fen == 6930
    assert numbers(here.month(order)) == (30, 0, 30, 0)


def test_a_renewal_meanwhile_keeps_the_month(here):
    order = here.paid_month()
    ports = with_store(here, RacedStore(here.ports.store, here.paid_month))

    with pytest.raises(NotRefundable) as refusal:
        refunds.ask(ports, ALICE, order.id, AskRefund(), key=None)

    assert refusal.value.state == "renewed"
    assert here.membership().months == 2


def test_a_month_written_off_meanwhile_is_not_refunded(here):
    order = here.paid_month()
    ports = with_store(here, RacedStore(here.ports.store, lambda: end(here)))

    with pytest.raises(NotRefundable):
        refunds.ask(ports, ALICE, order.id, AskRefund(), key=None)


def end(here):
    here.clock.pass_(days=32)
    sweep.sweep(here.ports)


def test_units_come_back_as_their_own_month_if_theirs_goes_whole_meanwhile(here):
    order = here.paid_month()
    half = here.refund(order, 4950)
    ports = with_store(here, RacedStore(here.ports.store, lambda: here.refund(order)))

    refunds.reject(ports, OPERATOR, order.id, half.id, RejectRefund(reason="no"))

    assert numbers(here.month(order)) == (50, 50, 0, 0)
    assert here.membership().months == 1


def test_the_owner_of_a_shortened_membership_is_told_of_its_new_end(here):
    here.paid_month()
    order = here.paid_month()

    here.refund(order)

    assert here.membership().due_at == here.membership().ends_at - timedelta(days=3)


def test_the_last_entry_names_the_month_that_the_units_came_to(here):
    order = here.paid_month()
    refund = here.refund(order)
    here.clock.pass_(days=40)
    here.rejected(refund)

    [again] = [each for each in here.entries() if each.code is EntryCode.UNITS_AGAIN]
    assert again.period == here.month(order).starts_at

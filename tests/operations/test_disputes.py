"""Tests of disputes: the money moves once and the account is frozen once, however the news come."""

from itertools import permutations

import pytest

from tests.fixtures import ledger as checker
from tests.fixtures.club import club, money, spend, tell
from tests.fixtures.counting import Meter
from tests.fixtures.money import ALICE, OPERATOR
from tests.fixtures.units import numbers
from wharfage.domain.dispute import Disputed, DisputeKind, DisputeState
from wharfage.domain.errors import (
    AccountFrozen,
    Invalid,
    KeyReused,
    NotFound,
    NotRefundable,
    StateConflict,
)
from wharfage.domain.order import OrderStanding
from wharfage.domain.usage import Standing
from wharfage.operations import disputes, life, sweep
from wharfage.operations.life import Freeze
from wharfage.transaction import ACTIONS_MAX

OPEN, WON, LOST = DisputeState.OPEN, DisputeState.WON, DisputeState.LOST


@pytest.fixture
def here():
    made = club()
    yield made
    checker.check(made.ports.store)
    made.adds_up()


def test_an_open_dispute_sets_its_money_aside_and_freezes_the_account(here):
    order = here.paid_order(9900)

    view = tell(here, order)

    assert (view.state, view.amount_fen, view.kind) == (OPEN, 9900, DisputeKind.CHARGEBACK)
    assert money(here) == (0, 0, True)
    assert here.moves(f"{order.id}.cb-1") == {"dispute": (-9900, 0)}
    row = here.row(order.id)
    assert (row.refundable_fen, row.disputed_fen) == (0, 9900)
    assert row.standing is OrderStanding.DISPUTED
    assert here.news(order)[-1] == "dispute.opened"


def test_a_won_dispute_gives_its_money_back_and_lets_the_account_go(here):
    order = here.paid_order(9900)
    tell(here, order, amount_fen=3000)
    assert money(here) == (6900, 0, True)

    tell(here, order, WON)

    assert money(here) == (9900, 0, False)
    assert here.moves(f"{order.id}.cb-1") == {
        "dispute": (-3000, 0), "dispute_reversal": (3000, 0),
    }  # fmt: skip
    assert (here.shown(order), here.row(order.id).standing) == (9900, OrderStanding.PAID)
    assert here.news(order)[-1] == "dispute.won"


def test_a_lost_dispute_keeps_its_money_and_the_account_frozen_until_the_operator_says_so(here):
    order = here.paid_order(9900)
    tell(here, order, amount_fen=3000)

    tell(here, order, LOST)

    assert money(here) == (6900, 0, True)
    assert (here.shown(order), here.row(order.id).standing) == (6900, OrderStanding.DISPUTED)
    assert here.news(order)[-1] == "dispute.lost"
    life.unfreeze(here.ports, OPERATOR, ALICE.account, Freeze(reason="settled"))
    assert money(here) == (6900, 0, False)


@pytest.mark.parametrize("end", [WON, LOST])
@pytest.mark.parametrize("times", [1, 2])
def test_news_in_any_order_and_number_move_the_money_once(here, end, times):
    for number, news in enumerate(sorted(set(permutations((OPEN, end, OPEN, end))))):
        order = here.paid_order(1000)
        before = here.balance().available
        for state in news * times:
            tell(here, order, state, reference=f"cb-{number}")
        gone = 0 if end is WON else 1000
        assert before - here.balance().available == gone
        assert here.balance().disputes == 0
        assert here.row(order.id).disputed_fen == gone


def test_what_is_won_before_it_was_heard_of_moves_nothing(here):
    order = here.paid_order(9900)

    assert tell(here, order, WON).state is WON

    assert money(here) == (9900, 0, False)
    assert here.moves(f"{order.id}.cb-1") == {}


def test_a_dispute_that_has_ended_does_not_end_otherwise(here):
    for first, second in ((WON, LOST), (LOST, WON)):
        order = here.paid_order(1000)
        tell(here, order, first, reference=first)
        with pytest.raises(StateConflict):
            tell(here, order, second, reference=first)


def test_another_amount_or_kind_under_one_reference_is_another_dispute(here):
    order = here.paid_order(9900)
    tell(here, order, amount_fen=3000)

    for other in ({"amount_fen": 3001}, {"kind": DisputeKind.COMPLAINT}):
        with pytest.raises(KeyReused):
            tell(here, order, **other)
    assert tell(here, order, amount_fen=3000).version == 1


@pytest.mark.parametrize(("amount_fen", "possible"), [(9899, True), (9900, True), (9901, False)])
def test_no_more_is_disputed_than_was_paid(here, amount_fen, possible):
    order = here.paid_order(9900)

    if possible:
        assert tell(here, order, amount_fen=amount_fen).amount_fen == amount_fen
        return
    with pytest.raises(Invalid):
        tell(here, order, amount_fen=amount_fen)


def test_only_a_paid_order_is_disputed(here):
    with pytest.raises(StateConflict):
        tell(here, here.order())
    with pytest.raises(NotFound):
        disputes.tell(here.ports, OPERATOR, "ord_none", Disputed(reference="a", reason="b"))


def test_what_was_spent_is_owed_and_paid_first_when_the_dispute_is_won(here):
    order = here.paid_order(9900)
    spend(here, 9000)

    tell(here, order)
    assert money(here) == (0, 9000, True)

    tell(here, order, WON)
    assert money(here) == (900, 0, False)


def test_a_won_dispute_ends_the_suspension_that_its_debt_led_to(here):
    order = here.paid_order(9900)
    spend(here, 9000)
    tell(here, order)
    sweep.sweep(here.ports)
    here.clock.pass_(days=4)
    sweep.sweep(here.ports)
    assert here.balance().suspended_at is not None

    tell(here, order, WON)

    assert here.balance().suspended_at is None
    assert money(here) == (900, 0, False)


def test_what_went_back_already_is_owed_when_it_is_disputed_too(here):
    order = here.paid_order(9900)
    refund = here.refund(order, 3000)
    here.approved(refund)
    here.carried_out(refund)

    tell(here, order)

    row = here.row(order.id)
    assert (row.refundable_fen, row.refunded_fen, row.disputed_fen) == (0, 3000, 6900)
    assert money(here) == (0, 3000, True)
    tell(here, order, WON)
    assert (here.shown(order), money(here)) == (6900, (6900, 0, False))


def test_nothing_is_refunded_while_the_account_is_frozen(here):
    order, other, month = here.paid_order(9900), here.paid_order(500), here.paid_month()
    tell(here, order, amount_fen=100)

    for each in (order, other, month):
        with pytest.raises(AccountFrozen):
            here.refund(each)
    tell(here, order, WON)
    assert here.refund(other).amount_fen == 500


def test_what_is_disputed_is_not_refunded(here):
    order = here.paid_order(9900)
    tell(here, order, LOST, amount_fen=9000)
    life.unfreeze(here.ports, OPERATOR, ALICE.account, Freeze(reason="settled"))

    with pytest.raises(NotRefundable):
        here.refund(order, 901)
    assert here.refund(order, 900).amount_fen == 900


# Frozen by several.


def test_an_account_is_frozen_until_its_last_dispute_is_won(here):
    first, second = here.paid_order(100), here.paid_order(200)
    tell(here, first)
    tell(here, second)
    assert here.balance().disputes == 2

    tell(here, first, WON)
    assert money(here)[2] is True
    tell(here, second, WON)
    assert money(here)[2] is False


@pytest.mark.parametrize("by_hand_first", [True, False])
def test_what_the_operator_froze_stays_frozen_when_a_dispute_is_won(here, by_hand_first):
    order, body = here.paid_order(100), Freeze(reason="odd")
    if not by_hand_first:
        tell(here, order)
    life.freeze(here.ports, OPERATOR, ALICE.account, body)
    if by_hand_first:
        tell(here, order)

    tell(here, order, WON)

    assert money(here)[2] is True
    life.unfreeze(here.ports, OPERATOR, ALICE.account, body)
    assert money(here)[2] is False


def test_the_operator_does_not_let_an_account_go_that_a_dispute_keeps(here):
    order, body = here.paid_order(100), Freeze(reason="odd")
    tell(here, order)
    life.freeze(here.ports, OPERATOR, ALICE.account, body)

    for _ in range(2):
        view = life.unfreeze(here.ports, OPERATOR, ALICE.account, body)

    assert (view.state, view.disputes) == (Standing.FROZEN, 1)
    tell(here, order, WON)
    assert money(here)[2] is False


# Memberships.


def test_a_disputed_month_loses_its_unused_units_and_gets_them_back(here):
    order = here.paid_month()
    here.use()

    view = tell(here, order)

    assert (view.units, money(here)) == (70, (0, 2970, True))
    assert numbers(here.month(order)) == (30, 0, 0, 30)
    assert here.moves(f"{order.id}.cb-1") == {
        "dispute": (-9900, 0), "membership_return": (6930, 0), "units_return": (0, -70),
    }  # fmt: skip
    tell(here, order, WON)
    assert money(here) == (0, 0, False)
    assert numbers(here.month(order)) == (100, 70, 0, 30)
    assert here.shown(order) == 6930


def test_a_disputed_month_that_is_won_after_its_end_is_a_month_of_its_own(here):
    order = here.paid_month()
    tell(here, order)
    here.clock.pass_(days=60)

    tell(here, order, WON)

    assert here.month(order).open(here.clock.now())
    assert numbers(here.month(order)) == (100, 100, 0, 0)


def test_a_month_of_its_own_and_the_end_of_a_suspension_come_in_one_transaction(here):
    order = here.paid_month()
    here.use()
    tell(here, order)
    for days in (0, 4, 60):
        here.clock.pass_(days=days)
        sweep.sweep(here.ports)
    assert here.balance().suspended_at is not None
    meter = Meter(here.ports)

    with meter.of() as tally:
        tell(here, order, WON, ports=meter.ports)

    assert max(map(len, tally.transactions)) == ACTIONS_MAX
    assert (here.balance().suspended_at, money(here)) == (None, (0, 0, False))
    assert numbers(here.month(order)) == (70, 70, 0, 0)

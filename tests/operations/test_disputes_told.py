"""Tests of what is told of disputes: evidence, the day to answer, and news that cross."""

from datetime import timedelta

import pytest

from tests.fixtures import ledger as checker
from tests.fixtures.club import club, money, spend, tell
from tests.fixtures.money import ALICE, BOB, OPERATOR, RacedStore, with_store
from wharfage import schema
from wharfage.domain.dispute import DisputeState
from wharfage.domain.errors import (
    AccountFrozen,
    NotRefundable,
)
from wharfage.operations import disputes, life, refunds, sweep
from wharfage.operations.life import Freeze
from wharfage.operations.refunds import AskRefund

OPEN, WON, LOST = DisputeState.OPEN, DisputeState.WON, DisputeState.LOST


@pytest.fixture
def here():
    made = club()
    yield made
    checker.check(made.ports.store)
    made.adds_up()


# Evidence, and the day to answer.


def test_evidence_is_kept_and_the_same_again_changes_nothing(here):
    order = here.paid_order()
    by = here.clock.now() + timedelta(days=7)
    tell(here, order)

    noted = tell(here, order, evidence="logs of job_1", answer_by=by)
    again = tell(here, order, evidence="logs of job_1", answer_by=by)

    assert (noted.evidence, noted.answer_by, noted.version) == ("logs of job_1", by, 2)
    assert again == noted
    assert here.news(order)[-2:] == ["dispute.opened", "dispute.noted"]
    assert tell(here, order, WON).evidence == "logs of job_1"


def test_the_operator_is_told_once_that_a_dispute_is_not_answered(here, caplog):
    order = here.paid_order()
    tell(here, order, answer_by=here.clock.now() + timedelta(days=7))

    for days in (6, 1, 1, 1):
        here.clock.pass_(days=days)
        sweep.sweep(here.ports)

    assert here.news(order).count("dispute.overdue") == 1
    assert [each.message for each in caplog.records].count("dispute.overdue") == 1


def test_what_has_ended_is_not_due(here):
    order = here.paid_order()
    tell(here, order, answer_by=here.clock.now() + timedelta(days=1))
    tell(here, order, WON)

    here.clock.pass_(days=2)
    sweep.sweep(here.ports)

    assert "dispute.overdue" not in here.news(order)


def test_disputes_are_listed_by_state(here):
    order = here.paid_order()
    for reference, state in (("a", OPEN), ("b", WON), ("c", LOST), ("d", OPEN)):
        tell(here, order, state, reference=reference, amount_fen=1)

    found = {
        state: [each.id for each in disputes.in_state(here.ports, state, after=None, limit=9).items]
        for state in DisputeState
    }

    assert found == {OPEN: ["d", "a"], WON: ["b"], LOST: ["c"]}


# Meanwhile.


def test_the_same_news_at_once_move_the_money_once(here):
    order = here.paid_order(9900)
    ports = with_store(here, RacedStore(here.ports.store, lambda: tell(here, order)))

    tell(here, order, ports=ports)

    assert money(here) == (0, 0, True)
    assert here.balance().disputes == 1
    ports = with_store(here, RacedStore(here.ports.store, lambda: tell(here, order, WON)))
    tell(here, order, WON, ports=ports)
    assert money(here) == (9900, 0, False)


def test_a_refund_that_comes_first_is_taken_into_account(here):
    order = here.paid_order(9900)
    ports = with_store(here, RacedStore(here.ports.store, lambda: here.refund(order, 3000)))

    tell(here, order, ports=ports)

    row = here.row(order.id)
    assert (row.refundable_fen, row.disputed_fen) == (0, 6900)
    assert money(here) == (0, 3000, True)


def test_a_refund_that_comes_second_is_refused(here):
    order = here.paid_order(9900)
    ports = with_store(here, RacedStore(here.ports.store, lambda: tell(here, order)))

    with pytest.raises((AccountFrozen, NotRefundable)):
        refunds.ask(ports, ALICE, order.id, AskRefund(), key=None)

    assert here.refunds(order) == []


@pytest.mark.parametrize("by_hand", [True, False])
def test_what_freezes_meanwhile_keeps_frozen_what_is_won(here, by_hand):
    order, other = here.paid_order(100), here.paid_order(200)
    tell(here, order)

    def freeze():
        if by_hand:
            life.freeze(here.ports, OPERATOR, ALICE.account, Freeze(reason="odd"))
        else:
            tell(here, other)

    tell(here, order, WON, ports=with_store(here, RacedStore(here.ports.store, freeze)))

    assert money(here)[2] is True


def test_money_spent_meanwhile_is_owed(here):
    order = here.paid_order(9900)
    ports = with_store(here, RacedStore(here.ports.store, lambda: spend(here, 9000)))

    tell(here, order, ports=ports)

    assert money(here) == (0, 9000, True)


def test_somebody_elses_account_is_not_touched(here):
    order = here.paid_order(9900)

    tell(here, order)

    assert here.ports.store.get(schema.BALANCE.key(account=BOB.account)) is None

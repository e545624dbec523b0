"""Runs and breaks: a look goes forward, a rerun finds the same, and time has its bounds."""

from dataclasses import replace as changed
from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain import reconciliation as rules
from wharfage.domain.bill import Bill, BillRow, RowKind
from wharfage.domain.matching import missing_there
from wharfage.domain.reconciliation import LEDGER, BreakState, Stage, begins_on, begun, closed

DAY = date(2026, 3, 1)
NOW = datetime(2026, 3, 2, 2, tzinfo=UTC)  #: Ten o'clock in China, of the next day.
BEGINS = datetime(2026, 2, 28, 16, tzinfo=UTC)
RUN = begun("alipay", DAY, NOW)
FINDING = missing_there(RowKind.PAYMENT, "ord_000001", "T1", 9900)
BILL = Bill(
    channel="alipay",
    day=DAY,
    begins_at=BEGINS,
    ends_at=BEGINS + timedelta(days=1),
    rows=(
        BillRow(
            kind=RowKind.PAYMENT, order="o", trade_no="T1", amount_fen=9900, fee_fen=60,
            completed_at=NOW,
        ),
        BillRow(
            kind=RowKind.REFUND, order="o", trade_no="T1", refund="r", amount_fen=1000, fee_fen=-6,
            completed_at=NOW,
        ),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("moment", "newest"),
    [
        (NOW - timedelta(milliseconds=1), date(2026, 2, 28)),
        (NOW, DAY),
        (NOW + timedelta(hours=13, minutes=59), DAY),
        (NOW + timedelta(hours=14), DAY),
        (NOW + timedelta(days=1), date(2026, 3, 2)),
    ],
)
def test_a_day_is_looked_at_from_ten_in_the_morning_after_it(moment, newest):
    assert rules.newest_day(moment) == newest


def test_a_day_of_the_books_is_a_day_in_china():
    assert begins_on(DAY) == BEGINS


def test_a_first_look_is_late_some_hours_after_it_was_expected():
    late_at = NOW + timedelta(hours=limits.RECONCILE_LATE_HOURS)

    assert not rules.late(RUN, late_at - timedelta(milliseconds=1))
    assert rules.late(RUN, late_at)
    assert not rules.late(rules.finished(RUN, late_at), late_at)
    assert not rules.late(replace(RUN, round=2), late_at)


def test_what_is_recorded_just_before_midnight_is_judged_with_the_next_day():
    run = rules.read_from(RUN, BILL, "d")

    begins_at, ends_at = rules.judged(run)

    assert BEGINS - begins_at == timedelta(minutes=limits.MIDNIGHT_CARRY_MINUTES)
    assert ends_at - begins_at == timedelta(days=1)


def test_a_bill_may_come_for_a_day_and_a_night():
    patience = BEGINS + timedelta(days=2, hours=limits.RECONCILE_HOUR)

    assert rules.waits(RUN, patience - timedelta(milliseconds=1))
    assert not rules.waits(RUN, patience)


def test_a_bill_is_counted_when_it_is_begun():
    run = rules.read_from(RUN, BILL, "d")

    assert (run.stage, run.cursor, run.digest, run.round) == (Stage.ROWS, "0", "d", 1)
    assert (run.payments, run.payments_fen, run.refunds, run.refunds_fen) == (1, 9900, 1, 1000)
    assert run.fees_fen == 54


def test_a_bill_that_was_made_anew_begins_another_look():
    run = rules.read_from(RUN, BILL, "d")

    assert rules.read_from(run, BILL, "d").round == 1
    assert rules.read_from(run, BILL, "e").round == 2


def test_every_day_with_open_breaks_is_looked_at_again_and_no_other():
    assert rules.finished(RUN, NOW).due_at is None
    assert rules.finished(replace(RUN, open_breaks=1), NOW).due_at == NOW + timedelta(days=1)


def test_a_day_that_is_done_begins_anew_and_keeps_count_of_its_open_breaks():
    done = rules.finished(replace(RUN, open_breaks=2, cursor="x", payments=5), NOW)

    after = rules.again(done, NOW + timedelta(hours=1))

    assert (after.stage, after.round, after.open_breaks, after.payments) == (Stage.BILL, 2, 2, 0)
    assert after.version == done.version + 1
    assert after.due_at == NOW + timedelta(hours=1)


def test_a_day_that_is_not_done_only_goes_on_at_once():
    waiting = rules.troubled(RUN, "unanswered", NOW)

    after = rules.again(waiting, NOW)

    assert (after.stage, after.round, after.due_at) == (Stage.BILL, 1, NOW)
    assert waiting.due_at == NOW + timedelta(hours=1)
    assert rules.moved(after, Stage.PAYMENTS).trouble is None


def test_the_ledger_has_no_bill():
    assert begun(LEDGER, DAY, NOW).stage is Stage.ACCOUNTS


def test_the_same_finding_is_the_same_break_and_another_is_not():
    first = rules.found_break(RUN, FINDING, NOW)
    later = rules.found_break(replace(RUN, round=3), FINDING, NOW + timedelta(days=1))

    assert first.id == later.id
    others = [
        rules.found_break(RUN, changed(FINDING, number="T2"), NOW),
        rules.found_break(RUN, changed(FINDING, kind=RowKind.REFUND), NOW),
        rules.found_break(RUN, changed(FINDING, order="ord_000002"), NOW),
        rules.found_break(replace(RUN, channel="wechat"), FINDING, NOW),
        rules.found_break(replace(RUN, day=date(2026, 3, 2)), FINDING, NOW),
    ]
    assert len({first.id, *(each.id for each in others)}) == 6


@pytest.mark.parametrize(
    ("state", "after"),
    [
        (BreakState.OPEN, BreakState.OPEN),
        (BreakState.CLEARED, BreakState.OPEN),
        (BreakState.MENDED, BreakState.OPEN),
        (BreakState.RESOLVED, BreakState.RESOLVED),
    ],
)
def test_what_closed_by_itself_opens_when_it_is_found_again(state, after):
    there = closed(rules.found_break(RUN, FINDING, NOW), state, NOW, by="usr_op", reason="why")
    later = replace(RUN, round=2)

    again = rules.seen_again(there, later, changed(FINDING, theirs_fen=5))

    assert (again.state, again.round, again.theirs_fen) == (after, 2, 5)
    assert rules.seen_again(again, later, FINDING) is again

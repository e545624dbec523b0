"""Statements of any ledger: months follow each other without a fen between them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfage.domain import limits, span, statement
from wharfage.domain.balance import Entry, EntryCode
from wharfage.domain.statement import Carried

MONTH = "2026-03"
WANTED = span.of_month(MONTH, "Europe/Berlin")
MILLISECOND = timedelta(milliseconds=1)
amounts = st.integers(-(10**12), 10**12)


def entry(code: EntryCode, amount_fen: int, units: int = 0) -> Entry:
    return Entry(
        account="a", code=code, reference="r", amount_fen=amount_fen, units=units, debit="a",
        credit="b", posted_at=WANTED.begins_at,
    )  # fmt: skip


def opening(amount_fen: int = 0, units: int = 0) -> Carried:
    return Carried(account="a", at=WANTED.begins_at, amount_fen=amount_fen, units=units)


def stated(before: Carried, *moves: Entry, now: datetime = WANTED.ends_at) -> statement.Statement:
    return statement.stated(
        MONTH, "Europe/Berlin", WANTED, opening=before, lines=statement.summed(moves), now=now
    )


@given(amounts, amounts, st.lists(st.tuples(st.sampled_from(EntryCode), amounts, amounts)))
def test_opening_and_every_line_add_up_to_closing(fen, units, moves):
    entries = [entry(*move) for move in moves]

    view = stated(opening(fen, units), *entries)

    assert view.closing_fen == fen + sum(each.amount_fen for each in entries)
    assert view.closing_fen == view.opening_fen + sum(line.amount_fen for line in view.lines)
    assert view.closing_units == view.opening_units + sum(line.units for line in view.lines)
    assert sum(line.count for line in view.lines) == len(entries)


def test_each_code_has_one_line_in_the_order_of_the_codes():
    use, topup = entry(EntryCode.USE, -3), entry(EntryCode.TOPUP, 10)

    lines = stated(opening(), use, topup, use).lines

    assert [(line.code, line.count, line.amount_fen) for line in lines] == [
        (EntryCode.TOPUP, 1, 10),
        (EntryCode.USE, 2, -6),
    ]


def test_a_month_without_moves_closes_as_it_opened():
    view = stated(opening(7, 3))

    assert (view.lines, view.closing_fen, view.closing_units) == ((), 7, 3)


@pytest.mark.parametrize(("late", "complete"), [(-MILLISECOND, False), (0 * MILLISECOND, True)])
def test_a_month_is_complete_when_nothing_can_come_any_more(late, complete):
    rest = timedelta(seconds=limits.STATEMENT_REST_SECONDS)

    assert stated(opening(), now=WANTED.ends_at + rest + late).complete is complete


def test_the_beginning_is_before_every_month():
    assert datetime(2000, 1, 1, tzinfo=UTC) >= statement.BEGINNING

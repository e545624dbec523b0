"""Matching: each kind of disagreement is found, once, whatever the order of the rows."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfage.domain.bill import Bill, BillRow, Claim, FeeTerms, RowKind
from wharfage.domain.matching import (
    BreakType,
    Ours,
    digest_of,
    drift,
    key_of,
    match,
    missing_there,
    number_of,
    ordered,
    totals,
)

DAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)
ROW = BillRow(
    kind=RowKind.PAYMENT, order="ord_000001", trade_no="T1", amount_fen=9900, completed_at=NOON
)
REFUND = replace(ROW, kind=RowKind.REFUND, refund="rfd_1", amount_fen=1000)
GOOD = Ours(order_fen=9900, recorded_fen=9900, moved_fen=9900)
BACK = Ours(order_fen=9900, recorded_fen=1000, moved_fen=1000)


def types(row: BillRow, ours: Ours | None, **more) -> list[BreakType]:
    return [each.type for each in match(row, ours, day=DAY, **more)]


def test_what_agrees_is_no_finding():
    assert types(ROW, GOOD) == []
    assert types(REFUND, BACK) == []
    assert types(ROW, GOOD, billed_on=DAY, terms=FeeTerms(basis_points=0)) == []


@pytest.mark.parametrize(
    ("row", "ours", "found"),
    [
        (ROW, None, BreakType.UNKNOWN_ORDER),
        (REFUND, None, BreakType.UNKNOWN_ORDER),
        (ROW, Ours(order_fen=9900), BreakType.MISSING_HERE),
        (REFUND, Ours(order_fen=9900), BreakType.MISSING_HERE),
        (ROW, Ours(order_fen=9800), BreakType.AMOUNT),
        (ROW, Ours(order_fen=9800, recorded_fen=9800), BreakType.AMOUNT),
        (REFUND, Ours(order_fen=9900, recorded_fen=900, moved_fen=900), BreakType.AMOUNT),
        (ROW, replace(GOOD, agreed=False), BreakType.STATUS),
        (REFUND, replace(BACK, agreed=False), BreakType.STATUS),
        (ROW, replace(GOOD, moved_fen=None), BreakType.LEDGER),
        (ROW, replace(GOOD, moved_fen=9901), BreakType.LEDGER),
        (REFUND, replace(BACK, moved_fen=None), BreakType.LEDGER),
    ],
)
def test_each_disagreement_has_its_type(row, ours, found):
    assert types(row, ours) == [found]


def test_a_second_payment_of_an_order_moves_no_ledger():
    assert types(ROW, replace(GOOD, moved_fen=None, moves=False)) == []


def test_what_is_on_two_bills_or_twice_on_one_is_a_duplicate():
    assert types(ROW, GOOD, times=2) == [BreakType.DUPLICATE]
    assert types(ROW, GOOD, billed_on=DAY - timedelta(days=1)) == [BreakType.DUPLICATE]
    assert types(ROW, None, times=2) == [BreakType.DUPLICATE, BreakType.UNKNOWN_ORDER]


@pytest.mark.parametrize(("fee_fen", "found"), [(59, []), (60, []), (61, [BreakType.FEE])])
def test_a_fee_is_held_against_the_contract(fee_fen, found):
    row = replace(ROW, fee_fen=fee_fen)

    assert types(row, GOOD, terms=FeeTerms(basis_points=60)) == found
    assert types(row, GOOD) == []


def test_a_fee_that_is_given_back_with_a_refund_is_not_judged():
    assert types(replace(REFUND, fee_fen=-999), BACK, terms=FeeTerms(basis_points=0)) == []


def test_both_sides_are_named():
    [found] = match(ROW, Ours(order_fen=9800, recorded_fen=9800), day=DAY)

    assert (found.ours_fen, found.theirs_fen) == (9800, 9900)
    assert (found.order, found.number) == ("ord_000001", "T1")
    assert missing_there(RowKind.PAYMENT, "o", "t", 5).ours_fen == 5
    assert drift("usr_a", "entries", 7, 5).type is BreakType.LEDGER


def test_a_refund_is_named_by_its_request_and_without_one_by_its_trade():
    assert number_of(REFUND) == "rfd_1"
    assert number_of(replace(REFUND, refund="")) == "of:T1"
    assert number_of(replace(REFUND, refund=None)) == "of:T1"


def test_a_sum_of_the_bill_that_is_not_its_rows_is_found():
    right, wrong = (
        Claim(name="payments", stated_fen=5, counted_fen=5),
        Claim(name="refunds", stated_fen=-5, counted_fen=-6),
    )
    bill = Bill(channel="alipay", day=DAY, begins_at=NOON, ends_at=NOON, claims=(right, wrong))

    [found] = totals(bill)

    assert (found.type, found.number) == (BreakType.TOTAL, "refunds")
    assert (found.ours_fen, found.theirs_fen) == (-6, -5)


rows = st.builds(
    BillRow,
    kind=st.just(RowKind.PAYMENT),
    order=st.sampled_from(["ord_000001", "ord_000002", "x"]),
    trade_no=st.sampled_from(["T1", "T2"]),
    amount_fen=st.integers(0, 3),
    completed_at=st.just(NOON),
)


@given(bill=st.lists(rows, max_size=12), data=st.data())
def test_the_order_of_the_rows_means_nothing(bill, data):
    shuffled = data.draw(st.permutations(bill))

    found = ordered(bill)

    assert found == ordered(shuffled)
    assert digest_of(found) == digest_of(ordered(shuffled))
    assert sum(times for _, times in found) == len(bill)
    assert len({key_of(row) for row, _ in found}) == len(found)


def test_another_content_has_another_digest():
    assert digest_of(ordered([ROW])) != digest_of(ordered([ROW, ROW]))
    assert digest_of(ordered([ROW])) != digest_of(ordered([replace(ROW, amount_fen=1)]))

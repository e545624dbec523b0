"""Bills: what their rows may say, and what a contract lets a channel keep."""

from datetime import UTC, datetime

import pytest

from wharfage.domain.bill import BillRow, FeeTerms, RowKind

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def row(**fields):
    return BillRow(
        **{
            "kind": RowKind.PAYMENT,
            "order": "ord_1",
            "trade_no": "2026",
            "amount_fen": 100,
            "completed_at": NOON,
            **fields,
        }
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount_fen": -1},
        {"completed_at": NOON.replace(tzinfo=None)},
        {"refund": "rfd_1"},
    ],
)
def test_a_row_that_an_adapter_must_not_make_is_caught(wrong):
    with pytest.raises(AssertionError):
        row(**wrong)


@pytest.mark.parametrize(
    ("amount_fen", "most_fen"), [(0, 0), (1, 1), (166, 1), (167, 2), (10_000, 60)]
)
def test_the_highest_fee_is_rounded_up_to_a_whole_fen(amount_fen, most_fen):
    assert FeeTerms(basis_points=60).most_fen(amount_fen) == most_fen


def test_a_fixed_part_is_added_to_every_fee():
    assert FeeTerms(basis_points=340, fixed_fen=235).most_fen(10_000) == 575

"""Tests of amounts as channels write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfage.domain.trade import AMOUNT_FEN_MAX, TradeStatus, TradeView, fen, yuan


@pytest.mark.parametrize(
    ("amount_fen", "text"),
    [
        (1, "0.01"),
        (10, "0.10"),
        (100, "1.00"),
        (9900, "99.00"),
        (AMOUNT_FEN_MAX, "100000000.00"),
    ],
)
def test_fen_are_written_as_yuan_with_two_decimals(amount_fen, text):
    assert yuan(amount_fen) == text


@pytest.mark.parametrize("amount_fen", [0, -1, AMOUNT_FEN_MAX + 1])
def test_an_amount_that_no_channel_takes_is_our_own_mistake(amount_fen):
    with pytest.raises(AssertionError):
        yuan(amount_fen)


@given(st.integers(min_value=1, max_value=AMOUNT_FEN_MAX))
def test_an_amount_survives_being_written_and_read(amount_fen):
    assert fen(yuan(amount_fen)) == amount_fen


@pytest.mark.parametrize(
    ("text", "amount_fen"), [("99", 9900), ("99.0", 9900), ("99.00", 9900), ("0.00", 0), ("0", 0)]
)
def test_a_plain_decimal_of_at_most_two_places_is_read(text, amount_fen):
    assert fen(text) == amount_fen


@pytest.mark.parametrize(
    "text",
    [
        "", " 99.00", "99.00 ", "99.00\n", "+99.00", "-99.00", "099.00", "00", ".5", "99.", "9.9e1",
        "99.000", "99,00", "1_000.00", "NaN", "Infinity", "0x63", "９９.００", "٩٩", "99.00元",
        "100000000.01", "1000000000.00", "9" * 5000,
    ],
)  # fmt: skip
def test_anything_else_is_no_amount(text):
    assert fen(text) is None


@given(st.text(max_size=20))
def test_no_text_breaks_the_reader(text):
    read = fen(text)

    assert read is None or (0 <= read <= AMOUNT_FEN_MAX and text.isascii())


def test_money_that_arrived_has_a_trade_number():
    with pytest.raises(AssertionError):
        TradeView(status=TradeStatus.SUCCESS, amount_fen=1)

"""Tests of which channel an order goes to."""

import pytest

from wharfage.domain.errors import Invalid, Unanswered, Unavailable
from wharfage.domain.routing import Offer, Wish, choose
from wharfage.domain.trade import Capabilities, PayMethod

CARDS = Capabilities(methods=frozenset({PayMethod.PAGE}), amount_fen_min=400, amount_fen_max=10_000)
WALLET = Capabilities(
    methods=frozenset({PayMethod.QR, PayMethod.APP}), amount_fen_min=1, amount_fen_max=50_000
)
DOLLARS = Capabilities(
    methods=frozenset(PayMethod),
    amount_fen_min=1,
    amount_fen_max=10**9,
    currencies=frozenset({"USD"}),
)


def offers(cards: int = 0, wallet: int = 0) -> dict[str, Offer]:
    """Make an offer of two channels, each of which takes no orders for so many seconds."""
    return {
        "cards": Offer(capabilities=CARDS, rest_seconds=cards),
        "wallet": Offer(capabilities=WALLET, rest_seconds=wallet),
    }


def faults(refusal: Invalid) -> list[tuple[str, str]]:
    return [(fault.pointer, fault.code) for fault in refusal.faults]


@pytest.mark.parametrize(
    ("amount_fen", "chosen"),
    [(399, "wallet"), (400, "cards"), (10_000, "cards"), (10_001, "wallet"), (50_000, "wallet")],
)
def test_the_first_that_takes_the_amount_is_chosen(amount_fen, chosen):
    assert choose(offers(), Wish(amount_fen=amount_fen)) == chosen


def test_the_way_of_paying_decides_where_it_is_named():
    assert choose(offers(), Wish(amount_fen=400, method=PayMethod.APP)) == "wallet"
    assert choose(offers(), Wish(amount_fen=400, method=PayMethod.PAGE)) == "cards"


@pytest.mark.parametrize(
    ("wish", "fault"),
    [
        (Wish(amount_fen=50_001), ("/amount_fen", "channel_limit")),
        (Wish(amount_fen=400, method=PayMethod.WAP), ("/method", "method_unknown")),
        (Wish(amount_fen=400, currency="EUR"), ("/channel", "channel_currency")),
    ],
)
def test_what_no_channel_can_do_is_refused_with_what_does_not_fit(wish, fault):
    with pytest.raises(Invalid) as refused:
        choose(offers(), wish)

    assert faults(refused.value) == [fault]


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        (Wish(amount_fen=399), "cards takes 400 fen or more."),
        (Wish(amount_fen=10_001), "cards takes 10000 fen at most."),
        (Wish(amount_fen=400, method=PayMethod.QR), "cards is paid by page."),
    ],
)
def test_a_refusal_says_what_the_channel_does_take(wish, words):
    with pytest.raises(Invalid) as refused:
        choose(offers(), wish, named="cards")

    assert [each.message for each in refused.value.faults] == [words]


def test_a_channel_of_another_currency_is_passed_over():
    both = {"dollars": Offer(capabilities=DOLLARS), **offers()}

    assert choose(both, Wish(amount_fen=400)) == "cards"
    assert choose(both, Wish(amount_fen=400, currency="USD")) == "dollars"


def test_the_named_channel_is_taken_or_refused_and_never_another():
    assert choose(offers(), Wish(amount_fen=400), named="wallet") == "wallet"
    for wish, named, fault in (
        (Wish(amount_fen=400), "bank", ("/channel", "channel_unknown")),
        (Wish(amount_fen=399), "cards", ("/amount_fen", "channel_limit")),
        (Wish(amount_fen=400, method=PayMethod.QR), "cards", ("/method", "method_unknown")),
    ):
        with pytest.raises(Invalid) as refused:
            choose(offers(), wish, named=named)
        assert faults(refused.value) == [fault]


def test_a_channel_that_rests_is_passed_over():
    assert choose(offers(cards=9), Wish(amount_fen=400)) == "wallet"


def test_where_all_that_fit_rest_the_shortest_rest_is_told():
    for there, wish, named, seconds in (
        (offers(cards=9, wallet=4), Wish(amount_fen=400), None, 4),
        (offers(cards=9), Wish(amount_fen=400, method=PayMethod.PAGE), None, 9),
        (offers(cards=9), Wish(amount_fen=400), "cards", 9),
    ):
        with pytest.raises(Unavailable) as refused:
            choose(there, wish, named=named)
        assert refused.value.retry_after_seconds == seconds
        assert not isinstance(refused.value, Unanswered)


def test_without_any_channel_it_is_not_the_wish_that_is_wrong():
    with pytest.raises(Unavailable):
        choose({}, Wish(amount_fen=400))

"""Tests of the channels that clients are shown, and of the one that an order gets."""

from dataclasses import replace

import msgspec
import pytest

from tests.fixtures.money import ALICE, CAPABILITIES, ScriptedChannel, World, world
from wharfage.adapters.breakers import Breakers
from wharfage.domain import limits
from wharfage.domain.errors import Invalid, Unavailable
from wharfage.domain.order import OrderState
from wharfage.domain.trade import Payer, PayMethod, TradeStatus, TradeView
from wharfage.operations import channels, orders, payments
from wharfage.operations.orders import OpenOrder

CARDS = replace(
    CAPABILITIES, methods=frozenset({PayMethod.PAGE}), amount_fen_min=400, amount_fen_max=10**9
)


class Shop:
    """A world with two channels behind breakers, the preferred one first."""

    def __init__(self) -> None:
        self.here: World = world()
        self.wallet, self.cards = ScriptedChannel(name="wallet"), ScriptedChannel(name="cards")
        self.cards.capabilities = CARDS
        self.breakers = Breakers(self.here.clock)
        both = (self.wallet, self.cards)
        self.here.ports = replace(
            self.here.ports,
            channels={each.name: self.breakers.around(each) for each in both},
            breakers=self.breakers,
        )

    def open(self, **wish) -> str:
        """Open an order and say by which channel it is paid."""
        body = OpenOrder(**{"amount_fen": 9900, **wish})
        return orders.open(self.here.ports, ALICE, body, key=None).value.channel

    def lose(self, channel: str) -> None:
        """Have a channel leave so many calls unanswered that its breaker opens."""
        for _ in range(limits.BREAKER_MISSES):
            self.breakers.unanswered(channel)


def test_clients_see_each_channel_with_its_ways_and_both_limits():
    shop = Shop()
    shop.lose("cards")

    wallet, cards = channels.find_all(shop.here.ports)

    assert (wallet.name, wallet.methods) == ("wallet", list(PayMethod))
    assert (wallet.amount_fen_min, wallet.amount_fen_max) == (
        limits.TOPUP_FEN_MIN,
        limits.TOPUP_FEN_MAX,
    )
    assert (wallet.available, wallet.retry_after_seconds) == (True, None)
    assert (cards.amount_fen_min, cards.methods) == (400, [PayMethod.PAGE])
    assert (cards.available, cards.retry_after_seconds) == (False, limits.BREAKER_OPEN_SECONDS)
    assert {cards.currency, wallet.currency} == {"CNY"}


def test_an_order_gets_the_preferred_channel_or_the_one_it_names():
    shop = Shop()

    assert shop.open() == "wallet"
    assert shop.open(channel="cards") == "cards"
    assert shop.open(channel="cards", method=PayMethod.PAGE) == "cards"


def test_a_named_channel_that_is_not_paid_in_the_named_way_is_refused():
    with pytest.raises(Invalid) as refused:
        Shop().open(channel="cards", method=PayMethod.QR)

    assert refused.value.faults[0].pointer == "/method"


def test_while_a_channel_does_not_answer_its_orders_go_to_another_that_fits():
    shop = Shop()
    shop.lose("wallet")

    assert shop.open() == "cards"
    for wish in ({"channel": "wallet"}, {"method": PayMethod.QR}, {"amount_fen": 399}):
        with pytest.raises(Unavailable) as refused:
            shop.open(**wish)
        assert refused.value.retry_after_seconds == limits.BREAKER_OPEN_SECONDS


def test_orders_go_back_to_a_channel_that_answers_again():
    shop = Shop()
    shop.lose("wallet")
    shop.here.clock.pass_(seconds=limits.BREAKER_OPEN_SECONDS)

    assert shop.open() == "wallet"


def test_an_order_in_doubt_is_asked_about_while_its_channel_gets_no_new_ones():
    shop = Shop()
    made = orders.open(shop.here.ports, ALICE, OpenOrder(amount_fen=9900), key=None).value
    shop.lose("wallet")
    shop.wallet.trades[made.id] = TradeView(
        status=TradeStatus.SUCCESS, trade_no="T1", amount_fen=9900
    )
    shop.here.clock.pass_(seconds=31)
    shop.lose("wallet")

    payments.sweep_order(shop.here.ports, shop.here.row(made.id))

    assert shop.here.row(made.id).state is OrderState.PAID
    assert shop.here.balance().available == 9900
    assert shop.open() == "wallet"  # The answer has closed the breaker, too.


def paid(shop: Shop, address: str | None = "192.0.2.7", **how: object) -> Payer:
    """Ask how to pay an order, and say whom the channel was told of."""
    made = orders.open(shop.here.ports, ALICE, OpenOrder(amount_fen=9900), key=None).value
    body = msgspec.convert({"method": "qr", **how}, orders.PayOrder)
    orders.pay(shop.here.ports, ALICE, made.id, body, address=address)
    [payer] = shop.wallet.payers[made.id]
    return payer


def test_a_channel_is_told_of_the_payer_only_what_the_way_of_paying_needs():
    assert paid(Shop()) == Payer()
    assert paid(Shop(), method="jsapi", openid="o-1_a") == Payer(openid="o-1_a")
    assert paid(Shop(), method="wap") == Payer(address="192.0.2.7")
    assert paid(Shop(), method="wap", payer_ip="198.51.100.1").address == "198.51.100.1"
    assert paid(Shop(), method="wap", payer_ip="2001:DB8::1").address == "2001:db8::1"


@pytest.mark.parametrize(
    ("how", "pointer", "code"),
    [
        ({"method": "jsapi"}, "/openid", "missing"),
        ({"method": "qr", "openid": "o1"}, "/openid", "unknown"),
        ({"method": "wap", "openid": "o1"}, "/openid", "unknown"),
        ({"method": "qr", "payer_ip": "192.0.2.1"}, "/payer_ip", "unknown"),
        ({"method": "jsapi", "openid": "o1", "payer_ip": "192.0.2.1"}, "/payer_ip", "unknown"),
        ({"method": "wap", "payer_ip": "192.0.2.256"}, "/payer_ip", "address_invalid"),
        ({"method": "wap", "payer_ip": "192.0.2.1 "}, "/payer_ip", "address_invalid"),
        ({"method": "wap", "payer_ip": "fe80::1%eth0"}, "/payer_ip", "address_invalid"),
        ({"method": "wap", "payer_ip": "example.com"}, "/payer_ip", "address_invalid"),
    ],
)
def test_what_is_missing_of_the_payer_or_not_needed_is_refused(how, pointer, code):
    shop = Shop()

    with pytest.raises(Invalid) as refused:
        paid(shop, **how)

    [wrong] = refused.value.faults
    assert (wrong.pointer, wrong.code) == (pointer, code)
    assert shop.wallet.payers == {}


@pytest.mark.parametrize("openid", ["", "o" * 129, "o 1", "o1\n", "ö1", 1])
def test_an_openid_is_read_strictly(openid):
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"method": "jsapi", "openid": openid}, orders.PayOrder)
    assert msgspec.convert({"method": "jsapi", "openid": "o" * 128}, orders.PayOrder).openid

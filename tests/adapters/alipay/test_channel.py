"""Tests of what the channel signs, and of its calls against the stand-in."""

import base64
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from tests.fixtures.alipay import (
    channel,
    order,
    pair,
    sandbox,
    settings,
)
from wharfage.adapters import rsa_keys as keys
from wharfage.adapters.alipay import AlipayChannel
from wharfage.adapters.alipay.channel import SUBJECTS
from wharfage.domain.errors import Unanswered, Unavailable
from wharfage.domain.order import OrderKind
from wharfage.domain.trade import (
    CloseOutcome,
    PayMethod,
    TradeStatus,
)


def test_a_pay_page_is_made_offline_and_says_the_same_every_time():
    alipay = channel()

    first = alipay.create(order(), PayMethod.PAGE)
    again = alipay.create(order(), PayMethod.PAGE)

    assert first == again
    assert first.url is not None
    assert first.url.startswith(settings().gateway + "?")
    assert first.qr_text is None


def test_a_pay_page_carries_the_order_and_times_of_shanghai():
    url = channel().create(order(), PayMethod.PAGE).url

    fields = {name: values[0] for name, values in parse_qs(urlsplit(str(url)).query).items()}
    assert fields["timestamp"] == "2026-03-02 04:00:00"
    assert fields["notify_url"] == settings().notify_url
    assert fields["return_url"] == settings().return_url
    assert (fields["charset"], fields["sign_type"]) == ("utf-8", "RSA2")
    content = json.loads(fields["biz_content"])
    assert content == {
        "out_trade_no": order().id,
        "total_amount": "99.00",
        "subject": "Wharfage 充值",
        "time_expire": "2026-03-02 04:15:00",
        "product_code": "FAST_INSTANT_TRADE_PAY",
    }


def test_what_a_pay_page_says_is_signed_by_us():
    url = channel().create(order(), PayMethod.PAGE).url

    fields = dict(parse_qsl(urlsplit(str(url)).query))
    signature = base64.b64decode(fields.pop("sign"))
    text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()))
    assert keys.verified(pair("merchant").private.public_key(), signature, text.encode())


def test_a_subject_can_neither_be_rolled_up_nor_break_a_brace():
    for subject in SUBJECTS.values():
        assert not set(subject) & set("&={}%+\"'<>\n\\")
    assert set(SUBJECTS) == set(OrderKind)


@pytest.fixture
def there(tmp_path) -> Iterator["There"]:
    with sandbox(tmp_path) as running:
        yield There(running)


class There:
    """The stand-in, and the channel that calls it."""

    def __init__(self, running) -> None:
        self.trades = running.server.get_app()._gateway.trades
        self.channel = AlipayChannel(
            settings(gateway=f"{running.url}/gateway.do"), timeout_seconds=2
        )
        self.order = order(now=datetime.now(UTC))

    def see(self) -> None:
        """Have the buyer scan the code."""
        text = self.channel.create(self.order, PayMethod.QR).qr_text
        assert text is not None
        self.trades.see(text.rsplit("/", 1)[1], now=time.time())

    def pay(self) -> None:
        """Have the buyer pay, without a notify."""
        assert self.trades.move(
            self.order.id, before="WAIT_BUYER_PAY", after="TRADE_SUCCESS", now=time.time()
        )


def test_a_qr_text_is_given_and_given_again(there):
    first = there.channel.create(there.order, PayMethod.QR)
    again = there.channel.create(there.order, PayMethod.QR)

    assert first == again
    assert first.qr_text is not None
    assert first.qr_text.startswith("http://127.0.0.1:")


def test_a_trade_is_not_found_until_somebody_scans_it(there):
    assert there.channel.query(there.order).status is TradeStatus.NOT_FOUND
    there.channel.create(there.order, PayMethod.QR)
    assert there.channel.query(there.order).status is TradeStatus.NOT_FOUND
    assert there.channel.close(there.order) is CloseOutcome.NOT_FOUND


def test_a_trade_that_waits_can_be_closed(there):
    there.see()
    assert there.channel.query(there.order).status is TradeStatus.WAITING

    assert there.channel.close(there.order) is CloseOutcome.CLOSED

    view = there.channel.query(there.order)
    assert (view.status, view.refunded) == (TradeStatus.CLOSED, False)
    assert there.channel.close(there.order) is CloseOutcome.NOT_WAITING


def test_a_paid_trade_is_found_and_not_closed(there):
    there.see()
    there.pay()

    view = there.channel.query(there.order)

    assert (view.status, view.amount_fen) == (TradeStatus.SUCCESS, 9900)
    assert view.trade_no
    assert there.channel.close(there.order) is CloseOutcome.NOT_WAITING


def test_a_paid_trade_has_no_qr_text_any_more(there):
    there.see()
    there.pay()

    with pytest.raises(Unavailable):
        there.channel.create(there.order, PayMethod.QR)


def test_a_paid_trade_that_is_closed_was_given_back_whole(there):
    there.see()
    there.pay()
    there.trades.move(there.order.id, before="TRADE_SUCCESS", after="TRADE_CLOSED", now=0)

    view = there.channel.query(there.order)

    assert (view.status, view.refunded) == (TradeStatus.CLOSED, True)


def test_an_answer_signed_by_another_is_unknown(there, tmp_path):
    there.see()
    alipay = AlipayChannel(
        settings(gateway=there.channel._settings.gateway, alipay_public_key=pair("x").public_pem)
    )

    assert alipay.query(there.order).status is TradeStatus.UNKNOWN
    assert alipay.close(there.order) is CloseOutcome.UNKNOWN
    with pytest.raises(Unanswered):
        alipay.create(there.order, PayMethod.QR)


def test_a_request_that_alipay_does_not_take_for_ours_is_unknown(there):
    alipay = AlipayChannel(
        settings(gateway=there.channel._settings.gateway, app_private_key=pair("x").private_pem)
    )

    assert alipay.query(there.order).status is TradeStatus.UNKNOWN

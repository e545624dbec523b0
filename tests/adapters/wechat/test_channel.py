"""Tests of what only WeChat Pay does: its keys, its seal, its time, and what an app is handed."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from infrastructure.local.sandbox.wechat_payers import Declined
from tests.fixtures import wechat
from tests.fixtures.alipay import order, pair
from tests.fixtures.other_tills import WechatTill
from wharfage.adapters import rsa_keys
from wharfage.adapters.clock import SystemClock
from wharfage.adapters.rsa_keys import UnusableKey
from wharfage.adapters.wechat import WechatChannel
from wharfage.domain.errors import Invalid, NotifyRefused, Unanswered, Unavailable
from wharfage.domain.trade import NotifyRequest, NotifyStep, Payer, PayMethod, TradeStatus

PAYER = Payer(openid="oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", address="192.0.2.7")


def told(**changes: str) -> NotifyRequest:
    """Write a genuine notify; *changes* to its headers."""
    made = WechatTill(SystemClock()).paid("ord_00000000000000000000000001", 9900)
    headers = {name.lower(): text for name, text in made.headers.items()}
    return NotifyRequest(
        method="POST", content_type="application/json", body=made.body, headers=headers | changes
    )


@pytest.fixture
def channel() -> WechatChannel:
    return WechatChannel(wechat.settings())


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"wechatpay-serial": "PUB_KEY_ID_0000000002"}, NotifyStep.KEY),
        ({"wechatpay-serial": "7A7A"}, NotifyStep.KEY),
        ({"wechatpay-signature-type": "WECHATPAY2-SM2-WITH-SM3"}, NotifyStep.SIGN_TYPE),
        ({"wechatpay-signature": "WECHATPAY/SIGNTEST/AAAA"}, NotifyStep.SIGN_FORMAT),
        ({"wechatpay-timestamp": "now"}, NotifyStep.STALE),
        ({"wechatpay-nonce": "a\nb"}, NotifyStep.STALE),
    ],
)
def test_what_is_not_signed_as_it_should_be_is_refused_before_anything_is_asked(
    channel, changes, step
):
    with pytest.raises(NotifyRefused) as refused:
        channel.parse_notify(told(**changes))

    assert refused.value.step is step


def test_a_notify_is_opened_and_says_who_paid_what(channel):
    event = channel.parse_notify(told())

    assert event.seller == channel.seller == wechat.MERCHANT.merchant_id
    assert (event.trade.status, event.trade.amount_fen) == (TradeStatus.SUCCESS, 9900)


def test_a_notify_that_another_v3_key_sealed_is_refused():
    channel = WechatChannel(wechat.settings(v3_key="f" * 32))

    with pytest.raises(NotifyRefused) as refused:
        channel.parse_notify(told())

    assert refused.value.step is NotifyStep.SEAL


def test_a_notify_for_another_app_is_refused():
    channel = WechatChannel(wechat.settings(app_id="wx0000000000000002"))

    with pytest.raises(NotifyRefused) as refused:
        channel.parse_notify(told())

    assert refused.value.step is NotifyStep.APP


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"v3_key": "short"}, "APIv3 key"),
        ({"public_key": pair("merchant").public_pem}, "is our own"),
        ({"public_key": "nonsense!"}, "WeChat Pay's public key"),
        ({"private_key": pair("wechat").public_pem}, "our private key"),
    ],
)
def test_wrong_keys_stop_the_start_in_words_and_are_not_shown(changes, words):
    with pytest.raises(UnusableKey, match=words) as refused:
        WechatChannel(wechat.settings(**changes))

    [value] = changes.values()
    assert value not in str(refused.value)


@pytest.mark.parametrize("method", [PayMethod.APP, PayMethod.JSAPI])
def test_wechat_takes_what_it_is_handed_and_nothing_that_was_changed(method, tmp_path):
    with wechat.sandbox(tmp_path) as (url, far):
        channel = WechatChannel(wechat.settings(gateway=url))
        asked = order(now=datetime.now(UTC))
        text = str(channel.create(asked, method, PAYER).app_string)

        assert far.hand(text).order_no == asked.id
        handed = json.loads(text)
        for name in handed:
            spoilt = json.dumps({**handed, name: f"{handed[name]}1"})
            with pytest.raises(Declined):
                far.hand(spoilt)


def test_a_page_within_wechat_is_handed_the_names_and_the_signed_lines_of_its_documents():
    channel = WechatChannel(wechat.settings())

    handed = json.loads(channel._page_string("wx201410272009395522657a690389285100"))

    assert list(handed) == ["appId", "timeStamp", "nonceStr", "package", "signType", "paySign"]
    assert handed["package"] == "prepay_id=wx201410272009395522657a690389285100"
    lines = [handed[name] for name in ("appId", "timeStamp", "nonceStr", "package")]
    message = "".join(f"{line}\n" for line in lines).encode()
    merchant = pair("merchant").private.public_key()
    assert rsa_keys.verified(merchant, base64.b64decode(handed["paySign"]), message)
    assert all(isinstance(each, str) for each in handed.values())  # Its bridge takes no numbers.


def test_a_payer_that_wechat_does_not_know_is_named_as_what_is_wrong(tmp_path):
    with wechat.sandbox(tmp_path) as (url, _):
        channel = WechatChannel(wechat.settings(gateway=url))

        with pytest.raises(Invalid) as refused:
            channel.create(order(now=datetime.now(UTC)), PayMethod.JSAPI, Payer(openid="x1"))

    [wrong] = refused.value.faults
    assert (wrong.pointer, wrong.code) == ("/openid", "payer_unknown")


def test_a_phones_browser_is_sent_to_wechat_and_back_to_us(tmp_path):
    with wechat.sandbox(tmp_path) as (url, _):
        channel = WechatChannel(wechat.settings(gateway=url))
        asked = order(now=datetime.now(UTC))

        made = channel.create(asked, PayMethod.WAP, PAYER)
        for nowhere in ("example.com", None):
            with pytest.raises(Unavailable):
                channel.create(asked, PayMethod.WAP, Payer(address=nowhere))

    fields = parse_qs(urlsplit(str(made.url)).query)
    assert fields["redirect_url"] == [f"http://127.0.0.1:9/v1/wechat/return?order={asked.id}"]
    assert str(made.url).startswith(f"{url}/cashier/")


def test_an_order_that_was_begun_in_one_way_is_not_paid_in_another(tmp_path):
    with wechat.sandbox(tmp_path) as (url, _):
        channel = WechatChannel(wechat.settings(gateway=url))
        asked = order(now=datetime.now(UTC))
        channel.create(asked, PayMethod.QR)

        channel.create(asked, PayMethod.QR)
        with pytest.raises(Invalid) as refused:
            channel.create(asked, PayMethod.JSAPI, PAYER)

    [wrong] = refused.value.faults
    assert (wrong.pointer, wrong.code) == ("/method", "method_taken")


def test_only_the_ways_that_the_merchant_has_a_contract_for_are_offered():
    channel = WechatChannel(wechat.settings(methods=frozenset({PayMethod.QR})))

    assert channel.capabilities.methods == {PayMethod.QR}


def test_an_app_is_handed_what_we_signed(tmp_path):
    with wechat.sandbox(tmp_path) as (url, _):
        channel = WechatChannel(wechat.settings(gateway=url))
        made = channel.create(order(now=datetime.now(UTC)), PayMethod.APP)

    handed = json.loads(str(made.app_string))
    lines = [handed[name] for name in ("appid", "timestamp", "noncestr", "prepayid")]
    message = "".join(f"{line}\n" for line in lines).encode()
    merchant = pair("merchant").private.public_key()
    assert rsa_keys.verified(merchant, base64.b64decode(handed["sign"]), message)


def test_an_answer_that_another_key_signed_is_no_answer(tmp_path):
    with wechat.sandbox(tmp_path) as (url, _):
        other = wechat.settings(gateway=url, public_key=pair("somebody").public_pem)
        channel = WechatChannel(other)
        asked = order(now=datetime.now(UTC))

        assert channel.query(asked).status is TradeStatus.UNKNOWN
        with pytest.raises(Unanswered):
            channel.create(asked, PayMethod.QR)


def test_a_refusal_that_is_signed_is_a_refusal(tmp_path):
    with wechat.sandbox(tmp_path) as (url, _):
        channel = WechatChannel(wechat.settings(gateway=url, app_id="wx0000000000000009"))

        with pytest.raises(Unavailable) as refused:
            channel.create(order(now=datetime.now(UTC)), PayMethod.QR)

    assert refused.value.code == "unavailable"


def test_a_body_that_is_longer_than_a_notify_is_refused_unread(channel):
    with pytest.raises(NotifyRefused) as refused:
        channel.parse_notify(replace(told(), body=b" " * 20_000))

    assert refused.value.step is NotifyStep.SIZE

"""WeChat Pay's Python library as a judge that neither our adapter nor our stand-in has written."""

import base64
import json
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from wechatpayv3 import WeChatPay, WeChatPayType  # type: ignore[import-untyped]
from wechatpayv3.utils import aes_decrypt, rsa_sign  # type: ignore[import-untyped]

from tests.fixtures import wechat
from tests.fixtures.alipay import pair
from tests.fixtures.channels import Counter, counter, settled
from wharfage.adapters.wechat.signing import Signing, decrypted
from wharfage.domain.errors import NotifyRefused
from wharfage.domain.trade import NotifyRequest

LATELY = (datetime.now(UTC) - timedelta(days=2)).date()
MERCHANT = wechat.MERCHANT
OURS = Signing(
    merchant=MERCHANT.merchant_id,
    serial=MERCHANT.serial,
    private_key=pair("merchant").private,
    public_key_id=MERCHANT.public_key_id,
    public_key=pair("wechat").private.public_key(),
)


def library(gateway: str = "http://127.0.0.1:9") -> Any:
    made = WeChatPay(
        wechatpay_type=WeChatPayType.NATIVE,
        mchid=MERCHANT.merchant_id,
        private_key=pair("merchant").private_pem,
        cert_serial_no=MERCHANT.serial,
        appid=MERCHANT.app_id,
        apiv3_key=MERCHANT.v3_key,
        notify_url="http://127.0.0.1:9/v1/wechat/notify",
        public_key=pair("wechat").public_pem,
        public_key_id=MERCHANT.public_key_id,
        timeout=5,
    )
    made._core._gate_way = gateway  # It has no other way to be told.
    return made


@pytest.fixture
def shop(tmp_path) -> Iterator[Counter]:
    with counter("wechat", tmp_path) as made:
        yield made


@pytest.fixture
def theirs(shop) -> Any:
    return library(shop.channel._settings.gateway)


def told(answer: tuple[int, str], status: int = 200) -> Any:
    assert answer[0] == status, answer
    return json.loads(answer[1]) if answer[1] else None


def test_the_stand_in_answers_the_library_as_wechat_pay_does(shop, theirs):
    number = f"ord_{secrets.token_hex(8)}"
    expires = (datetime.now(UTC) + timedelta(minutes=10)).isoformat(timespec="seconds")
    asked = {"description": "Wharfage", "out_trade_no": number, "time_expire": expires}

    page = told(theirs.pay(**asked, amount={"total": 9900, "currency": "CNY"}))

    assert page["code_url"].rpartition("/")[2] == shop.trades.all()[0].token
    assert told(theirs.query(out_trade_no=number))["trade_state"] == "NOTPAY"
    assert theirs.close(out_trade_no=number)[0] == 204
    assert told(theirs.query(out_trade_no=number))["trade_state"] == "CLOSED"
    assert theirs.query(out_trade_no="ord_of_nobody")[0] == 404


def test_what_we_have_made_of_an_order_is_what_the_library_finds(shop, theirs):
    _, order = settled(shop)
    refund = {"refund": 1234, "total": 9900, "currency": "CNY"}

    paid = told(theirs.query(out_trade_no=order.id))
    theirs.refund(out_refund_no="rfd_1", amount=refund, transaction_id=order.trade_no)
    back = told(theirs.query_refund("rfd_1"))

    assert (paid["transaction_id"], paid["amount"]["total"]) == (order.trade_no, 9900)
    assert (back["status"], back["amount"]["refund"]) == ("SUCCESS", 1234)
    assert shop.channel.query(order).refunded


def test_the_library_fetches_the_bill_that_we_read(shop, theirs):
    _, order = settled(shop)
    shop.age(LATELY)

    address = told(theirs.trade_bill(LATELY.isoformat(), tar_type=""))
    status, content = theirs.download_bill(address["download_url"])

    assert status == 200
    assert f"`{order.trade_no},`{order.id},".encode() in content
    assert [row.order for row in shop.channel.fetch_bill(LATELY).rows] == [order.id]


def test_the_library_opens_every_notify_as_we_do_and_neither_opens_a_damaged_one(shop, theirs):
    _, order = settled(shop)
    shop.trades.refund(shop.trades.all()[0], "rfd_1", 100, now=1.0)
    notifies = [shop.told(shop.trades.all()[0]), shop.told(shop.trades.all()[0], refund="rfd_1")]
    damaged = [each for notify in notifies for each in shop.damaged(notify)]

    for notify in notifies:
        event, opened = shop.channel.parse_notify(notify), opened_by(theirs, notify)
        assert opened["resource"]["out_trade_no"] == event.order == order.id
        assert opened["resource"]["transaction_id"] == event.trade.trade_no
    for name, notify in damaged:
        with pytest.raises(NotifyRefused):
            shop.channel.parse_notify(notify)
        if name not in {"wechatpay-signature changed", "wechatpay-signature padded"}:
            # Its base64 ends where the padding does, and skips what is no letter of it.
            assert not opened_by(theirs, notify), name
    assert len(damaged) > 40


def opened_by(theirs: Any, notify: NotifyRequest) -> Any:
    """Have the library open a notify; whatever it raises, it does not open it."""
    try:
        return theirs.callback(dict(notify.headers), notify.body)
    except Exception:  # noqa: BLE001 - it raises bare ones
        return None


lines = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=1000)
@given(method=lines, target=lines, at=lines, nonce=lines, body=lines)
def test_we_sign_every_text_as_the_library_does(method, target, at, nonce, body):
    text = f"{method}\n{target}\n{at}\n{nonce}\n{body}\n"

    assert OURS.sign(method, target, at, nonce, body) == rsa_sign(pair("merchant").private, text)


@settings(max_examples=1000)
@given(nonce=st.text(st.characters(codec="ascii", exclude_characters="\n"), min_size=1), body=lines)
def test_we_believe_what_the_library_signs(nonce, body):
    now = datetime(2026, 3, 1, tzinfo=UTC)
    at = int(now.timestamp())
    headers = {
        "wechatpay-serial": MERCHANT.public_key_id,
        "wechatpay-nonce": nonce,
        "wechatpay-timestamp": str(at),
        "wechatpay-signature": rsa_sign(pair("wechat").private, f"{at}\n{nonce}\n{body}\n"),
    }

    OURS.check(headers, body.encode(), now)
    with pytest.raises(NotifyRefused):
        OURS.check(headers, body.encode() + b" ", now)


@settings(max_examples=1000)
@given(
    text=lines,
    nonce=st.text("0123456789abcdef", min_size=12, max_size=12),
    associated=st.sampled_from(["", "transaction", "refund"]),
    flipped=st.integers(0, 1000),
)
def test_we_open_what_the_library_opens_and_nothing_else(text, nonce, associated, flipped):
    key = MERCHANT.v3_key
    sealed = bytearray(
        AESGCM(key.encode()).encrypt(nonce.encode(), text.encode(), associated.encode())
    )

    def ours() -> bytes | None:
        return decrypted(
            key.encode(), nonce=nonce, associated_data=associated, ciphertext=bytes(sealed)
        )

    def theirs() -> str | None:
        told: str | None = aes_decrypt(nonce, base64.b64encode(sealed).decode(), associated, key)
        return told

    assert ours() == text.encode()
    assert theirs() == text
    sealed[flipped % len(sealed)] ^= 1
    assert ours() is None
    assert theirs() is None

"""Tests of the notifies that are believed, what is read from them, and that the SDK agrees."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures.alipay import (
    APP_ID,
    SELLER,
    channel,
    genuine,
    pair,
    posted,
    raw,
    signed,
)
from wharfage.adapters.alipay import notify
from wharfage.adapters.alipay.channel import _import_sdk
from wharfage.domain.errors import NotifyRefused
from wharfage.domain.trade import (
    TradeStatus,
)


def test_a_genuine_notify_is_believed():
    event = channel().parse_notify(posted(signed(genuine())))

    assert (event.order, event.seller) == ("ord_00000000000000000000000001", SELLER)
    assert event.trade.status is TradeStatus.SUCCESS
    assert event.trade.trade_no == "2026030122001004081000400001"
    assert not event.trade.refunded
    assert not event.ambiguous


def test_the_amount_is_the_trades_and_not_what_coupons_left_of_it():
    fields = genuine(receipt_amount="90.00", buyer_pay_amount="80.00", total_amount="99.00")

    assert channel().parse_notify(posted(signed(fields))).trade.amount_fen == 9900


@pytest.mark.parametrize(
    ("text", "amount_fen"),
    [("99", 9900), ("99.0", 9900), ("99.00", 9900), ("0.01", 1), ("099.00", None),
     ("9.9e1", None), ("99.00 ", None), ("NaN", None), ("９９", None), ("-1.00", None)],
)  # fmt: skip
def test_an_amount_is_read_strictly(text, amount_fen):
    event = channel().parse_notify(posted(signed(genuine(total_amount=text))))

    assert event.trade.amount_fen == amount_fen


@pytest.mark.parametrize(
    ("text", "status"),
    [*notify.STATUSES.items(), ("TRADE_PENDING", TradeStatus.UNKNOWN), ("", TradeStatus.UNKNOWN)],
)
def test_each_status_is_put_in_our_words(text, status):
    event = channel().parse_notify(posted(signed(genuine(trade_status=text))))

    assert event.trade.status is status


@pytest.mark.parametrize(
    ("changes", "refunded"),
    [
        ({}, False),
        ({"refund_fee": "0.00"}, False),
        ({"refund_fee": ""}, False),
        ({"refund_fee": "10.00"}, True),
        ({"refund_fee": "what?"}, True),
        ({"gmt_refund": "2026-03-02 10:00:00.123"}, True),
        ({"out_biz_no": "rf_1"}, True),
    ],
)
def test_a_refund_is_noticed_and_never_counted(changes, refunded):
    event = channel().parse_notify(posted(signed(genuine(**changes))))

    assert event.trade.refunded is refunded
    assert event.trade.amount_fen == 9900


@pytest.mark.parametrize(
    "changes",
    [
        {"subject": "a + b & c = d % e"}, {"subject": "😀 <b>'\"</b>"}, {"body": ""},
        {"body": "", "passback_params": ""}, {"new_field": "of next year"}, {"seller_email": None},
    ],
)  # fmt: skip
def test_whatever_text_alipay_signs_verifies(changes):
    assert channel().parse_notify(posted(signed(genuine(**changes)))).trade.amount_fen == 9900


def test_blanks_that_were_left_out_of_the_signature_are_as_good_as_absent():
    fields = signed(genuine()) | {"body": "", "gmt_refund": ""}

    assert not channel().parse_notify(posted(fields)).trade.refunded


def test_a_seller_that_is_not_named_is_none():
    assert channel().parse_notify(posted(signed(genuine(seller_id=None)))).seller is None


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "application/x-www-form-urlencoded;charset=utf-8",
        "Application/X-WWW-Form-Urlencoded; Charset=UTF-8",
        'application/x-www-form-urlencoded; charset="utf-8"',
    ],
)
def test_a_form_in_utf_8_may_say_so_as_it_likes(content_type):
    request = posted(signed(genuine()), content_type=content_type)

    assert channel().parse_notify(request).order


def test_a_genuine_notify_that_is_read_as_another_order_is_not_believed():
    rolled = (
        "hi&charset=utf-8&notify_type=trade_status_sync&out_trade_no=ord_VICTIM"
        f"&seller_id={SELLER}&total_amount=99999.00&trade_no=1&trade_status=TRADE_SUCCESS&z=1"
    )
    true = genuine(body=rolled)
    text = "&".join(f"{name}={value}" for name, value in sorted(true.items()))
    head, tail = text.split("&z=1", 1)
    forged = dict(part.split("=", 1) for part in head.split("&")) | {"z": "1" + tail}
    forged |= {"sign": signed(true)["sign"], "sign_type": "RSA2"}

    event = channel().parse_notify(posted(forged))

    assert event.order == "ord_VICTIM"  # The signature is Alipay's own,
    assert event.ambiguous  # and still nothing of it is believed.
    assert channel().parse_notify(posted(signed(true))).ambiguous


@pytest.mark.parametrize("text", ["a&b=1", "a& b =1", "x&total_amount=1", "&a=", "a&b1_c=d&e"])
def test_a_value_that_holds_another_pair_is_ambiguous(text):
    assert channel().parse_notify(posted(signed(genuine(body=text)))).ambiguous


@pytest.mark.parametrize("text", ["a & b", "a=b", "R&D", "a&b", "100% & more", "&amp;"])
def test_an_ampersand_alone_is_not(text):
    assert not channel().parse_notify(posted(signed(genuine(body=text)))).ambiguous


@pytest.fixture(scope="module")
def sdk():
    return _import_sdk().AliPay(
        appid=APP_ID,
        app_private_key_string=pair("merchant").private_pem,
        alipay_public_key_string=pair("alipay").public_pem,
    )


TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,9}", fullmatch=True).filter(
    lambda name: name not in {"sign", "sign_type"}
)


@given(more=st.dictionaries(NAMES, TEXTS, max_size=6))
def test_the_sdk_agrees_that_a_generated_notify_is_genuine(sdk, more):
    fields = {**more, **genuine()}
    notified = signed(fields)

    ours = channel().parse_notify(posted(notified))

    plain = dict(notified)
    assert sdk.verify(plain, plain.pop("sign")) is True
    assert ours.trade.amount_fen == 9900


@given(data=st.data())
def test_the_sdk_agrees_that_a_changed_notify_is_forged(sdk, data):
    notified = signed(genuine())
    name = data.draw(st.sampled_from(sorted(genuine())))
    notified[name] = data.draw(TEXTS.filter(lambda text: text != notified[name]))

    with pytest.raises(NotifyRefused):
        channel().parse_notify(posted(notified))

    plain = dict(notified)
    assert sdk.verify(plain, plain.pop("sign")) is False


@given(st.binary(max_size=300))
def test_no_body_breaks_the_reader(body):
    with pytest.raises(NotifyRefused):
        channel().parse_notify(raw(body))

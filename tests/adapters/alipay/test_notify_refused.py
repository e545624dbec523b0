"""Tests of the notifies that are refused, in the order of the checks."""

import base64
from urllib.parse import parse_qsl, urlencode

import pytest
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import MD5, SHA1

from tests.fixtures.alipay import (
    APP_ID,
    channel,
    genuine,
    pair,
    posted,
    raw,
    signed,
)
from wharfage.domain import limits
from wharfage.domain.errors import NotifyRefused
from wharfage.domain.trade import (
    NotifyRequest,
    NotifyStep,
)


def refused(request: NotifyRequest) -> NotifyStep:
    with pytest.raises(NotifyRefused) as refusal:
        channel().parse_notify(request)
    return NotifyStep(refusal.value.step)


@pytest.mark.parametrize("method", ["GET", "PUT", "HEAD", "post"])
def test_only_a_post_is_a_notify(method):
    assert refused(posted(signed(genuine()), method=method)) is NotifyStep.METHOD


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "multipart/form-data", "text/plain",
     "application/x-www-form-urlencoded; charset=GBK"],
)  # fmt: skip
def test_only_a_form_in_utf_8_is_a_notify(content_type):
    request = posted(signed(genuine()), content_type=content_type)

    assert refused(request) is NotifyStep.CONTENT_TYPE


@pytest.mark.parametrize(
    ("size", "step"), [(0, None), (1, NotifyStep.SIZE), (8000, NotifyStep.SIZE)]
)
def test_a_notify_of_more_than_sixteen_kibibytes_is_refused(size, step):
    request = raw(_body_of(limits.NOTIFY_BYTES_MAX + size))

    if step is None:
        assert channel().parse_notify(request).order
    else:
        assert refused(request) is step


def _body_of(size: int) -> bytes:
    """Write a genuine notify in exactly so many bytes: an `x` may be written in one or in three."""
    for length in (10_000, 10_001):
        body = urlencode(signed(genuine(body="x" * length)))
        more, odd = divmod(size - len(body), 2)
        if not odd:
            return body.replace("x" * more, "%78" * more, 1).encode()
    raise AssertionError("one of the two lengths is even")


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe=1", b"a=%FF%FE", b"novalue", b"a=1&&b=2", b"a=1&b", b"=1", b"a%00b=1",
        b"a b=1", b"a%26b=1", b"a%3Db=1", b"a.b=1", b"1a=1", "名=1".encode(),
        b"&".join(b"a%d=1" % number for number in range(201)),
        b'{"out_trade_no":"x"}',
    ],
)  # fmt: skip
def test_what_is_no_form_of_plain_names_is_refused(body):
    assert refused(raw(body)) is NotifyStep.FORM


def test_an_empty_body_is_refused():
    assert refused(raw(b"")) is NotifyStep.SIGN_TYPE


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("name", ["total_amount", "out_trade_no", "sign", "sign_type", "app_id"])
def test_a_name_twice_is_refused(name, first):
    body = urlencode(signed(genuine()))
    more = f"{name}=100"

    request = raw((f"{more}&{body}" if first else f"{body}&{more}").encode())

    assert refused(request) is NotifyStep.FORM


@pytest.mark.parametrize("sign_type", [None, "", "RSA", "rsa2", "RSA2 ", "MD5"])
def test_another_kind_of_signature_is_refused(sign_type):
    fields = signed(genuine())
    del fields["sign_type"]
    if sign_type is not None:
        fields["sign_type"] = sign_type

    assert refused(posted(fields)) is NotifyStep.SIGN_TYPE


@pytest.mark.parametrize("charset", [None, "", "gbk", "utf-16"])
def test_another_charset_is_refused(charset):
    assert refused(posted(signed(genuine(charset=charset)))) is NotifyStep.CHARSET


@pytest.mark.parametrize(
    "spoil",
    [
        lambda sign: "",
        lambda sign: sign + "\n",
        lambda sign: sign + " ",
        lambda sign: sign + "junk",
        lambda sign: sign[:100] + "!*%%%" + sign[100:],
        lambda sign: sign[:100] + "\n" + sign[100:],
        lambda sign: sign.rstrip("="),
        lambda sign: sign + "=",
        lambda sign: base64.b64encode(base64.b64decode(sign)[:-1]).decode(),
        lambda sign: base64.b64encode(base64.b64decode(sign) + b"\0").decode(),
        lambda sign: base64.urlsafe_b64encode(b"\xfb\xff" * 128).decode(),
        lambda sign: base64.b64encode(b"\xfb\xff" * 128).decode().replace("+", " "),
        lambda sign: _other_ending(sign),  # noqa: PLW0108 - it is defined below
    ],
)  # fmt: skip
def test_a_signature_is_written_in_one_way_only(spoil):
    fields = signed(genuine())
    fields["sign"] = spoil(fields["sign"])

    assert refused(posted(fields)) is NotifyStep.SIGN_FORMAT


def _other_ending(sign: str) -> str:
    """Write the same bytes with other unused bits in the last character."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = len(sign.rstrip("=")) - 1
    other = sign[:last] + alphabet[alphabet.index(sign[last]) ^ 1] + sign[last + 1 :]
    assert base64.b64decode(other) == base64.b64decode(sign)
    return other


@pytest.mark.parametrize("app_id", [None, "", "2021000000000002", APP_ID + " "])
def test_a_notify_for_another_app_is_refused_though_its_signature_is_good(app_id):
    assert refused(posted(signed(genuine(app_id=app_id)))) is NotifyStep.APP


@pytest.mark.parametrize("name", ["merchant", "stranger"])
def test_a_notify_signed_by_another_key_is_refused(name):
    assert refused(posted(signed(genuine(), by=pair(name)))) is NotifyStep.SIGNATURE


@pytest.mark.parametrize("digest", [SHA1(), MD5()])
def test_a_signature_over_a_weaker_digest_is_refused(digest):
    fields = genuine()
    text = "&".join(f"{name}={value}" for name, value in sorted(fields.items()))
    weak = pair("alipay").private.sign(text.encode(), padding.PKCS1v15(), digest)
    fields |= {"sign": base64.b64encode(weak).decode(), "sign_type": "RSA2"}

    assert refused(posted(fields)) is NotifyStep.SIGNATURE


@pytest.mark.parametrize(
    "mutate",
    [
        lambda text: None,
        lambda text: "",
        lambda text: text + "0",
        lambda text: text + " ",
        lambda text: "1" + text,
        lambda text: text.swapcase() if text.swapcase() != text else text[::-1] + "x",
    ],
    ids=["dropped", "emptied", "appended", "padded", "prefixed", "changed"],
)
@pytest.mark.parametrize("name", sorted(signed(genuine())))
def test_no_single_field_can_be_changed(name, mutate):
    fields = signed(genuine())
    changed = mutate(fields[name])
    if changed is None:
        del fields[name]
    else:
        fields[name] = changed

    assert refused(posted(fields)) in {
        NotifyStep.SIGN_TYPE,
        NotifyStep.CHARSET,
        NotifyStep.SIGN_FORMAT,
        NotifyStep.APP,
        NotifyStep.SIGNATURE,
    }


@pytest.mark.parametrize("name", ["extra", "aaa", "zzz", "body"])
def test_no_field_can_be_added(name):
    assert refused(posted(signed(genuine()) | {name: "1"})) is NotifyStep.SIGNATURE


def test_what_was_decoded_twice_is_not_repaired():
    fields = signed(genuine(subject="100%25 + more"))
    twice = dict(parse_qsl(urlencode(fields).replace("%25", "%"), keep_blank_values=True))

    with pytest.raises(NotifyRefused):
        channel().parse_notify(posted(twice))


@pytest.mark.parametrize("notify_type", [None, "", "alipay.service.check", "trade_status_sync2"])
def test_only_news_of_a_trade_is_taken(notify_type):
    assert refused(posted(signed(genuine(notify_type=notify_type)))) is NotifyStep.NOTIFY_TYPE


def test_what_a_browser_brings_back_from_paying_is_no_notify():
    fields = genuine()
    for name in ("trade_status", "notify_id", "notify_type", "notify_time"):
        del fields[name]

    assert refused(posted(signed(fields))) is NotifyStep.NOTIFY_TYPE


@pytest.mark.parametrize("name", ["out_trade_no", "trade_no"])
@pytest.mark.parametrize("text", [None, "", "a b", "../x", "a" * 65, "é"])
def test_a_trade_that_is_not_named_is_refused(name, text):
    assert refused(posted(signed(genuine(**{name: text})))) is NotifyStep.FIELDS


def test_the_checks_come_in_the_order_of_the_law():
    fields = signed(genuine(notify_type="x", charset="utf-8", out_trade_no=""), by=pair("stranger"))
    del fields["sign_type"]
    fields |= {"charset": "gbk", "sign": "x", "app_id": "1"}
    request = {"method": "GET", "content_type": "text/plain"}
    steps = [refused(posted(fields, **request))]
    request["method"] = "POST"
    steps.append(refused(posted(fields, **request)))
    del request["content_type"]
    for name, right in [
        ("sign_type", "RSA2"),
        ("charset", "utf-8"),
        ("sign", signed(genuine(), by=pair("stranger"))["sign"]),
        ("app_id", APP_ID),
    ]:
        steps.append(refused(posted(fields)))
        fields[name] = right
    steps.append(refused(posted(fields)))
    fields = signed(genuine(notify_type="x", out_trade_no=""))
    steps.append(refused(posted(fields)))
    steps.append(refused(posted(signed(genuine(out_trade_no="")))))

    in_order = [step for step in NotifyStep if step in steps]
    assert steps == in_order

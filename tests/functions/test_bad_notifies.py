"""Alipay's notifies that are not to be believed, each refused at its step; nothing changes."""

import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.fixtures import alipay
from tests.fixtures.alipay import FORM
from tests.fixtures.edge import Answer
from tests.fixtures.port import Call, Port
from tests.fixtures.refusals import require_problem
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.trade import NotifyStep

NOTIFY = "POST /v1/alipay/notify"
TRADE_NO = "2026030122001004081000400001"
Make = Callable[[dict[str, str]], bytes]


def signed(**changes: str | None) -> Make:
    """Sign a genuine notify with *changes*, as Alipay would; None leaves a field out."""

    def make(fields: dict[str, str]) -> bytes:
        merged: dict[str, str | None] = {**fields, **changes}
        kept = {name: text for name, text in merged.items() if text is not None}
        return urlencode(alipay.signed(kept)).encode()

    return make


def edited(**changes: str | None) -> Make:
    """Change a notify after it was signed; None leaves a field out."""

    def make(fields: dict[str, str]) -> bytes:
        merged: dict[str, str | None] = {**alipay.signed(fields), **changes}
        return urlencode({name: text for name, text in merged.items() if text is not None}).encode()

    return make


def raw(make: Callable[[bytes], bytes]) -> Make:
    """Change the bytes of a genuine notify."""
    return lambda fields: make(urlencode(alipay.signed(fields)).encode())


def _by_merchant(fields: dict[str, str]) -> bytes:
    return urlencode(alipay.signed(fields, by=alipay.pair("merchant"))).encode()


def _by_stranger(fields: dict[str, str]) -> bytes:
    return urlencode(alipay.signed(fields, by=alipay.pair("stranger"))).encode()


STEPS: Mapping[str, tuple[Make, NotifyStep]] = {
    "empty": (lambda fields: b"", NotifyStep.SIGN_TYPE),
    "json": (lambda fields: json.dumps(fields).encode(), NotifyStep.FORM),
    "not_utf8": (raw(lambda body: body + b"&a=\xff"), NotifyStep.FORM),
    "escaped_not_utf8": (raw(lambda body: body + b"&a=%ff"), NotifyStep.FORM),
    "no_value": (raw(lambda body: body + b"&a"), NotifyStep.FORM),
    "twice": (raw(lambda body: body + b"&total_amount=0.01"), NotifyStep.FORM),
    "odd_name": (raw(lambda body: body + b"&__class__=1"), NotifyStep.FORM),
    "many_fields": (
        raw(lambda body: body + b"".join(b"&a%d=1" % n for n in range(201))),
        NotifyStep.FORM,
    ),
    "nested": (raw(lambda body: body + b"&a[b]=1"), NotifyStep.FORM),
    "just_too_large": (
        raw(lambda body: body + b"&a=" + b"x" * (limits.NOTIFY_BYTES_MAX - 2 - len(body))),
        NotifyStep.SIZE,
    ),
    "no_sign_type": (edited(sign_type=None), NotifyStep.SIGN_TYPE),
    "rsa": (edited(sign_type="RSA"), NotifyStep.SIGN_TYPE),
    "gbk": (signed(charset="gbk"), NotifyStep.CHARSET),
    "no_charset": (signed(charset=None), NotifyStep.CHARSET),
    "no_sign": (edited(sign=None), NotifyStep.SIGN_FORMAT),
    "sign_blank": (edited(sign=""), NotifyStep.SIGN_FORMAT),
    "sign_short": (edited(sign="AAAA"), NotifyStep.SIGN_FORMAT),
    "sign_junk": (edited(sign="!" * 344), NotifyStep.SIGN_FORMAT),
    "sign_zero": (edited(sign="A" * 342 + "=="), NotifyStep.SIGNATURE),
    "other_app": (signed(app_id="2021000000000002"), NotifyStep.APP),
    "no_app": (signed(app_id=None), NotifyStep.APP),
    "by_the_merchant": (_by_merchant, NotifyStep.SIGNATURE),
    "by_a_stranger": (_by_stranger, NotifyStep.SIGNATURE),
    "amount_raised": (edited(total_amount="9999.00"), NotifyStep.SIGNATURE),
    "order_changed": (edited(out_trade_no="ord_0"), NotifyStep.SIGNATURE),
    "status_changed": (edited(trade_status="TRADE_FINISHED"), NotifyStep.SIGNATURE),
    "field_added": (edited(body="x"), NotifyStep.SIGNATURE),
    "field_removed": (edited(seller_email=None), NotifyStep.SIGNATURE),
    "other_type": (signed(notify_type="dut_user_sign"), NotifyStep.NOTIFY_TYPE),
    "no_type": (signed(notify_type=None), NotifyStep.NOTIFY_TYPE),
    "no_order": (signed(out_trade_no=None), NotifyStep.FIELDS),
    "order_of_strange_letters": (signed(out_trade_no="ord_\uff11"), NotifyStep.FIELDS),
    "order_path": (signed(out_trade_no="../ord_1"), NotifyStep.FIELDS),
    "order_nul": (signed(out_trade_no="ord_1\0"), NotifyStep.FIELDS),
    "order_long": (signed(out_trade_no="o" * 65), NotifyStep.FIELDS),
    "no_trade": (signed(trade_no=""), NotifyStep.FIELDS),
    "trade_with_a_hash": (signed(trade_no="1#2"), NotifyStep.FIELDS),
    "trade_long": (signed(trade_no="1" * 65), NotifyStep.FIELDS),
    "order_of_nobody": (signed(out_trade_no="ord_00000000000000000000009999"), NotifyStep.ORDER),
    "order_of_64": (signed(out_trade_no="o" * 64), NotifyStep.ORDER),
    "other_seller": (signed(seller_id="2088000000000002"), NotifyStep.SELLER),
    "no_seller": (signed(seller_id=None), NotifyStep.SELLER),
    **{
        f"amount_{text!a}": (signed(total_amount=text), NotifyStep.AMOUNT)
        for text in (
            "", "0", "0.00", "-99.00", "+99.00", "99", "98.99", "99.01", "99.0000", "9.9e1", "9900",
            "99.00 ", " 99.00", "99,00", "0x63", "NaN", "Infinity", "1e309", "\uff19\uff19.00",
            "099.00", "99.00\0", "9" * 39, "99.", ".99",
        )
        if text != "99"
    },
    "trade_of_another_order": (signed(trade_no="bound"), NotifyStep.TRADE),
}  # fmt: skip


def fields(port: Port) -> dict[str, str]:
    """Make what Alipay says of the open order once it is paid."""
    return alipay.genuine(out_trade_no=port.order, total_amount="99.00", trade_no=TRADE_NO)


def post(port: Port, body: bytes, content_type: str = FORM, query: str = "") -> Answer:
    return port.ask(NOTIFY, Call(raw=body, headers={"content-type": content_type}, query=query))


def refused(port: Port, answer: Answer, capsys: Any, step: NotifyStep) -> None:
    """Require the word that Alipay repeats after, and the counter of the step."""
    counted = [
        name
        for line in capsys.readouterr().out.splitlines()
        if "_aws" in line
        for name in json.loads(line)
        if name.startswith("notify_")
    ]
    assert (answer.status, answer.text, counted) == (400, "fail", [f"notify_refused_{step}"])
    assert answer.headers["content-type"] == "text/plain"


@pytest.mark.parametrize("case", STEPS)
def test_a_notify_is_refused_at_its_step_and_changes_nothing(
    port: Port, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    make, step = STEPS[case]
    said = fields(port)
    if case == "trade_of_another_order":
        make = signed(trade_no=_bound(port))
    capsys.readouterr()

    with port.unchanged():
        answer = post(port, make(said))

    refused(port, answer, capsys, step)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
        FORM.replace("utf-8", "gbk"),
    ],
)
def test_a_notify_that_is_called_something_else_is_refused(
    port: Port, capsys: pytest.CaptureFixture[str], content_type: str
) -> None:
    with port.unchanged():
        answer = post(port, signed()(fields(port)), content_type)

    refused(port, answer, capsys, NotifyStep.CONTENT_TYPE)


def test_a_notify_in_the_query_is_no_notify(port: Port) -> None:
    body = signed()(fields(port)).decode()

    with port.unchanged():
        answer = post(port, b"", query=body)

    require_problem(answer, (422, "invalid"))


def test_a_notify_over_the_limit_of_all_bodies_is_too_large(port: Port) -> None:
    with port.unchanged():
        answer = post(port, b"a=" + b"x" * limits.BODY_BYTES_MAX)

    require_problem(answer, (413, "too_large"))


@pytest.mark.parametrize("name", ["body", "subject", "passback_params"])
def test_a_notify_that_can_be_read_in_two_ways_credits_nothing(port: Port, name: str) -> None:
    """The signed text is not injective, so such a notify is asked about, and not believed."""
    money = port.owner.money()

    answer = post(port, signed(**{name: "x&total_amount=99.00"})(fields(port)))

    assert (answer.status, answer.text) == (200, "success")
    assert port.owner.money() == money
    port.harbour.check()


def test_a_good_notify_credits_once_however_often_and_in_whatever_order(port: Port) -> None:
    before, _ = port.owner.money()
    good = signed()(fields(port))
    others = [
        signed(trade_status=status)(fields(port))
        for status in ("WAIT_BUYER_PAY", "TRADE_FINISHED", "TRADE_CLOSED", "NONSENSE", "")
    ]

    answers = [post(port, body) for body in itertools.chain(others[:1], [good] * 3, others, [good])]

    assert {(each.status, each.text) for each in answers} == {(200, "success")}
    assert port.owner.money()[0] == before + 9900
    port.harbour.check()


@pytest.mark.parametrize(
    "query",
    ["", "{name}=", "{name}=../x", "{name}=%00", "{name}=" + "o" * 9000,
     "{name}=ord_0&{name}=ord_1", "total_amount=1e309&trade_status=TRADE_SUCCESS"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("channel", "name"), [("alipay", "out_trade_no"), ("wechat", "order"), ("stripe", "order")]
)
def test_a_buyer_who_comes_back_with_anything_proves_nothing(
    port: Port, channel: str, name: str, query: str
) -> None:
    with port.unchanged():
        answer = port.ask(f"GET /v1/{channel}/return", Call(query=query.format(name=name)))

    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "ord_" not in answer.text


@pytest.mark.parametrize("channel", ["alipay", "wechat", "stripe"])
def test_a_buyer_who_comes_back_has_the_order_asked_about_at_once(port: Port, channel: str) -> None:
    orders = {"alipay": port.order, "wechat": port.wechat_order, "stripe": port.stripe_order}
    name = "out_trade_no" if channel == "alipay" else "order"

    answer = port.ask(f"GET /v1/{channel}/return", Call(query=f"{name}={orders[channel]}"))

    assert "If you have paid" in answer.text
    order = port.store.get(schema.ORDER.key(id=orders[channel]))
    assert order is not None
    assert order.due_at == port.clock.now()


def _bound(port: Port) -> str:
    """Name the trade that paid another order of this port."""
    return next(iter(port.harbour.till.trades.values())).trade_no

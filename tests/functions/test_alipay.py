"""Tests of Alipay's way in: what it is answered, byte by byte, and what that means."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from urllib.parse import urlencode

import pytest

from tests.fixtures.alipay import FORM, genuine, pair, signed
from tests.fixtures.shop import Shop
from wharfage import schema
from wharfage.domain.errors import Unavailable
from wharfage.domain.order import Order
from wharfage.domain.trade import NotifyStep


class Paying(Shop):
    """A shop with one open order, and Alipay at the door."""

    def __init__(self) -> None:
        super().__init__("orders", "alipay")
        self.token = self.sign_up("a@example.com")
        self.order_id = self.open(self.token).json["id"]

    def order(self) -> Order:
        found = self.ports.store.get(schema.ORDER.key(id=self.order_id))
        assert found is not None
        return found

    def fields(self, **changes: str | None) -> dict[str, str]:
        return signed(genuine(**{"out_trade_no": self.order_id, **changes}))

    def notify(self, fields: dict[str, str], content_type: str = FORM, more: str = ""):
        body = (urlencode(fields) + more).encode()
        return self.raw(body, content_type)

    def raw(self, body: bytes, content_type: str = FORM, query: str = ""):
        return self.call(
            "POST", f"/v1/alipay/notify{query}", raw=body, headers={"Content-Type": content_type}
        )

    def untouched(self) -> bool:
        return self.order().version == 1 and self.balance(self.token).available == 0


@pytest.fixture
def shop() -> Paying:
    return Paying()


def test_a_payment_is_answered_with_exactly_seven_bytes_and_credited(shop):
    answer = shop.notify(shop.fields())

    assert (answer.status, answer.text.encode()) == (200, b"success")
    assert answer.headers["content-type"] == "text/plain"
    assert shop.balance(shop.token).available == 9900
    assert shop.call("GET", f"/v1/orders/{shop.order_id}", token=shop.token).json["state"] == "paid"


@pytest.mark.parametrize("later", [{"minutes": 11}, {"days": 1}, {"days": 400}])
def test_a_repeat_is_answered_the_same_and_credits_nothing(shop, later):
    shop.notify(shop.fields())
    shop.clock.pass_(**later)

    answer = shop.notify(shop.fields())

    assert answer.text == "success"
    assert shop.balance(shop.token).available == 9900


def test_forty_parallel_notifies_are_forty_yeses_and_one_credit(shop):
    fields = shop.fields()

    with ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: shop.notify(fields), range(40)))

    assert {answer.text for answer in answers} == {"success"}
    assert shop.balance(shop.token).available == 9900


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"app_id": "2021000000000002"}, NotifyStep.APP),
        ({"notify_type": "other"}, NotifyStep.NOTIFY_TYPE),
        ({"trade_no": None}, NotifyStep.FIELDS),
        ({"out_trade_no": "ord_nothing"}, NotifyStep.ORDER),
        ({"seller_id": "2088000000000002"}, NotifyStep.SELLER),
        ({"seller_id": None}, NotifyStep.SELLER),
        ({"total_amount": "0.01"}, NotifyStep.AMOUNT),
        ({"total_amount": "099.00"}, NotifyStep.AMOUNT),
        ({"total_amount": "NaN"}, NotifyStep.AMOUNT),
        ({"total_amount": "90.00"}, NotifyStep.AMOUNT),
    ],
)
def test_a_signed_notify_that_does_not_fit_is_refused_and_counted(shop, changes, step, capsys):
    answer = shop.notify(shop.fields(**changes))

    assert (answer.status, answer.text) == (400, "fail")
    assert shop.untouched()
    assert f'"notify_refused_{step}"' in capsys.readouterr().out


def test_a_forged_notify_is_refused_and_never_logged(shop, capsys):
    fields = signed(genuine(out_trade_no=shop.order_id), by=pair("stranger"))

    answer = shop.notify(fields)

    written = capsys.readouterr().out
    assert (answer.status, answer.text) == (400, "fail")
    assert shop.untouched()
    assert '"notify_refused_signature"' in written
    assert fields["sign"] not in written
    assert fields["buyer_id"] not in written


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", FORM),
        (b"\xff\xfe", FORM),
        (b"a=%FF", FORM),
        (b"a=1&a=2", FORM),
        (b"{}", "application/json"),
        (b"a=1", "application/x-www-form-urlencoded; charset=GBK"),
        (b"x=" + b"%2541" * 4000, FORM),
        (b"a=" + b"x" * (1024 * 1024 - 2), FORM),
    ],
)
def test_a_body_that_is_no_notify_is_answered_fail(shop, body, content_type):
    answer = shop.raw(body, content_type)

    assert (answer.status, answer.text) == (400, "fail")


def test_a_body_beyond_the_edge_is_no_success(shop):
    answer = shop.raw(b"x" * (1024 * 1024 + 1))

    assert answer.status == 413


def test_a_query_is_never_read_as_a_part_of_a_notify(shop):
    body = urlencode(shop.fields()).encode()

    answer = shop.raw(body, query="?total_amount=1")

    assert answer.status == 422
    assert shop.untouched()


def test_a_body_without_base64_is_read_as_well(shop):
    event = {
        "version": "2.0",
        "routeKey": "POST /v1/alipay/notify",
        "rawPath": "/v1/alipay/notify",
        "rawQueryString": "",
        "headers": {"content-type": FORM},
        "requestContext": {"http": {"method": "POST"}, "requestId": "r"},
        "isBase64Encoded": False,
        "body": urlencode(shop.fields()),
    }

    assert shop.call.apps[1](event, None)["body"] == "success"


def test_an_ambiguous_notify_is_not_credited_and_alipay_is_asked(shop):
    rolled = f"x&out_trade_no={shop.order_id}&seller_id=1"

    answer = shop.notify(shop.fields(body=rolled))

    assert answer.text == "success"
    assert shop.balance(shop.token).available == 0
    assert shop.order().due_at == shop.clock.now()


def test_what_the_browser_brings_back_is_no_notify(shop):
    fields = genuine(out_trade_no=shop.order_id)
    for name in ("trade_status", "notify_id", "notify_type", "notify_time"):
        del fields[name]

    assert shop.notify(signed(fields)).text == "fail"
    assert shop.untouched()


class Busy:
    """A store that cannot write now."""

    def __init__(self, store):
        self._store = store

    def __getattr__(self, name):
        return getattr(self._store, name)

    def commit(self, *actions):
        raise Unavailable


class Crashing(Busy):
    """A store whose writer dies after the commit, before anybody was told."""

    def commit(self, *actions):
        self._store.commit(*actions)
        raise KeyboardInterrupt


def rebound(shop, store):
    wired = shop.call.apps[1]._wiring
    shop.call.apps[1].bind(replace(wired, ports=replace(wired.ports, store=store)))


def test_a_store_that_cannot_write_is_no_success_and_the_repeat_credits(shop):
    store = shop.ports.store
    rebound(shop, Busy(store))
    assert (shop.notify(shop.fields()).status, shop.untouched()) == (500, True)
    rebound(shop, store)

    assert shop.notify(shop.fields()).text == "success"
    assert shop.balance(shop.token).available == 9900


def test_a_death_between_commit_and_answer_is_made_good_by_the_repeat(shop):
    store = shop.ports.store
    rebound(shop, Crashing(store))
    with pytest.raises(KeyboardInterrupt):
        shop.notify(shop.fields())
    rebound(shop, store)

    assert shop.notify(shop.fields()).text == "success"
    assert shop.balance(shop.token).available == 9900


def test_who_comes_back_is_greeted_and_alipay_is_asked(shop):
    answer = shop.call("GET", f"/v1/alipay/return?out_trade_no={shop.order_id}&total_amount=99.00")

    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "Confirming your payment" in answer.text
    assert shop.order().due_at == shop.clock.now()
    assert shop.balance(shop.token).available == 0


@pytest.mark.parametrize("query", ["", "?out_trade_no=", "?out_trade_no=ord_nothing", "?a=%3Cb%3E",
                                   "?out_trade_no=%00", "?out_trade_no=" + "x" * 5000])  # fmt: skip
def test_whoever_comes_back_is_greeted_alike(shop, query):
    answer = shop.call("GET", "/v1/alipay/return" + query)

    assert answer.status == 200
    assert shop.untouched()


def test_the_metrics_of_a_refusal_are_valid_json(shop, capsys):
    shop.notify({"a": "1"})

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert any(line.get("notify_refused_sign_type") for line in lines)

"""Tests of the orders function: the customer's side of paying, over HTTP."""

from urllib.parse import parse_qs, urlsplit

import pytest

from tests.fixtures.shop import Shop


@pytest.fixture
def shop() -> Shop:
    return Shop("orders")


def test_an_order_is_opened_shown_listed_and_paid(shop):
    token = shop.sign_up("a@example.com")

    opened = shop.open(token)

    order = opened.json
    assert (opened.status, opened.headers["location"]) == (201, f"/v1/orders/{order['id']}")
    assert (order["kind"], order["amount_fen"], order["state"]) == ("topup", 9900, "open")
    shown = shop.call("GET", f"/v1/orders/{order['id']}", token=token)
    assert shown.json == order
    assert shown.headers["etag"] == '"1"'
    listed = shop.call("GET", "/v1/orders", token=token)
    assert listed.json == {"items": [order], "next_cursor": None}
    paying = shop.call("POST", f"/v1/orders/{order['id']}/pay", {"method": "page"}, token=token)
    query = parse_qs(urlsplit(paying.json["url"]).query)
    assert query["method"] == ["alipay.trade.page.pay"]
    assert paying.json["qr_text"] is None


def test_a_request_sent_again_is_replayed_and_says_so(shop):
    token = shop.sign_up("a@example.com")
    first = shop.open(token)

    again = shop.open(token)

    assert again.status == 201
    assert again.json == first.json
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"


def test_a_key_with_another_body_is_refused(shop):
    token = shop.sign_up("a@example.com")
    shop.open(token)

    again = shop.open(token, amount_fen=9901)

    assert (again.status, again.code) == (422, "idempotency_key_reused")


def test_an_order_without_a_key_is_refused(shop):
    token = shop.sign_up("a@example.com")

    answer = shop.call("POST", "/v1/orders", {"amount_fen": 9900}, token=token)

    assert answer.status == 400


@pytest.mark.parametrize(
    "body",
    [
        {}, {"amount_fen": 99}, {"amount_fen": 5_000_001}, {"amount_fen": 100.5},
        {"amount_fen": "100"}, {"amount_fen": True}, {"amount_fen": -100},
        {"amount_fen": 100, "account": "usr_other"}, {"amount_fen": 100, "kind": "gift"},
    ],
)  # fmt: skip
def test_a_body_that_is_not_an_order_is_refused(shop, body):
    token = shop.sign_up("a@example.com")

    answer = shop.call("POST", "/v1/orders", body, token=token, headers={"Idempotency-Key": "k"})

    assert answer.status == 422
    assert shop.call("GET", "/v1/orders", token=token).json["items"] == []


def test_orders_are_listed_page_by_page(shop):
    token = shop.sign_up("a@example.com")
    ids = []
    for number in range(3):
        ids.append(shop.open(token, key=f"k{number}").json["id"])
        shop.clock.pass_(seconds=1)

    first = shop.call("GET", "/v1/orders?limit=2", token=token).json
    rest = shop.call("GET", f"/v1/orders?limit=2&cursor={first['next_cursor']}", token=token).json

    assert [order["id"] for order in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next_cursor"] is None


def test_anothers_order_is_as_unknown_as_none(shop):
    token, other = shop.sign_up("a@example.com"), shop.sign_up("b@example.com")
    order_id = shop.open(other).json["id"]

    answers = [
        [
            shop.call("GET", f"/v1/orders/{unknown}", token=token),
            shop.call("POST", f"/v1/orders/{unknown}/pay", {"method": "page"}, token=token),
            shop.call("POST", f"/v1/orders/{unknown}/cancel", token=token),
        ]
        for unknown in (order_id, "ord_00000000000000000000000000")
    ]

    for mine, nobodys in zip(*answers, strict=True):
        assert mine.status == nobodys.status == 404
        assert {**mine.json, "request_id": ""} == {**nobodys.json, "request_id": ""}


def test_nobody_opens_an_order_without_signing_in(shop):
    assert shop.call("POST", "/v1/orders", {"amount_fen": 9900}).status == 401
    assert shop.call("GET", "/v1/orders").status == 401


def test_a_channel_that_does_not_answer_is_said_and_the_order_stays_open(shop):
    token = shop.sign_up("a@example.com")
    order_id = shop.open(token).json["id"]

    cancelled = shop.call("POST", f"/v1/orders/{order_id}/cancel", token=token)
    scanned = shop.call("POST", f"/v1/orders/{order_id}/pay", {"method": "qr"}, token=token)

    assert (cancelled.status, cancelled.code) == (503, "unanswered")
    assert (scanned.status, scanned.code) == (503, "unanswered")
    assert "retry-after" in scanned.headers
    assert shop.call("GET", f"/v1/orders/{order_id}", token=token).json["state"] == "open"


def test_an_unknown_method_is_refused(shop):
    token = shop.sign_up("a@example.com")
    order_id = shop.open(token).json["id"]

    answer = shop.call("POST", f"/v1/orders/{order_id}/pay", {"method": "cash"}, token=token)

    assert answer.status == 422


def test_an_expired_order_is_not_paid(shop):
    token = shop.sign_up("a@example.com")
    order_id = shop.open(token).json["id"]
    shop.clock.pass_(seconds=899.75)
    token = shop.sign_in("a@example.com")

    answer = shop.call("POST", f"/v1/orders/{order_id}/pay", {"method": "page"}, token=token)

    assert (answer.status, answer.code) == (409, "order_not_open")

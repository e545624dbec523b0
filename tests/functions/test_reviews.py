"""Tests of reviews over HTTP: what the customer and the operator are answered."""

import pytest

from tests.fixtures.shop import Shop
from wharfage.domain.account import Role

UNUSUAL = 200_001


@pytest.fixture
def shop() -> Shop:
    return Shop("orders")


def test_a_flagged_order_says_why_and_until_when_then_is_approved_and_paid(shop):
    token = shop.sign_up("a@example.com")
    operator = shop.sign_up("root@example.com", role=Role.ADMIN)

    opened = shop.open(token, UNUSUAL)
    order = opened.json
    pay = f"/v1/orders/{order['id']}/pay"
    held = shop.call("POST", pay, {"method": "page"}, token=token)
    listed = shop.call("GET", "/v1/admin/reviews", token=operator).json["items"]
    approve = f"/v1/admin/reviews/{order['id']}/approve"
    approved = shop.call("POST", approve, token=operator)

    assert opened.status == 201
    assert order["review"] == {"state": "pending", "rule": "new_account", "decided_at": None}
    assert (held.status, held.code) == (409, "order_in_review")
    assert held.json["decided_before"] == order["expires_at"]
    assert [each["id"] for each in listed] == [order["id"]]
    assert (approved.status, approved.json["review"]) == (200, "approved")
    assert shop.call("POST", approve, token=operator).json == approved.json
    assert shop.call("POST", pay, {"method": "page"}, token=token).status == 200
    refuse = shop.call("POST", f"/v1/admin/reviews/{order['id']}/refuse", token=operator)
    assert (refuse.status, refuse.code) == (409, "state_conflict")


def test_an_order_that_is_refused_has_a_code_of_its_own_and_says_what_to_do(shop):
    token = shop.sign_up("a@example.com")

    answer = shop.open(token, 2_000_001)

    assert (answer.status, answer.code) == (403, "order_refused")
    assert answer.json["rule"] == "new_account"
    assert "operator" in answer.json["detail"]

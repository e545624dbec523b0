"""Tests of the quota function: money shown, work priced, and the operator's own moves."""

import csv
import io

import pytest

from tests.fixtures.shop import Shop
from wharfage.domain.account import Role


@pytest.fixture
def shop() -> Shop:
    return Shop("quota")


def adjust(shop, operator, account, amount_fen=500, reference="cash-1", reason="paid in cash"):
    body = {
        "account": account,
        "amount_fen": amount_fen,
        "reason": reason,
        "reference": reference,
    }
    return shop.call("POST", "/v1/admin/adjustments", body, token=operator)


def test_a_new_account_has_nothing_and_owes_nothing(shop):
    token = shop.sign_up("a@example.com")

    answer = shop.call("GET", "/v1/quota", token=token)

    assert answer.status == 200
    shown = answer.json
    assert [line["used"] for line in shown.pop("quotas")] == [0] * 6
    assert shown == {
        "burn_fen": 0, "lasts_seconds": None,
        "available_fen": 0, "held_fen": 0, "debt_fen": 0, "state": "active",
        "membership": None, "period": None, "periods": [],
    }  # fmt: skip


def test_the_operators_move_is_seen_by_the_customer_once(shop):
    token, operator = shop.sign_up("a@example.com"), shop.sign_up("o@example.com", role=Role.ADMIN)
    account = shop.account(token)

    first = adjust(shop, operator, account)
    again = adjust(shop, operator, account)

    assert (first.status, again.status) == (201, 201)
    assert first.json == again.json
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert shop.call("GET", "/v1/quota", token=token).json["available_fen"] == 500
    [entry] = shop.call("GET", "/v1/ledger", token=token).json["items"]
    assert (entry["code"], entry["note"]) == ("adjustment", "paid in cash")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"amount_fen": -1}, 402, "insufficient_funds"),
        ({"amount_fen": 0}, 422, "invalid"),
        ({"amount_fen": 5_000_001}, 422, "invalid"),
        ({"reason": ""}, 422, "invalid"),
        ({"reference": "a b"}, 422, "invalid"),
        ({"account": "usr_nobody"}, 404, "not_found"),
    ],
)
def test_an_adjustment_that_cannot_be_is_refused(shop, changes, status, code):
    token, operator = shop.sign_up("a@example.com"), shop.sign_up("o@example.com", role=Role.ADMIN)

    answer = adjust(shop, operator, **{"account": shop.account(token), **changes})

    assert (answer.status, answer.code) == (status, code)
    assert shop.balance(token).available == 0


def test_a_customer_books_nothing(shop):
    token = shop.sign_up("a@example.com")

    assert adjust(shop, token, shop.account(token)).status == 403
    assert adjust(shop, None, shop.account(token)).status == 401


def test_a_check_prices_a_job_and_does_nothing(shop):
    token = shop.sign_up("a@example.com")

    answer = shop.call(
        "POST", "/v1/quota/check", {"image": "localhost:5000/x", "max_run_s": 60}, token=token
    )

    assert answer.status == 200
    assert answer.json["hold_fen"] > 0
    assert answer.json["sufficient"] is False
    assert shop.balance(token).held == 0


def test_a_check_of_what_is_no_job_is_refused(shop):
    token = shop.sign_up("a@example.com")

    assert shop.call("POST", "/v1/quota/check", {"image": "a;b"}, token=token).status == 422
    assert shop.call("POST", "/v1/quota/check", {"privileged": True}, token=token).status == 422


def test_prices_are_open_to_everybody(shop):
    answer = shop.call("GET", "/v1/prices")

    assert set(answer.json) == {"version", "vcpu_hour_fen", "gb_hour_fen"}


@pytest.mark.parametrize(
    ("target", "headers", "kind"),
    [
        ("/v1/ledger", {}, "application/json"),
        ("/v1/ledger", {"Accept": "text/csv"}, "text/csv"),
        ("/v1/ledger?format=csv", {}, "text/csv"),
        ("/v1/ledger?format=csv", {"Accept": "application/json"}, "text/csv"),
        ("/v1/ledger?format=json", {"Accept": "text/csv"}, "application/json"),
    ],
)
def test_the_ledger_comes_as_json_or_csv(shop, target, headers, kind):
    token, operator = shop.sign_up("a@example.com"), shop.sign_up("o@example.com", role=Role.ADMIN)
    adjust(shop, operator, shop.account(token))

    answer = shop.call("GET", target, token=token, headers=headers)

    assert answer.headers["content-type"].startswith(kind)
    if kind == "text/csv":
        [row] = csv.DictReader(io.StringIO(answer.text))
        assert row["amount_fen"] == "500"


def test_a_csv_says_where_it_goes_on(shop):
    token, operator = shop.sign_up("a@example.com"), shop.sign_up("o@example.com", role=Role.ADMIN)
    for number in range(3):
        adjust(shop, operator, shop.account(token), reference=f"r{number}")

    first = shop.call("GET", "/v1/ledger?format=csv&limit=2", token=token)
    target = first.headers["link"].partition(">")[0].removeprefix("<")
    rest = shop.call("GET", target, token=token)

    references = [
        row["reference"]
        for answer in (first, rest)
        for row in csv.DictReader(io.StringIO(answer.text))
    ]
    assert sorted(references) == ["r0", "r1", "r2"]
    assert "link" not in rest.headers


def test_a_ledger_is_its_owners(shop):
    token, operator = shop.sign_up("a@example.com"), shop.sign_up("o@example.com", role=Role.ADMIN)
    adjust(shop, operator, shop.account(token))

    assert shop.call("GET", "/v1/ledger", token=operator).json["items"] == []
    assert shop.call("GET", "/v1/ledger").status == 401


def test_another_format_is_refused(shop):
    token = shop.sign_up("a@example.com")

    assert shop.call("GET", "/v1/ledger?format=xml", token=token).status == 422

"""Refunds, reviews, notifies, frozen money and quotas, by command and by the API itself."""

import json
from pathlib import Path

import pytest

from tests.client.conftest import Run
from tests.client.product import Product, as_person, product
from tests.fixtures import alipay
from tests.fixtures.alipay import SELLER

__all__ = ["product"]

BIG_FEN = 250_000  #: More than a new account pays without being looked at.


@pytest.fixture
def customer(product: Product, run: Run) -> Run:
    return as_person(product, run, product.customer)


@pytest.fixture
def operator(product: Product, run: Run) -> Run:
    return as_person(product, run, product.harbour.operator())


@pytest.fixture
def paid(product: Product, customer: Run) -> str:
    """An order of 50 yuan that is paid."""
    order = product.customer.order(5000)
    assert customer("pay", "trigger", order).code == 0
    return order


def test_a_refund_is_asked_for_listed_and_approved(
    product: Product, customer: Run, operator: Run, paid: str
):
    asked = customer("refunds", "ask", "--reason", "too much", "--json", paid, "12.34").json
    waiting = operator("refunds", "--json").json["items"]
    shown = customer("refunds", "show", paid).out.decode()

    approved = operator("refunds", "approve", "--yes", asked["id"][:12])

    assert (asked["amount_fen"], asked["state"]) == (1234, "requested")
    assert waiting == [asked]
    assert f"{asked['id']}  {paid}  CNY 12.34  requested" in shown
    assert approved.out.decode() == f"{asked['id']}  {paid}  CNY 12.34  approved\n"
    assert operator("refunds", "--json").json["items"] == []
    assert (
        operator("refunds", "--state", "approved", "--json").json["items"][0]["id"] == asked["id"]
    )
    assert product.available_fen == 5000 - 1234


def test_a_refund_is_rejected_with_a_reason_and_its_money_is_back(
    product: Product, customer: Run, operator: Run, paid: str
):
    whole = customer("refunds", "ask", "--json", paid).json
    assert (whole["amount_fen"], product.available_fen) == (5000, 0)

    rejected = operator("refunds", "reject", "--reason", "spent", "--json", whole["id"]).json

    assert (rejected["state"], product.available_fen) == ("rejected", 5000)
    assert operator("refunds", "reject", whole["id"]).code == 2  # Without a reason.
    assert operator("refunds", "approve", "--yes", whole["id"]).code == 3  # It waits no more.


def test_the_same_key_asks_for_one_refund(product: Product, customer: Run, paid: str):
    first, second = (
        customer("refunds", "ask", "--key", "mine", "--json", paid, "10").json for _ in range(2)
    )

    assert first["id"] == second["id"]
    assert product.available_fen == 4000


def test_a_refund_is_not_approved_where_nobody_agreed(customer: Run, operator: Run, paid: str):
    asked = customer("refunds", "ask", "--json", paid).json

    assert operator("refunds", "approve", asked["id"]).code == 2
    assert operator("refunds", "--json").json["items"] == [asked]


def test_a_refund_of_more_than_was_paid_is_refused(customer: Run, paid: str):
    assert customer("refunds", "ask", paid, "50.01").code in {5, 6}
    assert customer("refunds", "ask", paid, "0").code == 2


def test_a_dispute_is_told_freezes_and_ends_once(
    product: Product, customer: Run, operator: Run, paid: str
):
    tell = ("disputes", "tell", "--reference", "cb-1", "--reason", "not mine", "--yes")
    until = ("--answer-by", "2026-12-01T18:00+08:00")

    told = operator(*tell, *until, "--json", paid, "12.34").json
    aside = product.available_fen
    listed = operator("disputes").out.decode()
    refused = customer("refunds", "ask", "--json", paid, "1")
    won = [operator(*tell, "--state", "won", paid).out.decode() for _ in range(2)]

    assert (told["amount_fen"], told["state"], aside) == (1234, "open", 5000 - 1234)
    assert told["answer_by"].startswith("2026-12-01T10:00:00")
    assert "cb-1" in listed
    assert "CNY 12.34" in listed
    assert refused.error["code"] == "account_frozen"
    assert won == [f"cb-1  {paid}  CNY 12.34  won\n"] * 2
    assert product.available_fen == 5000
    assert operator("disputes", "--json").json["items"] == []
    assert operator("disputes", "--state", "won", "--json").json["items"][0]["id"] == "cb-1"
    assert operator(*tell, "--state", "lost", "--json", paid).error["code"] == "state_conflict"


def test_nothing_is_told_of_a_dispute_unless_the_operator_agrees(operator: Run, paid: str):
    tell = ("disputes", "tell", "--reference", "cb-1", "--reason", "not mine")

    assert operator(*tell, paid).code == 2  # Nobody is there to be asked.
    assert operator(*tell, "--yes", paid, "50.01").code == 2
    assert operator(*tell, "--yes", "--answer-by", "soon", paid).code == 2
    assert operator("disputes", "--json").json["items"] == []


def test_only_the_operator_lists_and_decides(customer: Run, paid: str):
    asked = customer("refunds", "ask", "--json", paid).json

    for command in (["refunds"], ["refunds", "approve", "--yes", asked["id"]],
                    ["disputes"], ["reviews"],
                    ["users", "quotas", "usr_" + "0" * 26]):  # fmt: skip
        assert customer(*command, "--json").error["code"] == "forbidden", command


def test_flagged_orders_are_listed_approved_and_refused(
    product: Product, customer: Run, operator: Run
):
    good, bad = (product.customer.order(BIG_FEN + at) for at in range(2))

    listed = operator("reviews").out.decode()
    approved = operator("reviews", "approve", "--json", good).json
    refused = operator("reviews", "refuse", bad).out.decode()

    assert "CNY 2500.00" in listed
    assert "new_account" in listed
    assert (approved["id"], approved["review"]) == (good, "approved")
    assert refused.rstrip().endswith("refused")
    assert product.customer.get(f"/v1/orders/{bad}")["state"] == "closed"


def test_a_notify_is_inspected_from_a_file_and_from_standard_input(
    product: Product, operator: Run, tmp_path: Path
):
    order = product.customer.order(5000)
    fields = alipay.genuine(
        out_trade_no=order, total_amount="50.00", seller_id=SELLER, trade_no="T1"
    )
    good = alipay.posted(alipay.signed(fields)).body
    (tmp_path / "good").write_bytes(good)
    (tmp_path / "fields.json").write_text(json.dumps(alipay.signed(fields)))

    believed = operator("notify", "inspect", "--json", str(tmp_path / "good"))
    by_fields = operator("notify", "inspect", "--fields", str(tmp_path / "fields.json"))
    forged = operator("notify", "inspect", "-", stdin=good.replace(b"50.00", b"5000.00"))

    assert (believed.code, believed.json["credited"]) == (0, True)
    assert believed.json["order"] == order
    assert (by_fields.code, order in by_fields.out.decode()) == (0, True)
    assert forged.code == 1
    assert "signature" in forged.out.decode()
    assert product.available_fen == 0


def test_what_is_no_notify_file_is_said(operator: Run, tmp_path: Path):
    (tmp_path / "list.json").write_text("[]")

    assert operator("notify", "inspect", str(tmp_path / "missing"), "--json").error["code"] == (
        "file_unusable"
    )
    assert operator("notify", "inspect", "--fields", str(tmp_path / "list.json")).code == 1
    assert operator("notify", "inspect", "--header", "no colon", "-").code == 2
    assert operator("notify").code == 2


def test_money_is_frozen_and_free_again_with_a_reason(product: Product, operator: Run):
    email = product.customer.email

    frozen = operator("users", "freeze", "--reason", "a complaint", email)
    state = product.customer.get("/v1/quota")["state"]
    free = operator("users", "unfreeze", "--reason", "settled", "--json", email)

    assert "frozen" in frozen.out.decode()
    assert state == "frozen"
    assert free.json["frozen_at"] is None
    assert operator("users", "freeze", email).code == 2  # Without a reason.


def test_quotas_are_shown_set_and_back_at_the_default(product: Product, operator: Run):
    email = product.customer.email

    before = operator("users", "quotas", "--json", email).json
    assert operator("users", "quotas", "--set", "live_jobs=3", email).code == 0
    shown = operator("users", "quotas", "--set", "queued_jobs=0", email).out.decode()
    after = operator("users", "quotas", "--default", "live_jobs", "--json", email).json

    rows = [line.split() for line in shown.splitlines()[1:]]
    assert ["live_jobs", "3", "set"] in rows
    assert ["queued_jobs", "0", "set"] in rows
    assert after["in_force"]["live_jobs"] == before["in_force"]["live_jobs"]
    assert after["in_force"]["queued_jobs"] == 0


@pytest.mark.parametrize("wrong", ["live_jobs", "live_jobs=-1", "live_jobs=many", "moons=3"])
def test_what_is_no_limit_is_refused(product: Product, operator: Run, wrong: str):
    assert operator("users", "quotas", "--set", wrong, product.customer.email).code == 2

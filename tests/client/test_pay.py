"""`wharfage pay`, from end to end: the command, the API over HTTP, and the sandbox itself."""

import threading
from typing import Any

import pytest

from tests.client.conftest import Result, Run
from tests.client.product import Product, as_person, product
from tests.fixtures.waiting import until
from wharfage_client.words import ADVICE

__all__ = ["product"]


@pytest.fixture
def pay(product: Product, run: Run) -> Any:
    """Run `wharfage pay` as the customer."""

    customer = as_person(product, run, product.customer)
    return lambda *arguments, **environ: customer("pay", *arguments, **environ)


def steps(result: Result) -> list[str]:
    return [line["step"] for line in result.lines]


def answers(result: Result) -> list[str]:
    return [line["answer"] for line in result.lines if line["step"].startswith("told")]


def test_an_order_is_paid_told_and_credited_and_every_step_is_said(product: Product, pay: Any):
    order = product.customer.order(5000)

    result = pay("trigger", order)

    assert result.code == 0, result.err
    said = result.out.decode()
    assert [f"{order} is open: CNY 50.00" in said, "sent 1 times: success" in said] == [True, True]
    assert f"paid at the cashier of {product.sandbox}" in said
    assert "the balance was CNY 0.00 and is CNY 50.00" in said
    assert product.available_fen == 5000


@pytest.mark.parametrize(
    ("faults", "told"),
    [
        (["--copies", "50"], ["success"]),
        (["--twice"], ["success", "success"]),
        (["--query-lost", "1"], ["success"]),
        (["--late", "1s"], ["success"]),
    ],
)
def test_whatever_comes_twice_or_late_is_credited_once(
    product: Product, pay: Any, faults: list[str], told: list[str]
):
    result = pay("trigger", "--json", *faults, product.customer.order(5000))

    assert result.code == 0, result.err
    assert answers(result) == told
    assert steps(result)[:3] == ["order", "wished", "pressed"]
    assert steps(result)[-1] == "balance"
    assert product.available_fen == 5000


def test_a_notify_that_is_lost_is_sent_again_and_credited(product: Product, pay: Any):
    result = pay("trigger", "--lost", "3", "--json", product.customer.order(5000))

    assert result.code == 0, result.err
    assert answers(result)[-1] == "success"
    assert product.available_fen == 5000


@pytest.mark.parametrize("fault", ["--bad-sign", "--wrong-amount", "--wrong-seller"])
def test_a_notify_that_is_wrong_credits_nothing_and_says_so(product: Product, pay: Any, fault: str):
    order = product.customer.order(5000)

    result = pay("trigger", fault, "--wait", "2s", "--json", order)

    assert result.code == 7
    assert result.error["code"] == "not_credited"
    assert {answer.strip()[-4:] for answer in answers(result)} == {"fail"}
    assert product.available_fen == 0
    assert product.customer.get(f"/v1/orders/{order}")["state"] == "open"


def test_what_a_forged_notify_did_not_credit_a_question_does(product: Product, pay: Any):
    order = product.customer.order(5000)
    done: list[Result] = []
    paying = threading.Thread(target=lambda: done.append(pay("trigger", "--bad-sign", order)))
    paying.start()

    def credited() -> bool:
        with product.lock:
            product.harbour(
                "GET", f"/v1/alipay/return?out_trade_no={order}"
            )  # Asked about at once.
            product.harbour.sweep()
            return product.available_fen == 5000

    until(credited, seconds=30, what="the credit")
    paying.join(30)

    assert done[0].code == 0, done[0].err
    assert "the balance was CNY 0.00 and is CNY 50.00" in done[0].out.decode()


def test_the_fault_is_for_one_order_and_the_next_is_told_well(product: Product, pay: Any):
    pay("trigger", "--bad-sign", "--no-wait", product.customer.order(5000))

    result = pay("trigger", product.customer.order(700))

    assert result.code == 0
    assert product.available_fen == 700


def test_all_that_was_told_is_told_again_and_changes_nothing(product: Product, pay: Any):
    order = product.customer.order(5000)
    pay("trigger", "--twice", order)

    result = pay("replay", "--json", order, WHARFAGE_SANDBOX=product.sandbox)

    assert result.code == 0, result.err
    assert answers(result) == ["success", "success"]
    assert result.lines[-1]["before"] == result.lines[-1]["after"] == "CNY 50.00"


def test_a_refund_in_the_console_is_told_and_answered(product: Product, pay: Any):
    order = product.customer.order(5000)
    pay("trigger", order)

    result = pay("refund", "--sandbox", product.sandbox, "--json", order, "12.34")
    again = pay("refund", "--sandbox", product.sandbox, order, "37.67")

    assert result.code == 0, result.err
    assert answers(result) == ["success"]
    assert again.code == 6  # A fen more than is left.


def test_a_finished_trade_is_told_and_answered(product: Product, pay: Any):
    order = product.customer.order(5000)
    pay("trigger", order)

    result = pay("finish", "--sandbox", product.sandbox, "--json", order)

    assert answers(result) == ["success"]


def test_an_order_that_is_not_open_does_not_say_where_the_sandbox_is(product: Product, pay: Any):
    order = product.customer.order(5000)
    pay("trigger", order)

    result = pay("replay", "--json", order)

    assert (result.code, result.error["code"]) == (2, "no_sandbox")


@pytest.mark.parametrize(
    ("where", "code", "exit_code"),
    [
        ("https://openapi.alipay.com", "not_the_sandbox", 2),
        ("http://openapi.alipay.com", "insecure_url", 2),
        ("http://10.0.0.1:8080", "insecure_url", 2),
        ("http://127.0.0.1:1", "no_sandbox_there", 7),
        ("rubbish", "bad_url", 2),
    ],
)
def test_nothing_but_a_sandbox_of_this_machine_is_asked_to_pay(
    product: Product, pay: Any, where: str, code: str, exit_code: int
):
    order = product.customer.order(5000)

    result = pay("trigger", "--json", "--sandbox", where, order)

    assert (result.code, result.error["code"]) == (exit_code, code)
    assert product.customer.get(f"/v1/orders/{order}")["state"] == "open"


def test_what_answers_on_this_machine_and_is_no_sandbox_is_not_asked(product: Product, pay: Any):
    result = pay("trigger", "--json", "--sandbox", product.url, product.customer.order(5000))

    assert (result.code, result.error["code"]) == (2, "not_the_sandbox")


def test_what_is_to_be_done_must_be_named(pay: Any):
    assert pay().code == 2
    assert pay("trigger", "--copies", "1", "ord_1").code == 2
    assert pay("refund", "ord_1", "0").code == 2


def test_every_error_of_paying_says_what_to_do():
    for code in ("no_sandbox", "not_the_sandbox", "no_sandbox_there", "sandbox_refused"):
        assert all(ADVICE[code]), code

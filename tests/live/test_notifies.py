"""Notifies over HTTP, signed with the sandbox's own key: one credit, and none for what is wrong."""

import http.client
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

import pytest

from infrastructure.local.sandbox.signing import Keys, text_of
from infrastructure.local.sandboxes import APP_ID, SELLER_ID
from tests.fixtures.stack import Caller, RunningStack, running


@pytest.fixture(scope="module", params=["embedded", "dynamodb"])
def stack(
    request: pytest.FixtureRequest, engine_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningStack]:
    options: tuple[str, ...] = ("--store", request.param)
    if request.param == "dynamodb":
        options += ("--endpoint", request.getfixturevalue("dynamodb_endpoint"))
    with running(tmp_path_factory.mktemp(request.param), engine_url, *options) as found:
        yield found


@pytest.fixture
def customer(stack: RunningStack) -> Caller:
    return Caller(url=stack.url).sign_up()


def genuine(order: str, yuan: str = "50.00", **changes: str) -> dict[str, str]:
    """Write the fields of a notify that Alipay would send for a paid order."""
    fields = {
        "app_id": APP_ID,
        "charset": "utf-8",
        "notify_id": f"n{order}",
        "notify_time": "2026-11-21 12:00:00",
        "notify_type": "trade_status_sync",
        "out_trade_no": order,
        "seller_id": SELLER_ID,
        "subject": "Wharfage",
        "total_amount": yuan,
        "trade_no": f"2026{order[-20:]}",
        "trade_status": "TRADE_SUCCESS",
        "version": "1.0",
    }
    return fields | changes


def signed(stack: RunningStack, fields: dict[str, str]) -> dict[str, str]:
    """Sign fields as the sandbox does."""
    found = stack.stack.keys
    keys = Keys.read(private_key=found.sandbox_private, merchant_public_key=found.app_public)
    return {**fields, "sign": keys.sign(text_of(fields)), "sign_type": "RSA2"}


def send(stack: RunningStack, form: dict[str, str] | str) -> tuple[int, bytes]:
    """Post a notify; give status and body."""
    body = form if isinstance(form, str) else urlencode(form)
    connection = http.client.HTTPConnection(urlsplit(stack.url).netloc, timeout=30)
    try:
        kind = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
        connection.request("POST", "/v1/alipay/notify", body=body, headers=kind)
        reply = connection.getresponse()
        return reply.status, reply.read()
    finally:
        connection.close()


def test_the_same_notify_forty_times_in_parallel_gives_one_credit(
    stack: RunningStack, customer: Caller
) -> None:
    order, _cashier = customer.order(5000)
    form = signed(stack, genuine(order))

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: send(stack, form), range(40)))
    again = send(stack, form)

    # What the store could not settle at once is answered `fail`, so that Alipay sends it again.
    assert {body for _, body in answers} <= {b"success", b"fail"}
    assert (200, b"success") in answers
    assert again == (200, b"success")
    assert customer.quota()["available_fen"] == 5000
    assert [entry["amount_fen"] for entry in customer.ledger()] == [5000]


@pytest.mark.parametrize(
    "changes",
    [
        {"total_amount": "0.01"},
        {"total_amount": "50.000"},
        {"total_amount": "5e1"},
        {"seller_id": "2088999999999999"},
        {"app_id": "2021999999999999"},
        {"out_trade_no": "ord_01m7y5hm8b5pc2ekaeqdygz6as"},
        {"notify_type": "servicewindow"},
        {"seller_id": ""},
    ],
)
def test_a_genuinely_signed_notify_that_does_not_fit_the_order_changes_nothing(
    stack: RunningStack, customer: Caller, changes: dict[str, str]
) -> None:
    order, _cashier = customer.order(5000)

    _status, body = send(stack, signed(stack, genuine(order) | changes))

    assert body == b"fail"
    assert customer.quota()["available_fen"] == 0
    assert customer.get(f"/v1/orders/{order}")["state"] == "open"


def test_forged_altered_and_resplit_notifies_change_nothing(
    stack: RunningStack, customer: Caller
) -> None:
    order, _cashier = customer.order(5000)
    form = signed(stack, genuine(order))
    hidden = f"x&out_trade_no={order}&seller_id={SELLER_ID}&subject=y"
    carrier = signed(stack, {**genuine("ord_unknown0000"), "body": hidden})
    resplit = {**carrier, "body": "x", "out_trade_no": order}
    wrong: list[dict[str, str] | str] = [
        {**form, "sign": form["sign"][:-4] + "AAA="},
        {**form, "sign": form["sign"] + "\n"},
        {name: value for name, value in form.items() if name != "sign_type"},
        {**form, "sign_type": "RSA"},
        {**form, "total_amount": "500.00"},
        {**form, "trade_no": "1"},
        resplit,
        urlencode(form) + "&total_amount=50.00",
        "total_amount=0.01&" + urlencode(form),
    ]

    answers = [send(stack, each) for each in wrong]

    assert {body for _, body in answers} == {b"fail"}
    assert all(status < 500 for status, _ in answers)
    assert customer.quota()["available_fen"] == 0
    assert send(stack, form) == (200, b"success")
    assert customer.quota()["available_fen"] == 5000

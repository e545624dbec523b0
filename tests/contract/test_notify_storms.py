"""One suite for every store: however many copies of notifies come at once, each credits once."""

import random
import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from functions.alipay.app import app as alipay
from functions.auth.app import app as auth
from functions.orders.app import app as orders
from functions.quota.app import app as quota
from tests.fixtures import edge, ledger
from tests.fixtures.alipay import FORM
from tests.fixtures.edge import Answer, Caller, HandClock
from tests.fixtures.harbour import PASSWORD
from tests.fixtures.machine import dynamodb_endpoint, ministack_dynamodb_endpoint
from tests.fixtures.stores import fresh, rows, store
from tests.fixtures.till import Till
from wharfage import schema
from wharfage.operations.ledger import audit
from wharfage.ports import Store

__all__ = ["dynamodb_endpoint", "ministack_dynamodb_endpoint", "rows", "store"]

NOTIFIES, COPIES, AT_ONCE = 10, 1000, 50
ROUNDS = 15


class Shop:
    """The functions that a top-up needs, and a customer with an access token."""

    def __init__(self, store: Store) -> None:
        clock = HandClock()
        self.till = Till(clock, first_trade=secrets.randbelow(10**15))
        self.ports = replace(edge.ports(clock, store), channels={"alipay": self.till})
        self.call = Caller(auth, orders, alipay, quota, bound=self.ports)
        who = {"email": f"{fresh('storm')}@example.com", "password": PASSWORD}
        assert self.call("POST", "/v1/auth/register", who).status == 201
        tokens = self.call("POST", "/v1/auth/login", who).json
        self.token, self.account = tokens["access_token"], tokens["account"]

    def ask(self, method: str, target: str, body: Any = None) -> Any:
        headers = {"Idempotency-Key": fresh("key")}
        answer = self.call(method, target, body, token=self.token, headers=headers)
        assert answer.status < 300, answer.text
        return answer.json

    def paid(self, amount_fen: int) -> tuple[str, bytes]:
        """Open an order and pay it; its number, and the notify that nobody has had yet."""
        order = self.ask("POST", "/v1/orders", {"kind": "topup", "amount_fen": amount_fen})["id"]
        url = self.ask("POST", f"/v1/orders/{order}/pay", {"method": "page"})["url"]
        return order, self.till.pay(url)

    def notify(self, body: bytes) -> Answer:
        """Post a notify as Alipay does."""
        return self.call("POST", "/v1/alipay/notify", raw=body, headers={"content-type": FORM})

    def all_at_once(self, bodies: list[bytes]) -> Counter[tuple[int, str]]:
        """Post notifies, fifty at a time; count the answers."""
        with ThreadPoolExecutor(AT_ONCE) as threads:
            answers = list(threads.map(self.notify, bodies))
        return Counter((answer.status, answer.text) for answer in answers)

    def entries(self) -> list[Any]:
        return list(self.ask("GET", "/v1/ledger?limit=100")["items"])

    def told(self, order: str) -> list[str]:
        """List what the timeline of an order says."""
        return [event.kind for event in ledger.rows(self.ports.store, schema.EVENT, order)]

    @property
    def available_fen(self) -> int:
        return int(self.ask("GET", "/v1/quota")["available_fen"])


@pytest.fixture
def shop(store: Store) -> Shop:
    return Shop(store)


def test_a_thousand_copies_of_ten_notifies_are_ten_credits_and_a_thousand_yeses(shop: Shop) -> None:
    amounts = {shop.paid(100 + number): 100 + number for number in range(NOTIFIES)}
    bodies = [body for _, body in amounts] * (COPIES // NOTIFIES)
    random.Random(41).shuffle(bodies)

    answers = shop.all_at_once(bodies)

    assert answers == {(200, "success"): COPIES}
    assert shop.available_fen == sum(amounts.values())
    credited = {entry["reference"]: entry["amount_fen"] for entry in shop.entries()}
    assert credited == {order: amount for (order, _), amount in amounts.items()}
    assert len(shop.entries()) == NOTIFIES
    for order, _ in amounts:
        assert shop.told(order).count("order.paid") == 1
    assert audit(shop.ports, shop.account).exact


def test_forged_copies_in_a_storm_are_refused_and_the_genuine_ones_are_not(shop: Shop) -> None:
    _, body = shop.paid(5000)
    forged = body.replace(b"total_amount=50.00", b"total_amount=99.00")
    assert forged != body

    answers = shop.all_at_once([body, forged] * 50)

    assert answers[(200, "success")] == 50
    assert {text for _, text in answers} == {"success", "fail"}
    assert [entry["amount_fen"] for entry in shop.entries()] == [5000]


def test_two_trades_that_pay_one_order_at_once_are_one_credit_and_one_refund(shop: Shop) -> None:
    order, first = shop.paid(5000)
    second = shop.till.notify(order, trade_no=f"other{order[-20:]}")

    answers = shop.all_at_once([first, second] * 25)

    assert answers == {(200, "success"): 50}
    assert shop.available_fen == 5000
    assert len(shop.entries()) == 1
    [back] = shop.ask("GET", f"/v1/orders/{order}/refunds")["items"]
    assert (back["amount_fen"], back["origin"]) == (5000, "duplicate")


def test_a_trade_that_is_said_to_pay_two_orders_at_once_pays_one(shop: Shop) -> None:
    (one, first), (other, _) = shop.paid(5000), shop.paid(5000)
    trade_no = shop.till.trades[one].trade_no
    second = shop.till.notify(other, trade_no=trade_no)

    answers = shop.all_at_once([first, second] * 20)

    assert {text for _, text in answers} == {"success", "fail"}
    assert shop.available_fen == 5000
    assert len(shop.entries()) == 1


def test_a_month_that_is_told_of_forty_times_at_once_is_one_month(shop: Shop) -> None:
    order = shop.ask("POST", "/v1/orders", {"kind": "membership", "plan": "basic"})["id"]
    url = shop.ask("POST", f"/v1/orders/{order}/pay", {"method": "page"})["url"]

    answers = shop.all_at_once([shop.till.pay(url)] * 40)

    assert answers == {(200, "success"): 40}
    quota = shop.ask("GET", "/v1/quota")
    assert (quota["membership"]["months"], quota["period"]["granted"]) == (1, 100)
    assert quota["available_fen"] == 0


def test_a_payment_and_a_cancel_at_once_lose_no_money(shop: Shop) -> None:
    paid = [shop.paid(100) for _ in range(ROUNDS)]

    def race(number: int) -> Answer:
        order, body = paid[number // 2]
        if number % 2:
            return shop.call("POST", f"/v1/orders/{order}/cancel", token=shop.token)
        return shop.notify(body)

    with ThreadPoolExecutor(AT_ONCE) as threads:
        answers = list(threads.map(race, range(2 * ROUNDS)))

    assert {answer.text for answer in answers[::2]} == {"success"}
    assert shop.available_fen == 100 * ROUNDS
    assert len(shop.entries()) == ROUNDS
    for order, _ in paid:
        assert shop.ask("GET", f"/v1/orders/{order}")["state"] == "paid"


def test_of_twenty_refunds_of_thirty_yuan_at_once_three_are_taken(shop: Shop) -> None:
    order, body = shop.paid(9900)
    assert shop.notify(body).text == "success"

    def ask(number: int) -> int:
        what = {"amount_fen": 3000, "reason": "no"}
        headers = {"Idempotency-Key": fresh("key")}
        path = f"/v1/orders/{order}/refunds"
        while True:  # What the store could not settle at once is asked for again under its key.
            answer = shop.call("POST", path, what, token=shop.token, headers=headers)
            if answer.status != 503:
                return answer.status

    with ThreadPoolExecutor(20) as threads:
        statuses = Counter(threads.map(ask, range(20)))

    assert statuses[201] == 3
    assert sum(statuses.values()) == 20
    assert all(status < 500 for status in statuses)
    assert shop.available_fen == 900

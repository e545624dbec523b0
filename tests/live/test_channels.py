"""WeChat Pay and cards on the live stack: paid at their sandboxes, told by them, given back."""

import json
import os
import secrets
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from infrastructure.setup.layout import ROOT
from tests.fixtures.stack import Caller, RunningStack, operator, press_pay, running
from tests.fixtures.waiting import until

STATES = {"alipay": "sandbox.sqlite3", "wechat": "wechat.sqlite3", "stripe": "stripe.sqlite3"}
WAYS = {"alipay": "qr", "wechat": "qr", "stripe": "page"}


@pytest.fixture(scope="module")
def stack(engine_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    with running(tmp_path_factory.mktemp("channels"), engine_url) as found:
        yield found


@pytest.fixture(scope="module")
def boss(stack: RunningStack) -> Caller:
    return operator(stack)


@pytest.fixture
def customer(stack: RunningStack) -> Caller:
    return Caller(url=stack.url).sign_up()


def opened(customer: Caller, channel: str, fen: int) -> str:
    body = {"amount_fen": fen, "channel": channel}
    return str(customer.post("/v1/orders", body, key=secrets.token_hex(8))["id"])


def cashier(customer: Caller, channel: str, order: str) -> str:
    pay = customer.post(f"/v1/orders/{order}/pay", {"method": WAYS[channel]})
    return str(pay["url"] or pay["qr_text"])


def paid(customer: Caller, channel: str, fen: int) -> str:
    """Pay an order at its channel's cashier, and wait for the money."""
    order = opened(customer, channel, fen)
    press_pay(cashier(customer, channel, order))
    until(lambda: customer.quota()["available_fen"] == fen, what="the credit")
    return order


def trade(stack: RunningStack, channel: str, order: str) -> Any:
    """Look at an order as its channel's sandbox has it."""
    url = getattr(stack.stack.sandboxes, f"{channel}_url")
    return Caller(url=url).get(f"/control/trades/{order}")


def pay_command(stack: RunningStack, customer: Caller, *arguments: str) -> list[Any]:
    """Run `wharfage pay`; give what it said, a step each."""
    done = subprocess.run(
        (sys.executable, "-m", "wharfage_client.cli", "pay", *arguments),
        env=os.environ
        | {
            "PYTHONPATH": str(ROOT / "client"),
            "WHARFAGE_URL": stack.url,
            "WHARFAGE_TOKEN": customer.token,
        },
        capture_output=True,
        check=True,
        timeout=60,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_every_channel_is_offered_and_alipay_is_the_first(customer: Caller) -> None:
    found = customer.get("/v1/channels")["items"]

    assert [each["name"] for each in found] == ["alipay", "wechat", "stripe"]
    assert all(each["available"] for each in found)


def test_every_channel_stands_the_examination(stack: RunningStack) -> None:
    found = stack.command("channels")

    assert found.returncode == 0, found.stdout
    assert found.stdout.count("stand-in") == len(WAYS)


@pytest.mark.parametrize("channel", ["wechat", "stripe"])
def test_a_payment_is_credited_once_however_often_it_is_told(
    stack: RunningStack, customer: Caller, channel: str
) -> None:
    order = opened(customer, channel, 5000)

    trigger = pay_command(stack, customer, "trigger", "--copies", "5", "--json", order)
    sandbox = next(step["url"] for step in trigger if step["step"] == "pressed")
    again = pay_command(stack, customer, "replay", "--sandbox", sandbox, "--json", order)

    told = [step["answer"] for step in (*trigger, *again) if step["step"].startswith("told")]
    assert {answer.partition(" ")[0] for answer in told} <= {"200", "204"}
    assert len(told) == 2
    assert [entry["amount_fen"] for entry in customer.ledger()] == [5000]


@pytest.mark.parametrize(
    ("channel", "fault"),
    [
        ("wechat", "--bad-sign"),
        ("wechat", "--wrong-amount"),
        ("wechat", "--wrong-seller"),
        ("stripe", "--bad-sign"),
        ("stripe", "--wrong-seller"),
    ],
)
def test_a_notify_that_cannot_be_believed_credits_nothing(
    stack: RunningStack, customer: Caller, channel: str, fault: str
) -> None:
    order = opened(customer, channel, 5000)

    pay_command(stack, customer, "trigger", fault, "--no-wait", "--json", order)
    until(lambda: trade(stack, channel, order)["notifies"][0]["sends"] > 0)

    assert trade(stack, channel, order)["notifies"][0]["answer"].startswith("4")
    assert customer.quota()["available_fen"] == 0
    assert customer.get(f"/v1/orders/{order}")["state"] == "open"


def test_an_event_of_stripe_is_a_hint_and_what_was_really_paid_is_credited(
    stack: RunningStack, customer: Caller
) -> None:
    order = opened(customer, "stripe", 5000)

    pay_command(stack, customer, "trigger", "--wrong-amount", "--json", order)

    assert [entry["amount_fen"] for entry in customer.ledger()] == [5000]


@pytest.mark.parametrize("channel", ["wechat", "stripe"])
def test_a_payment_goes_back_through_the_channel_that_brought_it(
    stack: RunningStack, customer: Caller, boss: Caller, channel: str
) -> None:
    order = paid(customer, channel, 5000)

    path = f"/v1/orders/{order}/refunds"
    asked = customer.post(path, {"amount_fen": 1234}, key=secrets.token_hex(8))
    boss.post(f"/v1/admin/refunds/{order}/{asked['id']}/approve")
    until(lambda: customer.get(path)["items"][0]["state"] == "succeeded", seconds=30)

    assert list(trade(stack, channel, order)["refunds"].values()) == [1234]
    assert customer.quota()["available_fen"] == 5000 - 1234
    assert customer.adds_up()


def test_what_a_sandbox_does_not_play_is_refused_and_pays_nothing(
    stack: RunningStack, customer: Caller
) -> None:
    order = opened(customer, "wechat", 5000)

    with pytest.raises(subprocess.CalledProcessError) as refused:
        pay_command(stack, customer, "trigger", "--query-lost", "1", "--json", order)

    assert b"sandbox_refused" in refused.value.stderr
    assert customer.quota()["available_fen"] == 0


@pytest.mark.parametrize("channel", WAYS)
def test_a_day_of_every_channel_is_held_against_its_bill(
    stack: RunningStack, customer: Caller, boss: Caller, channel: str
) -> None:
    day = (datetime.now(UTC) - timedelta(days=3)).date()
    order = paid(customer, channel, 5000)
    sandboxes = stack.stack.sandboxes
    aged = time(4, tzinfo=UTC)  # Noon in China.
    with closing(sqlite3.connect(sandboxes.folder / STATES[channel])) as file, file:
        at = datetime.combine(day, aged).timestamp()
        file.execute("UPDATE trades SET paid_at = ? WHERE order_no = ?", (at, order))
    sandbox = Caller(url=getattr(sandboxes, f"{channel}_url"))

    def looked(faults: Any, rounds: int) -> Any:
        """Look at the day while its bill is as it is; give the breaks."""
        sandbox.post("/control/faults", faults)
        boss.post(f"/v1/admin/reconciliation/{channel}/{day}/run")
        path = f"/v1/admin/reconciliation/{channel}/{day}"
        until(lambda: boss.get(path)["run"]["round"] == rounds, seconds=30, what="the look")
        until(lambda: boss.get(path)["run"]["stage"] == "done", seconds=30, what="its end")
        return boss.get(path)

    agreed, wrong, again = (looked(*each) for each in (({}, 1), ({"bill_extra": 1}, 2), ({}, 3)))

    assert (agreed["run"]["payments_fen"], agreed["breaks"]) == (5000, [])
    assert [each["type"] for each in wrong["breaks"]] == ["unknown_order"]
    assert [each["state"] for each in again["breaks"]] == ["cleared"]
    assert [entry["amount_fen"] for entry in customer.ledger()] == [5000]


def test_orders_of_every_channel_outlive_the_stack(stack: RunningStack, customer: Caller) -> None:
    cashiers = [cashier(customer, each, opened(customer, each, 700)) for each in WAYS]

    stack.kill()
    stack.up()
    for each in cashiers:
        press_pay(each)

    until(lambda: customer.quota()["available_fen"] == 3 * 700, seconds=30, what="three credits")
    assert customer.adds_up()

"""Tests of the stand-in for Alipay: it checks our signatures and signs its own notifies."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.fixtures.alipay import APP_ID, SELLER, pair, raw, sandbox, settings
from tests.fixtures.waiting import until
from wharfage.adapters.alipay import AlipayChannel
from wharfage.domain.errors import NotifyRefused
from wharfage.domain.order import Order, OrderKind, opened
from wharfage.domain.trade import PayMethod, TradeEvent, TradeStatus


class Merchant:
    """A shop that takes notifies and answers what it is told to answer."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.answers: list[bytes] = []
        merchant = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                merchant.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                answer = merchant.answers.pop(0) if merchant.answers else b"success"
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *args: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def merchant() -> Iterator[Merchant]:
    found = Merchant()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.05,))
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


class There:
    """The stand-in with a merchant, seen from outside."""

    def __init__(self, url: str, merchant: Merchant) -> None:
        self.url, self.merchant = url, merchant
        self.channel = AlipayChannel(
            settings(
                gateway=f"{url}/gateway.do",
                notify_url=f"{merchant.url}/v1/alipay/notify",
                return_url=f"{merchant.url}/v1/alipay/return",
            )
        )

    def order(self, number: str = "ord_000001", **past: float) -> Order:
        return opened(
            number,
            account="usr_a",
            kind=OrderKind.TOPUP,
            amount_fen=9900,
            channel="alipay",
            now=datetime.now(UTC) - timedelta(**past),
        )

    def ask(
        self, method: str, target: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], str]:
        parts = urlsplit(self.url)
        connection = HTTPConnection(str(parts.hostname), parts.port, timeout=10)
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, target, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read().decode()
        connection.close()
        return answer.status, dict(answer.getheaders()), text

    def cashier(self, order: Order) -> str:
        """Follow the pay page to the cashier."""
        url = urlsplit(str(self.channel.create(order, PayMethod.PAGE).url))
        status, headers, _ = self.ask("GET", f"{url.path}?{url.query}")
        assert status == 302
        return headers["Location"]

    def pay(self, order: Order) -> None:
        """Pay as a buyer does."""
        cashier = self.cashier(order)
        assert self.ask("GET", cashier)[0] == 200
        assert self.ask("POST", cashier + "/pay")[0] == 303

    def faults(self, **faults: Any) -> None:
        assert self.ask("POST", "/control/faults", faults)[0] == 200

    def told(self, count: int) -> list[TradeEvent]:
        """Wait for so many notifies, and read them as we read Alipay's."""
        until(lambda: len(self.merchant.bodies) >= count, what=f"notify {count}")
        return [self.channel.parse_notify(raw(body)) for body in self.merchant.bodies]


@contextmanager
def started(folder: Path, merchant: Merchant) -> Iterator[There]:
    with sandbox(folder) as running:
        yield There(running.url, merchant)


@pytest.fixture
def there(tmp_path, merchant) -> Iterator[There]:
    with started(tmp_path, merchant) as found:
        yield found


def test_a_buyer_pays_at_the_cashier_and_the_merchant_is_told(there):
    order = there.order()
    cashier = there.cashier(order)

    status, headers, page = there.ask("GET", cashier)
    assert status == 200
    assert "¥99.00" in page
    assert "立即付款 · Pay" in page
    assert "http" not in page.replace("http-equiv", "")  # It asks nobody else for anything.
    assert "default-src 'none'" in headers["Content-Security-Policy"]

    status, headers, _ = there.ask("POST", cashier + "/pay")
    assert status == 303
    [event] = there.told(1)
    assert (event.order, event.seller) == (order.id, SELLER)
    assert (event.trade.status, event.trade.amount_fen) == (TradeStatus.SUCCESS, 9900)
    assert there.channel.query(order).trade_no == event.trade.trade_no
    assert "支付成功" in there.ask("GET", cashier)[2]


def test_the_buyer_is_sent_back_with_a_signature_that_is_no_notify(there):
    cashier = there.cashier(there.order())
    there.ask("GET", cashier)

    _, headers, _ = there.ask("POST", cashier + "/pay")

    back = urlsplit(headers["Location"])
    assert back.path == "/v1/alipay/return"
    fields = dict(parse_qsl(back.query))
    assert fields["out_trade_no"] == "ord_000001"
    with pytest.raises(NotifyRefused) as refusal:
        there.channel.parse_notify(raw(back.query.encode()))
    assert refusal.value.step == "notify_type"


def test_a_second_click_pays_nothing_more(there):
    there.pay(there.order())
    there.told(1)

    there.pay(there.order())

    _, _, text = there.ask("GET", "/control/trades/ord_000001")
    assert len(json.loads(text)["notifies"]) == 1


def test_a_qr_code_leads_to_the_cashier(there):
    order = there.order()
    text = str(there.channel.create(order, PayMethod.QR).qr_text)
    path = urlsplit(text).path

    assert "¥99.00" in there.ask("GET", path)[2]
    assert there.ask("POST", path + "/pay")[1]["Location"] == path
    assert there.told(1)[0].order == order.id


def test_a_pay_page_that_was_changed_on_its_way_is_refused(there):
    url = str(there.channel.create(there.order(), PayMethod.PAGE).url)

    for changed in (
        url.replace("99.00", "0.01"),
        url.replace("app_id=2021", "app_id=2022"),
        url.replace("sign_type=RSA2", "sign_type=RSA"),
        url.replace("utf-8", "gbk"),
        url.partition("&sign=")[0],
        url + "&extra=1",
    ):
        parts = urlsplit(changed)
        status, _, page = there.ask("GET", f"{parts.path}?{parts.query}")
        assert status == 400
        assert "Refused" in page


def test_a_clock_of_another_zone_is_refused(there):
    class Behind:
        def now(self) -> datetime:
            return datetime.now(UTC) - timedelta(hours=8)

    channel = AlipayChannel(settings(gateway=f"{there.url}/gateway.do"), clock=Behind())

    assert channel.query(there.order()).status is TradeStatus.UNKNOWN


def test_one_order_has_one_amount(there):
    there.cashier(there.order())
    dearer = opened(
        "ord_000001", account="a", kind=OrderKind.TOPUP, amount_fen=1, channel="alipay",
        now=datetime.now(UTC),
    )  # fmt: skip

    url = urlsplit(str(there.channel.create(dearer, PayMethod.PAGE).url))

    assert there.ask("GET", f"{url.path}?{url.query}")[0] == 400


def test_an_order_whose_time_is_over_cannot_be_paid(there):
    order = there.order(minutes=16)
    cashier = there.cashier(order)

    assert "已过期" in there.ask("GET", cashier)[2]
    there.ask("POST", cashier + "/pay")
    assert there.channel.query(order).status is TradeStatus.NOT_FOUND


def test_anything_but_success_is_repeated(there):
    there.merchant.answers = [b"fail", b"SUCCESS", b"success\n", b'"success"', b"success"]

    there.pay(there.order())

    assert len({event.trade.trade_no for event in there.told(5)}) == 1
    until(lambda: '"answer":"success"' in there.ask("GET", "/control/trades/ord_000001")[2])
    assert len(there.merchant.bodies) == 5


def test_repeats_reorder_and_delay_bring_the_same_notify(there):
    there.faults(repeat=9, reorder=0.1, delay=0.1)

    there.pay(there.order("ord_000001"))
    there.pay(there.order("ord_000002"))

    events = there.told(20)
    assert {event.order for event in events} == {"ord_000001", "ord_000002"}


def test_dropped_sends_are_made_good(there):
    there.faults(drop=3)

    there.pay(there.order())

    there.told(1)
    _, _, text = there.ask("GET", "/control/trades/ord_000001")
    assert json.loads(text)["notifies"][0]["sends"] >= 3


def test_a_tampered_notify_is_refused_by_its_signature(there):
    there.faults(tamper=True)

    there.pay(there.order())

    with pytest.raises(NotifyRefused) as refusal:
        there.told(1)
    assert refusal.value.step == "signature"


def test_wrong_amounts_and_sellers_are_signed(there):
    there.faults(wrong_amount=True, wrong_seller=True)

    there.pay(there.order())

    [event] = there.told(1)
    assert event.trade.amount_fen == 1
    assert event.seller != SELLER


def test_a_payment_made_twice_has_two_trade_numbers(there):
    there.faults(twice=True)

    there.pay(there.order())

    assert len({event.trade.trade_no for event in there.told(2)}) == 2


def test_a_finished_trade_is_told(there):
    there.pay(there.order())
    there.told(1)

    there.ask("POST", "/control/trades/ord_000001/finish", {})

    assert there.told(2)[1].trade.status is TradeStatus.FINISHED


def test_control_pays_and_notifies_again(there):
    there.channel.create(there.order(), PayMethod.QR)

    there.ask("POST", "/control/trades/ord_000001/pay", {})
    there.told(1)
    there.ask("POST", "/control/trades/ord_000001/notify", {})

    assert len(there.told(2)) == 2


@pytest.mark.parametrize(
    ("method", "target", "body", "headers", "status"),
    [
        ("GET", "/", None, {}, 404),
        ("GET", "/cashier/unknown", None, {}, 404),
        ("POST", "/cashier/unknown/pay", None, {}, 404),
        ("GET", "/control/trades/unknown", None, {}, 404),
        ("GET", "/control/health", None, {"Host": "evil.example"}, 421),
        ("POST", "/control/faults", {"sun": 1}, {}, 422),
        ("POST", "/control/faults", {}, {"Content-Type": "text/plain"}, 415),
        ("GET", "/gateway.do?a=%FF", None, {}, 400),
        ("GET", "/gateway.do", None, {}, 200),
        ("PUT", "/gateway.do", None, {}, 404),
    ],
)
def test_other_requests_are_refused(there, method, target, body, headers, status):
    assert there.ask(method, target, body, **headers)[0] == status


def test_a_merchant_elsewhere_is_refused(there):
    channel = AlipayChannel(
        settings(gateway=f"{there.url}/gateway.do", notify_url="https://shop.example/notify")
    )

    url = urlsplit(str(channel.create(there.order(), PayMethod.PAGE).url))

    assert there.ask("GET", f"{url.path}?{url.query}")[0] == 400


def test_trades_and_owed_notifies_survive_a_restart(tmp_path, merchant):
    with started(tmp_path, merchant) as there:
        there.faults(delay=3600)
        there.pay(there.order())
        assert not merchant.bodies

    with started(tmp_path, merchant) as there:
        assert there.channel.query(there.order()).status is TradeStatus.SUCCESS
        there.ask("POST", "/control/trades/ord_000001/notify", {})
        assert there.told(1)


def test_it_runs_as_a_program_until_it_is_told_to_end(tmp_path, merchant):
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    private.write_text(pair("alipay").private_pem)
    public.write_text(pair("merchant").public_pem)
    played = {
        "alipay": {
            "port": 0, "state": str(tmp_path / "state" / "s.sqlite3"), "schedule": [0.1, 0.2],
            "app_id": APP_ID, "seller_id": SELLER,
            "private_key": str(private), "merchant_public_key": str(public),
        },
    }  # fmt: skip
    file = tmp_path / "sandbox.json"
    file.write_text(json.dumps(played))
    process = subprocess.Popen(
        [sys.executable, "-m", "infrastructure.local.sandbox", str(file)],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stderr is not None
    try:
        line = process.stderr.readline()
        assert "alipay listening on http://127.0.0.1:" in line
        there = There(line.split()[-1], merchant)
        there.pay(there.order())
        assert there.told(1)
    finally:
        process.send_signal(signal.SIGTERM)
        process.stderr.read()
        process.stderr.close()
        assert process.wait(timeout=10) == 0

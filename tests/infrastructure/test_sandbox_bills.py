"""The stand-in's bills, fetched by the very adapter that fetches Alipay's."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, time, timedelta
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from infrastructure.local.sandbox import days
from infrastructure.local.sandbox.signing import Keys
from tests.fixtures.alipay import pair, sandbox, settings
from wharfage.adapters.alipay import AlipayChannel
from wharfage.domain.bill import BillFault
from wharfage.domain.errors import BillRefused, Unavailable
from wharfage.domain.order import Order, OrderKind, opened
from wharfage.domain.reconciliation import SHANGHAI
from wharfage.domain.refund import RefundOrigin, of_order
from wharfage.domain.trade import PayMethod

TODAY = datetime.now(SHANGHAI).date()
DAY = TODAY - timedelta(days=1)
YESTERDAY_NOON = datetime.combine(DAY, time(12), SHANGHAI).timestamp()
KEYS = Keys(ours=pair("alipay").private, merchant=pair("merchant").private.public_key())


class There:
    """The stand-in with three orders that were paid yesterday."""

    def __init__(self, url: str, folder: Path) -> None:
        self.url, self.folder = url, folder
        self.orders: dict[str, Order] = {}
        self.channel = AlipayChannel(settings(gateway=f"{url}/gateway.do"))
        for number in range(1, 4):
            self.pay(f"ord_00000{number}", number * 100)

    def pay(self, number: str, amount_fen: int) -> None:
        order = opened(
            number,
            account="usr_a",
            kind=OrderKind.TOPUP,
            amount_fen=amount_fen,
            channel="alipay",
            now=datetime.now(UTC),
        )
        page = urlsplit(self.channel.create(order, PayMethod.PAGE).url or "")
        self.ask("GET", f"{page.path}?{page.query}")
        self.ask("POST", f"/control/trades/{number}/pay", {})
        self.move("UPDATE trades SET paid_at = ? WHERE order_no = ?", YESTERDAY_NOON, number)
        self.orders[number] = order

    def move(self, statement: str, *values: object) -> None:
        """Change the past of the stand-in."""
        with closing(sqlite3.connect(self.folder / "sandbox.sqlite3")) as file, file:
            file.execute(statement, values)

    def fault(self, **faults: object) -> None:
        self.ask("POST", "/control/faults", faults)

    def ask(self, method: str, path: str, body: object = None) -> int:
        connection = HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        headers = {} if body is None else {"Content-Type": "application/json"}
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status


@pytest.fixture(scope="module")
def running(tmp_path_factory) -> Iterator[There]:
    folder = tmp_path_factory.mktemp("sandbox")
    with sandbox(folder) as found:
        yield There(found.url, folder)


@pytest.fixture
def there(running: There) -> There:
    running.fault()
    return running


def test_the_bill_of_yesterday_has_what_was_paid(there):
    found = there.channel.fetch_bill(DAY)

    assert sorted((row.order, row.amount_fen) for row in found.rows) == [
        ("ord_000001", 100), ("ord_000002", 200), ("ord_000003", 300),
    ]  # fmt: skip
    assert found.fee_terms is not None
    assert found.published


def test_the_bill_of_yesterday_has_what_went_back(there):
    order = there.orders["ord_000003"]
    trade_no = there.channel.query(order).trade_no
    refund = replace(
        of_order(
            replace(order, trade_no=trade_no), "rfd_1",
            amount_fen=40, origin=RefundOrigin.CUSTOMER, now=datetime.now(UTC),
        ),
        state="approved",
    )  # fmt: skip
    assert there.channel.refund(order, refund).status == "succeeded"
    there.move("UPDATE refunds SET made_at = ?", YESTERDAY_NOON)

    found = there.channel.fetch_bill(DAY)
    there.move("DELETE FROM refunds WHERE made_at = ?", YESTERDAY_NOON)

    [back] = [row for row in found.rows if row.kind == "refund"]
    assert (back.order, back.refund, back.amount_fen) == ("ord_000003", "rfd_1", 40)
    assert [claim.stated_fen for claim in found.claims] == [600, -40]


def test_today_and_a_day_without_payments_have_no_bill(there):
    for day in (TODAY, DAY - timedelta(days=1)):
        found = there.channel.fetch_bill(day)
        assert (found.rows, found.published) == ((), False)
    there.fault(bill_late=True)
    assert not there.channel.fetch_bill(DAY).published


def test_rows_can_be_missing_extra_doubled_and_altered(there):
    there.fault(bill_missing=1, bill_extra=1, bill_doubled=1, bill_altered=1)

    rows = there.channel.fetch_bill(DAY).rows

    assert [(row.order, row.amount_fen) for row in rows] == [
        ("ord_000002", 300), ("ord_000003", 300), ("ord_000002", 300), ("elsewhere_0", 100),
    ]  # fmt: skip


def test_a_cut_bill_and_a_bomb_are_refused(there):
    there.fault(bill_bomb=True)
    with pytest.raises(BillRefused) as bomb:
        there.channel.fetch_bill(DAY)
    there.fault(bill_cut=True)
    with pytest.raises(BillRefused):
        there.channel.fetch_bill(DAY)

    assert bomb.value.reason == BillFault.SIZE


def test_a_day_that_is_none_is_refused(there, monkeypatch):
    class Odd(date):
        def isoformat(self) -> str:
            return "2026-2-30"

    with pytest.raises(Unavailable):
        there.channel.fetch_bill(Odd(2026, 2, 28))


def test_the_address_of_a_bill_lives_for_half_a_minute(there):
    ticket = days.ticket(KEYS, DAY, 1000.0)

    assert days.ticketed(KEYS, ticket, 1029.0) == DAY
    assert days.ticketed(KEYS, ticket, 1030.0) is None
    assert days.ticketed(KEYS, ticket.replace("1030", "9030"), 1000.0) is None
    assert there.ask("GET", f"/bill/{ticket}") == 403
    assert there.ask("GET", "/bill/x") == 403

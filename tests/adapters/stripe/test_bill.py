"""What stands in for a bill at Stripe: its transactions, read exactly, page by page, or refused."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fixtures import stripe
from tests.fixtures.channels import counter
from wharfage.adapters import https
from wharfage.adapters.bill_cells import blank
from wharfage.adapters.clock import SystemClock
from wharfage.adapters.stripe import StripeChannel, bill
from wharfage.domain import limits
from wharfage.domain.bill import BillFault, BillRow, RowKind
from wharfage.domain.errors import BillRefused, Unanswered, Unavailable

DAY = date(2026, 3, 1)
PAID_AT = int(datetime(2026, 3, 1, 4, 0, 7, tzinfo=UTC).timestamp())


def charge(**changes: Any) -> dict[str, Any]:
    """Write a transaction of a charge, with *changes* to its source."""
    return {
        "id": "txn_1", "object": "balance_transaction", "type": "charge", "created": PAID_AT,
        "currency": "cny", "exchange_rate": None, "amount": 9900, "fee": 337,
        "source": {
            "id": "ch_1", "object": "charge", "amount": 9900, "currency": "cny",
            "payment_intent": {"id": "pi_1", "object": "payment_intent", "metadata": {}},
            "metadata": {"order": "ord_1"}, **changes,
        },
    }  # fmt: skip


def read(*transactions: Any, kind: RowKind = RowKind.PAYMENT) -> list[BillRow]:
    return bill.read(kind, list(transactions))[0]


def test_a_charge_is_the_payment_of_its_order_by_its_intent():
    assert read(charge()) == [
        BillRow(
            kind=RowKind.PAYMENT,
            order="ord_1",
            trade_no="pi_1",
            amount_fen=9900,
            fee_fen=337,
            completed_at=datetime.fromtimestamp(PAID_AT, UTC),
        )
    ]


def test_a_refund_is_named_by_our_request_or_as_stripes_console_names_it():
    ours = charge(id="re_1", metadata={"order": "ord_1", "request": "rfd_1"}, amount=100)
    consoles = charge(
        id="re_2", metadata={}, payment_intent={"id": "pi_1", "metadata": {"order": "ord_1"}}
    )

    found = read(ours, consoles, kind=RowKind.REFUND)

    assert [(row.order, row.trade_no, row.refund, row.amount_fen) for row in found] == [
        ("ord_1", "pi_1", "rfd_1", 100),
        ("ord_1", "pi_1", "re_2", 9900),
    ]


@pytest.mark.parametrize("order", ["", "ord 1", "订单", "o" * 65, "a\nb"])
def test_what_others_wrote_where_we_write_our_number_is_no_number_of_ours(order):
    [found] = read(charge(metadata={"order": order}))

    assert found.order == ""


def test_a_charge_without_an_intent_is_told_under_its_own_name():
    [found] = read(charge(payment_intent=None, metadata={}))

    assert (found.order, found.trade_no) == ("", "ch_1")


def test_a_fee_in_the_currency_of_the_bank_is_told_in_ours():
    settled = charge() | {"currency": "hkd", "exchange_rate": 1.1, "fee": 363}

    assert read(settled)[0].fee_fen == 330


def test_a_charge_in_another_currency_is_nothing_of_ours():
    assert read(charge(currency="usd"), charge())[0].order == "ord_1"
    assert not read(charge(currency="usd"))


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        {},
        charge(amount=-1),
        charge(amount="9900"),
        charge(payment_intent="pi_1"),
        charge(metadata=[]),
        charge() | {"created": "today"},
        charge() | {"created": 10**12},
        charge() | {"fee": 1.5},
        charge() | {"source": "ch_1"},
        charge() | {"currency": "hkd"},
        charge() | {"currency": "hkd", "exchange_rate": 0},
    ],
)
def test_a_transaction_that_is_not_as_it_should_be_is_refused(wrong):
    with pytest.raises(BillRefused) as caught:
        read(charge(), wrong)

    assert caught.value.reason == BillFault.FORM


@given(data=st.data())
def test_no_values_make_it_fail_in_another_way(data):
    told = charge()
    values: st.SearchStrategy[Any] = st.none() | st.integers() | st.floats() | st.text()
    place = data.draw(st.sampled_from([told, told["source"]]))
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(values)

    with suppress(BillRefused):
        assert all(row.amount_fen >= 0 for row in read(told))


def test_all_pages_of_a_day_are_read_and_the_day_is_that_of_china(tmp_path, monkeypatch):
    monkeypatch.setattr(bill, "PAGE", 2)
    with counter("stripe", tmp_path) as shop:
        here = shop.world()
        orders = [shop.open(here) for _ in range(5)]
        for order in orders:
            shop.paid(order)
        shop.age(DAY)

        found = shop.channel.fetch_bill(DAY).rows

    assert sorted(row.order for row in found) == sorted(order.id for order in orders)
    asked = parse_qs(urlsplit(bill.target(RowKind.PAYMENT, blank("stripe", DAY), None)).query)
    begins = int(datetime(2026, 2, 28, 16, tzinfo=UTC).timestamp())
    assert asked["created[gte]"] == [str(begins)]
    assert asked["created[lt]"] == [str(begins + 86400)]


class Slow:
    """A clock that goes on by ten seconds at each look."""

    def __init__(self) -> None:
        self._ticks: Iterator[datetime] = (
            datetime(2026, 3, 2, tzinfo=UTC) + timedelta(seconds=10 * at) for at in range(10**6)
        )

    def now(self) -> datetime:
        return next(self._ticks)


def answering(monkeypatch: pytest.MonkeyPatch, status: int, **fields: Any) -> list[float]:
    """Have Stripe answer always so; give the times at which it was asked."""
    asked: list[float] = []

    def call(method: str, url: str, **_: Any) -> https.Answer:
        asked.append(time.monotonic())
        return https.Answer(status=status, headers={}, body=json.dumps(fields).encode())

    monkeypatch.setattr(https, "call", call)
    return asked


def test_pages_without_an_end_are_given_up(monkeypatch):
    asked = answering(monkeypatch, 200, data=[charge()], has_more=True)

    with pytest.raises(Unanswered):
        StripeChannel(stripe.settings(), clock=Slow()).fetch_bill(DAY)

    assert len(asked) <= limits.BILL_SECONDS / 10


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Unavailable), (401, Unavailable), (429, Unanswered), (500, Unanswered)],
)
def test_a_refusal_is_one_and_too_many_questions_are_none(monkeypatch, status, error):
    answering(monkeypatch, status, error={"type": "invalid_request_error"})

    with pytest.raises(Unavailable) as caught:
        StripeChannel(stripe.settings(), clock=SystemClock()).fetch_bill(DAY)

    assert type(caught.value) is error

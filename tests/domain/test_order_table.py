"""Tests of the table of orders and news: every cell by its name."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from tests.fixtures.orders import (
    FINISHED,
    NOT_FOUND,
    NOTIFY,
    NOW,
    ORDERS,
    QUERY,
    SHUT,
    SOON,
    SUCCESS,
    UNKNOWN,
    WAITING,
    trade,
)
from wharfage.domain.order import (
    OrderNews,
    OrderState,
    Source,
    decide,
)
from wharfage.domain.trade import TradeStatus

#: order, status, refunded, source -> state, credited, news, due, look up: the table, cell by cell.
#: due: "none", "same" as before, "now" (ask at once), "next" (by the schedule), "hour".
CELLS = [
    ("open", SUCCESS, False, NOTIFY, "paid", True, OrderNews.PAID, "none", False),
    ("open", SUCCESS, False, QUERY, "paid", True, OrderNews.PAID, "none", False),
    ("open", SUCCESS, True, NOTIFY, "paid", True, OrderNews.PAID, "none", True),
    ("open", SUCCESS, True, QUERY, "paid", True, OrderNews.PAID, "none", True),
    ("open", FINISHED, False, NOTIFY, "paid", True, OrderNews.PAID, "none", False),
    ("open", FINISHED, False, QUERY, "paid", True, OrderNews.PAID, "none", False),
    ("open", SHUT, False, NOTIFY, "closed", False, OrderNews.CLOSED, "none", False),
    ("open", SHUT, False, QUERY, "closed", False, OrderNews.CLOSED, "none", False),
    ("open", SHUT, True, NOTIFY, "open", False, OrderNews.DOUBTED, "now", False),
    ("open", SHUT, True, QUERY, "closed", False, OrderNews.REFUND_SEEN, "none", False),
    ("open", WAITING, False, NOTIFY, "open", False, None, "same", False),
    ("open", WAITING, False, QUERY, "open", False, None, "next", False),
    ("open", NOT_FOUND, False, QUERY, "open", False, None, "next", False),
    ("open", UNKNOWN, False, NOTIFY, "open", False, OrderNews.DOUBTED, "now", False),
    ("open", UNKNOWN, False, QUERY, "open", False, None, "next", False),
    ("paid", SUCCESS, False, NOTIFY, "paid", False, None, "same", False),
    ("paid", SUCCESS, False, QUERY, "paid", False, None, "none", False),
    ("paid", SUCCESS, True, NOTIFY, "paid", False, OrderNews.REFUND_SEEN, "same", True),
    ("paid", SUCCESS, True, QUERY, "paid", False, OrderNews.REFUND_SEEN, "none", True),
    ("paid", FINISHED, False, NOTIFY, "paid", False, OrderNews.FINISHED, "same", False),
    ("paid", FINISHED, False, QUERY, "paid", False, OrderNews.FINISHED, "none", False),
    ("paid", SHUT, False, NOTIFY, "paid", False, OrderNews.DOUBTED, "now", False),
    ("paid", SHUT, False, QUERY, "paid", False, OrderNews.CONTRADICTED, "none", False),
    ("paid", SHUT, True, NOTIFY, "paid", False, OrderNews.REFUND_SEEN, "same", True),
    ("paid", SHUT, True, QUERY, "paid", False, OrderNews.REFUND_SEEN, "none", True),
    ("paid", WAITING, False, NOTIFY, "paid", False, None, "same", False),
    ("paid", WAITING, False, QUERY, "paid", False, None, "none", False),
    ("paid", NOT_FOUND, False, QUERY, "paid", False, OrderNews.CONTRADICTED, "none", False),
    ("paid", UNKNOWN, False, NOTIFY, "paid", False, OrderNews.DOUBTED, "now", False),
    ("paid", UNKNOWN, False, QUERY, "paid", False, None, "hour", False),
    ("closed", SUCCESS, False, NOTIFY, "paid", True, OrderNews.PAID_LATE, "none", False),
    ("closed", SUCCESS, False, QUERY, "paid", True, OrderNews.PAID_LATE, "none", False),
    ("closed", SUCCESS, True, NOTIFY, "paid", True, OrderNews.PAID_LATE, "none", True),
    ("closed", SUCCESS, True, QUERY, "paid", True, OrderNews.PAID_LATE, "none", True),
    ("closed", FINISHED, False, NOTIFY, "paid", True, OrderNews.PAID_LATE, "none", False),
    ("closed", FINISHED, False, QUERY, "paid", True, OrderNews.PAID_LATE, "none", False),
    ("closed", SHUT, False, NOTIFY, "closed", False, None, "same", False),
    ("closed", SHUT, False, QUERY, "closed", False, None, "none", False),
    ("closed", SHUT, True, NOTIFY, "closed", False, OrderNews.DOUBTED, "now", False),
    ("closed", SHUT, True, QUERY, "closed", False, OrderNews.REFUND_SEEN, "none", False),
    ("closed", WAITING, False, NOTIFY, "closed", False, None, "same", False),
    ("closed", WAITING, False, QUERY, "closed", False, None, "none", False),
    ("closed", NOT_FOUND, False, QUERY, "closed", False, None, "none", False),
    ("closed", UNKNOWN, False, NOTIFY, "closed", False, OrderNews.DOUBTED, "now", False),
    ("closed", UNKNOWN, False, QUERY, "closed", False, None, "hour", False),
    ("part", SUCCESS, False, NOTIFY, "paid", False, None, "same", False),
    ("part", SUCCESS, False, QUERY, "paid", False, None, "none", False),
    ("part", SUCCESS, True, NOTIFY, "paid", False, OrderNews.REFUND_SEEN, "same", True),
    ("part", SUCCESS, True, QUERY, "paid", False, OrderNews.REFUND_SEEN, "none", True),
    ("part", FINISHED, False, NOTIFY, "paid", False, OrderNews.FINISHED, "same", False),
    ("part", FINISHED, False, QUERY, "paid", False, OrderNews.FINISHED, "none", False),
    ("part", SHUT, False, NOTIFY, "paid", False, OrderNews.DOUBTED, "now", False),
    ("part", SHUT, False, QUERY, "paid", False, OrderNews.CONTRADICTED, "none", False),
    ("part", SHUT, True, NOTIFY, "paid", False, OrderNews.REFUND_SEEN, "same", True),
    ("part", SHUT, True, QUERY, "paid", False, OrderNews.REFUND_SEEN, "none", True),
    ("part", WAITING, False, NOTIFY, "paid", False, None, "same", False),
    ("part", WAITING, False, QUERY, "paid", False, None, "none", False),
    ("part", NOT_FOUND, False, QUERY, "paid", False, OrderNews.CONTRADICTED, "none", False),
    ("part", UNKNOWN, False, NOTIFY, "paid", False, OrderNews.DOUBTED, "now", False),
    ("part", UNKNOWN, False, QUERY, "paid", False, None, "hour", False),
    ("refunding", SUCCESS, False, NOTIFY, "paid", False, None, "same", False),
    ("refunding", SUCCESS, False, QUERY, "paid", False, None, "none", False),
    ("refunding", SUCCESS, True, NOTIFY, "paid", False, OrderNews.REFUND_SEEN, "same", True),
    ("refunding", SUCCESS, True, QUERY, "paid", False, OrderNews.REFUND_SEEN, "none", True),
    ("refunding", FINISHED, False, NOTIFY, "paid", False, None, "same", False),
    ("refunding", FINISHED, False, QUERY, "paid", False, None, "none", False),
    ("refunding", SHUT, False, NOTIFY, "paid", False, None, "same", False),
    ("refunding", SHUT, False, QUERY, "paid", False, None, "none", False),
    ("refunding", SHUT, True, NOTIFY, "paid", False, OrderNews.REFUND_SEEN, "same", True),
    ("refunding", SHUT, True, QUERY, "paid", False, OrderNews.REFUND_SEEN, "none", True),
    ("refunding", WAITING, False, NOTIFY, "paid", False, None, "same", False),
    ("refunding", WAITING, False, QUERY, "paid", False, None, "none", False),
    ("refunding", NOT_FOUND, False, QUERY, "paid", False, OrderNews.CONTRADICTED, "none", False),
    ("refunding", UNKNOWN, False, NOTIFY, "paid", False, OrderNews.DOUBTED, "now", False),
    ("refunding", UNKNOWN, False, QUERY, "paid", False, None, "hour", False),
    ("refunded", SUCCESS, False, NOTIFY, "paid", False, None, "same", False),
    ("refunded", SUCCESS, False, QUERY, "paid", False, None, "none", False),
    ("refunded", SUCCESS, True, NOTIFY, "paid", False, None, "same", False),
    ("refunded", SUCCESS, True, QUERY, "paid", False, None, "none", False),
    ("refunded", FINISHED, False, NOTIFY, "paid", False, None, "same", False),
    ("refunded", FINISHED, False, QUERY, "paid", False, None, "none", False),
    ("refunded", SHUT, False, NOTIFY, "paid", False, None, "same", False),
    ("refunded", SHUT, False, QUERY, "paid", False, None, "none", False),
    ("refunded", SHUT, True, NOTIFY, "paid", False, None, "same", False),
    ("refunded", SHUT, True, QUERY, "paid", False, None, "none", False),
    ("refunded", WAITING, False, NOTIFY, "paid", False, None, "same", False),
    ("refunded", WAITING, False, QUERY, "paid", False, None, "none", False),
    ("refunded", NOT_FOUND, False, QUERY, "paid", False, OrderNews.CONTRADICTED, "none", False),
    ("refunded", UNKNOWN, False, NOTIFY, "paid", False, OrderNews.DOUBTED, "now", False),
    ("refunded", UNKNOWN, False, QUERY, "paid", False, None, "hour", False),
]  # fmt: skip


@pytest.mark.parametrize("cell", CELLS)
def test_each_cell_of_the_table(cell):
    name, status, refunded, source, state, credited, news, due, look_up = cell
    before = ORDERS[name]
    if source is QUERY and before.state is not OrderState.OPEN:
        before = replace(before, due_at=SOON)  # Only what is due is asked about.

    decision = decide(before, trade(status, refunded=refunded), source=source, now=SOON)

    after = decision.order
    due_at = {
        "none": None,
        "same": before.due_at,
        "now": SOON,
        "next": NOW + timedelta(seconds=30),
        "hour": SOON + timedelta(hours=1),
    }[due]
    assert (after.state, decision.credited, decision.news) == (state, credited, news)
    assert after.due_at == due_at
    assert decision.look_up == (before.id if look_up else None)
    assert not decision.duplicate
    assert not decision.give_back
    assert (after is before) == (after == before)
    assert after.version == before.version + (after is not before)


def test_the_table_has_every_cell():
    sources = {(name, status, refunded, source) for name, status, refunded, source, *_ in CELLS}
    possible = {
        (name, status, refunded, source)
        for name in ORDERS
        for status in TradeStatus
        for refunded in (False, True)
        for source in Source
    }
    # Refunds are spoken of with paid and closed trades; only a query finds nothing.
    impossible = {
        cell
        for cell in possible
        if (cell[2] and cell[1] not in {SUCCESS, SHUT}) or cell[1:] == (NOT_FOUND, False, NOTIFY)
    }

    assert sources == possible - impossible

"""Tests of the stand-in's refunds, of its phones, and of what our adapter makes of its faults."""

from datetime import timedelta
from urllib.parse import urlsplit

import pytest
from msgspec.structs import replace

from tests.infrastructure.test_sandbox import There, merchant, there  # noqa: F401 - fixtures
from wharfage.domain.order import Order, OrderState
from wharfage.domain.refund import Refund, RefundOrigin, RefundStatus, of_order
from wharfage.domain.trade import PayMethod, TradeStatus

SUCCEEDED, FAILED = RefundStatus.SUCCEEDED, RefundStatus.FAILED
UNKNOWN, NOT_FOUND = RefundStatus.UNKNOWN, RefundStatus.NOT_FOUND


def paid(there: There) -> Order:  # noqa: F811
    """Pay an order at the cashier, and name its trade."""
    order = there.order()
    there.pay(order)
    trade_no = there.channel.query(order).trade_no
    return replace(order, state=OrderState.PAID, trade_no=trade_no)


def refund(order: Order, fen: int, number: str = "rfd_1") -> Refund:
    now = order.created_at + timedelta(minutes=1)
    return of_order(order, number, amount_fen=fen, origin=RefundOrigin.CUSTOMER, now=now)


def test_a_part_goes_back_and_the_trade_stays_paid(there):  # noqa: F811
    order = paid(there)

    view = there.channel.refund(order, refund(order, 3000))

    assert (view.status, view.amount_fen) == (SUCCEEDED, 3000)
    assert there.channel.query(order).status is TradeStatus.SUCCESS
    found = there.channel.query_refund(order, refund(order, 3000))
    assert (found.status, found.amount_fen) == (SUCCEEDED, 3000)
    event = there.told(2)[1]
    assert (event.trade.refunded, event.trade.refund_no) == (True, "rfd_1")
    assert event.trade.status is TradeStatus.SUCCESS


def test_the_whole_goes_back_and_the_trade_is_closed_and_refunded(there):  # noqa: F811
    order = paid(there)
    there.channel.refund(order, refund(order, 9900))

    view = there.channel.query(order)

    assert (view.status, view.refunded) == (TradeStatus.CLOSED, True)
    assert there.told(2)[1].trade.status is TradeStatus.CLOSED


def test_a_repeat_of_a_number_is_unknown_and_a_query_tells(there):  # noqa: F811
    order = paid(there)
    asked = refund(order, 3000)
    there.channel.refund(order, asked)

    assert there.channel.refund(order, asked).status is UNKNOWN
    assert there.channel.query_refund(order, asked).status is SUCCEEDED


@pytest.mark.parametrize(("fault", "made"), [
    ("refund_lost", SUCCEEDED), ("refund_braced", SUCCEEDED), ("refund_unheard", NOT_FOUND)
])  # fmt: skip
def test_an_answer_that_is_lost_or_unreadable_is_unknown(there, fault, made):  # noqa: F811
    order = paid(there)
    there.faults(**{fault: 1})
    asked = refund(order, 3000)

    assert there.channel.refund(order, asked).status is UNKNOWN
    assert there.channel.query_refund(order, asked).status is made


def test_too_much_is_refused_in_so_many_words(there):  # noqa: F811
    order = paid(there)
    there.channel.refund(order, refund(order, 3000))

    view = there.channel.refund(order, refund(order, 6901, "rfd_2"))

    assert (view.status, view.reason) == (FAILED, "ACQ.REFUND_AMT_NOT_EQUAL_TOTAL")
    assert there.channel.refund(order, refund(order, 6900, "rfd_3")).status is SUCCEEDED


def test_what_was_never_refunded_or_paid_is_not_found(there):  # noqa: F811
    order = paid(there)
    other = replace(order, trade_no="2026000000000000000000000000")

    assert there.channel.query_refund(order, refund(order, 1)).status is NOT_FOUND
    assert there.channel.query_refund(order, refund(other, 1)).status is NOT_FOUND
    assert there.channel.refund(order, refund(other, 1)).status is FAILED


def test_a_finished_trade_is_not_refunded(there):  # noqa: F811
    order = paid(there)
    there.ask("POST", f"/control/trades/{order.id}/finish", {})

    view = there.channel.refund(order, refund(order, 1))

    assert (view.status, view.reason) == (FAILED, "ACQ.TRADE_HAS_FINISHED")


def test_a_second_payment_goes_back_by_its_own_number(there):  # noqa: F811
    there.faults(twice=True)
    order = paid(there)
    second = {event.trade.trade_no for event in there.told(2)} - {order.trade_no}
    asked = replace(refund(order, 9900), trade_no=str(second.pop()))

    assert there.channel.refund(order, asked).status is SUCCEEDED
    assert there.channel.query_refund(order, asked).status is SUCCEEDED
    assert there.channel.query(order).status is TradeStatus.SUCCESS


def test_the_console_refunds_with_a_number_that_we_never_gave(there):  # noqa: F811
    order = paid(there)
    path = f"/control/trades/{order.id}/refund"

    assert there.ask("POST", path, {"amount": "30.00", "number": "console1"})[0] == 200
    assert there.ask("POST", path, {"amount": "70.00", "number": "console2"})[0] == 409
    assert there.ask("POST", path, {"amount": "30.00"})[0] == 422

    assert there.told(2)[1].trade.refund_no == "console1"
    view = there.channel.query_refund(order, refund(order, 1, "console1"))
    assert (view.status, view.amount_fen) == (SUCCEEDED, 3000)


def test_a_phone_pays_on_its_page(there):  # noqa: F811
    order = there.order()
    url = urlsplit(str(there.channel.create(order, PayMethod.WAP).url))

    status, headers, _ = there.ask("GET", f"{url.path}?{url.query}")
    assert status == 302
    there.ask("GET", headers["Location"])
    there.ask("POST", headers["Location"] + "/pay")

    assert there.channel.query(order).status is TradeStatus.SUCCESS


def test_an_app_pays_with_the_text_it_was_given(there):  # noqa: F811
    order = there.order()
    action = there.channel.create(order, PayMethod.APP)
    assert (action.url, action.qr_text) == (None, None)

    status, _, text = there.ask("POST", "/app", {"app_string": action.app_string})
    assert status == 200
    there.ask("POST", f"/control/trades/{order.id}/pay", {})

    assert there.channel.query(order).status is TradeStatus.SUCCESS
    changed = str(action.app_string).replace("99.00", "0.01")
    assert there.ask("POST", "/app", {"app_string": changed})[0] == 400
    assert there.ask("POST", "/app", {})[0] == 422
    assert order.id in text

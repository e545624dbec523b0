"""One suite for the bills of every channel: each adapter against its stand-in, and our books."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from infrastructure.local.sandbox.trades import Faults
from tests.contract.test_channel_calls import away_settings, refund_of
from tests.fixtures.bills import breaks_of, run_of
from tests.fixtures.channels import Counter, settled
from tests.fixtures.money import World
from wharfage.domain.bill import Bill, FeeTerms, RowKind
from wharfage.domain.errors import BillRefused, Unanswered
from wharfage.domain.matching import BreakType
from wharfage.domain.order import Order
from wharfage.domain.reconciliation import BreakState, Stage
from wharfage.operations import reconciliation

LATELY = (datetime.now(UTC) - timedelta(days=2)).date()  #: It is over in every time zone.


def past(shop: Counter, here: World, count: int) -> list[Order]:
    """Have so many orders paid two days ago, of which nobody was told."""
    orders = [shop.open(here) for _ in range(count)]
    for order in orders:
        shop.paid(order)
    shop.age(LATELY)
    return orders


def told(bill: Bill) -> list[tuple[RowKind, str, str | None, int]]:
    return sorted((row.kind, row.order, row.refund, row.amount_fen) for row in bill.rows)


def compared(shop: Counter, here: World) -> None:
    """Begin what is due by itself, then look at the day to the end."""
    until = datetime.now(UTC) + timedelta(minutes=5)
    reconciliation.tick(here.ports, until=until)
    reconciliation.request(here.ports, shop.name, LATELY)
    reconciliation.tick(here.ports, until=until)
    assert run_of(here, shop.name, LATELY).stage is Stage.DONE


def test_a_bill_has_the_payments_and_the_refunds_of_its_day_as_we_name_them(shop):
    _, order = settled(shop)
    shop.channel.refund(order, refund_of(order, 3000, "rfd_0000000001"))
    shop.channel.refund(order, refund_of(order, 200, "rfd_0000000002"))
    shop.age(LATELY)

    bill = shop.channel.fetch_bill(LATELY)

    assert told(bill) == [
        (RowKind.PAYMENT, order.id, None, 9900),
        (RowKind.REFUND, order.id, "rfd_0000000001", 3000),
        (RowKind.REFUND, order.id, "rfd_0000000002", 200),
    ]
    assert {row.trade_no for row in bill.rows} == {order.trade_no}
    assert all(claim.stated_fen == claim.counted_fen for claim in bill.claims)
    assert all(bill.begins_at <= row.completed_at < bill.ends_at for row in bill.rows)
    assert (bill.channel, bill.day, bill.published) == (shop.name, LATELY, True)
    for other in (LATELY - timedelta(days=1), LATELY + timedelta(days=1)):
        assert not shop.channel.fetch_bill(other).rows


def test_what_a_bill_has_too_much_too_little_twice_or_altered_is_read_as_it_is(shop):
    here = shop.world()
    first, second = sorted(order.id for order in past(shop, here, 2))
    amounts = {
        "bill_missing": [9900],
        "bill_extra": [9900, 9900, 9900],
        "bill_doubled": [9900, 9900, 9900],
        "bill_altered": [9900, 10000],
    }

    for fault, expected in amounts.items():
        shop.trades.set_faults(msgspec.convert({fault: 1}, Faults))
        rows = shop.channel.fetch_bill(LATELY).rows
        assert sorted(row.amount_fen for row in rows) == expected, fault
        known = {first, second} | ({"elsewhere_0"} if fault == "bill_extra" else set())
        assert {row.order for row in rows} <= known


def test_a_bill_that_is_not_there_yet_has_no_rows(shop):
    past(shop, shop.world(), 1)
    shop.trades.set_faults(Faults(bill_late=True))

    found = shop.channel.fetch_bill(LATELY)

    assert not found.rows
    assert found.published is (shop.name == "stripe")  # Which lists what there is so far.


def test_a_fee_is_judged_where_the_contract_says_what_it_may_be(shop):
    known = {"alipay": FeeTerms(basis_points=60), "wechat": FeeTerms(basis_points=60)}

    for there_is_one in (False, True):
        if there_is_one:
            past(shop, shop.world(), 1)
        assert shop.channel.fetch_bill(LATELY).fee_terms == known.get(shop.name)


def test_a_bill_that_ends_in_its_middle_is_not_believed(shop):
    past(shop, shop.world(), 2)
    shop.trades.set_faults(Faults(bill_cut=True))

    with pytest.raises((BillRefused, Unanswered)):
        shop.channel.fetch_bill(LATELY)


def test_without_an_answer_there_is_no_bill(shop):
    away = type(shop.channel)(away_settings(shop.name), timeout_seconds=0.2)

    with pytest.raises(Unanswered):
        away.fetch_bill(LATELY)


def test_what_nobody_told_is_found_in_the_bill_and_credited_once_however_often_it_is_read(shop):
    here = shop.world()
    [order] = past(shop, here, 1)

    for _ in range(2):
        compared(shop, here)

        run = run_of(here, shop.name, LATELY)
        assert here.balance().available == 9900
        assert (run.payments, run.payments_fen, run.open_breaks) == (1, 9900, 0)
        [found] = breaks_of(here, shop.name, LATELY)
        assert (found.type, found.order) == (BreakType.MISSING_HERE, order.id)
        assert found.state is BreakState.MENDED


def test_a_bill_that_agrees_with_the_books_leaves_nothing_behind(shop):
    here, _ = settled(shop)
    shop.age(LATELY)

    compared(shop, here)

    assert not breaks_of(here, shop.name, LATELY)
    assert here.balance().available == 9900


def test_a_payment_that_is_altered_or_nobodys_is_a_break_and_moves_nothing(shop):
    here, _ = settled(shop)
    shop.age(LATELY)
    shop.trades.set_faults(Faults(bill_altered=1, bill_extra=1))

    compared(shop, here)

    types = {each.type for each in breaks_of(here, shop.name, LATELY)}
    assert types == {BreakType.AMOUNT, BreakType.UNKNOWN_ORDER}
    assert here.balance().available == 9900

"""Invoices: taxpayers' numbers, what can be invoiced, and what is to be taken off again."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from wharfage.domain import invoice, limits
from wharfage.domain.errors import Invalid, StateConflict
from wharfage.domain.invoice import AskInvoice, Invoice, InvoiceState, RedNoteState
from wharfage.domain.order import Order, OrderKind, OrderState

NOW = datetime(2026, 4, 1, 4, tzinfo=UTC)
GOOD = "91350100M000100Y43"  #: The example of GB 32100-2015.
SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
BODY = AskInvoice(month="2026-03", title="演示公司", tax_number=GOOD)


def order(
    number: str = "ord_1", amount_fen: int = 1000, *, refundable_fen: int | None = None,
    refunded_fen: int = 0, state: OrderState = OrderState.PAID,
) -> Order:  # fmt: skip
    return Order(
        id=number, account="a", kind=OrderKind.TOPUP, amount_fen=amount_fen, state=state,
        created_at=NOW, expires_at=NOW, channel="alipay", refunded_fen=refunded_fen,
        refundable_fen=amount_fen if refundable_fen is None else refundable_fen,
    )  # fmt: skip


def requested(*orders: Order) -> Invoice:
    lines = invoice.invoiceable(orders or [order()])
    return invoice.requested(BODY, lines, number="inv_1", account="a", now=NOW)


def issued(*orders: Order) -> Invoice:
    return invoice.issued(requested(*orders), "12345678", by="op", now=NOW)


def test_the_standards_example_is_a_taxpayers_number():
    assert invoice.is_tax_number(GOOD)


@given(st.integers(0, 17), st.sampled_from(SIGNS))
def test_one_wrong_character_is_always_found(place, sign):
    text = GOOD[:place] + sign + GOOD[place + 1 :]

    assert invoice.is_tax_number(text) is (text == GOOD)


@given(st.integers(0, 16))
def test_two_characters_in_the_wrong_order_are_always_found(place):
    text = GOOD[:place] + GOOD[place + 1] + GOOD[place] + GOOD[place + 2 :]

    assert invoice.is_tax_number(text) is (text == GOOD)


@pytest.mark.parametrize(
    "text",
    ["", GOOD[:-1], GOOD + "3", GOOD.lower(), f" {GOOD}", f"{GOOD}\n", "I" + GOOD[1:],
     "９" + GOOD[1:], "0" * 17 + "Z", "=" + GOOD[1:]],
)  # fmt: skip
def test_what_has_not_the_form_is_no_taxpayers_number(text):
    assert not invoice.is_tax_number(text)


@pytest.mark.parametrize("title", ["演示公司", "A", "Ltd. (Demo) & 子公司", "名" * 100])
def test_a_title_is_a_name(title):
    replace(BODY, title=title).check()
    replace(BODY, title=title, tax_number=None).check()


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"title": " a"}, ["/title"]), ({"title": "a "}, ["/title"]), ({"title": " "}, ["/title"]),
        ({"title": "a\nb"}, ["/title"]), ({"title": "a\u202eb"}, ["/title"]),
        ({"title": "a\0"}, ["/title"]), ({"tax_number": GOOD[:-1]}, ["/tax_number"]),
        ({"tax_number": "", "title": "\t"}, ["/title", "/tax_number"]),
    ],
)  # fmt: skip
def test_what_no_fapiao_can_be_made_out_to_is_refused_with_every_fault(changes, pointers):
    with pytest.raises(Invalid) as refusal:
        replace(BODY, **changes).check()

    assert [fault.pointer for fault in refusal.value.faults] == pointers


@pytest.mark.parametrize(
    "changes", [{"title": ""}, {"title": "a" * 101}, {"month": "2026-13"}, {"month": "2026-03\n"}]
)
def test_what_is_no_month_or_no_title_cannot_be_asked_for(changes):
    said = {"month": "2026-03", "title": "a"} | changes

    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(said, AskInvoice)


def test_what_is_back_or_on_its_way_is_not_invoiced():
    orders = [
        order("ord_1"), order("ord_2", refundable_fen=600, refunded_fen=400),
        order("ord_3", refundable_fen=700), order("ord_4", refundable_fen=0, refunded_fen=1000),
        order("ord_5", state=OrderState.CLOSED),
    ]  # fmt: skip

    found = requested(*orders)

    assert {line.order: line.amount_fen for line in found.lines} == {
        "ord_1": 1000, "ord_2": 600, "ord_3": 700,
    }  # fmt: skip
    assert found.amount_fen == 2300


def test_an_invoice_is_issued_once_and_the_same_number_again_is_the_same():
    one = issued()

    assert (one.state, one.number, one.version) == (InvoiceState.ISSUED, "12345678", 2)
    assert one.due_at == NOW
    assert invoice.issued(one, "12345678", by="other", now=NOW) is one
    with pytest.raises(StateConflict):
        invoice.issued(one, "12345679", by="op", now=NOW)
    with pytest.raises(StateConflict):
        invoice.rejected(one, "no", by="op", now=NOW)


def test_an_invoice_is_rejected_for_good():
    one = invoice.rejected(requested(), "wrong name", by="op", now=NOW)

    assert (one.state, one.reason, one.due_at) == (InvoiceState.REJECTED, "wrong name", None)
    assert invoice.rejected(one, "again", by="op", now=NOW) is one
    with pytest.raises(StateConflict):
        invoice.issued(one, "12345678", by="op", now=NOW)


@given(st.lists(st.integers(0, 1000), max_size=6))
def test_what_goes_back_is_noted_once_however_often_it_is_looked_at(gone):
    found, told, refunded = issued(), 0, 0
    for amount_fen in gone:
        refunded = min(1000, refunded + amount_fen)
        for _ in range(2):
            found, more = invoice.looked_at(found, [order(refunded_fen=refunded)], NOW)
            told += more

        assert told == found.reduced_fen == refunded


def test_what_was_on_its_way_when_it_was_asked_for_needs_no_note():
    found = issued(order(refundable_fen=700))

    after, more = invoice.looked_at(found, [order(refundable_fen=700, refunded_fen=300)], NOW)
    _, then = invoice.looked_at(after, [order(refundable_fen=600, refunded_fen=400)], NOW)

    assert (more, then) == (0, 100)


@pytest.mark.parametrize(("days", "again"), [(-1, True), (0, False), (1, False)])
def test_an_invoice_is_looked_at_daily_as_long_as_money_can_go_back(days, again):
    now = NOW + timedelta(days=limits.INVOICE_WATCH_DAYS + days)

    after, _ = invoice.looked_at(issued(), [order()], now)

    assert after.due_at == (now + timedelta(hours=limits.INVOICE_LOOK_HOURS) if again else None)


def test_a_red_letter_note_is_written_once():
    note = invoice.red_note(issued(), 300, number="red_1", now=NOW)
    done = invoice.written(note, "87654321", by="op", now=NOW)

    assert (note.state, note.invoice_number, note.amount_fen) == (
        RedNoteState.DUE, "12345678", 300,
    )  # fmt: skip
    assert (done.state, done.number) == (RedNoteState.WRITTEN, "87654321")
    assert invoice.written(done, "87654321", by="op", now=NOW) is done
    with pytest.raises(StateConflict):
        invoice.written(done, "87654322", by="op", now=NOW)

"""Invoices over real orders: asked for once, decided once, reduced by whatever goes back."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.fixtures.ledger import rows
from tests.fixtures.money import ALICE, BOB, OPERATOR, RacedStore, paid, with_store, world
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.errors import Invalid, LimitReached, NotFound, NotInvoiceable, StateConflict
from wharfage.domain.invoice import AskInvoice, InvoiceState, RedNoteState
from wharfage.domain.order import OrderKind
from wharfage.operations import invoices, orders
from wharfage.operations.invoices import IssueInvoice, RejectInvoice

BODY = AskInvoice(month="2026-03", title="演示公司", tax_number="91350100M000100Y43")
APRIL = datetime(2026, 3, 31, 16, tzinfo=UTC)  #: As it begins in China.
REST = timedelta(seconds=limits.STATEMENT_REST_SECONDS)
MILLISECOND = timedelta(milliseconds=1)
NUMBER, OTHER = IssueInvoice(number="12345678"), IssueInvoice(number="12345679")


@pytest.fixture
def here():
    return world()


def over(here):
    here.clock.moment = APRIL + REST


def ask(here, who=ALICE, body=BODY):
    return invoices.ask(here.ports, who, body)


def issued(here):
    made = ask(here).value
    return invoices.issue(here.ports, OPERATOR, ALICE.account, made.id, NUMBER)


def gone_back(here, order, amount_fen=None):
    """Have money of an order go back, whole way."""
    refund = here.approved(here.refund(order, amount_fen))
    return here.carried_out(refund)


def looked_at(here, **span):
    """Let time pass and have every due invoice looked at, as the sweeper does."""
    here.clock.pass_(**span)
    for row in rows(here.ports.store, schema.INVOICE, ALICE.account):
        if row.due_at is not None and row.due_at <= here.clock.now():
            invoices.look(here.ports, row)
    return invoices.red_notes(here.ports, RedNoteState.DUE, after=None, limit=9).items


def news(here, invoice_id):
    found = here.ports.store.query(schema.EVENT, invoice_id, limit=100).items
    return [(event.kind, event.actor) for event in found]


def test_a_month_is_invoiced_over_what_was_paid_in_it(here):
    here.clock.moment = APRIL - timedelta(days=31) - MILLISECOND  # February, in China.
    here.paid_order(100)
    here.clock.pass_(milliseconds=1)
    first = here.paid_order(1000)
    here.clock.moment = APRIL - MILLISECOND
    last = here.paid_order(2000)
    here.clock.pass_(milliseconds=1)
    here.paid_order(10_000)
    over(here)

    made = ask(here)

    assert not made.replayed
    assert {line.order: line.amount_fen for line in made.value.lines} == {
        first.id: 1000, last.id: 2000,
    }  # fmt: skip
    assert (made.value.amount_fen, made.value.state) == (3000, InvoiceState.REQUESTED)
    assert news(here, made.value.id) == [("invoice.requested", ALICE.account)]
    assert invoices.find(here.ports, ALICE, made.value.id) == made.value
    assert invoices.find_all(here.ports, ALICE, after=None, limit=9).items == (made.value,)


def test_the_month_is_chinas_whatever_the_accounts_time_zone(here):
    here.clock.moment = APRIL - MILLISECOND
    here.paid_order(1000)
    over(here)

    made = ask(here, replace(ALICE, time_zone="America/New_York"))

    assert made.value.amount_fen == 1000


def test_a_membership_is_invoiced_as_a_top_up_is(here):
    opened = orders.open(
        here.ports, ALICE, orders.OpenOrder(kind=OrderKind.MEMBERSHIP, plan="basic"), key=None
    ).value
    order = here.row(opened.id)
    here.channel.trades[order.id] = paid(order)
    here.notify(order)
    over(here)

    assert ask(here).value.amount_fen == order.amount_fen


def test_what_went_back_or_is_on_its_way_is_not_in_it(here):
    one, other = here.paid_order(1000), here.paid_order(2000)
    gone_back(here, one, 300)
    here.refund(other, 500)
    over(here)

    assert {line.order: line.amount_fen for line in ask(here).value.lines} == {
        one.id: 700, other.id: 1500,
    }  # fmt: skip


@pytest.mark.parametrize("early", [REST, MILLISECOND])
def test_a_month_that_is_not_over_for_an_hour_has_no_invoice_yet(here, early):
    here.paid_order()
    here.clock.moment = APRIL + REST - early

    with pytest.raises(NotInvoiceable) as refusal:
        ask(here)

    assert refusal.value.reason == "month_open"


@pytest.mark.parametrize("paid_and_back", [False, True])
def test_a_month_in_which_nothing_was_paid_for_good_has_no_invoice(here, paid_and_back):
    here.order()
    if paid_and_back:
        gone_back(here, here.paid_order())
    over(here)

    with pytest.raises(NotInvoiceable) as refusal:
        ask(here)

    assert refusal.value.reason == "nothing_paid"
    assert list(rows(here.ports.store, schema.INVOICE, ALICE.account)) == []


def test_a_wrong_taxpayers_number_is_refused(here):
    with pytest.raises(Invalid):
        ask(here, body=AskInvoice(month="2026-03", title="a", tax_number="91350100M000100Y44"))


@pytest.mark.parametrize("count", [2, 3, 4])
def test_an_invoice_has_so_many_orders_at_most(here, monkeypatch, count):
    monkeypatch.setattr(limits, "INVOICE_ORDERS_MAX", 3)
    for _ in range(count):
        here.paid_order(100)
    over(here)

    if count <= 3:
        assert len(ask(here).value.lines) == count
        return
    with pytest.raises(LimitReached) as refusal:
        ask(here)
    assert (refusal.value.limit_name, refusal.value.asked) == ("invoice_orders", 4)


def test_asked_twice_it_is_one_invoice(here):
    here.paid_order()
    over(here)
    first = ask(here)

    again = ask(here)

    assert again.replayed
    assert again.value == first.value
    assert len(list(rows(here.ports.store, schema.INVOICE, ALICE.account))) == 1


def test_asked_by_many_at_once_it_is_one_invoice(here):
    here.paid_order()
    over(here)

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ask(here), range(24)))

    assert len({each.value.id for each in made}) == 1
    assert sum(not each.replayed for each in made) == 1


def test_one_that_came_in_between_is_the_one(here):
    here.paid_order()
    over(here)
    raced = with_store(here, RacedStore(here.ports.store, lambda: ask(here)))

    made = invoices.ask(raced, ALICE, BODY)

    assert made.replayed
    assert len(list(rows(here.ports.store, schema.INVOICE, ALICE.account))) == 1


@pytest.mark.parametrize("changes", [{"title": "另一公司"}, {"tax_number": None}])
def test_a_month_that_was_asked_for_otherwise_is_refused(here, changes):
    here.paid_order()
    over(here)
    ask(here)

    with pytest.raises(NotInvoiceable) as refusal:
        ask(here, body=AskInvoice(**{
            "month": "2026-03", "title": BODY.title, "tax_number": BODY.tax_number, **changes,
        }))  # fmt: skip

    assert refusal.value.reason == "requested"


def test_the_operator_issues_it_once(here):
    here.paid_order()
    over(here)
    made = ask(here).value
    waiting = invoices.in_state(here.ports, InvoiceState.REQUESTED, after=None, limit=9)

    done = invoices.issue(here.ports, OPERATOR, ALICE.account, made.id, NUMBER)
    again = invoices.issue(here.ports, OPERATOR, ALICE.account, made.id, NUMBER)

    assert waiting.items == (made,)
    assert (done.state, done.number) == (InvoiceState.ISSUED, "12345678")
    assert again == done
    assert invoices.in_state(here.ports, InvoiceState.REQUESTED, after=None, limit=9).items == ()
    assert news(here, made.id)[1:] == [("invoice.issued", OPERATOR.account)]
    with pytest.raises(StateConflict):
        invoices.issue(here.ports, OPERATOR, ALICE.account, made.id, OTHER)
    with pytest.raises(StateConflict):
        invoices.reject(here.ports, OPERATOR, ALICE.account, made.id, RejectInvoice(reason="late"))


def test_a_rejected_month_can_be_asked_for_again(here):
    here.paid_order()
    over(here)
    made = ask(here).value
    body = RejectInvoice(reason="wrong name")

    done = invoices.reject(here.ports, OPERATOR, ALICE.account, made.id, body)
    again = invoices.reject(here.ports, OPERATOR, ALICE.account, made.id, body)
    other = ask(here, body=AskInvoice(month="2026-03", title="另一公司")).value

    assert (done.state, done.reason) == (InvoiceState.REJECTED, "wrong name")
    assert again == done
    assert other.id != made.id
    assert invoices.reject(here.ports, OPERATOR, ALICE.account, made.id, body) == done
    assert ask(here, body=AskInvoice(month="2026-03", title="另一公司")).value == other


def test_issue_and_reject_at_once_leave_one_of_them(here):
    here.paid_order()
    over(here)
    made = ask(here).value
    arguments = (here.ports, OPERATOR, ALICE.account, made.id)

    def race():
        invoices.issue(*arguments, NUMBER)

    raced = with_store(here, RacedStore(here.ports.store, race))
    with pytest.raises(StateConflict):
        invoices.reject(raced, *arguments[1:], RejectInvoice(reason="late"))

    assert invoices.find(here.ports, ALICE, made.id).state is InvoiceState.ISSUED
    assert ask(here).replayed


def test_an_invoice_of_somebody_else_is_not_found(here):
    here.paid_order()
    over(here)
    made = ask(here).value

    with pytest.raises(NotFound):
        invoices.find(here.ports, BOB, made.id)
    with pytest.raises(NotFound):
        invoices.issue(here.ports, OPERATOR, BOB.account, made.id, NUMBER)
    with pytest.raises(NotFound):
        invoices.reject(here.ports, OPERATOR, BOB.account, made.id, RejectInvoice(reason="x"))
    with pytest.raises(NotFound):
        invoices.write_red_note(here.ports, OPERATOR, ALICE.account, "red_none", NUMBER)
    assert invoices.find_all(here.ports, BOB, after=None, limit=9).items == ()


def test_money_that_goes_back_after_the_fapiao_makes_one_red_letter_note(here):
    order = here.paid_order(1000)
    over(here)
    made = issued(here)
    looked_at(here)
    gone_back(here, order, 300)

    [note] = looked_at(here, hours=24)
    assert looked_at(here, hours=24) == (note,)

    assert (note.invoice, note.invoice_number, note.amount_fen) == (made.id, "12345678", 300)
    assert invoices.find(here.ports, ALICE, made.id).reduced_fen == 300
    assert news(here, made.id)[-1] == ("invoice.reduced", "sweeper")
    gone_back(here, order, 700)
    assert sorted(each.amount_fen for each in looked_at(here, hours=24)) == [300, 700]


def test_money_that_goes_back_while_it_waits_is_noted_when_it_is_issued(here):
    order = here.paid_order(1000)
    over(here)
    made = ask(here).value
    gone_back(here, order, 300)
    invoices.issue(here.ports, OPERATOR, ALICE.account, made.id, NUMBER)

    [note] = looked_at(here)

    assert note.amount_fen == 300


def test_a_refund_that_comes_to_nothing_needs_no_note(here):
    order = here.paid_order(1000)
    over(here)
    issued(here)
    here.refund(order, 300)

    assert looked_at(here, hours=24) == ()


def test_two_looks_at_once_make_one_note(here):
    order = here.paid_order(1000)
    over(here)
    made = issued(here)
    gone_back(here, order, 300)
    row = here.ports.store.get(schema.INVOICE.key(account=ALICE.account, id=made.id))
    assert row is not None
    invoices.look(here.ports, row)

    with pytest.raises(StateConflict):
        invoices.look(here.ports, row)

    assert len(looked_at(here)) == 1


def test_a_red_letter_note_is_written_once(here):
    order = here.paid_order(1000)
    over(here)
    made = issued(here)
    gone_back(here, order, 300)
    [note] = looked_at(here)

    done = invoices.write_red_note(here.ports, OPERATOR, ALICE.account, note.id, OTHER)
    again = invoices.write_red_note(here.ports, OPERATOR, ALICE.account, note.id, OTHER)

    assert (done.state, done.number) == (RedNoteState.WRITTEN, "12345679")
    assert again == done
    assert looked_at(here) == ()
    found = invoices.red_notes(here.ports, RedNoteState.WRITTEN, after=None, limit=9)
    assert found.items == (done,)
    assert news(here, made.id)[-1] == ("invoice.red_written", OPERATOR.account)
    with pytest.raises(StateConflict):
        invoices.write_red_note(here.ports, OPERATOR, ALICE.account, note.id, NUMBER)

"""Invoices (fapiao): asked for by customers, written by the operator, reduced by what goes back."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from wharfage import items, schema
from wharfage.domain import invoice as rules
from wharfage.domain import limits, span, statement
from wharfage.domain.account import Principal
from wharfage.domain.balance import Entry, EntryCode
from wharfage.domain.errors import LimitReached, NotFound, NotInvoiceable, Refused
from wharfage.domain.event import Event
from wharfage.domain.invoice import (
    AskInvoice,
    FapiaoNumber,
    Invoice,
    InvoiceClaim,
    InvoiceLine,
    InvoiceNews,
    InvoiceState,
    RedNote,
    RedNoteState,
)
from wharfage.domain.order import Order
from wharfage.domain.record import Body, View
from wharfage.operations.keys import Made
from wharfage.ports import Page, Ports
from wharfage.transaction import Action, Item, Put, Update, absent, equals

logger = logging.getLogger(__name__)

SWEEPER = "sweeper"


class IssueInvoice(Body, frozen=True, kw_only=True):
    """The number of the fapiao, or of the red-letter note, that was written."""

    number: FapiaoNumber


class RejectInvoice(Body, frozen=True, kw_only=True):
    """Why no fapiao is written."""

    reason: Annotated[str, Meta(min_length=1, max_length=200)]


class InvoiceView(View, frozen=True, kw_only=True):
    """An invoice, to its customer and to the operator, who writes the fapiao by it.

    *reduced_fen* of it went back since; red-letter notes are due or written for that.
    """

    id: str
    account: str
    month: str
    title: str
    tax_number: str | None
    lines: tuple[InvoiceLine, ...]
    amount_fen: int
    state: InvoiceState
    created_at: datetime
    number: str | None
    reason: str | None
    decided_at: datetime | None
    reduced_fen: int
    version: int

    @classmethod
    def of(cls, invoice: Invoice) -> "InvoiceView":
        """Show an invoice."""
        return cls(**{name: getattr(invoice, name) for name in cls.__struct_fields__})


class RedNoteView(View, frozen=True, kw_only=True):
    """What is to be taken off the fapiao *invoice_number*, and whether it was."""

    id: str
    account: str
    invoice: str
    invoice_number: str
    amount_fen: int
    state: RedNoteState
    created_at: datetime
    number: str | None
    written_at: datetime | None
    version: int

    @classmethod
    def of(cls, note: RedNote) -> "RedNoteView":
        """Show a red-letter note."""
        return cls(**{name: getattr(note, name) for name in cls.__struct_fields__})


@dataclass(eq=False)
class _Asked(Refused):
    """The month belongs to an invoice already. Never leaves."""

    invoice: str


def ask(ports: Ports, who: Principal, body: AskInvoice) -> Made[InvoiceView]:
    """Ask for an invoice over a month that is over; asked again, it is the same.

    Raises: Invalid, NotInvoiceable, LimitReached, Unavailable, Unanswered.
    """
    body.check()
    now = ports.clock.now()
    if not statement.complete(span.of_month(body.month, rules.ZONE).ends_at, now):
        raise NotInvoiceable(reason="month_open")
    claim = ports.store.get(schema.INVOICE_CLAIM.key(account=who.account, month=body.month))
    if claim is not None and claim.invoice is not None:
        return _again(ports, who, body, claim.invoice)
    lines = _lines(ports, who.account, body.month)
    number = ports.ids.new("inv")
    invoice = rules.requested(body, lines, number=number, account=who.account, now=now)
    claim = InvoiceClaim(account=who.account, month=body.month, invoice=invoice.id)
    try:
        ports.store.commit(
            Put(claim, when=[absent("invoice")], otherwise=_asked),  # First: it decides.
            Put(invoice, when=[absent()]),
            _event(ports, invoice, InvoiceNews.REQUESTED, who.account),
        )
    except _Asked as there:
        return _again(ports, who, body, there.invoice)
    return Made(value=InvoiceView.of(invoice))


def find(ports: Ports, who: Principal, invoice_id: str) -> InvoiceView:
    """Show one of the caller's invoices. Raises: NotFound."""
    return InvoiceView.of(_find(ports, who.account, invoice_id))


def find_all(ports: Ports, who: Principal, *, after: str | None, limit: int) -> Page[InvoiceView]:
    """List the caller's invoices, newest first."""
    found = ports.store.query(
        schema.INVOICE, who.account, after=after, newest_first=True, limit=limit
    )
    return Page(tuple(map(InvoiceView.of, found.items)), found.next)


def in_state(
    ports: Ports, state: InvoiceState, *, after: str | None, limit: int
) -> Page[InvoiceView]:
    """List every account's invoices that are in a state, newest first, for the operator."""
    found = ports.store.timeline(schema.INVOICE, f"invoices#{state}", after=after, limit=limit)
    return Page(tuple(map(InvoiceView.of, found.items)), found.next)


def issue(
    ports: Ports, who: Principal, account: str, invoice_id: str, body: IssueInvoice
) -> InvoiceView:
    """Note that the fapiao is written, and its number; the same again changes nothing.

    Raises: NotFound, StateConflict, Unavailable, Unanswered.
    """
    invoice = _find(ports, account, invoice_id)
    after = rules.issued(invoice, body.number, by=who.account, now=ports.clock.now())
    return _decide(ports, invoice, after, InvoiceNews.ISSUED)


def reject(
    ports: Ports, who: Principal, account: str, invoice_id: str, body: RejectInvoice
) -> InvoiceView:
    """Refuse an invoice, with a reason; its month can be asked for again.

    Raises: NotFound, StateConflict, Unavailable, Unanswered.
    """
    invoice = _find(ports, account, invoice_id)
    after = rules.rejected(invoice, body.reason, by=who.account, now=ports.clock.now())
    key = schema.INVOICE_CLAIM.key(account=account, month=invoice.month)
    freed = Update(key, remove=["invoice"], when=[equals("invoice", invoice.id)])
    return _decide(ports, invoice, after, InvoiceNews.REJECTED, freed)


def red_notes(
    ports: Ports, state: RedNoteState, *, after: str | None, limit: int
) -> Page[RedNoteView]:
    """List every account's red-letter notes that are in a state, newest first."""
    found = ports.store.timeline(schema.RED_NOTE, f"red_notes#{state}", after=after, limit=limit)
    return Page(tuple(map(RedNoteView.of, found.items)), found.next)


def write_red_note(
    ports: Ports, who: Principal, account: str, note_id: str, body: IssueInvoice
) -> RedNoteView:
    """Note that a red-letter note is written, and its number; the same again changes nothing.

    Raises: NotFound, StateConflict, Unavailable, Unanswered.
    """
    note = ports.store.get(schema.RED_NOTE.key(account=account, id=note_id))
    if note is None:
        raise NotFound(what="red_note")
    after = rules.written(note, body.number, by=who.account, now=ports.clock.now())
    if after is not note:
        invoice = _find(ports, account, note.invoice)
        event = _event(ports, invoice, InvoiceNews.RED_WRITTEN, who.account)
        ports.store.commit(items.change(note, after), event)
    return RedNoteView.of(after)


def look(ports: Ports, invoice: Invoice) -> None:
    """Look whether money of an issued invoice has gone back, however that came about.

    Idempotent, and safe with two sweepers at once. Raises: StateConflict, Unavailable, Unanswered.
    """
    now = ports.clock.now()
    orders = _orders(ports, [line.order for line in invoice.lines])
    after, more_fen = rules.looked_at(invoice, orders, now)
    if not more_fen:
        ports.store.commit(items.change(invoice, after))
        return
    note = rules.red_note(invoice, more_fen, number=ports.ids.new("red"), now=now)
    ports.store.commit(
        items.change(invoice, after),
        Put(note, when=[absent()]),
        _event(ports, after, InvoiceNews.REDUCED, SWEEPER),
    )
    logger.warning("invoice.reduced", extra={"action": "invoice", "invoice": invoice.id})


def _lines(ports: Ports, account: str, month: str) -> tuple[InvoiceLine, ...]:
    """Find what was paid in a month: by its entries, which are read consistently."""
    wanted = span.of_month(month, rules.ZONE)
    paid = [
        entry.reference
        for entry in _topups(ports, account)
        if wanted.begins_at <= entry.posted_at < wanted.ends_at
    ]
    lines = rules.invoiceable(_orders(ports, paid))
    if not lines:
        raise NotInvoiceable(reason="nothing_paid")
    if len(lines) > limits.INVOICE_ORDERS_MAX:
        raise LimitReached(
            limit_name="invoice_orders", limit=limits.INVOICE_ORDERS_MAX, used=0, asked=len(lines)
        )
    return lines


def _topups(ports: Ports, account: str) -> Iterator[Entry]:
    after = None
    while True:
        found = ports.store.query(
            schema.ENTRY,
            account,
            prefix=f"entry#{EntryCode.TOPUP}#",
            after=after,
            limit=limits.MOVES_PAGE,
        )
        yield from found.items
        after = found.next
        if after is None:
            return


def _orders(ports: Ports, numbers: list[str]) -> list[Order]:
    orders: list[Order] = []
    for at in range(0, len(numbers), limits.PAGE_MAX):
        part = numbers[at : at + limits.PAGE_MAX]
        orders += ports.store.get_many([schema.ORDER.key(id=number) for number in part])
    return orders


def _decide(
    ports: Ports, before: Invoice, after: Invoice, news: InvoiceNews, *more: Action
) -> InvoiceView:
    if after is not before:
        event = _event(ports, after, news, after.decided_by or "")
        ports.store.commit(items.change(before, after), *more, event)
    return InvoiceView.of(after)


def _again(ports: Ports, who: Principal, body: AskInvoice, invoice_id: str) -> Made[InvoiceView]:
    """Answer with the invoice that the month has. Raises: NotInvoiceable if it says otherwise."""
    invoice = _find(ports, who.account, invoice_id)
    if (invoice.title, invoice.tax_number) != (body.title, body.tax_number):
        raise NotInvoiceable(reason=invoice.state)
    return Made(value=InvoiceView.of(invoice), replayed=True)


def _find(ports: Ports, account: str, invoice_id: str) -> Invoice:
    invoice = ports.store.get(schema.INVOICE.key(account=account, id=invoice_id))
    if invoice is None:
        raise NotFound(what="invoice")
    return invoice


def _asked(item: Item | None) -> Refused:
    assert item is not None, "a month that was refused as taken has its claim"
    return _Asked(item["invoice"])


def _event(ports: Ports, invoice: Invoice, news: InvoiceNews, actor: str) -> Put:
    """Write a line of an invoice's timeline; it says nothing of whom it is made out to."""
    event = Event(
        id=ports.ids.new("evt"),
        subject=invoice.id,
        account=invoice.account,
        kind=news,
        at=ports.clock.now(),
        actor=actor,
        data={"month": invoice.month, "amount_fen": invoice.amount_fen},
    )
    return Put(event, when=[absent()], proves=True)

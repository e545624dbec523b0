"""Invoices (fapiao): what of a month's payments the operator is to write a tax document for.

Months are China's, whatever time zone an account has, so that each payment is in one of them. An
invoice is asked for when its month is over, once, over what was paid in it and has not gone back.
What goes back later is taken off by a red-letter note.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain.errors import Fault, Invalid, StateConflict
from wharfage.domain.order import Order, OrderState
from wharfage.domain.record import Body, Record

ZONE = "Asia/Shanghai"  #: In which invoiced months are counted.

#: GB 32100-2015: 17 characters and one that checks them, without I, O, S, V and Z.
_TAX_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_TAX_NUMBER = re.compile(rf"[{_TAX_SIGNS}]{{2}}[0-9]{{6}}[{_TAX_SIGNS}]{{10}}", re.ASCII)
_WATCHED = timedelta(days=limits.INVOICE_WATCH_DAYS)
_LOOK = timedelta(hours=limits.INVOICE_LOOK_HOURS)

Month = Annotated[str, Meta(pattern=r"^20[0-9]{2}-(?:0[1-9]|1[0-2])$(?!\n)")]
Title = Annotated[str, Meta(min_length=1, max_length=100)]
#: Eight digits on paper, twenty where it is only data.
FapiaoNumber = Annotated[str, Meta(pattern=r"^[0-9]{8,20}$(?!\n)")]


class InvoiceState(StrEnum):
    """Where an invoice stands."""

    REQUESTED = "requested"  #: Waits for the operator.
    ISSUED = "issued"  #: The fapiao is written, and this is its number.
    REJECTED = "rejected"  #: The operator says why; the month can be asked for again.


class RedNoteState(StrEnum):
    """Where a red-letter note stands."""

    DUE = "due"  #: Waits for the operator.
    WRITTEN = "written"


class InvoiceNews(StrEnum):
    """What is written on an invoice's timeline. It names no person."""

    REQUESTED = "invoice.requested"
    ISSUED = "invoice.issued"
    REJECTED = "invoice.rejected"
    REDUCED = "invoice.reduced"  #: Money of it went back: a red-letter note is due.
    RED_WRITTEN = "invoice.red_written"


class AskInvoice(Body, frozen=True, kw_only=True):
    """A month, and to whom its fapiao is made out; a person has no taxpayer's number."""

    month: Month
    title: Title
    tax_number: str | None = None

    def check(self) -> None:
        """Refuse what no fapiao could be made out to. Raises: Invalid, with every fault found."""
        if faults := tuple(_faults(self)):
            raise Invalid(faults=faults)


class InvoiceLine(Record, frozen=True, kw_only=True):
    """What is invoiced of one order."""

    order: str
    amount_fen: int


class Invoice(Record, frozen=True, kw_only=True):
    """One month of an account's payments, as it was when it was asked for."""

    id: str
    account: str
    month: str
    title: str
    tax_number: str | None = None
    lines: tuple[InvoiceLine, ...]
    amount_fen: int
    state: InvoiceState
    created_at: datetime
    due_at: datetime | None = None  #: When its orders are looked at next.
    number: str | None = None  #: Of the fapiao.
    reason: str | None = None  #: Why it was rejected.
    decided_at: datetime | None = None
    decided_by: str | None = None
    reduced_fen: int = 0  #: What red-letter notes are due or written for.
    version: int = 1


class InvoiceClaim(Record, frozen=True, kw_only=True):
    """Makes a month of an account belong to one invoice, or to none after that was rejected."""

    account: str
    month: str
    invoice: str | None = None


class RedNote(Record, frozen=True, kw_only=True):
    """What went back of an invoice after it was written, to be taken off it."""

    id: str
    account: str
    invoice: str
    invoice_number: str
    amount_fen: int
    state: RedNoteState
    created_at: datetime
    number: str | None = None
    written_at: datetime | None = None
    written_by: str | None = None
    version: int = 1


def invoiceable(orders: Iterable[Order]) -> tuple[InvoiceLine, ...]:
    """Say what of each order can be invoiced: what was paid, and is not back or on its way."""
    return tuple(
        InvoiceLine(order=order.id, amount_fen=order.refundable_fen)
        for order in orders
        if order.state is OrderState.PAID and order.refundable_fen > 0
    )


def requested(
    body: AskInvoice, lines: tuple[InvoiceLine, ...], *, number: str, account: str, now: datetime
) -> Invoice:
    """Make an invoice that waits for the operator."""
    return Invoice(
        id=number,
        account=account,
        month=body.month,
        title=body.title,
        tax_number=body.tax_number,
        lines=lines,
        amount_fen=sum(line.amount_fen for line in lines),
        state=InvoiceState.REQUESTED,
        created_at=now,
    )


def issued(invoice: Invoice, number: str, *, by: str, now: datetime) -> Invoice:
    """Note the fapiao's number; noted again, it is the same invoice. Raises: StateConflict."""
    if (invoice.state, invoice.number) == (InvoiceState.ISSUED, number):
        return invoice
    # Money may have gone back while it waited, so its orders are looked at now.
    return _decided(invoice, InvoiceState.ISSUED, by=by, now=now, number=number, due_at=now)


def rejected(invoice: Invoice, reason: str, *, by: str, now: datetime) -> Invoice:
    """Refuse an invoice that waits; refused again, it is the same. Raises: StateConflict."""
    if invoice.state is InvoiceState.REJECTED:
        return invoice
    return _decided(invoice, InvoiceState.REJECTED, by=by, now=now, reason=reason)


def looked_at(invoice: Invoice, orders: Iterable[Order], now: datetime) -> tuple[Invoice, int]:
    """Compare an issued invoice with its orders; tell what went back and has no note yet."""
    assert invoice.decided_at is not None, "an invoice that was issued"
    kept = {order.id: order.amount_fen - order.refunded_fen for order in orders}
    gone_fen = sum(max(0, line.amount_fen - kept[line.order]) for line in invoice.lines)
    more_fen = max(0, gone_fen - invoice.reduced_fen)
    after = replace(
        invoice,
        reduced_fen=invoice.reduced_fen + more_fen,
        due_at=now + _LOOK if now < invoice.decided_at + _WATCHED else None,
        version=invoice.version + 1,
    )
    return after, more_fen


def red_note(invoice: Invoice, amount_fen: int, *, number: str, now: datetime) -> RedNote:
    """Make the note of what went back of an issued invoice."""
    assert invoice.number is not None, "a fapiao that there is"
    return RedNote(
        id=number,
        account=invoice.account,
        invoice=invoice.id,
        invoice_number=invoice.number,
        amount_fen=amount_fen,
        state=RedNoteState.DUE,
        created_at=now,
    )


def written(note: RedNote, number: str, *, by: str, now: datetime) -> RedNote:
    """Note a red-letter note's number; noted again, it is the same. Raises: StateConflict."""
    if (note.state, note.number) == (RedNoteState.WRITTEN, number):
        return note
    if note.state is not RedNoteState.DUE:
        raise StateConflict(state=note.state)
    return replace(
        note,
        state=RedNoteState.WRITTEN,
        number=number,
        written_at=now,
        written_by=by,
        version=note.version + 1,
    )


def is_tax_number(text: str) -> bool:
    """Tell whether a text is a unified social credit code, with the right check character."""
    if not _TAX_NUMBER.fullmatch(text):
        return False
    values = [_TAX_SIGNS.index(sign) for sign in text]
    total = sum(value * pow(3, place, 31) for place, value in enumerate(values[:-1]))
    return (total + values[-1]) % 31 == 0


def _faults(body: AskInvoice) -> Iterator[Fault]:
    title = body.title
    hidden = any(unicodedata.category(sign)[0] == "C" for sign in title)
    if hidden or title != title.strip():
        message = "A name without control characters, and without spaces around it."
        yield Fault(pointer="/title", code="title", message=message)
    if body.tax_number is not None and not is_tax_number(body.tax_number):
        message = "Not a unified social credit code of 18 characters, or a typing mistake in it."
        yield Fault(pointer="/tax_number", code="tax_number", message=message)


def _decided(
    invoice: Invoice, state: InvoiceState, *, by: str, now: datetime, **changes: object
) -> Invoice:
    if invoice.state is not InvoiceState.REQUESTED:
        raise StateConflict(state=invoice.state)
    return replace(
        invoice,
        state=state,
        decided_at=now,
        decided_by=by,
        version=invoice.version + 1,
        **changes,
    )

"""Our books, read for a comparison: what we recorded of what a channel's bill tells, and of a day.

Rows are looked up by their numbers, consistently. A day's payments are listed from an index,
which is hours old by then and only says what to look for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.balance import Entry, EntryCode
from wharfage.domain.bill import BillRow, RowKind
from wharfage.domain.matching import Finding, Ours, missing_there, number_of
from wharfage.domain.order import NUMBER, Order, OrderState
from wharfage.domain.payment import Payment
from wharfage.domain.reconciliation import Billed
from wharfage.domain.refund import Refund, RefundState, entry_reference
from wharfage.ports import Page, Ports
from wharfage.transaction import Key, Put, absent

_NOWHERE = "-"  #: No order has this number, for it is too short to be one.


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What we know of one row of a bill. Without an order of ours there is nothing of it."""

    order: Order | None
    ours: Ours | None
    billed_on: date | None  #: The day on whose bill it was seen before.
    refund: Refund | None = None  #: Ours, of a row that tells of one.


def look_up(ports: Ports, channel: str, rows: Sequence[BillRow]) -> list[Known]:
    """Read what our books have of some rows' payments and refunds, in two batches.

    Each takes three keys: its order, its payment or refund, and the bill it was on before.
    """
    numbers = [row.order if NUMBER.fullmatch(row.order) else _NOWHERE for row in rows]
    found = ports.store.get_many(
        [
            key
            for row, number in zip(rows, numbers, strict=True)
            for key in (
                schema.ORDER.key(id=number),
                _record_key(channel, number, row),
                _billed_key(channel, row.order, row.kind, number_of(row)),
            )
        ]
    )
    orders = [order if order and order.channel == channel else None for order in found[::3]]
    entries = ports.store.get_many(
        [_entry_key(order, row) for order, row in zip(orders, rows, strict=True)]
    )
    return [
        Known(
            order=order,
            ours=_ours(order, record, entry) if order else None,
            billed_on=billed and billed.day,
            refund=record if isinstance(record, Refund) else None,
        )
        for order, record, billed, entry in zip(
            orders, found[1::3], found[2::3], entries, strict=True
        )
    ]


def _ours(order: Order, record: Payment | Refund | None, entry: Entry | None) -> Ours:
    moved_fen = abs(entry.amount_fen) if entry else None
    match record:
        case None:
            return Ours(order_fen=order.amount_fen)
        case Payment():
            return Ours(
                order_fen=order.amount_fen,
                recorded_fen=record.amount_fen,
                agreed=order.state is OrderState.PAID,
                moved_fen=moved_fen,
                moves=not record.duplicate,
            )
        case Refund():
            return Ours(
                order_fen=order.amount_fen,
                # One from the console has no amount before the channel has named it.
                recorded_fen=record.amount_fen or None,
                agreed=record.state is RefundState.SUCCEEDED,
                moved_fen=moved_fen,
                moves=record.booked,
            )


def bill(ports: Ports, channel: str, row: BillRow, day: date) -> None:
    """Remember on which bill a row was; the first one keeps it."""
    billed = Billed(channel=channel, order=row.order, kind=row.kind, number=number_of(row), day=day)
    ports.store.commit(Put(billed, when=[absent()], proves=True))


def payments_between(
    ports: Ports, channel: str, begins_at: datetime, ends_at: datetime, cursor: str | None
) -> Page[Payment]:
    """List a page of what we recorded as paid in a span of time, newest first.

    The index has a partition for each day of UTC; *cursor* names one, and a place in it.
    """
    text, _, place = (cursor or _place(ends_at, schema.timestamp(ends_at))).partition("|")
    found = ports.store.timeline(
        schema.PAYMENT,
        f"payments#{channel}#{text}",
        after=place or None,
        limit=limits.RECONCILE_PAGE,
    )
    inside = tuple(each for each in found.items if each.recorded_at >= begins_at)
    if len(inside) < len(found.items):
        return Page(inside)
    if found.next is not None:
        return Page(inside, f"{text}|{found.next}")
    before = date.fromisoformat(text) - timedelta(days=1)
    return Page(inside, f"{before}|" if before >= begins_at.astimezone(UTC).date() else None)


def refunds_between(
    ports: Ports, channel: str, begins_at: datetime, ends_at: datetime, cursor: str | None
) -> Page[Refund]:
    """List a page of the refunds that succeeded in a span of time.

    They are indexed by when they were asked for, so those of some weeks before are passed by.
    """
    found = ports.store.timeline(
        schema.REFUND,
        f"refunds#{RefundState.SUCCEEDED}",
        after=cursor or schema.timestamp(ends_at),
        limit=limits.RECONCILE_PAGE,
    )
    oldest = begins_at - timedelta(days=limits.RECONCILE_REFUND_DAYS)
    inside = tuple(
        each
        for each in found.items
        if each.channel == channel and each.ended_at and begins_at <= each.ended_at < ends_at
    )
    passed = any(each.created_at < oldest for each in found.items)
    return Page(inside, None if passed else found.next)


def unbilled(
    ports: Ports, channel: str, ours: Sequence[Payment] | Sequence[Refund]
) -> list[Finding]:
    """Say which of our payments or refunds no bill has had."""
    named = [
        (RowKind.PAYMENT, each.order, each.trade_no, each.amount_fen)
        if isinstance(each, Payment)
        else (RowKind.REFUND, each.order, each.id, each.amount_fen)
        for each in ours
    ]
    keys = [_billed_key(channel, order, kind, number) for kind, order, number, _ in named]
    return [
        missing_there(*each)
        for each, billed in zip(named, ports.store.get_many(keys), strict=True)
        if billed is None
    ]


def _billed_key(channel: str, order: str, kind: RowKind, number: str) -> Key[Billed]:
    return schema.BILLED.key(channel=channel, order=order, kind=kind, number=number)


def _record_key(channel: str, order: str, row: BillRow) -> Key[Any]:
    if row.kind is RowKind.REFUND:
        return schema.REFUND.key(order=order, id=number_of(row))
    return schema.PAYMENT.key(order=order, channel=channel, trade_no=row.trade_no)


def _entry_key(order: Order | None, row: BillRow) -> Key[Entry]:
    if order is None:
        return schema.ENTRY.key(account=_NOWHERE, code=EntryCode.TOPUP, reference=_NOWHERE)
    if row.kind is RowKind.REFUND:
        reference = entry_reference(order.id, number_of(row))
        return schema.ENTRY.key(account=order.account, code=EntryCode.REFUND, reference=reference)
    return schema.ENTRY.key(account=order.account, code=EntryCode.TOPUP, reference=order.id)


def _place(moment: datetime, place: str) -> str:
    return f"{moment.astimezone(UTC).date()}|{place}"

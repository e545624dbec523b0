"""Matching: the rows of a channel's bill held against our books, and what does not agree.

Everything here is a function of values: whatever the order of the rows, and however often a day
is looked at, the same findings come out.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import blake2b

from wharfage.domain.bill import Bill, BillRow, FeeTerms, RowKind


class BreakType(StrEnum):
    """What does not agree."""

    MISSING_HERE = "missing_here"  #: The channel has it, we do not.
    MISSING_THERE = "missing_there"  #: We have it, the channel's bill does not.
    AMOUNT = "amount"  #: Both have it, with different amounts.
    STATUS = "status"  #: The channel carried it out, and we do not say so.
    DUPLICATE = "duplicate"  #: The channel has it twice.
    UNKNOWN_ORDER = "unknown_order"  #: The channel names an order that we never made.
    FEE = "fee"  #: The channel kept more than the contract allows.
    TOTAL = "total"  #: A sum that the bill states is not that of its rows.
    LEDGER = "ledger"  #: The ledger did not move for it, or an account's sums do not add up.


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """A break that one look sees. *order* and *number* name what it is about."""

    type: BreakType
    kind: RowKind | None
    order: str
    number: str
    ours_fen: int | None = None
    theirs_fen: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ours:
    """What our books say of what a row is about; there is an order by that number."""

    order_fen: int
    recorded_fen: int | None = None  #: As a payment or refund; None where there is no such one.
    agreed: bool = True  #: The state that we keep says that it happened.
    moved_fen: int | None = None  #: What the ledger moved for it.
    moves: bool = True  #: The ledger is to move; a second payment of an order only goes back.


def key_of(row: BillRow) -> tuple[RowKind, str, str]:
    """Name what a row is about: two rows of the same name are one thing told twice."""
    return row.kind, row.order, number_of(row)


def number_of(row: BillRow) -> str:
    """Name a payment by its trade and a refund by its request, if the channel has one."""
    return row.trade_no if row.kind is RowKind.PAYMENT else row.refund or f"of:{row.trade_no}"


def ordered(rows: Iterable[BillRow]) -> list[tuple[BillRow, int]]:
    """Put the rows of a bill into one order whatever theirs was, each with how often it is there.

    Of rows about the same thing the first stands for all.
    """
    found = sorted(rows, key=lambda row: (*key_of(row), row.amount_fen, row.fee_fen))
    times = Counter(map(key_of, found))
    firsts = {key_of(row): row for row in reversed(found)}
    return [(firsts[key], times[key]) for key in sorted(times)]


def match(
    row: BillRow,
    ours: Ours | None,
    *,
    day: date,
    times: int = 1,
    billed_on: date | None = None,
    terms: FeeTerms | None = None,
) -> list[Finding]:
    """Say what of a row does not agree with our books. *ours* is None when there is no order."""
    found: list[BreakType] = []
    theirs_fen, ours_fen = row.amount_fen, None
    if times > 1 or billed_on not in {None, day}:
        found.append(BreakType.DUPLICATE)
    if ours is None:
        found.append(BreakType.UNKNOWN_ORDER)
    else:
        ours_fen = ours.recorded_fen
        found += _differing(row, ours)
    findings = [_finding(each, row, ours_fen, theirs_fen) for each in found]
    if terms is not None and row.kind is RowKind.PAYMENT:
        most_fen = terms.most_fen(row.amount_fen)
        if row.fee_fen > most_fen:
            findings.append(_finding(BreakType.FEE, row, most_fen, row.fee_fen))
    return findings


def _differing(row: BillRow, ours: Ours) -> list[BreakType]:
    if row.kind is RowKind.PAYMENT and row.amount_fen != ours.order_fen:
        return [BreakType.AMOUNT]
    if ours.recorded_fen is None:
        return [BreakType.MISSING_HERE]
    if row.amount_fen != ours.recorded_fen:
        return [BreakType.AMOUNT]
    if not ours.agreed:
        return [BreakType.STATUS]
    if ours.moves and ours.moved_fen != ours.recorded_fen:
        return [BreakType.LEDGER]
    return []


def totals(bill: Bill) -> list[Finding]:
    """Say which of the bill's own sums are not those of its rows."""
    return [
        Finding(
            type=BreakType.TOTAL,
            kind=None,
            order="",
            number=claim.name,
            ours_fen=claim.counted_fen,
            theirs_fen=claim.stated_fen,
        )
        for claim in bill.claims
        if claim.stated_fen != claim.counted_fen
    ]


def missing_there(kind: RowKind, order: str, number: str, amount_fen: int) -> Finding:
    """Say that the bills do not have what we recorded."""
    return Finding(
        type=BreakType.MISSING_THERE, kind=kind, order=order, number=number, ours_fen=amount_fen
    )


def drift(account: str, name: str, ours_fen: int, theirs_fen: int) -> Finding:
    """Say that what an account's row has is not what its moves add up to."""
    return Finding(
        type=BreakType.LEDGER,
        kind=None,
        order=account,
        number=name,
        ours_fen=ours_fen,
        theirs_fen=theirs_fen,
    )


def digest_of(rows: Sequence[tuple[BillRow, int]]) -> str:
    """Name the content of a bill, whatever the order of its rows was."""
    return blake2b(repr(rows).encode(), digest_size=16).hexdigest()


def _finding(
    type_: BreakType, row: BillRow, ours_fen: int | None, theirs_fen: int | None
) -> Finding:
    return Finding(
        type=type_,
        kind=row.kind,
        order=row.order,
        number=number_of(row),
        ours_fen=ours_fen,
        theirs_fen=theirs_fen,
    )

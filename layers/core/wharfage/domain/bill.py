"""Bills: what a payment channel says, a day later, of every payment and refund of that day."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class RowKind(StrEnum):
    """What a row of a bill tells of."""

    PAYMENT = "payment"  #: The customer's money arrived.
    REFUND = "refund"  #: Money went back to the customer.


@dataclass(frozen=True, kw_only=True, slots=True)
class BillRow:
    """One payment or refund, as the channel booked it. Amounts are never negative, fees may be."""

    kind: RowKind
    order: str  #: Our order number; the channel may name one that we never made, or none.
    trade_no: str
    refund: str | None = None  #: Our request number of a refund; None for a payment.
    amount_fen: int  #: What the order is for, or what was given back.
    fee_fen: int = 0  #: What the channel keeps of it; negative when it gives a fee back.
    completed_at: datetime  #: Aware.

    def __post_init__(self) -> None:
        assert self.amount_fen >= 0, "the kind of a row says which way the money went"
        assert self.completed_at.tzinfo is not None, "a bill's times are aware"
        assert self.kind is RowKind.REFUND or self.refund is None, "a payment is no refund"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A sum that the bill itself states, beside the same sum over its rows."""

    name: str  #: Stable, in lower case with underscores, such as `payments_received`.
    stated_fen: int
    counted_fen: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FeeTerms:
    """What the contract lets the channel keep of a payment: hundredths of a percent, and a part
    that is the same for each.
    """

    basis_points: int
    fixed_fen: int = 0

    def most_fen(self, amount_fen: int) -> int:
        """Say the highest fee on this amount, rounded up."""
        return -(-amount_fen * self.basis_points // 10_000) + self.fixed_fen


@dataclass(frozen=True, kw_only=True, slots=True)
class Bill:
    """One day of a channel. Rows come in any order, and one row may be there twice.

    *begins_at* and *ends_at* (half-open, aware) bound the day as the channel counts it. An
    adapter refuses a bill whose stated numbers of rows are not those it has: that one is cut.
    """

    channel: str
    day: date
    begins_at: datetime
    ends_at: datetime
    rows: tuple[BillRow, ...] = ()
    claims: tuple[Claim, ...] = ()
    fee_terms: FeeTerms | None = None  #: None where fees are not to be judged.
    #: False when the channel has no bill of that day: nothing happened, or it is not made yet.
    published: bool = True


class BillFault(StrEnum):
    """Why a bill that arrived is not believed."""

    ARCHIVE = "archive"  #: Not the kind of file that it should be, or a damaged one.
    SIZE = "size"  #: Larger than any honest bill, packed or unpacked, or of too many members.
    MEMBER = "member"  #: None of its files is the list of payments, or more than one is.
    ENCODING = "encoding"  #: Not in the channel's character set.
    FORM = "form"  #: A line, a column or a cell cannot be read as what it should be.
    COUNT = "count"  #: Fewer or more rows than it says itself: it was cut.
    DAY = "day"  #: Of another day, another account or another currency than was asked for.

"""What stands in for a bill at Stripe: the transactions of its balance, of one day in China.

Stripe lists them by type, each with the charge or refund that it is of. What was charged in
another currency than ours is no order's, and left out; disputes are told by the operator.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec

from wharfage.adapters.bill_cells import NUMBER
from wharfage.domain.bill import Bill, BillFault, BillRow, RowKind
from wharfage.domain.errors import BillRefused

CURRENCY = "cny"
PAGE = 100  #: Transactions in one answer, each with its source: the most that Stripe gives.

_TYPES = {RowKind.PAYMENT: "charge", RowKind.REFUND: "refund"}


class _Intent(msgspec.Struct, frozen=True):
    id: str
    metadata: dict[str, str] = {}


class _Source(msgspec.Struct, frozen=True):
    """A charge or a refund, with its intent; None for what had none."""

    id: str
    amount: Annotated[int, msgspec.Meta(ge=0)]
    currency: str
    payment_intent: _Intent | None = None
    metadata: dict[str, str] = {}


class _Transaction(msgspec.Struct, frozen=True):
    """A move of the balance. *fee* is in its *currency*, which may be another than the source's."""

    id: str
    created: Annotated[int, msgspec.Meta(ge=0, le=32_503_680_000)]
    currency: str
    fee: int
    source: _Source
    exchange_rate: Annotated[float, msgspec.Meta(gt=0)] | None = None


def target(kind: RowKind, day: Bill, after: str | None) -> str:
    """Say what to ask for a page of a day's transactions: what comes *after* the one of that id."""
    asked = {
        "type": _TYPES[kind],
        "created[gte]": int(day.begins_at.timestamp()),
        "created[lt]": int(day.ends_at.timestamp()),
        "expand[]": "data.source.payment_intent",
        "limit": PAGE,
    }
    return "/v1/balance_transactions?" + urlencode(
        {**asked, **({"starting_after": after} if after else {})}
    )


def read(kind: RowKind, data: Sequence[Any]) -> tuple[list[BillRow], str | None]:
    """Read a page: its rows, and the id of its last transaction. Raises: BillRefused."""
    try:
        page = msgspec.convert(data, list[_Transaction])
    except msgspec.ValidationError:
        raise BillRefused(reason=BillFault.FORM) from None
    rows = [_row(kind, each) for each in page if each.source.currency == CURRENCY]
    return rows, page[-1].id if page else None


def _row(kind: RowKind, moved: _Transaction) -> BillRow:
    source = moved.source
    intent = source.payment_intent or _Intent(id=source.id)
    return BillRow(
        kind=kind,
        order=_named(source.metadata, "order") or _named(intent.metadata, "order"),
        trade_no=intent.id,
        refund=None if kind is RowKind.PAYMENT else _named(source.metadata, "request") or source.id,
        amount_fen=source.amount,
        fee_fen=_fee_fen(moved),
        completed_at=datetime.fromtimestamp(moved.created, UTC),
    )


def _named(metadata: Mapping[str, str], name: str) -> str:
    """Read a number of ours; what others have written there is none."""
    value = metadata.get(name, "")
    return value if NUMBER.fullmatch(value) else ""


def _fee_fen(moved: _Transaction) -> int:
    """Say what Stripe kept, in our currency: it settles in that of the account's bank."""
    if moved.currency == CURRENCY:
        return moved.fee
    if moved.exchange_rate is None:
        raise BillRefused(reason=BillFault.FORM)
    fee = Decimal(moved.fee) / Decimal(str(moved.exchange_rate))
    return int(fee.to_integral_value(ROUND_HALF_UP))

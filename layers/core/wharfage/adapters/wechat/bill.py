"""WeChat Pay's daily bill: one table in UTF-8 with its sums below, read strictly, without any I/O.

Its format is that of GET /v3/bill/tradebill with bill_type ALL. Every cell but the names begins
with a backtick, so that a spreadsheet takes no number for one.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from wharfage.adapters.bill_cells import blank, fen, moment, number
from wharfage.adapters.wechat.notify import CHANNEL, CURRENCY
from wharfage.domain.bill import Bill, BillFault, BillRow, Claim, FeeTerms, RowKind
from wharfage.domain.errors import BillRefused

_KINDS = {"SUCCESS": RowKind.PAYMENT, "REFUND": RowKind.REFUND, "REVOKED": RowKind.REFUND}
_FAILED = "FAIL"  #: Of a refund: it was taken on, and no money went back.
_FEE = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,5})?", re.ASCII)
_NAMES = frozenset(
    {
        "交易时间", "商户号", "微信订单号", "商户订单号", "交易状态", "货币种类",
        "商户退款单号", "退款状态", "手续费", "订单金额", "申请退款金额",
    }
)  # fmt: skip
_SUMS = frozenset({"总交易单数", "订单总金额", "申请退款总金额"})

Cells = dict[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """A row if money moved, and what the bill's own sums are of."""

    row: BillRow | None
    order_fen: int
    back_fen: int


def parse(
    content: bytes, sha1: str, *, day: date, merchant: str, fee_terms: FeeTerms | None = None
) -> Bill:
    """Read the bill of *day*, whose *sha1* WeChat Pay has signed.

    Raises: BillRefused, for anything else.
    """
    if hashlib.sha1(content, usedforsecurity=False).hexdigest() != sha1.lower():
        raise BillRefused(reason=BillFault.ARCHIVE)
    lines = [line.rstrip("\r") for line in _decoded(content).split("\n") if line.strip()]
    match lines:
        case [names, *rows, sum_names, sums]:
            found = [_line(cells, day, merchant) for cells in _table(names, rows, _NAMES)]
            [stated] = _table(sum_names, [sums], _SUMS)
        case _:
            raise BillRefused(reason=BillFault.FORM)
    if stated["总交易单数"] != str(len(found)):
        raise BillRefused(reason=BillFault.COUNT)
    return replace(
        blank(CHANNEL, day, fee_terms=fee_terms),
        rows=tuple(line.row for line in found if line.row is not None),
        claims=(
            _claim("orders_total", stated["订单总金额"], (line.order_fen for line in found)),
            _claim("refunds_total", stated["申请退款总金额"], (line.back_fen for line in found)),
        ),
    )


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BillRefused(reason=BillFault.ENCODING) from None


def _table(names: str, rows: Iterable[str], needed: frozenset[str]) -> Iterator[Cells]:
    """Read rows below the line that names the columns; their order is not relied upon."""
    columns = names.split(",")
    if len(set(columns)) != len(columns) or not needed.issubset(columns):
        raise BillRefused(reason=BillFault.FORM)
    for row in rows:
        yield _cells(columns, row)


def _cells(columns: list[str], row: str) -> Cells:
    # What stands between cells is more than a comma, which a product's name may have.
    cells = row.removeprefix("`").split(",`")
    if not row.startswith("`") or len(cells) != len(columns):
        raise BillRefused(reason=BillFault.FORM)
    return dict(zip(columns, map(str.strip, cells), strict=True))


def _line(cells: Cells, day: date, merchant: str) -> _Line:
    kind, completed_at = _KINDS.get(cells["交易状态"]), moment(cells["交易时间"])
    if (cells["商户号"], cells["货币种类"]) != (merchant, CURRENCY) or completed_at.date() != day:
        raise BillRefused(reason=BillFault.DAY)
    order_fen, back_fen = fen(cells["订单金额"]), fen(cells["申请退款金额"])
    amount_fen = order_fen if kind is RowKind.PAYMENT else back_fen
    trade_no = number(cells["微信订单号"])
    if kind is None or amount_fen < 0 or not trade_no:
        raise BillRefused(reason=BillFault.FORM)
    row = BillRow(
        kind=kind,
        order=number(cells["商户订单号"]),
        trade_no=trade_no,
        refund=number(cells["商户退款单号"]) if kind is RowKind.REFUND else None,
        amount_fen=amount_fen,
        fee_fen=_fee_fen(cells["手续费"]),
        completed_at=completed_at,
    )
    failed = kind is RowKind.REFUND and cells["退款状态"] == _FAILED
    return _Line(row=None if failed else row, order_fen=order_fen, back_fen=back_fen)


def _claim(name: str, stated: str, counted: Iterable[int]) -> Claim:
    return Claim(name=name, stated_fen=fen(stated), counted_fen=sum(counted))


def _fee_fen(text: str) -> int:
    """Read a fee, which has up to five decimals of a yuan, to the nearest fen."""
    if not _FEE.fullmatch(text):
        raise BillRefused(reason=BillFault.FORM)
    return int((Decimal(text) * 100).to_integral_value(ROUND_HALF_UP))

"""Alipay's daily bill: a zip of two GBK tables, read strictly, within bounds, without any I/O.

Of the two tables the one whose first line says so lists the payments and refunds. Its format is
that of alipay.data.dataservice.bill.downloadurl.query with bill_type `trade`.
"""

import io
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

from wharfage.adapters.alipay.notify import CHANNEL
from wharfage.adapters.bill_cells import blank, fen, moment, number
from wharfage.domain import limits
from wharfage.domain.bill import Bill, BillFault, BillRow, Claim, FeeTerms, RowKind
from wharfage.domain.errors import BillRefused

FIRST_LINE = "#支付宝业务明细查询"
ENCODING = "gb18030"  #: What Alipay calls GBK, and all that grew out of it.

_CHUNK_BYTES = 64 * 1024
_KINDS = {"交易": RowKind.PAYMENT, "退款": RowKind.REFUND}
_UNIT = re.compile(r"[（(]元[）)]")
_DAY = re.compile(r"#起始日期：\[([0-9]{4})年([0-9]{2})月([0-9]{2})日", re.ASCII)
_ACCOUNT = re.compile(r"#账号：\[([0-9]{1,40})\]", re.ASCII)
_PAYMENTS = re.compile(r"#交易合计：([0-9]{1,9})笔，商家实收共([^元]*)元")
_REFUNDS = re.compile(r"#退款合计：([0-9]{1,9})笔，商家实收退款共([^元]*)元")
#: What a damaged archive makes the standard library raise.
_DAMAGE = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OSError, RuntimeError,
    LookupError, ArithmeticError,
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class _Line:
    """A row, and what we received of it: the sum that the bill itself states is of that."""

    row: BillRow
    received_fen: int


def parse(archive: bytes, *, day: date, seller: str, fee_terms: FeeTerms | None = None) -> Bill:
    """Read the bill of *day* from the archive. Raises: BillRefused, for anything else."""
    table = _decoded(_detail(archive))
    lines = [line for line in table.split("\n") if line.strip()]
    remarks = [line.strip() for line in lines if line.startswith("#")]
    _check_whose(remarks, day=day, seller=seller)
    found = list(_rows(line for line in lines if not line.startswith("#")))
    return replace(
        blank(CHANNEL, day, fee_terms=fee_terms),
        rows=tuple(line.row for line in found),
        claims=(
            _claim("payments_received", _PAYMENTS, remarks, found, RowKind.PAYMENT),
            _claim("refunds_received", _REFUNDS, remarks, found, RowKind.REFUND),
        ),
    )


def _detail(archive: bytes) -> bytes:
    """Find the table of payments, whatever its name is; nothing is written anywhere."""
    marked = FIRST_LINE.encode(ENCODING)
    found = [
        content for content in _members(archive) if content.split(b"\n", 1)[0].strip() == marked
    ]
    if len(found) != 1:
        raise BillRefused(reason=BillFault.MEMBER)
    return found[0]


def _members(archive: bytes) -> list[bytes]:
    """Unpack every file. What a header says of sizes is not believed: the bytes are counted."""
    left = limits.BILL_BYTES_MAX
    found = []
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            members = [each for each in opened.infolist() if not each.is_dir()]
            if len(members) > limits.BILL_MEMBERS_MAX:
                raise BillRefused(reason=BillFault.SIZE)
            for member in members:
                if member.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
                    raise BillRefused(reason=BillFault.ARCHIVE)
                with opened.open(member) as stream:
                    content = _bounded(stream.read, left)
                left -= len(content)
                found.append(content)
    except _DAMAGE:
        raise BillRefused(reason=BillFault.ARCHIVE) from None
    return found


def _bounded(read: Callable[[int], bytes], bytes_max: int) -> bytes:
    content = bytearray()
    while chunk := read(_CHUNK_BYTES):
        content += chunk
        if len(content) > bytes_max:
            raise BillRefused(reason=BillFault.SIZE)
    return bytes(content)


def _decoded(content: bytes) -> str:
    try:
        return content.decode(ENCODING)
    except UnicodeDecodeError:
        raise BillRefused(reason=BillFault.ENCODING) from None


def _check_whose(remarks: Iterable[str], *, day: date, seller: str) -> None:
    """Require a bill of that day and of our own account, whose number begins with the seller's."""
    days = [match.groups() for line in remarks if (match := _DAY.match(line))]
    accounts = [match[1] for line in remarks if (match := _ACCOUNT.match(line))]
    if days != [(f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}")]:
        raise BillRefused(reason=BillFault.DAY)
    if len(accounts) != 1 or not accounts[0].startswith(seller):
        raise BillRefused(reason=BillFault.DAY)


def _rows(lines: Iterable[str]) -> Iterator[_Line]:
    """Read the rows below the line that names the columns; their order is not relied upon."""
    numbered = iter(lines)
    names = [_UNIT.sub("", name).strip() for name in next(numbered, "").split(",")]
    places = {name: at for at, name in enumerate(names)}
    missing = _COLUMNS - places.keys()
    if missing or len(places) != len(names):
        raise BillRefused(reason=BillFault.FORM)
    for line in numbered:
        # From the left, for the remark, which comes last, may have commas of its own.
        cells = line.split(",", len(names) - 1)
        if len(cells) != len(names):
            raise BillRefused(reason=BillFault.FORM)
        # Cells end in a tab, so that a spreadsheet takes no number for one.
        yield _line({name: cells[places[name]].strip() for name in _COLUMNS})


def _line(cells: dict[str, str]) -> _Line:
    kind = _KINDS.get(cells["业务类型"])
    if kind is None:
        raise BillRefused(reason=BillFault.FORM)
    sign = 1 if kind is RowKind.PAYMENT else -1  # Refunds are written as negative amounts.
    amount_fen = sign * fen(cells["订单金额"])
    trade_no, order = number(cells["支付宝交易号"]), number(cells["商户订单号"])
    refund = number(cells["退款批次号/请求号"]) if kind is RowKind.REFUND else None
    if amount_fen < 0 or not trade_no:
        raise BillRefused(reason=BillFault.FORM)
    row = BillRow(
        kind=kind,
        order=order,
        trade_no=trade_no,
        refund=refund,
        amount_fen=amount_fen,
        # Alipay's own sign of a fee differs between its tables; which way it went is clear.
        fee_fen=sign * abs(fen(cells["服务费"])),
        completed_at=moment(cells["完成时间"]),
    )
    return _Line(row=row, received_fen=fen(cells["商家实收"]))


_COLUMNS = frozenset(
    {
        "支付宝交易号", "商户订单号", "业务类型", "完成时间",
        "订单金额", "商家实收", "退款批次号/请求号", "服务费",
    }
)  # fmt: skip


def _claim(
    name: str, pattern: re.Pattern[str], remarks: Iterable[str], rows: list[_Line], kind: RowKind
) -> Claim:
    """Compare what the trailer says; a number of rows that is another one means a cut bill."""
    stated = [match.groups() for line in remarks if (match := pattern.match(line))]
    mine = [line.received_fen for line in rows if line.row.kind is kind]
    if len(stated) != 1 or int(stated[0][0]) != len(mine):
        raise BillRefused(reason=BillFault.COUNT)
    return Claim(name=name, stated_fen=fen(stated[0][1]), counted_fen=sum(mine))

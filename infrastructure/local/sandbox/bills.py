"""A day's bill as Alipay makes it: a zip of two GBK tables, with faults to try readers on."""

import base64
import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta, timezone

from infrastructure.local.sandbox.signing import Keys
from infrastructure.local.sandbox.trades import Faults, Trade, Trades

LIVES_SECONDS = 30  #: How long the address of a bill is good for.

_SHANGHAI = timezone(timedelta(hours=8))
_BOMB_BYTES = 192 * 1024 * 1024
_FEE_PER_THOUSAND = 6
_RULE = "-" * 40
_NAMES = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,"
    "对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,"
    "商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,"
    "退款批次号/请求号,服务费（元）,分润（元）,备注"
)
_SUMMARY_NAMES = (
    "门店编号,门店名称,交易订单总笔数,退款订单总笔数,订单金额（元）,商家实收（元）,支付宝优惠（元）,"
    "商家优惠（元）,卡消费金额（元）,服务费（元）,分润（元）,实收净额（元）"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One payment, or with a request number one refund; a refund's amount is negative."""

    trade_no: str
    order_no: str
    subject: str
    created_at: float
    completed_at: float
    amount_fen: int
    refund_no: str = ""


def day_of(text: str) -> date | None:
    """Read a day, as `yyyy-MM-dd` and in no other form."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.isoformat() == text else None


def over(day: date, now: float) -> bool:
    """Tell whether a day has ended in China."""
    return _begin(day + timedelta(days=1)) <= now


def lines(trades: Trades, day: date) -> list[Line]:
    """List what was completed on a day."""
    begins_at, ends_at = _begin(day), _begin(day + timedelta(days=1))
    paid = [_line(trade, _fen(trade.amount)) for trade in trades.paid_between(begins_at, ends_at)]
    back = [
        _line(trade, -fen, refund_no=number)
        for trade, number, fen in trades.refunded_between(begins_at, ends_at)
    ]
    return [*paid, *back]


def archive(found: Sequence[Line], *, day: date, seller_id: str, faults: Faults) -> bytes:
    """Pack the two tables, with GBK names, after the faults have had their way."""
    told = _told(found, faults)
    detail = _detail(told, day=day, seller_id=seller_id)
    if faults.bill_cut:
        detail = detail[: detail.rindex("\t,") // 2]
    name = f"{seller_id}0156_{day:%Y%m%d}_业务明细"
    tables = {f"{name}(汇总).csv": _summary(told, day, seller_id), f"{name}.csv": detail}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as opened:
        for at, (name, table) in enumerate(tables.items()):
            opened.writestr(_stand_in(at, name).decode(), table.encode("gbk"))
        if faults.bill_bomb:
            with opened.open("x.csv", "w") as stream:
                for _ in range(_BOMB_BYTES // 2**20):
                    stream.write(bytes(2**20))
    content = packed.getvalue()
    for at, name in enumerate(tables):
        content = content.replace(_stand_in(at, name), name.encode("gbk"))
    return content


def ticket(keys: Keys, day: date, now: float) -> str:
    """Make the secret part of a bill's address."""
    said = f"{day.isoformat()}.{int(now) + LIVES_SECONDS}"
    signature = base64.urlsafe_b64encode(base64.b64decode(keys.sign(said)))
    return f"{said}.{signature.decode().rstrip('=')}"


def ticketed(keys: Keys, text: str, now: float) -> date | None:
    """Read a ticket that we made and that is still good."""
    said, _, _ = text.rpartition(".")
    named, _, until = said.rpartition(".")
    day = day_of(named)
    if day is None or not until.isdigit() or int(until) <= now:
        return None
    # RSA's signatures of one text are all the same.
    return day if ticket(keys, day, int(until) - LIVES_SECONDS) == text else None


def _line(trade: Trade, amount_fen: int, *, refund_no: str = "") -> Line:
    return Line(
        trade_no=trade.trade_no or "",
        order_no=trade.order_no,
        subject=trade.subject,
        created_at=trade.created_at,
        completed_at=trade.paid_at or 0.0,
        amount_fen=amount_fen,
        refund_no=refund_no,
    )


def _told(found: Sequence[Line], faults: Faults) -> list[Line]:
    told = list(found[faults.bill_missing :])
    told = [
        replace(line, amount_fen=line.amount_fen + 100) if at < faults.bill_altered else line
        for at, line in enumerate(told)
    ]
    told += told[: faults.bill_doubled]
    strangers = [
        replace(found[0], order_no=f"elsewhere_{number}", trade_no=f"{number:028d}")
        for number in range(faults.bill_extra)
    ]
    return told + strangers


def _detail(told: Sequence[Line], *, day: date, seller_id: str) -> str:
    payments = [line.amount_fen for line in told if not line.refund_no]
    refunds = [line.amount_fen for line in told if line.refund_no]
    back = f"#退款合计：{len(refunds)}笔，商家实收退款共{_yuan(sum(refunds))}元"
    return "\r\n".join(
        [
            *_head("业务明细", day, seller_id),
            f"#{_RULE}业务明细列表{_RULE}",
            _NAMES,
            *map(_row, told),
            f"#{_RULE}业务明细列表结束{_RULE}",
            f"#交易合计：{len(payments)}笔，商家实收共{_yuan(sum(payments))}元，商家优惠共0.00元",
            f"{back}，商家优惠退款共0.00元",
            f"#导出时间：[{_chinese(day + timedelta(days=1), '08:30:00')}]",
            "",
        ]
    )


def _summary(told: Sequence[Line], day: date, seller_id: str) -> str:
    payments = [line.amount_fen for line in told if not line.refund_no]
    refunds = [line.amount_fen for line in told if line.refund_no]
    whole = sum(payments) + sum(refunds)
    cells = ("合计", "", str(len(payments)), str(len(refunds)), _yuan(whole), _yuan(whole))
    return "\r\n".join(
        [
            *_head("业务汇总", day, seller_id),
            f"#{_RULE}业务汇总列表{_RULE}",
            _SUMMARY_NAMES,
            ",".join(f"{cell}\t" for cell in (*cells, *("0.00",) * 6)),
            f"#{_RULE}业务汇总列表结束{_RULE}",
            "",
        ]
    )


def _head(title: str, day: date, seller_id: str) -> tuple[str, ...]:
    begins, ends = _chinese(day, "00:00:00"), _chinese(day + timedelta(days=1), "00:00:00")
    return (
        f"#支付宝{title}查询",
        f"#账号：[{seller_id}0156]",
        f"#起始日期：[{begins}]   终止日期：[{ends}]",
    )


def _row(line: Line) -> str:
    amount, nothing = _yuan(line.amount_fen), "0.00"
    cells = (
        f"{line.trade_no}\t", f"{line.order_no}\t", "退款\t" if line.refund_no else "交易\t",
        line.subject, _moment(line.created_at), _moment(line.completed_at),
        "\t", "\t", "\t", "\t", "*箱(san***@sandbox.example)\t",
        amount, amount, nothing, nothing, nothing, nothing, nothing, "", f"{nothing}\t", nothing,
        f"{line.refund_no}\t", _yuan(-line.amount_fen * _FEE_PER_THOUSAND // 1000), nothing,
        "沙箱,stand-in",
    )  # fmt: skip
    return ",".join(cells)


def _stand_in(at: int, name: str) -> bytes:
    """Make a name as long as the true one, which is GBK and which `zipfile` would not write."""
    return f"{at}".encode().ljust(len(name.encode("gbk")), b"~")


def _begin(day: date) -> float:
    return datetime.combine(day, time(), _SHANGHAI).timestamp()


def _chinese(day: date, clock: str) -> str:
    return f"{day.year:04d}年{day.month:02d}月{day.day:02d}日 {clock}"


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, _SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


def _yuan(fen: int) -> str:
    return f"{'-' if fen < 0 else ''}{abs(fen) // 100}.{abs(fen) % 100:02d}"


def _fen(amount: str) -> int:
    whole, _, part = amount.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))

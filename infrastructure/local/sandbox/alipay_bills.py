"""A day's bill as Alipay makes it: a zip of two GBK tables."""

import io
import zipfile
from collections.abc import Sequence
from datetime import date, timedelta

from infrastructure.local.sandbox.days import Line, moment, told, yuan
from infrastructure.local.sandbox.trades import Faults

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


def archive(found: Sequence[Line], *, day: date, seller_id: str, faults: Faults) -> bytes:
    """Pack the two tables, with GBK names, after the faults have had their way."""
    rows = told(found, faults)
    detail = _detail(rows, day=day, seller_id=seller_id)
    if faults.bill_cut:
        detail = detail[: detail.rindex("\t,") // 2]
    name = f"{seller_id}0156_{day:%Y%m%d}_业务明细"
    tables = {f"{name}(汇总).csv": _summary(rows, day, seller_id), f"{name}.csv": detail}
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


def _detail(rows: Sequence[Line], *, day: date, seller_id: str) -> str:
    payments = [line.amount_fen for line in rows if not line.refund_no]
    refunds = [line.amount_fen for line in rows if line.refund_no]
    back = f"#退款合计：{len(refunds)}笔，商家实收退款共{yuan(sum(refunds))}元"
    return "\r\n".join(
        [
            *_head("业务明细", day, seller_id),
            f"#{_RULE}业务明细列表{_RULE}",
            _NAMES,
            *map(_row, rows),
            f"#{_RULE}业务明细列表结束{_RULE}",
            f"#交易合计：{len(payments)}笔，商家实收共{yuan(sum(payments))}元，商家优惠共0.00元",
            f"{back}，商家优惠退款共0.00元",
            f"#导出时间：[{_chinese(day + timedelta(days=1), '08:30:00')}]",
            "",
        ]
    )


def _summary(rows: Sequence[Line], day: date, seller_id: str) -> str:
    payments = [line.amount_fen for line in rows if not line.refund_no]
    refunds = [line.amount_fen for line in rows if line.refund_no]
    whole = sum(payments) + sum(refunds)
    cells = ("合计", "", str(len(payments)), str(len(refunds)), yuan(whole), yuan(whole))
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
    amount, nothing = yuan(line.amount_fen), "0.00"
    cells = (
        f"{line.trade_no}\t", f"{line.order_no}\t", "退款\t" if line.refund_no else "交易\t",
        line.subject, moment(line.created_at), moment(line.completed_at),
        "\t", "\t", "\t", "\t", "*箱(san***@sandbox.example)\t",
        amount, amount, nothing, nothing, nothing, nothing, nothing, "", f"{nothing}\t", nothing,
        f"{line.refund_no}\t", yuan(-line.amount_fen * _FEE_PER_THOUSAND // 1000), nothing,
        "沙箱,stand-in",
    )  # fmt: skip
    return ",".join(cells)


def _stand_in(at: int, name: str) -> bytes:
    """Make a name as long as the true one, which is GBK and which `zipfile` would not write."""
    return f"{at}".encode().ljust(len(name.encode("gbk")), b"~")


def _chinese(day: date, clock: str) -> str:
    return f"{day.year:04d}年{day.month:02d}月{day.day:02d}日 {clock}"

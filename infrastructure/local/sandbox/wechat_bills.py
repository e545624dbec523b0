"""A day's bill as WeChat Pay makes it: a table with its sums below, all behind backticks."""

from collections.abc import Iterable, Sequence

from infrastructure.local.sandbox.days import Line, moment, told, yuan
from infrastructure.local.sandbox.trades import BillFaults
from infrastructure.local.sandbox.wechat_payers import Merchant

_NAMES = (
    "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,"
    "付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,"
    "退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
)
_SUMS = (
    "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
)
_FEE_PER_THOUSAND = 6


def table(found: Sequence[Line], merchant: Merchant, faults: BillFaults) -> bytes:
    """Write the table, after the faults have had their way."""
    rows = told(found, faults)
    paid = sum(line.amount_fen for line in rows if not line.refund_no)
    back = -sum(line.amount_fen for line in rows if line.refund_no)
    fees = sum(line.amount_fen for line in rows) * _FEE_PER_THOUSAND
    whole = "\r\n".join(
        [
            _NAMES,
            *(_row(line, merchant) for line in rows),
            _SUMS,
            _cells([
                str(len(rows)), yuan(paid), yuan(back), "0.00", _fee(fees), yuan(paid), yuan(back),
            ]),
            "",
        ]
    )  # fmt: skip
    return whole.encode()


def cut(content: bytes) -> bytes:
    """End a bill in the middle of its rows."""
    return content[: len(content) // 2]


def _row(line: Line, merchant: Merchant) -> str:
    refund = bool(line.refund_no)
    paid, back = (0, -line.amount_fen) if refund else (line.amount_fen, 0)
    return _cells([
        moment(line.completed_at), merchant.app_id, merchant.merchant_id, "0", "",
        line.trade_no, line.order_no, "oSandboxBuyer", "NATIVE",
        "REFUND" if refund else "SUCCESS", "OTHERS", "CNY", yuan(paid), "0.00",
        f"5{line.refund_no}" if refund else "0", line.refund_no or "0", yuan(back), "0.00",
        "ORIGINAL" if refund else "", "SUCCESS" if refund else "", line.subject, "沙箱,stand-in",
        _fee(line.amount_fen * _FEE_PER_THOUSAND), "0.60%", yuan(paid), yuan(back), "",
    ])  # fmt: skip


def _cells(cells: Iterable[str]) -> str:
    return ",".join(f"`{cell}" for cell in cells)


def _fee(thousandths_of_fen: int) -> str:
    """Write a fee as WeChat Pay does, to the hundred-thousandth of a yuan."""
    sign = "-" if thousandths_of_fen < 0 else ""
    return f"{sign}{abs(thousandths_of_fen) // 100_000}.{abs(thousandths_of_fen) % 100_000:05d}"

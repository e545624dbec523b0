"""What the stand-in tells the merchant: signed forms, sent until the answer is `success`."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from urllib.parse import urlencode

from infrastructure.local.sandbox.sender import SCHEDULE, Sender
from infrastructure.local.sandbox.signing import Keys, text_of
from infrastructure.local.sandbox.trades import Faults, Trade, Trades

BUYER = "2088000000000099"
_SHANGHAI = timezone(timedelta(hours=8))


def moment(at: float) -> str:
    """Write a time as Alipay does."""
    return datetime.fromtimestamp(at, _SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")


class Notices(Sender):
    """Alipay's notifies."""

    def __init__(
        self,
        trades: Trades,
        keys: Keys,
        *,
        app_id: str,
        seller_id: str,
        schedule: Sequence[float] = SCHEDULE,
        now: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(trades, schedule=schedule, now=now)
        self._keys, self._app_id, self._seller_id = keys, app_id, seller_id

    def form(self, trade: Trade, faults: Faults, now: float, refund: str | None = None) -> bytes:
        """Write the form of a notify, signed, and then wrong if that is asked for."""
        amount = "0.01" if faults.wrong_amount else trade.amount
        fields = {
            "app_id": self._app_id,
            "auth_app_id": self._app_id,
            "buyer_id": BUYER,
            "buyer_pay_amount": amount,
            "charset": "utf-8",
            "fund_bill_list": f'[{{"amount":"{amount}","fundChannel":"ALIPAYACCOUNT"}}]',
            "gmt_create": moment(trade.created_at),
            "gmt_payment": moment(trade.paid_at or now),
            "invoice_amount": amount,
            "notify_id": f"{int(now * 1e6)}{secrets.randbelow(10**6):06d}",
            "notify_time": moment(now),
            "notify_type": "trade_status_sync",
            "out_trade_no": trade.order_no,
            "point_amount": "0.00",
            "receipt_amount": amount,
            "seller_id": "2088999999999999" if faults.wrong_seller else self._seller_id,
            "subject": trade.subject,
            "total_amount": amount,
            "trade_no": trade.trade_no or "",
            "trade_status": trade.status or "",
            "version": "1.0",
        }
        if refund is not None:
            gone = sum(self._trades.refunded(trade.trade_no or "").values())
            fields |= {
                "gmt_refund": moment(now),
                "out_biz_no": refund,
                "refund_fee": f"{gone // 100}.{gone % 100:02d}",
            }
        signature = self._keys.sign(text_of(fields))
        if faults.tamper:
            fields["total_amount"] = "1" + fields["total_amount"]
        return urlencode({**fields, "sign": signature, "sign_type": "RSA2"}).encode()

    def dressed(self, body: bytes, faults: Faults) -> tuple[bytes, Mapping[str, str]]:
        """Send the form as it is: its signature is inside."""
        return body, {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}

    def took(self, answer: str) -> bool:
        """Take these seven bytes and nothing else."""
        return answer == "success"

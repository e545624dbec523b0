"""The gateway: the merchant's signed calls, answered and signed as Alipay does."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from infrastructure.local.sandbox import alipay_bills, days
from infrastructure.local.sandbox.notices import Notices, moment
from infrastructure.local.sandbox.refunds import Lost, NotRefunded, Refunds
from infrastructure.local.sandbox.signing import Keys, text_of
from infrastructure.local.sandbox.trades import CLOSED, WAITING, Trade, Trades, new_token

_SHANGHAI = timezone(timedelta(hours=8))
_CLOCK_SECONDS = 600  #: How far the merchant's clock may be from ours.
_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,8})\.[0-9]{2}", re.ASCII)
_ORDER_NO = re.compile(r"[0-9A-Za-z_]{1,64}", re.ASCII)

#: What a buyer brings along: the name of the product, and its code.
BROUGHT = {
    "alipay.trade.page.pay": ("page", "FAST_INSTANT_TRADE_PAY"),
    "alipay.trade.wap.pay": ("wap", "QUICK_WAP_WAY"),
    "alipay.trade.app.pay": ("app", "QUICK_MSECURITY_PAY"),
}

Answer = dict[str, str]


@dataclass(eq=False)
class Declined(Exception):
    """A call that Alipay would not carry out."""

    code: str
    sub_code: str
    sub_msg: str

    @property
    def answer(self) -> Answer:
        """What is answered."""
        messages = {"40004": "Business Failed", "40002": "Invalid Arguments"}
        return {
            "code": self.code,
            "msg": messages[self.code],
            "sub_code": self.sub_code,
            "sub_msg": self.sub_msg,
        }


@dataclass(kw_only=True)
class Gateway:
    """Answers `gateway.do`. *base_url* is where buyers find the cashier."""

    trades: Trades
    notices: Notices
    keys: Keys
    app_id: str
    seller_id: str
    base_url: str
    now: Callable[[], float] = time.time

    @property
    def refunds(self) -> Refunds:
        """What goes back."""
        return Refunds(trades=self.trades, notices=self.notices, now=self.now)

    def bring(self, fields: Mapping[str, str]) -> Trade:
        """Take an order that the buyer's browser, or an app, brings. Raises: Declined."""
        product, product_code = BROUGHT[fields["method"]]
        content = self._authentic(fields)
        if content.get("product_code") != product_code:
            raise _invalid("isv.invalid-parameter", "product_code")
        return self._intend(fields, content, product=product)

    def call(self, fields: Mapping[str, str]) -> str:
        """Answer a call of the merchant's server, in signed JSON. Raises: Lost."""
        method = fields.get("method", "")
        name = method.replace(".", "_") + "_response"
        try:
            content = self._authentic(fields)
            answer = self._answer(method, fields, content)
        except Declined as declined:
            if declined.code != "40004":  # Not known to be the merchant: it gets no signature.
                return json.dumps({"error_response": declined.answer})
            answer = declined.answer
        signed = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
        return f'{{"{name}":{signed},"sign":"{self.keys.sign(signed)}"}}'

    def return_fields(self, trade: Trade) -> dict[str, str]:
        """Sign what the buyer's browser takes back; it says nothing of the payment itself."""
        fields = {
            "app_id": self.app_id,
            "auth_app_id": self.app_id,
            "charset": "utf-8",
            "method": "alipay.trade.page.pay.return",
            "out_trade_no": trade.order_no,
            "seller_id": self.seller_id,
            "timestamp": moment(self.now()),
            "total_amount": trade.amount,
            "trade_no": trade.trade_no or "",
            "version": "1.0",
        }
        return {**fields, "sign_type": "RSA2", "sign": self.keys.sign(text_of(fields))}

    def bill(self, ticket: str) -> bytes | None:
        """Hand out the bill that a ticket names; None when it names none, or too late."""
        day = days.ticketed(self.keys, ticket, self.now())
        if day is None:
            return None
        return alipay_bills.archive(
            days.lines(self.trades, day),
            day=day,
            seller_id=self.seller_id,
            faults=self.trades.faults,
        )

    def _answer(self, method: str, fields: Mapping[str, str], content: Mapping[str, Any]) -> Answer:
        match method:
            case "alipay.trade.precreate":
                trade = self._intend(fields, content, product="qr")
                url = f"{self.base_url}/cashier/{trade.token}"
                return _success(trade) | {"qr_code": url}
            case "alipay.trade.query":
                return self._query(self._seen(content))
            case "alipay.trade.close":
                return self._close(self._seen(content))
            case "alipay.data.dataservice.bill.downloadurl.query":
                return self._bill_url(content)
            case "alipay.trade.refund" | "alipay.trade.fastpay.refund.query":
                return self._refund(method, content)
            case _:
                raise _invalid("isv.invalid-method", "method")

    def _refund(self, method: str, content: Mapping[str, Any]) -> Answer:
        act = self.refunds.make if method == "alipay.trade.refund" else self.refunds.look
        try:
            return act(content)
        except NotRefunded as refusal:
            raise Declined("40004", refusal.sub_code, "退款未受理") from None

    def _query(self, trade: Trade) -> Answer:
        if self.trades.spend("query_lost", trade.order_no):
            raise Lost
        answer = _success(trade) | {
            "trade_no": trade.trade_no or "",
            "trade_status": trade.status or "",
            "total_amount": trade.amount,
            "buyer_logon_id": "san***@sandbox.example",
        }
        if trade.paid_at is not None:
            answer["send_pay_date"] = moment(trade.paid_at)
        return answer

    def _close(self, trade: Trade) -> Answer:
        moved = self.trades.move(trade.order_no, before=WAITING, after=CLOSED, now=self.now())
        if moved is None:
            raise Declined("40004", "ACQ.TRADE_STATUS_ERROR", "交易状态不合法")
        return _success(moved) | {"trade_no": moved.trade_no or ""}

    def _bill_url(self, content: Mapping[str, Any]) -> Answer:
        """Name the address of a day's bill, which lives for half a minute."""
        day = days.day_of(str(content.get("bill_date", "")))
        if day is None or content.get("bill_type") != "trade":
            raise _invalid("isv.invalid-parameter", "bill_date")
        if not days.over(day, self.now()) or not days.lines(self.trades, day):
            raise Declined("40004", "isp.bill_not_exist", "账单不存在")
        ticket = days.ticket(self.keys, day, self.now())
        url = f"{self.base_url}/bill/{ticket}"
        return {"code": "10000", "msg": "Success", "bill_download_url": url}

    def _seen(self, content: Mapping[str, Any]) -> Trade:
        """Find the trade of an order; until the buyer has seen it there is none."""
        order_no = str(content.get("out_trade_no", ""))
        trade = self.trades.find(order_no=order_no, now=self.now())
        if trade is None or trade.status is None:
            raise Declined("40004", "ACQ.TRADE_NOT_EXIST", "交易不存在")
        return trade

    def _intend(
        self, fields: Mapping[str, str], content: Mapping[str, Any], *, product: str
    ) -> Trade:
        amount, order_no = str(content.get("total_amount")), str(content.get("out_trade_no"))
        if not _AMOUNT.fullmatch(amount) or amount == "0.00":
            raise _invalid("isv.invalid-parameter", "total_amount")
        if not _ORDER_NO.fullmatch(order_no):
            raise _invalid("isv.invalid-parameter", "out_trade_no")
        order = Trade(
            order_no=order_no,
            token=new_token(),
            amount=amount,
            subject=str(content.get("subject", ""))[:256],
            product=product,
            notify_url=_loopback(fields, "notify_url"),
            return_url=_loopback(fields, "return_url"),
            expires_at=_time(str(content.get("time_expire")), "time_expire"),
            created_at=self.now(),
        )
        trade = self.trades.intend(order)
        if trade is None:
            raise Declined("40004", "ACQ.CONTEXT_INCONSISTENT", "交易信息被篡改")
        if product == "qr" and trade.status not in {None, WAITING}:
            ended = "CLOSE" if trade.status == CLOSED else "SUCCESS"
            raise Declined("40004", f"ACQ.TRADE_HAS_{ended}", "交易已结束")
        return trade

    def _authentic(self, fields: Mapping[str, str]) -> dict[str, Any]:
        """Check that the merchant made this call just now; its content comes back."""
        if fields.get("app_id") != self.app_id:
            raise _invalid("isv.invalid-app-id", "app_id")
        if fields.get("sign_type") != "RSA2" or fields.get("charset") != "utf-8":
            raise _invalid("isv.invalid-signature-type", "sign_type")
        signed = {name: value for name, value in fields.items() if name != "sign"}
        if not self.keys.merchants(fields.get("sign", ""), text_of(signed)):
            raise _invalid("isv.invalid-signature", "sign")
        if abs(_time(fields.get("timestamp", ""), "timestamp") - self.now()) > _CLOCK_SECONDS:
            raise _invalid("isv.invalid-timestamp", "timestamp")
        try:
            content = json.loads(fields.get("biz_content", ""))
        except ValueError:
            content = None
        if not isinstance(content, dict):
            raise _invalid("isv.invalid-parameter", "biz_content")
        return content


def _success(trade: Trade) -> Answer:
    return {"code": "10000", "msg": "Success", "out_trade_no": trade.order_no}


def _invalid(sub_code: str, what: str) -> Declined:
    return Declined("40002", sub_code, what)


def _time(text: str, what: str) -> float:
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=_SHANGHAI).timestamp()
    except ValueError:
        raise _invalid("isv.invalid-parameter", what) from None


def _loopback(fields: Mapping[str, str], name: str) -> str | None:
    """Take an address of the merchant's; a stand-in talks to this machine only."""
    url = fields.get(name)
    if url is None:
        return None
    parts = urlsplit(url)
    host = "127.0.0.1" if parts.hostname == "localhost" else parts.hostname or ""
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if parts.scheme not in {"http", "https"} or not loopback:
        raise _invalid("isv.invalid-parameter", name)
    return url

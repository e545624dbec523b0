"""A signed stand-in for WeChat Pay's API v3: orders, queries, closes, refunds and notifies.

Written apart from the product's own adapter, so that one does not repeat the other's mistake.
"""

import base64
import hashlib
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infrastructure.local.sandbox import days, wechat_bills
from infrastructure.local.sandbox.app import Counter, Reply, body_of
from infrastructure.local.sandbox.sender import SCHEDULE, Sender
from infrastructure.local.sandbox.signing import Keys
from infrastructure.local.sandbox.trades import (
    CLOSED,
    FINISHED,
    SUCCESS,
    WAITING,
    Faults,
    Trade,
    Trades,
    new_token,
)
from infrastructure.local.sandbox.wechat_payers import (
    CLOCK_SECONDS,
    Declined,
    Merchant,
    handed,
    require_payer,
    require_phone,
)

ALGORITHM = "WECHATPAY2-SHA256-RSA2048"
_FIELD = re.compile(r'([a-z_]+)="([^"]*)"')
_STATES = {None: "NOTPAY", WAITING: "NOTPAY", SUCCESS: "SUCCESS", FINISHED: "SUCCESS"}
_REASONS = {
    200: "OK",
    204: "No Content",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
}

Fields = dict[str, Any]


class WechatNotices(Sender):
    """WeChat Pay's notifies: the resource is encrypted once, and each send is signed anew."""

    def __init__(
        self,
        trades: Trades,
        keys: Keys,
        merchant: Merchant,
        *,
        schedule: Sequence[float] = SCHEDULE,
    ) -> None:
        super().__init__(trades, schedule=schedule)
        self._keys, self._merchant = keys, merchant

    def form(self, trade: Trade, faults: Faults, now: float, refund: str | None = None) -> bytes:
        """Write the envelope of how a trade stands, or of a refund of it."""
        if refund is not None:
            told = given_back(self._trades, trade, refund, done=True)
            told |= {"mchid": self._merchant.merchant_id, "refund_status": told.pop("status")}
            return self.envelope("REFUND.SUCCESS", "refund", told)
        told = described(self._trades, trade, self._merchant)
        if faults.wrong_amount:
            told["amount"] = {**told["amount"], "total": 1}
        if faults.wrong_seller:
            told["mchid"] = "1999999999"
        return self.envelope(f"TRANSACTION.{told['trade_state']}", "transaction", told)

    def envelope(self, event: str, kind: str, told: Fields) -> bytes:
        """Encrypt what is told, and wrap it."""
        nonce = secrets.token_hex(6)
        sealed = AESGCM(self._merchant.v3_key.encode()).encrypt(
            nonce.encode(), json.dumps(told).encode(), kind.encode()
        )
        resource = {
            "algorithm": "AEAD_AES_256_GCM",
            "original_type": kind,
            "associated_data": kind,
            "nonce": nonce,
            "ciphertext": base64.b64encode(sealed).decode(),
        }
        wrapped = {
            "id": secrets.token_hex(16),
            "create_time": stamp(self._now()),
            "resource_type": "encrypt-resource",
            "event_type": event,
            "summary": "支付成功",
            "resource": resource,
        }
        return json.dumps(wrapped, ensure_ascii=False).encode()

    def dressed(self, body: bytes, faults: Faults) -> tuple[bytes, Mapping[str, str]]:
        """Sign the body as it is now, and spoil it afterwards if that is asked for."""
        headers = signed(self._keys, self._merchant.public_key_id, body.decode(), self._now())
        if faults.tamper:
            body = body.replace(b'"create_time": "2', b'"create_time": "1')
        return body, {**headers, "Content-Type": "application/json"}

    def told(self, status: int, text: str) -> str:
        """Write down the status: it alone counts."""
        return f"{status} {text}"

    def took(self, answer: str) -> bool:
        """Take any success of HTTP for a yes."""
        return answer.startswith(("200", "204"))


@dataclass(kw_only=True)
class WechatGateway:
    """Answers the API. *base_url* is where buyers find the cashier."""

    trades: Trades
    notices: WechatNotices
    keys: Keys
    merchant: Merchant
    base_url: str
    now: Callable[[], float] = time.time

    def return_fields(self, trade: Trade) -> dict[str, str]:
        """Bring nothing back: WeChat Pay's buyers come from its app."""
        return {}

    def answer(self, method: str, target: str, authorization: str, body: str) -> Reply:
        """Answer a call, and sign the answer whatever it is."""
        try:
            self._authentic(method, target, authorization, body)
            status, fields = self._answer(method, target, json.loads(body) if body else {})
        except Declined as declined:
            status, fields = declined.status, declined.fields
        text = "" if status == 204 else json.dumps(fields, ensure_ascii=False)
        return Reply(
            f"{status} {_REASONS[status]}",
            text,
            kind="application/json; charset=utf-8",
            headers=dict(signed(self.keys, self.merchant.public_key_id, text, self.now())),
        )

    def bill(self, target: str, authorization: str) -> bytes | None:
        """Hand out the bill that an address names; None when it names none, or too late."""
        self._authentic("GET", target, authorization, "")
        [ticket] = parse_qs(target.partition("?")[2]).get("token", [""])
        day = days.ticketed(self.keys, ticket, self.now())
        if day is None:
            return None
        content = self._table(day)
        return wechat_bills.cut(content) if self.trades.faults.bill_cut else content

    def _table(self, day: date) -> bytes:
        return wechat_bills.table(days.lines(self.trades, day), self.merchant, self.trades.faults)

    def _bill_address(self, asked: dict[str, list[str]]) -> Fields:
        """Name the address of a day's bill, and sign what it is with this answer."""
        day = days.day_of(asked.get("bill_date", [""])[0])
        if day is None or asked.get("bill_type") != ["ALL"] or "tar_type" in asked:
            raise Declined(400, "PARAM_ERROR")
        if not days.over(day, self.now()):
            raise Declined(400, "INVALID_REQUEST")
        if not days.lines(self.trades, day):
            raise Declined(400, "NO_STATEMENT_EXIST")
        ticket = days.ticket(self.keys, day, self.now())
        return {
            "download_url": f"{self.base_url}/v3/billdownload/file?token={ticket}",
            "hash_type": "SHA1",
            "hash_value": hashlib.sha1(self._table(day), usedforsecurity=False).hexdigest(),
        }

    def _authentic(self, method: str, target: str, authorization: str, body: str) -> None:
        kind, _, rest = authorization.partition(" ")
        given = dict(_FIELD.findall(rest))
        at, nonce = given.get("timestamp", ""), given.get("nonce_str", "")
        text = f"{method}\n{target}\n{at}\n{nonce}\n{body}\n"
        ours = (self.merchant.merchant_id, self.merchant.serial)
        if (
            kind != ALGORITHM
            or (given.get("mchid"), given.get("serial_no")) != ours
            or not at.isdigit()
            or abs(int(at) - self.now()) > CLOCK_SECONDS
            or not self.keys.merchants(given.get("signature", ""), text)
        ):
            raise Declined(401, "SIGN_ERROR")

    def _answer(self, method: str, target: str, content: Fields) -> tuple[int, Fields]:
        path = target.partition("?")[0]
        by_order = re.fullmatch(r"/v3/pay/transactions/out-trade-no/(\w+)(/close)?", path)
        match method, path.removeprefix("/v3/"):
            case "POST", "pay/transactions/native":
                trade = self._intend(content, "NATIVE")
                return 200, {"code_url": f"{self.base_url}/cashier/{trade.token}"}
            case "POST", "pay/transactions/app":
                return 200, {"prepay_id": f"wx{self._intend(content, 'APP').token}"}
            case "POST", "pay/transactions/jsapi":
                require_payer(content.get("payer"))
                return 200, {"prepay_id": f"wx{self._intend(content, 'JSAPI').token}"}
            case "POST", "pay/transactions/h5":
                require_phone(content.get("scene_info"))
                token = self._intend(content, "MWEB").token
                return 200, {"h5_url": f"{self.base_url}/cashier/{token}?package={token}"}
            case "GET", "bill/tradebill":
                return 200, self._bill_address(parse_qs(target.partition("?")[2]))
            case "POST", "refund/domestic/refunds":
                return 200, self._refund(content)
            case "GET", rest if rest.startswith("refund/domestic/refunds/"):
                return 200, self._refunded(rest.rpartition("/")[2])
            case "GET", _ if by_order and not by_order[2]:
                return 200, described(self.trades, self._found(by_order[1]), self.merchant)
            case "POST", _ if by_order and by_order[2]:
                return self._close(by_order[1])
        raise Declined(404, "NOT_FOUND")

    def hand(self, app_string: str) -> Trade:
        """Take what an app, or a page within WeChat, hands over. Raises: Declined."""
        token, product = handed(app_string, self.merchant, self.keys, self.now())
        trade = self.trades.find(token=token, now=self.now())
        if trade is None or trade.product != product:
            raise Declined(404, "ORDER_NOT_EXIST")
        return trade

    def _intend(self, content: Fields, product: str) -> Trade:
        amount = content.get("amount", {})
        total, order_no = amount.get("total"), str(content.get("out_trade_no"))
        ours = (self.merchant.app_id, self.merchant.merchant_id)
        if (
            (content.get("appid"), content.get("mchid")) != ours
            or type(total) is not int
            or total < 1
            or amount.get("currency") != "CNY"
            or not re.fullmatch(r"[0-9A-Za-z_\-|*]{6,32}", order_no)
        ):
            raise Declined(400, "PARAM_ERROR")
        trade = self.trades.intend(
            Trade(
                order_no=order_no,
                token=new_token(),
                amount=f"{total // 100}.{total % 100:02d}",
                subject=str(content.get("description"))[:127],
                product=product,
                notify_url=str(content.get("notify_url")),
                return_url=None,
                expires_at=datetime.fromisoformat(str(content.get("time_expire"))).timestamp(),
                created_at=self.now(),
            )
        )
        if trade is None:
            raise Declined(400, "INVALID_REQUEST")
        if trade.product != product:
            raise Declined(403, "OUT_TRADE_NO_USED")
        if trade.status not in {None, WAITING}:
            raise Declined(400, "ORDER_CLOSED" if trade.status == CLOSED else "ORDERPAID")
        return trade

    def _close(self, order_no: str) -> tuple[int, Fields]:
        trade = self._found(order_no)
        if trade.status is None:
            self.trades.see(trade.token, now=self.now())
        self.trades.move(order_no, before=WAITING, after=CLOSED, now=self.now())
        if self._found(order_no).status != CLOSED:
            raise Declined(400, "ORDERPAID")
        return 204, {}

    def _refund(self, content: Fields) -> Fields:
        """Take a refund on; it is done by the time that somebody asks."""
        number, amount = str(content.get("out_refund_no")), content.get("amount", {})
        trade = self.trades.numbered(str(content.get("transaction_id")))
        if trade is None or trade.paid_at is None:
            raise Declined(404, "RESOURCE_NOT_EXISTS")
        asked = amount.get("refund")
        if type(asked) is not int or asked < 1 or amount.get("total") != fen_of(trade):
            raise Declined(400, "PARAM_ERROR")
        new = self.trades.refund(trade, number, asked, now=self.now())
        if new is None:
            raise Declined(400, "INVALID_REQUEST")
        if new:
            self.notices.tell(trade, refund=number)
        return given_back(self.trades, trade, number, done=not new)

    def _refunded(self, number: str) -> Fields:
        for trade in self.trades.all():
            if number in self.trades.refunded(trade.trade_no or ""):
                return given_back(self.trades, trade, number, done=True)
        raise Declined(404, "RESOURCE_NOT_EXISTS")

    def _found(self, order_no: str) -> Trade:
        trade = self.trades.find(order_no=order_no, now=self.now())
        if trade is None:
            raise Declined(404, "ORDER_NOT_EXIST")
        return trade


class WechatSandbox(Counter):
    """WeChat Pay's stand-in over HTTP."""

    def __init__(self, gateway: WechatGateway) -> None:
        self._wechat = gateway
        path = re.compile(r"/v3/.*")
        routes = (
            ("GET", re.compile(r"/v3/billdownload/file"), self._bill),
            ("GET", path, self._call),
            ("POST", path, self._call),
        )
        super().__init__(gateway, routes)

    def _call(self, environ: dict[str, Any]) -> Reply:
        return self._wechat.answer(
            environ["REQUEST_METHOD"],
            _target(environ),
            environ.get("HTTP_AUTHORIZATION", ""),
            body_of(environ).decode(),
        )

    def _bill(self, environ: dict[str, Any]) -> Reply:
        """Send a bill; as WeChat Pay's, this answer alone is not signed."""
        try:
            table = self._wechat.bill(_target(environ), environ.get("HTTP_AUTHORIZATION", ""))
        except Declined:
            return Reply("401 Unauthorized")
        if table is None:
            return Reply("400 Bad Request")
        return Reply("200 OK", table, kind="application/octet-stream")


def _target(environ: dict[str, Any]) -> str:
    query = environ.get("QUERY_STRING", "")
    return f"{environ['PATH_INFO']}{f'?{query}' if query else ''}"


def signed(keys: Keys, key_id: str, text: str, now: float) -> Mapping[str, str]:
    """Make the headers that sign a text."""
    at, nonce = str(int(now)), secrets.token_hex(16)
    return {
        "Wechatpay-Nonce": nonce,
        "Wechatpay-Serial": key_id,
        "Wechatpay-Signature": keys.sign(f"{at}\n{nonce}\n{text}\n"),
        "Wechatpay-Signature-Type": ALGORITHM,
        "Wechatpay-Timestamp": at,
    }


def described(trades: Trades, trade: Trade, merchant: Merchant) -> Fields:
    """Say how a trade stands, as queries and notifies do."""
    told: Fields = {
        "appid": merchant.app_id,
        "mchid": merchant.merchant_id,
        "out_trade_no": trade.order_no,
        "trade_state": _STATES.get(trade.status, "CLOSED"),
        "trade_type": trade.product,
        "amount": {
            "total": fen_of(trade),
            "payer_total": fen_of(trade),
            "currency": "CNY",
            "payer_currency": "CNY",
        },
    }
    if trade.paid_at is not None:
        told |= {"transaction_id": trade.trade_no, "success_time": stamp(trade.paid_at)}
    if trades.refunded(trade.trade_no or ""):
        told["trade_state"] = "REFUND"
    return told


def given_back(trades: Trades, trade: Trade, number: str, *, done: bool) -> Fields:
    """Say how a refund stands."""
    return {
        "refund_id": f"5{trade.trade_no}"[:32],
        "out_refund_no": number,
        "out_trade_no": trade.order_no,
        "transaction_id": trade.trade_no,
        "status": "SUCCESS" if done else "PROCESSING",
        "amount": {
            "refund": trades.refunded(trade.trade_no or "")[number],
            "total": fen_of(trade),
            "currency": "CNY",
        },
    }


def fen_of(trade: Trade) -> int:
    """Read a trade's amount as WeChat Pay counts it."""
    return int(trade.amount.replace(".", ""))


def stamp(at: float) -> str:
    """Write a time as WeChat Pay does."""
    return datetime.fromtimestamp(at).astimezone().isoformat(timespec="seconds")

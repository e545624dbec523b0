"""The channel itself: ways to pay, queries, closes and refunds, in WeChat Pay's words.

An answer is believed when WeChat Pay's key signed it just now; any other is no answer at all.
"""

import logging
import secrets
from collections.abc import Mapping
from datetime import date
from typing import Any
from urllib.parse import urlencode

import msgspec

from wharfage.adapters import https, rsa_keys
from wharfage.adapters.bill_cells import blank
from wharfage.adapters.clock import SystemClock
from wharfage.adapters.download import download
from wharfage.adapters.rsa_keys import UnusableKey
from wharfage.adapters.wechat import bill, notify
from wharfage.adapters.wechat.signing import V3_KEY_BYTES, Signing
from wharfage.domain.bill import Bill, FeeTerms
from wharfage.domain.errors import NotifyRefused, Unanswered, Unavailable, fault
from wharfage.domain.order import Order, OrderKind
from wharfage.domain.reconciliation import SHANGHAI
from wharfage.domain.refund import Refund, RefundStatus, RefundView
from wharfage.domain.trade import (
    AMOUNT_FEN_MAX,
    UNNAMED,
    Acknowledgement,
    Capabilities,
    CloseOutcome,
    NotifyRequest,
    PayAction,
    Payer,
    PayMethod,
    Reception,
    TradeEvent,
    TradeStatus,
    TradeView,
)
from wharfage.ports import Clock
from wharfage.settings import WechatSettings

logger = logging.getLogger(__name__)

#: Fixed texts: no customer's words reach a channel.
DESCRIPTIONS = {OrderKind.TOPUP: "Wharfage 充值", OrderKind.MEMBERSHIP: "Wharfage 会员"}

BILL_DOMAINS = (".mch.weixin.qq.com",)  #: Where WeChat Pay hands bills out.

_UNKNOWN = TradeView(status=TradeStatus.UNKNOWN)
_REFUND_UNKNOWN = RefundView(status=RefundStatus.UNKNOWN)
_NO_ORDER = frozenset({"ORDER_NOT_EXIST", "ORDERNOTEXIST"})  # Both are in its documents.
_NO_REFUND = "RESOURCE_NOT_EXISTS"
#: Nothing happened on that day, or its bill is not made yet.
_NO_BILL = frozenset({"NO_STATEMENT_EXIST", "STATEMENT_CREATING"})
#: Answers of a close to a trade that is not waiting.
_NOT_WAITING = frozenset({"ORDER_PAID", "ORDERPAID", "ORDER_CLOSED", "ORDERCLOSED"})
#: Refusals of a refund after which it is certain that no money moves.
_REFUND_REFUSED = frozenset(
    {
        "INVALID_REQUEST",
        "MCH_NOT_EXISTS",
        "NOT_ENOUGH",
        "NO_AUTH",
        "PARAM_ERROR",
        "RESOURCE_NOT_EXISTS",
        "USER_ACCOUNT_ABNORMAL",
    }
)
_REFUNDS = {
    "SUCCESS": RefundStatus.SUCCEEDED,
    "PROCESSING": RefundStatus.PENDING,
    # The bank would not take it: the operator moves it on at WeChat Pay, under the same number.
    "ABNORMAL": RefundStatus.PENDING,
    "CLOSED": RefundStatus.FAILED,
}
_RECEPTIONS = {
    Reception.ACCEPTED: (200, b'{"code":"SUCCESS"}'),
    Reception.REFUSED: (400, '{"code":"FAIL","message":"不予采信"}'.encode()),
    Reception.FAILED: (500, '{"code":"FAIL","message":"请稍后重发"}'.encode()),
}

Fields = dict[str, Any]
Reply = tuple[int, Fields]


class WechatChannel:
    """WeChat Pay as `ports.Channel`."""

    name = notify.CHANNEL

    def __init__(
        self,
        settings: WechatSettings,
        *,
        clock: Clock | None = None,
        timeout_seconds: float = https.TIMEOUT_SECONDS,
    ) -> None:
        """Read and check the keys; nothing is fetched. Raises: UnusableKey."""
        self._settings = settings
        self._clock = clock or SystemClock()
        self._timeout_seconds = timeout_seconds
        private_key = rsa_keys.private_key(settings.private_key)
        self._signing = Signing(
            merchant=settings.merchant_id,
            serial=settings.serial,
            private_key=private_key,
            public_key_id=settings.public_key_id,
            public_key=rsa_keys.public_key(settings.public_key, private_key, whose="WeChat Pay"),
        )
        self._v3_key = settings.v3_key.encode()
        if len(self._v3_key) != V3_KEY_BYTES:
            raise UnusableKey(f"WeChat Pay's APIv3 key does not have {V3_KEY_BYTES} bytes.")

    @property
    def capabilities(self) -> Capabilities:
        """What the contract with the merchant has, by the settings."""
        return Capabilities(
            methods=self._settings.methods,
            amount_fen_min=1,
            amount_fen_max=AMOUNT_FEN_MAX,
            refunds_async=True,
        )

    @property
    def seller(self) -> str:
        """The merchant that notifies must name as the one who was paid."""
        return self._settings.merchant_id

    def create(self, order: Order, method: PayMethod, payer: Payer = UNNAMED) -> PayAction:
        """Say how to pay; WeChat Pay makes a trade of the order by this.

        Raises: Invalid when WeChat Pay does not know the payer or has begun the order in another
        way, Unavailable when it refuses otherwise, Unanswered when its answer is not known.
        """
        match method:
            case PayMethod.QR:
                text = self._prepared(order, "native", "code_url")
                return PayAction(method=method, qr_text=text)
            case PayMethod.APP:
                prepaid = self._prepared(order, "app", "prepay_id")
                return PayAction(method=method, app_string=self._app_string(prepaid))
            case PayMethod.JSAPI:
                prepaid = self._prepared(
                    order, "jsapi", "prepay_id", payer={"openid": payer.openid}
                )
                return PayAction(method=method, app_string=self._page_string(prepaid))
            case PayMethod.WAP:
                scene = {"payer_client_ip": payer.address, "h5_info": {"type": "Wap"}}
                url = self._prepared(order, "h5", "h5_url", scene_info=scene)
                back = urlencode({"redirect_url": f"{self._settings.return_url}?order={order.id}"})
                return PayAction(method=method, url=f"{url}&{back}")
            case PayMethod.PAGE:
                raise Unavailable

    def parse_notify(self, request: NotifyRequest) -> TradeEvent:
        """Check a notify's form and signature, and open it. Raises: NotifyRefused."""
        return notify.parse(
            request,
            app_id=self._settings.app_id,
            signing=self._signing,
            key=self._v3_key,
            now=self._clock.now(),
        )

    def acknowledge(self, reception: Reception) -> Acknowledgement:
        """Say it by the status; the words are for whoever reads WeChat Pay's console."""
        status, body = _RECEPTIONS[reception]
        return Acknowledgement(status=status, content_type="application/json", body=body)

    def query(self, order: Order) -> TradeView:
        """Ask what became of an order's trade."""
        reply = self._call(
            "GET",
            f"/v3/pay/transactions/out-trade-no/{order.id}?mchid={self._settings.merchant_id}",
        )
        match reply:
            case 200, fields if fields.get("out_trade_no") == order.id:
                return self._view(fields)
            case 404, fields if fields.get("code") in _NO_ORDER:
                return TradeView(status=TradeStatus.NOT_FOUND)
        return _UNKNOWN

    def close(self, order: Order) -> CloseOutcome:
        """End an unpaid trade."""
        reply = self._call(
            "POST",
            f"/v3/pay/transactions/out-trade-no/{order.id}/close",
            {"mchid": self._settings.merchant_id},
        )
        match reply:
            case 204, _:
                return CloseOutcome.CLOSED
            case ((400 | 403 | 404), {"code": str(code)}) if code in _NO_ORDER:
                return CloseOutcome.NOT_FOUND
            case ((400 | 403), {"code": str(code)}) if code in _NOT_WAITING:
                return CloseOutcome.NOT_WAITING
        return CloseOutcome.UNKNOWN

    def refund(self, order: Order, refund: Refund) -> RefundView:
        """Give money back; a repeat of the request number is answered with the same refund."""
        content = {
            "transaction_id": refund.trade_no,
            "out_refund_no": refund.id,
            "notify_url": self._settings.notify_url,
            "amount": {
                "refund": refund.amount_fen,
                "total": order.amount_fen,
                "currency": notify.CURRENCY,
            },
        }
        match self._call("POST", "/v3/refund/domestic/refunds", content):
            case 200, fields:
                return _refund_view(fields, order, refund)
            case ((400 | 403 | 404), {"code": str(code)}) if code in _REFUND_REFUSED:
                return RefundView(status=RefundStatus.FAILED, reason=code[:64])
        return _REFUND_UNKNOWN

    def query_refund(self, order: Order, refund: Refund) -> RefundView:
        """Ask what became of a refund."""
        match self._call("GET", f"/v3/refund/domestic/refunds/{refund.id}"):
            case 200, fields:
                return _refund_view(fields, order, refund)
            case 404, {"code": code} if code == _NO_REFUND:
                return RefundView(status=RefundStatus.NOT_FOUND)
        return _REFUND_UNKNOWN

    def fetch_bill(self, day: date) -> Bill:
        """Fetch and read the bill of a day; at latest it can be yesterday's.

        Raises: Unavailable when WeChat Pay refuses, Unanswered when no answer can be believed,
        BillRefused when what came is not a bill of ours of that day.
        """
        terms = FeeTerms(basis_points=self._settings.fee_basis_points)
        match self._call("GET", f"/v3/bill/tradebill?bill_date={day.isoformat()}&bill_type=ALL"):
            case 200, {"download_url": str(url), "hash_type": "SHA1", "hash_value": str(sha1)}:
                content = download(
                    url,
                    gateway=self._settings.gateway,
                    domains=BILL_DOMAINS,
                    timeout_seconds=self._timeout_seconds,
                    headers=lambda target: self._headers("GET", target),
                )
                merchant = self._settings.merchant_id
                return bill.parse(content, sha1, day=day, merchant=merchant, fee_terms=terms)
            case _, {"code": str(code)} if code in _NO_BILL:
                return blank(self.name, day, published=False, fee_terms=terms)
            case status, _ if 400 <= status < 500:
                raise Unavailable
        raise Unanswered

    def _prepared(self, order: Order, product: str, wanted: str, **more: Fields) -> str:
        content = {
            "appid": self._settings.app_id,
            "mchid": self._settings.merchant_id,
            "description": DESCRIPTIONS[order.kind],
            "out_trade_no": order.id,
            "time_expire": order.expires_at.astimezone(SHANGHAI).isoformat(timespec="seconds"),
            "notify_url": self._settings.notify_url,
            "amount": {"total": order.amount_fen, "currency": notify.CURRENCY},
            **more,
        }
        match self._call("POST", f"/v3/pay/transactions/{product}", content):
            case 200, fields if isinstance(fields.get(wanted), str) and fields[wanted]:
                return str(fields[wanted])
            case 400, {"code": "PARAM_ERROR"} as fields if _about_payer(fields):
                raise fault("/openid", "payer_unknown", "WeChat Pay does not know this payer.")
            case _, {"code": "OUT_TRADE_NO_USED"}:
                text = "The order is being paid in another way: open a new one."
                raise fault("/method", "method_taken", text)
            case status, _ if 400 <= status < 500:
                raise Unavailable
        raise Unanswered

    def _app_string(self, prepaid: str) -> str:
        """Sign what the app hands on: a customer's app cannot make this itself."""
        nonce, at = secrets.token_hex(16), str(int(self._clock.now().timestamp()))
        handed = {
            "appid": self._settings.app_id,
            "partnerid": self._settings.merchant_id,
            "prepayid": prepaid,
            "package": "Sign=WXPay",
            "noncestr": nonce,
            "timestamp": at,
            "sign": self._signing.sign(self._settings.app_id, at, nonce, prepaid),
        }
        return msgspec.json.encode(handed).decode()

    def _page_string(self, prepaid: str) -> str:
        """Sign what a page within WeChat hands to its bridge."""
        nonce, at = secrets.token_hex(16), str(int(self._clock.now().timestamp()))
        package = f"prepay_id={prepaid}"
        handed = {
            "appId": self._settings.app_id,
            "timeStamp": at,
            "nonceStr": nonce,
            "package": package,
            "signType": "RSA",
            "paySign": self._signing.sign(self._settings.app_id, at, nonce, package),
        }
        return msgspec.json.encode(handed).decode()

    def _view(self, fields: Fields) -> TradeView:
        ours = (self._settings.app_id, self._settings.merchant_id)
        if (fields.get("appid"), fields.get("mchid")) != ours:
            return _UNKNOWN
        state = str(fields.get("trade_state"))
        status = notify.STATUSES.get(state, TradeStatus.UNKNOWN)
        trade_no, amount_fen = fields.get("transaction_id"), _total_fen(fields)
        if status.paid and not (isinstance(trade_no, str) and trade_no and amount_fen):
            return _UNKNOWN
        return TradeView(
            status=status,
            trade_no=str(trade_no) if trade_no else None,
            amount_fen=amount_fen,
            refunded=state == notify.REFUNDED,
        )

    def _call(self, method: str, target: str, content: Fields | None = None) -> Reply | None:
        """Call WeChat Pay; None when there is no answer that can be believed."""
        body = "" if content is None else msgspec.json.encode(content).decode()
        facts = {"action": f"wechat {target.partition('?')[0]}"}
        try:
            answer = https.call(
                method,
                self._settings.gateway + target,
                headers=self._headers(method, target, body),
                body=body.encode(),
                timeout_seconds=self._timeout_seconds,
            )
            self._signing.check(answer.headers, answer.body, self._clock.now())
            fields = msgspec.json.decode(answer.body) if answer.body else {}
        except (https.Unheard, NotifyRefused, msgspec.DecodeError, RecursionError) as error:
            facts["reason"] = f"{type(error).__name__} {error}"
            logger.warning("wechat unanswered", extra=facts)
            return None
        if not isinstance(fields, dict):
            return None
        if answer.status >= 400:
            facts["reason"] = f"{answer.status} {fields.get('code')}"
            logger.info("wechat refused", extra=facts)
        return answer.status, fields

    def _headers(self, method: str, target: str, body: str = "") -> Mapping[str, str]:
        return {
            "Accept": "application/json",
            "Authorization": self._signing.authorization(method, target, body, self._clock.now()),
            "Content-Type": "application/json",
            "User-Agent": "wharfage",
            "Wechatpay-Serial": self._settings.public_key_id,
        }


def _about_payer(fields: Fields) -> bool:
    """Tell whether a refusal is about the payer: its detail names the field, or its words do."""
    detail = fields.get("detail")
    field = detail.get("field") if isinstance(detail, dict) else None
    return "openid" in f"{field} {fields.get('message')}"


def _total_fen(fields: Fields) -> int | None:
    try:
        amount = msgspec.convert(fields.get("amount"), notify.Amount)
    except msgspec.ValidationError:
        return None
    return amount.total if amount.currency == notify.CURRENCY else None


def _refund_view(fields: Fields, order: Order, refund: Refund) -> RefundView:
    theirs = tuple(map(fields.get, ("out_refund_no", "out_trade_no", "transaction_id")))
    if theirs != (refund.id, order.id, refund.trade_no):
        return _REFUND_UNKNOWN
    amount = fields.get("amount")
    amount_fen = amount.get("refund") if isinstance(amount, dict) else None
    told = str(fields.get("status"))
    return RefundView(
        status=_REFUNDS.get(told, RefundStatus.UNKNOWN),
        amount_fen=amount_fen if type(amount_fen) is int else None,
        reason=None if told == "SUCCESS" else told[:64],
    )

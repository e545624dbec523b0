"""The channel itself: pay URLs and QR texts, queries and closes, in Alipay's words.

The SDK signs and calls. Whatever it raises after a request was sent, the outcome is unknown: its
own parser fails on a brace inside of any text, for a call that succeeded.
"""

import logging
import logging.config
import threading
from datetime import date, datetime
from functools import cached_property
from typing import Any

from wharfage.adapters import rsa_keys as keys
from wharfage.adapters.alipay import bill, notify
from wharfage.adapters.bill_cells import blank
from wharfage.adapters.clock import SystemClock
from wharfage.adapters.download import download
from wharfage.domain.bill import Bill, FeeTerms
from wharfage.domain.errors import Unanswered, Unavailable
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
    fen,
    yuan,
)
from wharfage.ports import Clock
from wharfage.settings import AlipaySettings

logger = logging.getLogger(__name__)

#: Fixed texts: Alipay repeats them in its notifies, whose signed text cannot escape anything.
SUBJECTS = {OrderKind.TOPUP: "Wharfage 充值", OrderKind.MEMBERSHIP: "Wharfage 会员"}

#: Where Alipay hands bills out, and where its sandbox does.
BILL_DOMAINS = (".alipay.com", ".alipaydev.com", ".alipay-cloud-devapi.com")
TIMEOUT_SECONDS = 5  #: For each read of an answer, not for all of it.

_UNKNOWN = TradeView(status=TradeStatus.UNKNOWN)
_NOT_FOUND = "ACQ.TRADE_NOT_EXIST"
_NO_BILL = "isp.bill_not_exist"  #: Nothing happened on that day, or the bill is not made yet.
#: Answers of a close to a trade that is not waiting (alipay.trade.close, error codes).
_NOT_WAITING = frozenset(
    {"ACQ.TRADE_STATUS_ERROR", "ACQ.REASON_TRADE_STATUS_INVALID", "ACQ.REASON_ILLEGAL_STATUS"}
)
_NO_REFUND = RefundView(status=RefundStatus.UNKNOWN)
#: Refusals that say nothing of what became of the money: asked again, Alipay tells.
_REFUND_UNCLEAR = frozenset({"ACQ.SYSTEM_ERROR", "aop.ACQ.SYSTEM_ERROR"})
_RECEPTIONS = {
    # Alipay takes exactly these seven bytes for a yes, and repeats after anything else.
    Reception.ACCEPTED: (200, b"success"),
    Reception.REFUSED: (400, b"fail"),
    Reception.FAILED: (500, b"fail"),
}
_importing = threading.Lock()


class AlipayChannel:
    """Alipay as `ports.Channel`."""

    name = notify.CHANNEL
    capabilities = Capabilities(
        methods=frozenset(PayMethod) - {PayMethod.JSAPI},
        amount_fen_min=1,
        amount_fen_max=AMOUNT_FEN_MAX,
        offline=frozenset({PayMethod.PAGE, PayMethod.WAP, PayMethod.APP}),
    )

    def __init__(
        self,
        settings: AlipaySettings,
        *,
        clock: Clock | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        """Read and check the keys. Raises: UnusableKey."""
        self._settings = settings
        self._clock = clock or SystemClock()
        self._timeout_seconds = timeout_seconds
        self._private_key = keys.private_key(settings.app_private_key)
        self._alipay_key = keys.public_key(
            settings.alipay_public_key, self._private_key, whose="Alipay"
        )

    @property
    def seller(self) -> str:
        """The number that notifies must name as the one who was paid."""
        return self._settings.seller_id

    def create(self, order: Order, method: PayMethod, payer: Payer = UNNAMED) -> PayAction:
        """Say how to pay: signed offline, but for a QR text, which Alipay makes.

        Raises: Unavailable when Alipay refuses, Unanswered when its answer is not known.
        """
        match method:
            case PayMethod.PAGE:
                return PayAction(
                    method=method, url=self._url(order, "page", "FAST_INSTANT_TRADE_PAY")
                )
            case PayMethod.WAP:
                return PayAction(method=method, url=self._url(order, "wap", "QUICK_WAP_WAY"))
            case PayMethod.APP:
                return PayAction(method=method, app_string=self._app_string(order))
            case PayMethod.QR:
                return PayAction(method=method, qr_text=self._qr_text(order))
            case PayMethod.JSAPI:
                raise Unavailable

    def parse_notify(self, request: NotifyRequest) -> TradeEvent:
        """Check a notify's form and signature. Raises: NotifyRefused."""
        return notify.parse(request, app_id=self._settings.app_id, key=self._alipay_key)

    def acknowledge(self, reception: Reception) -> Acknowledgement:
        """Say `success` or `fail`, and nothing beside it."""
        status, body = _RECEPTIONS[reception]
        return Acknowledgement(status=status, content_type="text/plain", body=body)

    def query(self, order: Order) -> TradeView:
        """Ask what became of an order's trade."""
        answer = self._call("alipay.trade.query", {"out_trade_no": order.id})
        if answer is None:
            return _UNKNOWN
        if _sub_code(answer) == _NOT_FOUND:
            return TradeView(status=TradeStatus.NOT_FOUND)
        if answer.get("code") != "10000" or answer.get("out_trade_no") != order.id:
            return _UNKNOWN
        return _view(answer)

    def close(self, order: Order) -> CloseOutcome:
        """End an unpaid trade. `trade.cancel` is never used: it refunds a paid one."""
        answer = self._call("alipay.trade.close", {"out_trade_no": order.id})
        if answer is None:
            return CloseOutcome.UNKNOWN
        if answer.get("code") == "10000":
            return CloseOutcome.CLOSED
        if _sub_code(answer) == _NOT_FOUND:
            return CloseOutcome.NOT_FOUND
        return (
            CloseOutcome.NOT_WAITING if _sub_code(answer) in _NOT_WAITING else CloseOutcome.UNKNOWN
        )

    def refund(self, order: Order, refund: Refund) -> RefundView:
        """Give money back; a repeat of the request number moves nothing a second time.

        Only an explicit refusal is a failure. A repeat is answered without a change of funds,
        and then a query tells.
        """
        content = {
            "trade_no": refund.trade_no,
            "refund_amount": yuan(refund.amount_fen),
            "out_request_no": refund.id,
        }
        answer = self._call("alipay.trade.refund", content)
        if answer is None:
            return _NO_REFUND
        code, sub_code = answer.get("code"), _sub_code(answer)
        if code == "40004" and sub_code and sub_code not in _REFUND_UNCLEAR:
            return RefundView(status=RefundStatus.FAILED, reason=sub_code[:64])
        ours = (answer.get("out_trade_no"), answer.get("trade_no")) == (order.id, refund.trade_no)
        if code == "10000" and ours and answer.get("fund_change") == "Y":
            return RefundView(status=RefundStatus.SUCCEEDED, amount_fen=refund.amount_fen)
        return _NO_REFUND

    def query_refund(self, order: Order, refund: Refund) -> RefundView:
        """Ask what became of a refund; without a status there is none, and the call is due again.

        Whose trade it is comes from the call itself: an answer without a refund names no trade.
        """
        content = {"trade_no": refund.trade_no, "out_request_no": refund.id}
        answer = self._call("alipay.trade.fastpay.refund.query", content)
        if answer is None:
            return _NO_REFUND
        if _sub_code(answer) == _NOT_FOUND:
            return RefundView(status=RefundStatus.NOT_FOUND)
        if answer.get("code") != "10000":
            return _NO_REFUND
        status, number = answer.get("refund_status"), answer.get("out_request_no")
        if not status and number in {None, "", refund.id}:
            return RefundView(status=RefundStatus.NOT_FOUND)
        if status != "REFUND_SUCCESS" or number != refund.id:
            return _NO_REFUND
        amount_fen = fen(str(answer.get("refund_amount", "")))
        return RefundView(status=RefundStatus.SUCCEEDED, amount_fen=amount_fen)

    def fetch_bill(self, day: date) -> Bill:
        """Fetch and read the bill of a day; at latest it can be yesterday's.

        Raises: Unavailable when Alipay refuses, Unanswered when no answer can be believed,
        BillRefused when what came is not a bill of ours of that day.
        """
        terms = FeeTerms(basis_points=self._settings.fee_basis_points)
        content = {"bill_type": "trade", "bill_date": day.isoformat()}
        answer = self._call("alipay.data.dataservice.bill.downloadurl.query", content)
        if answer is None:
            raise Unanswered
        if _sub_code(answer) == _NO_BILL:
            return blank(self.name, day, published=False, fee_terms=terms)
        url = answer.get("bill_download_url")
        if answer.get("code") != "10000" or not url:
            raise Unavailable
        archive = download(
            str(url),
            gateway=self._settings.gateway,
            domains=BILL_DOMAINS,
            timeout_seconds=self._timeout_seconds,
        )
        return bill.parse(archive, day=day, seller=self._settings.seller_id, fee_terms=terms)

    def _app_string(self, order: Order) -> str:
        content = _content(order) | {"product_code": "QUICK_MSECURITY_PAY"}
        return str(
            self._sdk.client_api(
                "alipay.trade.app.pay", content, timestamp=_beijing(self._clock.now())
            )
        )

    def _url(self, order: Order, product: str, product_code: str) -> str:
        content = _content(order) | {"product_code": product_code}
        signed = self._sdk.client_api(
            f"alipay.trade.{product}.pay",
            content,
            timestamp=_beijing(self._clock.now()),
            return_url=self._settings.return_url,
        )
        return f"{self._settings.gateway}?{signed}"

    def _qr_text(self, order: Order) -> str:
        answer = self._call("alipay.trade.precreate", _content(order))
        if answer is None:
            raise Unanswered
        text = answer.get("qr_code")
        if answer.get("code") != "10000" or answer.get("out_trade_no") != order.id or not text:
            raise Unavailable
        return str(text)

    def _call(self, method: str, content: dict[str, str]) -> dict[str, Any] | None:
        """Call Alipay; None when there is no answer that can be believed."""
        try:
            answer = self._sdk.server_api(method, content, timestamp=_beijing(self._clock.now()))
        except Exception as error:  # noqa: BLE001 - raw, of any kind; each means unknown
            facts = {"action": method, "reason": type(error).__name__}
            logger.warning("alipay unanswered", extra=facts)
            return None
        if not isinstance(answer, dict):
            return None
        if answer.get("code") != "10000":
            facts = {"action": method, "reason": f"{answer.get('code')} {_sub_code(answer)}"}
            logger.info("alipay refused", extra=facts)
        return answer

    @cached_property
    def _sdk(self) -> Any:
        """The SDK's client, made when first needed: its import takes about a second."""
        sdk = _import_sdk()
        client = sdk.AliPay(
            appid=self._settings.app_id,
            app_notify_url=self._settings.notify_url,
            app_private_key_string=keys.private_pem(self._private_key),
            alipay_public_key_string=keys.public_pem(self._alipay_key),
            sign_type="RSA2",
            config=sdk.AliPayConfig(timeout=self._timeout_seconds),
        )
        client._gateway = self._settings.gateway  # noqa: SLF001 - there is no other way to say it
        return client


def _import_sdk() -> Any:
    """Import the SDK without its logging set-up, which closes every handler of the process."""
    with _importing:
        configure = logging.config.dictConfig
        logging.config.dictConfig = lambda config: None
        try:
            import alipay
        finally:
            logging.config.dictConfig = configure
    return alipay


def _content(order: Order) -> dict[str, str]:
    return {
        "out_trade_no": order.id,
        "total_amount": yuan(order.amount_fen),
        "subject": SUBJECTS[order.kind],
        "time_expire": _beijing(order.expires_at),
    }


def _view(answer: dict[str, Any]) -> TradeView:
    status = notify.STATUSES.get(str(answer.get("trade_status")), TradeStatus.UNKNOWN)
    trade_no, amount_fen = answer.get("trade_no"), fen(str(answer.get("total_amount", "")))
    if status.paid and not (trade_no and amount_fen):
        return _UNKNOWN
    return TradeView(
        status=status,
        trade_no=str(trade_no) if trade_no else None,
        amount_fen=amount_fen,
        # An answer has no refund fields; but what was paid and is closed was given back whole.
        refunded=status is TradeStatus.CLOSED and bool(answer.get("send_pay_date")),
    )


def _sub_code(answer: dict[str, Any]) -> str:
    return str(answer.get("sub_code", ""))


def _beijing(moment: datetime) -> str:
    return moment.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")

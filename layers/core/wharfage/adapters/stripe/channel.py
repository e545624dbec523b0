"""The channel itself: Checkout pages, queries, closes and refunds, in Stripe's words.

Stripe names a session by an id of its own, which the order keeps: without one, nobody was ever
shown a page, and there is nothing to be paid.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import msgspec

from wharfage.adapters import https
from wharfage.adapters.bill_cells import blank
from wharfage.adapters.clock import SystemClock
from wharfage.adapters.rsa_keys import UnusableKey
from wharfage.adapters.stripe import bill, notify
from wharfage.domain import limits
from wharfage.domain.bill import Bill, BillRow, RowKind
from wharfage.domain.errors import NotifyRefused, Unanswered, Unavailable
from wharfage.domain.order import Order, OrderKind
from wharfage.domain.refund import Refund, RefundStatus, RefundView
from wharfage.domain.trade import (
    UNNAMED,
    Acknowledgement,
    Capabilities,
    CloseOutcome,
    NotifyRequest,
    NotifyStep,
    PayAction,
    Payer,
    PayMethod,
    Reception,
    TradeEvent,
    TradeStatus,
    TradeView,
)
from wharfage.ports import Clock
from wharfage.settings import StripeSettings

logger = logging.getLogger(__name__)

VERSION = "2024-06-20"  #: Of Stripe's API: answers keep this form until we ask for another.
#: Fixed texts: no customer's words reach a channel.
NAMES = {OrderKind.TOPUP: "Wharfage top-up", OrderKind.MEMBERSHIP: "Wharfage membership"}
#: Stripe takes no session that ends in under half an hour. The order ends it earlier, by `close`.
SESSION_LIFE = timedelta(hours=1)

_UNKNOWN = TradeView(status=TradeStatus.UNKNOWN)
_REFUND_UNKNOWN = RefundView(status=RefundStatus.UNKNOWN)
_REFUNDS_MAX = 100  #: In one page, and more than an order has.
_REFUNDS = {
    "succeeded": RefundStatus.SUCCEEDED,
    "pending": RefundStatus.PENDING,
    "requires_action": RefundStatus.PENDING,
    "failed": RefundStatus.FAILED,
    "canceled": RefundStatus.FAILED,
}
#: Kinds of errors after which it is certain that nothing was done.
_REFUSED = frozenset({"card_error", "invalid_request_error"})
_RECEPTIONS = {Reception.ACCEPTED: 200, Reception.REFUSED: 400, Reception.FAILED: 500}

Fields = dict[str, Any]
Reply = tuple[int, Fields]


class StripeChannel:
    """Stripe as `ports.Channel`."""

    name = notify.CHANNEL
    capabilities = Capabilities(
        methods=frozenset({PayMethod.PAGE, PayMethod.WAP}),
        amount_fen_min=400,  # Half a dollar is Stripe's least, in whatever currency.
        amount_fen_max=99_999_999,
        references=True,
        refunds_async=True,
    )

    def __init__(
        self,
        settings: StripeSettings,
        *,
        clock: Clock | None = None,
        timeout_seconds: float = https.TIMEOUT_SECONDS,
    ) -> None:
        """Check the keys by their form. Raises: UnusableKey."""
        self._settings = settings
        self._clock = clock or SystemClock()
        self._timeout_seconds = timeout_seconds
        if not settings.secret_key.startswith(("sk_live_", "sk_test_", "rk_live_", "rk_test_")):
            raise UnusableKey("Stripe's secret key is not one: it begins with sk_ or rk_.")
        if not settings.webhook_secret.startswith("whsec_"):
            raise UnusableKey("Stripe's webhook secret is not one: it begins with whsec_.")

    @property
    def seller(self) -> str:
        """The account that is paid."""
        return self._settings.account_id

    def create(self, order: Order, method: PayMethod, payer: Payer = UNNAMED) -> PayAction:
        """Have Stripe make a Checkout page; asked again, it is the same page.

        Raises: Unavailable when Stripe refuses, Unanswered when its answer is not known.
        """
        if method not in self.capabilities.methods:
            raise Unavailable
        reply = self._call("POST", "/v1/checkout/sessions", self._session(order), key=order.id)
        match reply:
            case 200, {"id": str(session), "url": str(url)}:
                return PayAction(method=method, url=url, reference=session)
            case 409 | 429, _:
                raise Unanswered
            case status, _ if 400 <= status < 500:
                raise Unavailable
        raise Unanswered

    def parse_notify(self, request: NotifyRequest) -> TradeEvent:
        """Check a notify's form and signature, and fetch what it is about.

        Raises: NotifyRefused; Unanswered while Stripe does not say how the session stands.
        """
        hint = notify.parse(
            request,
            secret=self._settings.webhook_secret,
            live=self._settings.live,
            now=self._clock.now(),
        )
        session = self._fetched(hint)
        order = session.get("client_reference_id")
        if not isinstance(order, str) or not order:
            raise NotifyRefused(step=NotifyStep.FIELDS)
        return TradeEvent(
            channel=self.name,
            order=order,
            seller=hint.account or self._settings.account_id,
            trade=_told(_view(session), hint.refund),
        )

    def acknowledge(self, reception: Reception) -> Acknowledgement:
        """Say it by the status alone."""
        return Acknowledgement(
            status=_RECEPTIONS[reception], content_type="application/json", body=b"{}"
        )

    def query(self, order: Order) -> TradeView:
        """Ask what became of an order's session."""
        session = order.reference
        if session is None:
            return TradeView(status=TradeStatus.NOT_FOUND)
        match self._call("GET", _session_target(session)):
            case 200, fields if fields.get("client_reference_id") == order.id:
                return _view(fields)
            case 404, _:
                return TradeView(status=TradeStatus.NOT_FOUND)
        return _UNKNOWN

    def close(self, order: Order) -> CloseOutcome:
        """End an unpaid session."""
        session = order.reference
        if session is None:
            return CloseOutcome.NOT_FOUND
        match self._call("POST", f"/v1/checkout/sessions/{session}/expire", {}):
            case 200, {"status": "expired"}:
                return CloseOutcome.CLOSED
            case 404, _:
                return CloseOutcome.NOT_FOUND
            case 400, fields if _kind(fields) == "invalid_request_error":
                return CloseOutcome.NOT_WAITING
        return CloseOutcome.UNKNOWN

    def refund(self, order: Order, refund: Refund) -> RefundView:
        """Give money back; a repeat of the request number is answered with the same refund."""
        content = {
            "payment_intent": refund.trade_no,
            "amount": str(refund.amount_fen),
            "metadata[order]": order.id,
            "metadata[request]": refund.id,
        }
        match self._call("POST", "/v1/refunds", content, key=refund.id):
            case 200, fields:
                return _refund_view(fields, refund)
            case ((400 | 402 | 404), fields) if _kind(fields) in _REFUSED:
                return RefundView(status=RefundStatus.FAILED, reason=_code(fields))
        return _REFUND_UNKNOWN

    def query_refund(self, order: Order, refund: Refund) -> RefundView:
        """Look for a refund among those of its payment, for Stripe knows it by another name."""
        asked = urlencode({"payment_intent": refund.trade_no, "limit": _REFUNDS_MAX})
        match self._call("GET", f"/v1/refunds?{asked}"):
            case 200, {"data": list(found), "has_more": bool(more)}:
                for each in found:
                    if isinstance(each, dict) and refund.id in _names(each):
                        return _refund_view(each, refund)
                return _REFUND_UNKNOWN if more else RefundView(status=RefundStatus.NOT_FOUND)
        return _REFUND_UNKNOWN

    def fetch_bill(self, day: date) -> Bill:
        """List what a day moved, payments first; Stripe has it from the moment that it happens.

        Raises: Unavailable when Stripe refuses, Unanswered when no answer can be believed or all
        of it takes too long, BillRefused when what came is no list of transactions.
        """
        ends = self._clock.now() + timedelta(seconds=limits.BILL_SECONDS)
        empty = blank(self.name, day)
        rows = [row for kind in RowKind for row in self._rows(kind, empty, ends)]
        return replace(empty, rows=tuple(rows))

    def _rows(self, kind: RowKind, day: Bill, ends: datetime) -> Iterator[BillRow]:
        last: str | None = None
        while self._clock.now() < ends:
            match self._call("GET", bill.target(kind, day, last)):
                case 200, {"data": list(found), "has_more": bool(more)}:
                    rows, last = bill.read(kind, found)
                    yield from rows
                    if not more or last is None:
                        return
                case status, _ if status != 429 and 400 <= status < 500:
                    raise Unavailable
                case _:
                    raise Unanswered
        raise Unanswered

    def _session(self, order: Order) -> Mapping[str, str]:
        """Say what is sold: the same words each time, or Stripe refuses its own key's repeat."""
        item, back = "line_items[0]", f"{self._settings.return_url}?order={order.id}"
        return {
            "mode": "payment",
            "payment_method_types[0]": "card",
            "client_reference_id": order.id,
            "payment_intent_data[metadata][order]": order.id,
            "expires_at": str(int((order.created_at + SESSION_LIFE).timestamp())),
            "success_url": back,
            "cancel_url": back,
            f"{item}[quantity]": "1",
            f"{item}[price_data][currency]": bill.CURRENCY,
            f"{item}[price_data][unit_amount]": str(order.amount_fen),
            f"{item}[price_data][product_data][name]": NAMES[order.kind],
        }

    def _fetched(self, hint: notify.Hint) -> Fields:
        """Fetch the session that a notify is about. Raises: NotifyRefused, Unanswered."""
        if hint.session is not None:
            reply = self._call("GET", _session_target(hint.session))
        else:
            asked = urlencode(
                {
                    "payment_intent": hint.intent,
                    "limit": 1,
                    "expand[]": "data.payment_intent.latest_charge",
                }
            )
            reply = self._call("GET", f"/v1/checkout/sessions?{asked}")
        match reply:
            case 200, fields if fields.get("object") == "checkout.session":
                return fields
            case 200, {"object": "list", "data": [dict(found)]}:
                return found
            case 200, {"object": "list", "data": []}:
                raise NotifyRefused(step=NotifyStep.FIELDS)  # Paid by something that is not ours.
            case 404, _:
                raise NotifyRefused(step=NotifyStep.FIELDS)
        raise Unanswered

    def _call(
        self,
        method: str,
        target: str,
        content: Mapping[str, str] | None = None,
        *,
        key: str | None = None,
    ) -> Reply | None:
        """Call Stripe; None when there is no answer that can be believed. *key*: done once only."""
        headers = {
            "Authorization": f"Bearer {self._settings.secret_key}",
            "Stripe-Version": VERSION,
            "User-Agent": "wharfage",
        }
        if content is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if key is not None:
            headers["Idempotency-Key"] = key
        facts = {"action": f"stripe {target.partition('?')[0]}"}
        try:
            answer = https.call(
                method,
                self._settings.gateway + target,
                headers=headers,
                body=urlencode(content or {}).encode(),
                timeout_seconds=self._timeout_seconds,
            )
            fields = msgspec.json.decode(answer.body)
        except (https.Unheard, msgspec.DecodeError, RecursionError) as error:
            facts["reason"] = type(error).__name__
            logger.warning("stripe unanswered", extra=facts)
            return None
        if not isinstance(fields, dict):
            return None
        if answer.status >= 400:
            facts["reason"] = f"{answer.status} {_code(fields)}"
            logger.info("stripe refused", extra=facts)
        return answer.status, fields


def _session_target(session: str) -> str:
    expanded = urlencode({"expand[]": "payment_intent.latest_charge"})
    return f"/v1/checkout/sessions/{session}?{expanded}"


def _told(view: TradeView, refund_no: str | None) -> TradeView:
    """Speak of a refund only where one is named: which, and how it stands, is asked then."""
    named = view.status.paid and refund_no is not None
    return replace(view, refunded=named, refund_no=refund_no if named else None)


def _view(session: Fields) -> TradeView:
    match session:
        case {"status": "complete", "payment_status": "paid"}:
            return _paid(session)
        case {"status": "open"} | {"status": "complete", "payment_status": "unpaid"}:
            return TradeView(status=TradeStatus.WAITING)
        case {"status": "expired", "payment_status": "unpaid"}:
            return TradeView(status=TradeStatus.CLOSED)
    return _UNKNOWN


def _paid(session: Fields) -> TradeView:
    intent, amount_fen = session.get("payment_intent"), session.get("amount_total")
    if not isinstance(intent, dict) or not isinstance(intent.get("id"), str):
        return _UNKNOWN
    charge = intent.get("latest_charge")
    given_back = charge.get("amount_refunded", 0) if isinstance(charge, dict) else 0
    known = session.get("currency") == bill.CURRENCY and type(amount_fen) is int
    return TradeView(
        status=TradeStatus.SUCCESS,
        trade_no=intent["id"],
        amount_fen=amount_fen if known else None,
        refunded=bool(given_back),
    )


def _refund_view(fields: Fields, refund: Refund) -> RefundView:
    if refund.id not in _names(fields) or fields.get("payment_intent") != refund.trade_no:
        return _REFUND_UNKNOWN
    amount_fen = fields.get("amount")
    reason = fields.get("failure_reason")
    return RefundView(
        status=_REFUNDS.get(str(fields.get("status")), RefundStatus.UNKNOWN),
        amount_fen=amount_fen if type(amount_fen) is int else None,
        reason=reason[:64] if isinstance(reason, str) else None,
    )


def _names(refund: Fields) -> tuple[object, object]:
    """Name a refund: by our request number, and by Stripe's for one of its own console."""
    metadata = refund.get("metadata")
    return metadata.get("request") if isinstance(metadata, dict) else None, refund.get("id")


def _error(fields: Fields) -> Fields:
    error = fields.get("error")
    return error if isinstance(error, dict) else {}


def _kind(fields: Fields) -> str:
    return str(_error(fields).get("type"))


def _code(fields: Fields) -> str:
    error = _error(fields)
    return str(error.get("code") or error.get("type"))[:64]

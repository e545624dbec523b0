"""A stand-in for Stripe's Checkout: sessions, their pages, refunds, and signed events.

Written apart from the product's own adapter, so that one does not repeat the other's mistake.
"""

import hashlib
import hmac
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infrastructure.local.sandbox import days
from infrastructure.local.sandbox.app import Counter, Reply, body_of, form_fields
from infrastructure.local.sandbox.sender import SCHEDULE, Sender
from infrastructure.local.sandbox.trades import (
    CLOSED,
    WAITING,
    Faults,
    Trade,
    Trades,
)

_REASONS = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}
_FEE_PER_THOUSAND = 34
_SESSION_SECONDS_MIN, _SESSION_SECONDS_MAX = 30 * 60, 24 * 60 * 60

Fields = dict[str, Any]


class Declined(Exception):
    """A call that is not carried out."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


class StripeNotices(Sender):
    """Stripe's events, each send signed anew, by the old secret as well as by the new one."""

    def __init__(self, trades: Trades, secret: str, *, schedule: Sequence[float] = SCHEDULE):
        super().__init__(trades, schedule=schedule)
        self._secret = secret

    def form(self, trade: Trade, faults: Faults, now: float, refund: str | None = None) -> bytes:
        """Write the event of how a session stands, or of a refund of its payment."""
        if refund is not None:
            about = given_back(self._trades, trade, refund, done=True)
            return json.dumps(event("refund.updated", about)).encode()
        session = described(self._trades, trade, expanded=False)
        if faults.wrong_amount:
            session["amount_total"] = 1
        kind = "expired" if trade.status == CLOSED else "completed"
        told = event(f"checkout.session.{kind}", session)
        if faults.wrong_seller:
            told["account"] = "acct_somebody_else"
        return json.dumps(told).encode()

    def dressed(self, body: bytes, faults: Faults) -> tuple[bytes, Mapping[str, str]]:
        """Sign the body as it is now, and spoil it afterwards if that is asked for."""
        header = signature(body, self._secret, self._now(), before="whsec_before_it_was_changed")
        if faults.tamper:
            body = body.replace(b'"object": "event"', b'"object": "Event"')
        return body, {"Content-Type": "application/json", "Stripe-Signature": header}

    def told(self, status: int, text: str) -> str:
        """Write down the status: it alone counts."""
        return f"{status} {text}"

    def took(self, answer: str) -> bool:
        """Take any success of HTTP for a yes."""
        return answer.startswith("2")


@dataclass(kw_only=True)
class StripeGateway:
    """Answers the API. *base_url* is where buyers find the page."""

    trades: Trades
    notices: StripeNotices
    secret_key: str
    webhook_url: str  #: In Stripe's settings, not in a call.
    base_url: str
    now: Callable[[], float] = time.time

    def return_fields(self, trade: Trade) -> dict[str, str]:
        """Bring nothing back that would have to be believed."""
        return {}

    def answer(self, method: str, path: str, fields: dict[str, str], environ: Fields) -> Reply:
        """Answer a call."""
        try:
            if environ.get("HTTP_AUTHORIZATION") != f"Bearer {self.secret_key}":
                raise Declined(401, "api_key_invalid")
            key = environ.get("HTTP_IDEMPOTENCY_KEY", "")
            status, told = 200, self._answer(method, path, fields, key)
        except Declined as declined:
            error = {"type": "invalid_request_error", "code": declined.code}
            status, told = declined.status, {"error": error}
        text = json.dumps(told)
        if path == "/v1/balance_transactions" and self.trades.faults.bill_cut:
            text = text[: len(text) // 2]
        return Reply(f"{status} {_REASONS[status]}", text, kind="application/json; charset=utf-8")

    def _answer(self, method: str, path: str, fields: dict[str, str], key: str) -> Fields:
        expanded = not {"expand[]", "expand[0]"}.isdisjoint(fields)
        session = re.fullmatch(r"/v1/checkout/sessions/cs_test_(\w+?)(/expire)?", path)
        match method, path:
            case "POST", "/v1/checkout/sessions":
                return self._described(self._intend(fields), expanded=expanded)
            case "GET", "/v1/checkout/sessions":
                found = self._paid_by(fields.get("payment_intent", ""))
                return listed(path, [self._described(each, expanded=expanded) for each in found])
            case "GET", "/v1/balance_transactions":
                return self._moves(fields)
            case "POST", "/v1/refunds":
                return self._refund(fields, key)
            case "GET", "/v1/refunds":
                made = [
                    given_back(self.trades, trade, number, done=True)
                    for trade in self._paid_by(fields.get("payment_intent", ""))
                    for number in self.trades.refunded(trade.trade_no or "")
                ]
                return listed(path, made)
            case "GET", _ if session and not session[2]:
                return self._described(self._found(session[1]), expanded=expanded)
            case "POST", _ if session and session[2]:
                return self._expire(self._found(session[1]))
        raise Declined(404, "resource_missing")

    def _intend(self, fields: dict[str, str]) -> Trade:
        item = "line_items[0][price_data]"
        amount, ends = fields.get(f"{item}[unit_amount]", ""), fields.get("expires_at", "")
        if (
            fields.get("mode") != "payment"
            or fields.get(f"{item}[currency]") != "cny"
            or not amount.isdigit()
            or not ends.isdigit()
            or not fields.get("client_reference_id")
        ):
            raise Declined(400, "parameter_invalid")
        if not _SESSION_SECONDS_MIN < int(ends) - self.now() < _SESSION_SECONDS_MAX:
            raise Declined(400, "expires_at_invalid")
        total = int(amount)
        trade = self.trades.intend(
            Trade(
                order_no=fields["client_reference_id"],
                token=secrets.token_hex(16),
                amount=f"{total // 100}.{total % 100:02d}",
                subject=fields.get(f"{item}[product_data][name]", "")[:250],
                product="stripe",
                notify_url=self.webhook_url,
                return_url=fields.get("success_url"),
                expires_at=float(ends),
                created_at=self.now(),
            )
        )
        if trade is None:
            raise Declined(400, "idempotency_key_in_use")
        return trade

    def _expire(self, trade: Trade) -> Fields:
        if trade.status is None:
            self.trades.see(trade.token, now=self.now())
        moved = self.trades.move(trade.order_no, before=WAITING, after=CLOSED, now=self.now())
        if moved is None:
            raise Declined(400, "session_not_open")
        return self._described(moved, expanded=False)

    def _refund(self, fields: dict[str, str], key: str) -> Fields:
        """Take a refund on; it is done by the time that somebody asks."""
        trades, amount = self._paid_by(fields.get("payment_intent", "")), fields.get("amount", "")
        if not trades or not amount.isdigit() or key != fields.get("metadata[request]"):
            raise Declined(404, "resource_missing")
        [trade] = trades
        new = self.trades.refund(trade, key, int(amount), now=self.now())
        if new is None:
            raise Declined(400, "charge_already_refunded")
        if new:
            self.notices.tell(trade, refund=key)
        return given_back(self.trades, trade, key, done=not new)

    def _moves(self, fields: dict[str, str]) -> Fields:
        """List the charges or the refunds of a span of time, a page of them."""
        kind, after = fields.get("type"), fields.get("starting_after", "txn_0")
        begins, ends = fields.get("created[gte]", ""), fields.get("created[lt]", "")
        limit = fields.get("limit", "10")
        if kind not in {"charge", "refund"} or not (begins.isdigit() and ends.isdigit()):
            raise Declined(400, "parameter_invalid")
        happened = days.between(self.trades, int(begins), int(ends))
        found = [
            line
            for line in days.told(happened, self.trades.faults)
            if bool(line.refund_no) == (kind == "refund")
        ]
        at = int(after.removeprefix("txn_"))
        page = found[at : at + int(limit)]
        told = [moved(line, number) for number, line in enumerate(page, start=at + 1)]
        return listed("/v1/balance_transactions", told, more=at + len(page) < len(found))

    def _paid_by(self, intent: str) -> list[Trade]:
        return [
            each
            for each in self.trades.all()
            if each.paid_at is not None and f"pi_{each.trade_no}" == intent
        ]

    def _found(self, token: str) -> Trade:
        trade = self.trades.find(token=token, now=self.now())
        if trade is None:
            raise Declined(404, "resource_missing")
        return trade

    def _described(self, trade: Trade, *, expanded: bool) -> Fields:
        told = described(self.trades, trade, expanded=expanded)
        if told["status"] == "open":
            told["url"] = f"{self.base_url}/cashier/{trade.token}"
        return told


class StripeSandbox(Counter):
    """Stripe's stand-in over HTTP."""

    def __init__(self, gateway: StripeGateway) -> None:
        self._stripe = gateway
        path = re.compile(r"/v1/.*")
        super().__init__(gateway, (("GET", path, self._call), ("POST", path, self._call)))

    def _call(self, environ: dict[str, Any]) -> Reply:
        fields = form_fields(environ.get("QUERY_STRING", "")) | form_fields(
            body_of(environ).decode()
        )
        return self._stripe.answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], fields, environ)


def described(trades: Trades, trade: Trade, *, expanded: bool) -> Fields:
    """Say how a session stands."""
    paid, intent = trade.paid_at is not None, f"pi_{trade.trade_no}"
    gone = sum(trades.refunded(trade.trade_no or "").values())
    charge = {"id": f"ch_{trade.trade_no}", "object": "charge", "amount_refunded": gone}
    told: Fields = {
        "id": f"cs_test_{trade.token}",
        "object": "checkout.session",
        "client_reference_id": trade.order_no,
        "amount_total": fen_of(trade),
        "currency": "cny",
        "livemode": False,
        "payment_status": "paid" if paid else "unpaid",
        "payment_intent": None,
        "status": "complete" if paid else "expired" if trade.status == CLOSED else "open",
        "url": None,
    }
    if paid:
        whole = {"id": intent, "object": "payment_intent", "latest_charge": charge}
        told["payment_intent"] = whole if expanded else intent
    return told


def given_back(trades: Trades, trade: Trade, number: str, *, done: bool) -> Fields:
    """Say how a refund stands."""
    return {
        "id": f"re_{number[-24:]}",
        "object": "refund",
        "amount": trades.refunded(trade.trade_no or "")[number],
        "currency": "cny",
        "payment_intent": f"pi_{trade.trade_no}",
        "status": "succeeded" if done else "pending",
        "metadata": {"order": trade.order_no, "request": number},
    }


def listed(path: str, data: list[Fields], *, more: bool = False) -> Fields:
    """Write a page of a list."""
    return {"object": "list", "url": path, "has_more": more, "data": data}


def moved(line: days.Line, number: int) -> Fields:
    """Say what a charge or a refund moved, with its source and the intent of that."""
    known = {"order": line.order_no}
    source: Fields = {
        "id": f"ch_{line.trade_no}",
        "object": "charge",
        "amount": abs(line.amount_fen),
        "currency": "cny",
        "metadata": known,
        "payment_intent": {"id": f"pi_{line.trade_no}", "metadata": known},
    }
    if line.refund_no:
        named = {"metadata": {**known, "request": line.refund_no}}
        source |= {"id": f"re_{line.refund_no[-24:]}", "object": "refund", **named}
    return {
        "id": f"txn_{number}",
        "object": "balance_transaction",
        "amount": line.amount_fen,
        "created": int(line.completed_at),
        "currency": "cny",
        "exchange_rate": None,
        "fee": 0 if line.refund_no else line.amount_fen * _FEE_PER_THOUSAND // 1000,
        "source": source,
        "type": source["object"],
    }


def event(kind: str, about: Fields) -> Fields:
    """Wrap an object as news."""
    return {
        "id": f"evt_{secrets.token_hex(12)}",
        "object": "event",
        "type": kind,
        "livemode": False,
        "data": {"object": about},
    }


def signature(body: bytes, secret: str, now: float, *, before: str | None = None) -> str:
    """Write the header that signs a body; with *before*, by the secret before this one, too."""
    at = int(now)
    parts = [f"t={at}", "v0=" + "0" * 64]
    for each in filter(None, (before, secret)):
        mac = hmac.new(each.encode(), f"{at}.".encode() + body, hashlib.sha256)
        parts.append(f"v1={mac.hexdigest()}")
    return ",".join(parts)


def fen_of(trade: Trade) -> int:
    """Read a trade's amount as Stripe counts it."""
    return int(trade.amount.replace(".", ""))

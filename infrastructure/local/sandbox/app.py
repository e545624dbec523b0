"""The stand-ins over HTTP: the cashier and control that each has, and Alipay's gateway."""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlencode

import msgspec

from infrastructure.local.sandbox import pages
from infrastructure.local.sandbox.gateway import BROUGHT, Declined, Gateway
from infrastructure.local.sandbox.refunds import Lost, NotRefunded
from infrastructure.local.sandbox.sender import Sender
from infrastructure.local.sandbox.trades import (
    FINISHED,
    SUCCESS,
    WAITING,
    BillFaults,
    Faults,
    Trade,
    Trades,
)

Start = Callable[[str, list[tuple[str, str]]], object]

_BODY_BYTES_MAX = 64 * 1024
_HOSTS = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:[0-9]+)?", re.ASCII)
_HTML = "text/html; charset=utf-8"
_JSON = "application/json; charset=utf-8"


class ConsoleRefund(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A refund in the merchant's console: yuan, and the number that Alipay gives it."""

    amount: str
    number: str


class Reply(Exception):
    """An answer; raised, because the first one that fits ends the request."""

    def __init__(
        self,
        status: str,
        content: str | bytes = "",
        *,
        kind: str = _HTML,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(status)
        self.status, self.content, self.kind = status, content, kind
        self.headers = headers or {}


Route = tuple[str, re.Pattern[str], Callable[..., Reply]]


class Desk(Protocol):
    """What a cashier needs of a channel's gateway."""

    trades: Trades

    @property
    def now(self) -> Callable[[], float]:
        """Who tells the time."""

    @property
    def notices(self) -> Sender:
        """Who tells the merchant."""

    def return_fields(self, trade: Trade) -> dict[str, str]:
        """Say what a buyer's browser brings back to the merchant."""


class Counter:
    """A WSGI application with a cashier and a control, and with the routes of one gateway."""

    def __init__(
        self,
        gateway: Desk,
        routes: Sequence[Route],
        *,
        faults: type[BillFaults] = BillFaults,
    ) -> None:
        """*faults* are those that the gateway plays; others are refused."""
        self._gateway = gateway
        self._played = faults
        self._routes: tuple[Route, ...] = (
            *routes,
            ("GET", re.compile(r"/cashier/([\w-]+)"), self._cashier),
            ("POST", re.compile(r"/cashier/([\w-]+)/pay"), self._pay),
            ("GET", re.compile(r"/control/health"), self._health),
            ("GET", re.compile(r"/control/faults"), self._show_faults),
            ("POST", re.compile(r"/control/faults"), self._set_faults),
            ("GET", re.compile(r"/control/trades"), self._list_trades),
            ("GET", re.compile(r"/control/trades/(\w+)"), self._show_trade),
            ("POST", re.compile(r"/control/trades/(\w+)/(pay|finish|notify)"), self._act),
            ("POST", re.compile(r"/control/trades/(\w+)/faults"), self._wish_faults),
        )

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Answer one request."""
        try:
            reply = self._route(environ)
        except Reply as early:
            reply = early
        body = reply.content if isinstance(reply.content, bytes) else reply.content.encode()
        headers = {
            "Content-Type": reply.kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline';"
            " frame-ancestors 'none'; base-uri 'none'",
            **reply.headers,
        }
        start(reply.status, list(headers.items()))
        return [body]

    def _route(self, environ: dict[str, Any]) -> Reply:
        # A page of the world cannot reach us by a name of its own that leads to loopback.
        if not _HOSTS.fullmatch(environ.get("HTTP_HOST", "")):
            return Reply("421 Misdirected Request")
        method, path = environ["REQUEST_METHOD"], environ.get("PATH_INFO", "")
        for wanted, pattern, answer in self._routes:
            if wanted == method and (match := pattern.fullmatch(path)):
                return answer(environ, *match.groups())
        return Reply("404 Not Found", pages.notice("页面不存在", "There is no such page"))

    # The cashier.

    def _cashier(self, environ: dict[str, Any], token: str) -> Reply:
        trade = self._gateway.trades.see(token, now=self._gateway.now())
        if trade is None:
            return Reply("404 Not Found", pages.notice("订单不存在", "There is no such order"))
        return Reply("200 OK", pages.cashier(trade))

    def _pay(self, environ: dict[str, Any], token: str) -> Reply:
        trade = self._gateway.trades.see(token, now=self._gateway.now())
        if trade is None:
            return Reply("404 Not Found", pages.notice("订单不存在", "There is no such order"))
        self._pay_trade(trade)
        if trade.return_url is None:
            return Reply("303 See Other", headers={"Location": f"/cashier/{token}"})
        brought = self._gateway.return_fields(trade)
        query = f"?{urlencode(brought)}" if brought else ""
        return Reply("303 See Other", headers={"Location": trade.return_url + query})

    def _pay_trade(self, trade: Trade) -> None:
        """Pay a trade that waits; a second click changes nothing."""
        gateway = self._gateway
        paid = gateway.trades.move(trade.order_no, before=WAITING, after=SUCCESS, now=gateway.now())
        if paid is not None:
            gateway.notices.tell(paid)

    # The control, for tests and for those who want to see faults.

    def _health(self, environ: dict[str, Any]) -> Reply:
        return _json({"status": "ok"})

    def _show_faults(self, environ: dict[str, Any]) -> Reply:
        return _json(self._gateway.trades.faults)

    def _set_faults(self, environ: dict[str, Any]) -> Reply:
        faults = self._given_faults(environ)
        self._gateway.trades.set_faults(faults)
        return _json(faults)

    def _wish_faults(self, environ: dict[str, Any], order_no: str) -> Reply:
        """Have something go wrong with one order, once."""
        trade, faults = self._trade(order_no), self._given_faults(environ)
        whole_days = [name for name in faults.__struct_fields__ if name.startswith("bill_")]
        if any(getattr(faults, name) for name in whole_days):
            return _json({"error": "a bill is not one order's"}, "422 Unprocessable Content")
        self._gateway.trades.wish(trade.order_no, faults)
        return self._show_trade(environ, order_no)

    def _list_trades(self, environ: dict[str, Any]) -> Reply:
        return _json(self._gateway.trades.all())

    def _show_trade(self, environ: dict[str, Any], order_no: str) -> Reply:
        trade = self._trade(order_no)
        notifies = self._gateway.trades.notifies(order_no)
        refunds = self._gateway.trades.refunded(trade.trade_no or "")
        faults = self._gateway.trades.wished(order_no)
        shown = msgspec.to_builtins(trade)
        return _json({**shown, "notifies": notifies, "refunds": refunds, "faults": faults})

    def _act(self, environ: dict[str, Any], order_no: str, act: str) -> Reply:
        _json_body(environ)
        gateway, trade = self._gateway, self._trade(order_no)
        match act:
            case "pay":
                gateway.trades.see(trade.token, now=gateway.now())
                self._pay_trade(trade)
            case "finish":
                finished = gateway.trades.move(
                    order_no, before=SUCCESS, after=FINISHED, now=gateway.now()
                )
                if finished is not None:
                    gateway.notices.tell(finished)
            case "notify":
                gateway.notices.again(order_no)
        return self._show_trade(environ, order_no)

    def _given_faults(self, environ: dict[str, Any]) -> Faults:
        try:
            given = msgspec.json.decode(_json_body(environ), type=self._played)
        except msgspec.DecodeError as error:
            raise _json({"error": str(error)}, "422 Unprocessable Content") from None
        return Faults(**msgspec.structs.asdict(given))

    def _trade(self, order_no: str) -> Trade:
        trade = self._gateway.trades.find(order_no=order_no, now=self._gateway.now())
        if trade is None:
            raise Reply("404 Not Found", '{"error":"no such order"}', kind=_JSON)
        return trade


class Sandbox(Counter):
    """Alipay's stand-in."""

    def __init__(self, gateway: Gateway) -> None:
        self._alipay = gateway
        path = re.compile(r"/gateway\.do")
        routes = (
            ("GET", path, self._gateway_get),
            ("POST", path, self._gateway_post),
            ("POST", re.compile(r"/app"), self._open_app),
            ("GET", re.compile(r"/bill/([\w.-]+)"), self._bill),
            ("POST", re.compile(r"/control/trades/(\w+)/refund"), self._refund),
        )
        super().__init__(gateway, routes, faults=Faults)

    def _gateway_get(self, environ: dict[str, Any]) -> Reply:
        return self._gateway_reply(form_fields(environ.get("QUERY_STRING", "")))

    def _gateway_post(self, environ: dict[str, Any]) -> Reply:
        return self._gateway_reply(
            form_fields(environ.get("QUERY_STRING", "")) | form_fields(body_of(environ).decode())
        )

    def _gateway_reply(self, fields: dict[str, str]) -> Reply:
        if fields.get("method") not in BROUGHT:
            try:
                return Reply("200 OK", self._alipay.call(fields), kind=_JSON)
            except Lost:
                return Reply("504 Gateway Timeout")
        try:
            trade = self._alipay.bring(fields)
        except Declined as declined:
            text = f"{declined.sub_code} ({declined.sub_msg})"
            return Reply(
                "400 Bad Request", pages.notice(f"订单无法受理：{text}", f"Refused: {text}")
            )
        return Reply("302 Found", headers={"Location": f"/cashier/{trade.token}"})

    def _bill(self, environ: dict[str, Any], ticket: str) -> Reply:
        archive = self._alipay.bill(ticket)
        if archive is None:
            return Reply("403 Forbidden", pages.notice("链接已失效", "This address has expired"))
        return Reply("200 OK", archive, kind="application/zip")

    def _open_app(self, environ: dict[str, Any]) -> Reply:
        """Take the text that an app on the phone hands over, as Alipay's own app does."""
        try:
            given = msgspec.json.decode(_json_body(environ), type=dict[str, str])
            fields = form_fields(given["app_string"])
            trade = self._alipay.bring(fields)
        except (msgspec.DecodeError, KeyError):
            return _json({"error": "no app_string"}, "422 Unprocessable Content")
        except Declined as declined:
            return _json(declined.answer, "400 Bad Request")
        return _json({"order_no": trade.order_no, "cashier": f"/cashier/{trade.token}"})

    def _refund(self, environ: dict[str, Any], order_no: str) -> Reply:
        """Refund as the merchant's people do in the console, with a number that we never gave."""
        trade = self._trade(order_no)
        try:
            asked = msgspec.json.decode(_json_body(environ), type=ConsoleRefund)
            self._alipay.refunds.give(trade, asked.number, asked.amount)
        except msgspec.DecodeError as error:
            return _json({"error": str(error)}, "422 Unprocessable Content")
        except NotRefunded as refusal:
            return _json({"error": refusal.sub_code}, "409 Conflict")
        return self._show_trade(environ, order_no)


def form_fields(text: str) -> dict[str, str]:
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=100))
    except ValueError:
        raise Reply(
            "400 Bad Request", pages.notice("请求无法读取", "The request cannot be read")
        ) from None


def body_of(environ: dict[str, Any]) -> bytes:
    size = environ.get("CONTENT_LENGTH") or "0"
    if not size.isdigit() or int(size) > _BODY_BYTES_MAX:
        raise Reply("413 Content Too Large")
    return bytes(environ["wsgi.input"].read(int(size)))


def _json_body(environ: dict[str, Any]) -> bytes:
    """Read a control's body; a browser sends this type across origins only if we agree."""
    if environ.get("CONTENT_TYPE", "").partition(";")[0].strip() != "application/json":
        raise Reply("415 Unsupported Media Type")
    return body_of(environ)


def _json(value: object, status: str = "200 OK") -> Reply:
    return Reply(status, msgspec.json.encode(value).decode(), kind=_JSON)

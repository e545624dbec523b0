"""Each channel's stand-in, put together on a port of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from infrastructure.local.sandbox.app import Sandbox
from infrastructure.local.sandbox.gateway import Gateway
from infrastructure.local.sandbox.notices import Notices
from infrastructure.local.sandbox.sender import SCHEDULE, Sender
from infrastructure.local.sandbox.signing import Keys
from infrastructure.local.sandbox.stripe import StripeGateway, StripeNotices, StripeSandbox
from infrastructure.local.sandbox.trades import Trades
from infrastructure.local.sandbox.wechat import WechatGateway, WechatNotices, WechatSandbox
from infrastructure.local.sandbox.wechat_payers import Merchant

HOST = "127.0.0.1"


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing: a request's URL holds what a buyer bought."""


@dataclass(kw_only=True)
class Running:
    """A stand-in that answers on a port, until it is stopped."""

    server: WSGIServer
    notices: Sender

    @property
    def url(self) -> str:
        """Where it is."""
        return _url(self.server)

    def serve(self) -> None:
        """Answer until stopped."""
        self.notices.start()
        try:
            self.server.serve_forever(poll_interval=0.1)
        finally:
            self.server.server_close()
            self.notices.stop()

    def stop(self) -> None:
        """End `serve`, from another thread."""
        self.server.shutdown()


def alipay(
    *,
    port: int,
    state: Path,
    keys: Keys,
    app_id: str,
    seller_id: str,
    schedule: Sequence[float] = SCHEDULE,
) -> Running:
    """Bind the port (0 for any) and put Alipay together."""
    trades, server = Trades(state), _bound(port)
    notices = Notices(trades, keys, app_id=app_id, seller_id=seller_id, schedule=schedule)
    gateway = Gateway(
        trades=trades,
        notices=notices,
        keys=keys,
        app_id=app_id,
        seller_id=seller_id,
        base_url=_url(server),
    )
    server.set_app(Sandbox(gateway))
    return Running(server=server, notices=notices)


def wechat(
    *,
    port: int,
    state: Path,
    keys: Keys,
    merchant: Merchant,
    schedule: Sequence[float] = SCHEDULE,
) -> tuple[Running, WechatGateway]:
    """Bind the port (0 for any) and put WeChat Pay together."""
    trades, server = Trades(state), _bound(port)
    notices = WechatNotices(trades, keys, merchant, schedule=schedule)
    gateway = WechatGateway(
        trades=trades, notices=notices, keys=keys, merchant=merchant, base_url=_url(server)
    )
    server.set_app(WechatSandbox(gateway))
    return Running(server=server, notices=notices), gateway


def stripe(
    *,
    port: int,
    state: Path,
    secret_key: str,
    webhook_secret: str,
    webhook_url: str,
    schedule: Sequence[float] = SCHEDULE,
) -> tuple[Running, StripeGateway]:
    """Bind the port (0 for any) and put Stripe together."""
    trades, server = Trades(state), _bound(port)
    notices = StripeNotices(trades, webhook_secret, schedule=schedule)
    gateway = StripeGateway(
        trades=trades,
        notices=notices,
        secret_key=secret_key,
        webhook_url=webhook_url,
        base_url=_url(server),
    )
    server.set_app(StripeSandbox(gateway))
    return Running(server=server, notices=notices), gateway


def _bound(port: int) -> WSGIServer:
    """Bind a port before there is an application, which has to know the port."""
    return make_server(HOST, port, _unready, server_class=_Server, handler_class=_Quiet)


def _url(server: WSGIServer) -> str:
    return f"http://{HOST}:{server.server_port}"


def _unready(environ: Any, start: Any) -> list[bytes]:
    raise AssertionError("requests are answered only after the application was set")

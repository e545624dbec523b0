"""Runs the stand-in: `python -m infrastructure.local.sandbox --port N --state FILE ...`."""

import argparse
import logging
import signal
import threading
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
from infrastructure.local.sandbox.trades import Trades

HOST = "127.0.0.1"

logger = logging.getLogger("sandbox")


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
        return f"http://{HOST}:{self.server.server_port}"

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


def prepare(
    *,
    port: int,
    state: Path,
    keys: Keys,
    app_id: str,
    seller_id: str,
    schedule: Sequence[float] = SCHEDULE,
) -> Running:
    """Bind the port (0 for any) and put the parts together."""
    trades = Trades(state)
    notices = Notices(trades, keys, app_id=app_id, seller_id=seller_id, schedule=schedule)
    server = bound(port)
    gateway = Gateway(
        trades=trades,
        notices=notices,
        keys=keys,
        app_id=app_id,
        seller_id=seller_id,
        base_url=f"http://{HOST}:{server.server_port}",
    )
    server.set_app(Sandbox(gateway))
    return Running(server=server, notices=notices)


def bound(port: int) -> WSGIServer:
    """Bind a port (0 for any) before there is an application, which has to know the port."""
    return make_server(HOST, port, _unready, server_class=_Server, handler_class=_Quiet)


def _unready(environ: Any, start: Any) -> list[bytes]:
    raise AssertionError("requests are answered only after the application was set")


def main() -> None:
    """Read the arguments and serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True, help="SQLite file")
    parser.add_argument("--app-id", required=True)
    parser.add_argument("--seller-id", required=True)
    parser.add_argument("--private-key", type=Path, required=True, help="Alipay's, PEM")
    parser.add_argument("--merchant-public-key", type=Path, required=True, help="PEM")
    parser.add_argument(
        "--schedule",
        type=lambda text: tuple(float(part) for part in text.split(",")),
        default=SCHEDULE,
        help="seconds between sends of a notify, parted by commas",
    )
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    running = prepare(
        port=given.port,
        state=given.state,
        keys=Keys.read(
            private_key=given.private_key, merchant_public_key=given.merchant_public_key
        ),
        app_id=given.app_id,
        seller_id=given.seller_id,
        schedule=given.schedule,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        # `shutdown` waits for the loop that this very thread runs, so another one calls it.
        signal.signal(number, lambda *_: threading.Thread(target=running.stop).start())
    logger.info("listening on %s", running.url)
    running.serve()


if __name__ == "__main__":
    main()

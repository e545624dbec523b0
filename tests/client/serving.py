"""The played API as a real HTTP server on loopback."""

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.client.playing import Api
from tests.client.said import Refusal, Seen

WAIT_SCALE = 0.01  #: A second of waiting takes so long here.


class Handler(BaseHTTPRequestHandler):
    """Reads a request, asks the Api, writes the answer."""

    protocol_version = "HTTP/1.1"
    api: Api

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the parent's name.
        """Stay silent."""

    def drop(self) -> None:
        """Close the connection without an answer."""
        self.close_connection = True
        self.connection.close()

    def send(self, status: int, headers: dict[str, str], body: Any) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", headers.get("Content-Type", "application/json"))
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        parts = urlsplit(self.path)
        seen = Seen(
            method=self.command,
            path=parts.path,
            query={name: values[-1] for name, values in parse_qs(parts.query).items()},
            headers={name.lower(): value for name, value in self.headers.items()},
            body=json.loads(content) if content else None,
            peer=self.client_address,
        )
        self.api.seen.append(seen)
        if self.api.faults:
            self.api.faults.popleft()(self)
            return
        try:
            status, headers, body = self.api.answer(seen)
        except Refusal as refusal:
            chinese = seen.headers.get("accept-language", "").startswith("zh")
            title = {"title": "标题"} if chinese else {}
            body = refusal.problem | {"request_id": "req-1"} | title
            status, headers = refusal.status, dict(refusal.headers)
        else:
            if "wait" in seen.query and not _changed(body):
                time.sleep(int(seen.query["wait"]) * WAIT_SCALE)
        self.send(status, headers, body)


def _changed(body: Any) -> bool:
    """Tell whether the real API would have answered at once."""
    return bool(body.get("items") or body.get("complete") or body.get("is_terminal"))


class Server:
    """The played API, listening."""

    def __init__(self) -> None:
        self.api = Api()
        handler = type("ApiHandler", (Handler,), {"api": self.api})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.daemon_threads = True
        self.api.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.02,))

    def __enter__(self) -> Api:
        self._thread.start()
        return self.api

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

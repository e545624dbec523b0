"""The functions themselves over HTTP, for commands that are tested from end to end."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infrastructure.local.sandbox.stand_ins import Running
from tests.client.conftest import Result, Run
from tests.fixtures.alipay import sandbox, settings
from tests.fixtures.harbour import Harbour, Person
from wharfage.adapters.alipay import AlipayChannel
from wharfage.adapters.clock import SystemClock
from wharfage.adapters.embedded import memory_store


class Product:
    """The functions over HTTP, with one customer, and Alipay's stand-in for their channel."""

    def __init__(self, far: Running) -> None:
        self.harbour = Harbour(memory_store())
        self.lock = threading.Lock()
        product = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                product.answer(self)

            def do_POST(self) -> None:
                product.answer(self)

            def do_PUT(self) -> None:
                product.answer(self)

            def log_message(self, *args: object) -> None:
                """Stay silent."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.sandbox = far.url
        channel = AlipayChannel(
            settings(
                gateway=f"{far.url}/gateway.do",
                notify_url=f"{self.url}/v1/alipay/notify",
                return_url=f"{self.url}/v1/alipay/return",
            )
        )
        self.harbour.rebind(
            replace(self.harbour.ports, channels={"alipay": channel}, clock=SystemClock())
        )
        self.customer = self.harbour.customer()
        self.customer.sign_in()

    def answer(self, asked: BaseHTTPRequestHandler) -> None:
        size = int(asked.headers.get("Content-Length") or 0)
        headers = {name: value for name, value in asked.headers.items() if name != "Host"}
        with self.lock:
            found = self.harbour(
                asked.command, asked.path, raw=asked.rfile.read(size), headers=headers
            )
        body = found.text.encode()
        asked.send_response(found.status)
        asked.send_header("Content-Type", found.headers.get("content-type", "text/plain"))
        asked.send_header("Content-Length", str(len(body)))
        asked.end_headers()
        asked.wfile.write(body)

    @property
    def available_fen(self) -> int:
        return int(self.customer.get("/v1/quota")["available_fen"])


@pytest.fixture
def product(tmp_path: Path) -> Iterator[Product]:
    with sandbox(tmp_path) as far:
        made = Product(far)
        thread = threading.Thread(target=made.server.serve_forever, args=(0.02,))
        thread.start()
        yield made
        made.server.shutdown()
        made.server.server_close()
        thread.join()


def as_person(product: Product, run: Run, person: Person) -> Run:
    """Run commands as somebody who is signed in to the product."""

    def runs(*arguments: str, stdin: bytes = b"", **environ: str) -> Result:
        if not person.tokens:
            person.sign_in()
        token = str(person.tokens["access_token"])
        return run(
            *arguments, stdin=stdin, WHARFAGE_URL=product.url, WHARFAGE_TOKEN=token, **environ
        )

    return runs

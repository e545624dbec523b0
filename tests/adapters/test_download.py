"""Fetching a bill: from the channel's own hosts, within bounds, and never saying from where."""

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from wharfage.adapters.alipay.channel import BILL_DOMAINS
from wharfage.adapters.download import download
from wharfage.domain import limits
from wharfage.domain.bill import BillFault
from wharfage.domain.errors import BillRefused, Unanswered, Unavailable

REAL = "https://openapi.alipay.com/gateway.do"


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sends(content: bytes, *, status: int = 200, length: int | None = None, **headers: str):
    def answer(asked: BaseHTTPRequestHandler) -> None:
        asked.send_response(status)
        asked.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            asked.send_header(name, value)
        asked.end_headers()
        asked.wfile.write(content)
        asked.close_connection = True

    return answer


def fetched(base: str, path: str = "/bill/secret", **more) -> bytes:
    gateway = f"{base}/gateway.do"
    return download(f"{base}{path}", gateway=gateway, domains=(), timeout_seconds=2, **more)


def test_a_file_of_the_stand_in_is_fetched_whole():
    content = bytes(range(256)) * 1000

    with serving(sends(content)) as base:
        assert fetched(base) == content


@pytest.mark.parametrize(
    "url",
    [
        "http://dwbillcenter.alipay.com/bill",
        "https://alipay.com.evil.example/bill",
        "https://evilalipay.com/bill",
        "https://127.0.0.1/bill",
        "https://169.254.169.254/latest/meta-data",
        "https://dwbillcenter.alipay.com:8443/bill",
        "https://user@dwbillcenter.alipay.com/bill",
        "https://dwbillcenter.alipay.com:no/bill",
        "https://[dwbillcenter.alipay.com/bill",
        "file:///etc/passwd",
        "ftp://dwbillcenter.alipay.com/bill",
        "",
    ],
)
def test_an_address_that_is_not_alipays_is_never_opened(url):
    with pytest.raises(Unavailable) as caught:
        download(url, gateway=REAL, domains=BILL_DOMAINS, timeout_seconds=1)

    assert type(caught.value) is Unavailable


def test_loopback_is_opened_only_where_the_gateway_is():
    gateway = "http://127.0.0.1:9/gateway.do"

    with serving(sends(b"x")) as base, pytest.raises(Unavailable):
        download(f"{base}/bill", gateway=gateway, domains=("1",), timeout_seconds=1)


def test_a_redirect_is_not_followed():
    with (
        serving(sends(b"secret")) as other,
        serving(sends(b"", status=302, Location=f"{other}/x")) as base,
        pytest.raises(Unanswered),
    ):
        fetched(base)


@pytest.mark.parametrize(
    "answer", [sends(b"no", status=403), sends(b"half", length=100), lambda asked: None]
)
def test_what_does_not_arrive_is_unanswered(answer):
    with serving(answer) as base, pytest.raises(Unanswered):
        fetched(base)


def test_nobody_there_is_unanswered_and_says_not_where(caplog):
    caplog.set_level(logging.DEBUG)

    with pytest.raises(Unanswered) as caught:
        fetched("http://127.0.0.1:9", "/bill/very-secret")

    assert caught.value.__cause__ is None
    assert "very-secret" not in caplog.text + str(caught.value)


def test_headers_are_made_for_the_address_and_sent_with_it():
    asked: list[str] = []

    def answer(handler: BaseHTTPRequestHandler) -> None:
        asked.extend((handler.path, handler.headers["Authorization"]))
        sends(b"x")(handler)

    with serving(answer) as base:
        fetched(base, "/bill?token=a", headers=lambda target: {"Authorization": f"for {target}"})

    assert asked == ["/bill?token=a", "for /bill?token=a"]


def test_nothing_is_signed_for_an_address_that_is_not_the_channels():
    with pytest.raises(Unavailable):
        download(
            "https://evil.example/bill",
            gateway=REAL,
            domains=BILL_DOMAINS,
            timeout_seconds=1,
            headers=lambda target: pytest.fail(f"signed {target}"),
        )


def test_a_file_is_as_large_as_a_bill_and_not_a_byte_larger(monkeypatch):
    with serving(sends(bytes(1000))) as base:
        for most in (1001, 1000):
            monkeypatch.setattr(limits, "BILL_PACKED_BYTES_MAX", most)
            assert len(fetched(base)) == 1000
        monkeypatch.setattr(limits, "BILL_PACKED_BYTES_MAX", 999)
        with pytest.raises(BillRefused) as caught:
            fetched(base)

    assert caught.value.reason == BillFault.SIZE


def test_a_file_that_trickles_is_given_up():
    ticks = itertools.count(0.0, 20.0)

    with serving(sends(bytes(500_000))) as base, pytest.raises(Unanswered):
        fetched(base, clock=lambda: next(ticks))

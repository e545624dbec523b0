"""Fetches one file that Alipay has named: from its own hosts, within bounds of size and time.

The address is a secret for as long as it lives, so it is in no message and in no log.
"""

import time
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, build_opener

from wharfage.domain import limits
from wharfage.domain.bill import BillFault
from wharfage.domain.errors import BillRefused, Unanswered, Unavailable

TOTAL_SECONDS = 60.0  #: For all of it; the SDK's time-out is for each read.

_CHUNK_BYTES = 64 * 1024
#: Where Alipay hands bills out, and where its sandbox does.
_DOMAINS = (".alipay.com", ".alipaydev.com", ".alipay-cloud-devapi.com")


class _Stay(HTTPRedirectHandler):
    """Follows no redirect: an address that leads elsewhere is not the one that was signed."""

    def redirect_request(self, *_args: Any) -> None:
        return None


def download(
    url: str,
    *,
    gateway: str,
    timeout_seconds: float,
    total_seconds: float = TOTAL_SECONDS,
    clock: Callable[[], float] = time.monotonic,
) -> bytes:
    """Fetch the file. *gateway* is Alipay's own address, which says where files may come from.

    Raises: Unavailable for an address that is not Alipay's, Unanswered when it does not arrive,
    BillRefused when it is larger than a bill.
    """
    _check(url, gateway)
    ends = clock() + total_seconds
    loopback = urlsplit(gateway).scheme == "http"
    # A proxy of the environment has no business on loopback.
    opener = build_opener(_Stay, *([ProxyHandler({})] if loopback else []))
    try:
        with opener.open(url, timeout=timeout_seconds) as answer:
            return _read(answer, ends, clock)
    except (OSError, HTTPException, ValueError):
        # Without its cause, which has the address in it.
        raise Unanswered from None


def _read(answer: HTTPResponse, ends: float, clock: Callable[[], float]) -> bytes:
    content = bytearray()
    while chunk := answer.read(_CHUNK_BYTES):
        content += chunk
        if len(content) > limits.BILL_PACKED_BYTES_MAX:
            raise BillRefused(reason=BillFault.SIZE)
        if clock() > ends:
            raise Unanswered
    if answer.length:  # What was promised and did not come; reading in parts says nothing of it.
        raise Unanswered
    return bytes(content)


def _check(url: str, gateway: str) -> None:
    """Require Alipay's own host over TLS; plain and on loopback only where the gateway is."""
    try:
        asked, known = urlsplit(url), urlsplit(gateway)
        port = asked.port
    except ValueError:
        raise Unavailable from None
    host = asked.hostname or ""
    if asked.username is not None or asked.password is not None:
        raise Unavailable
    if known.scheme == "http":  # Which settings allow to loopback alone.
        if (asked.scheme, asked.netloc) != (known.scheme, known.netloc):
            raise Unavailable
        return
    if asked.scheme != "https" or port not in {None, 443} or not host.endswith(_DOMAINS):
        raise Unavailable

"""Fetches one file that a channel has named: from its own hosts, within bounds of size and time.

The address is a secret for as long as it lives, so it is in no message and in no log.
"""

import time
from collections.abc import Callable, Mapping
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

from wharfage.domain import limits
from wharfage.domain.bill import BillFault
from wharfage.domain.errors import BillRefused, Unanswered, Unavailable

_CHUNK_BYTES = 64 * 1024


class _Stay(HTTPRedirectHandler):
    """Follows no redirect: an address that leads elsewhere is not the one that was signed."""

    def redirect_request(self, *_args: Any) -> None:
        return None


def download(
    url: str,
    *,
    gateway: str,
    domains: tuple[str, ...],
    timeout_seconds: float,
    headers: Callable[[str], Mapping[str, str]] = lambda target: {},
    clock: Callable[[], float] = time.monotonic,
) -> bytes:
    """Fetch the file. *gateway* is the channel's own address; where that is on this machine, the
    file is, too, and else within one of the channel's *domains*. *headers* are made for the path
    and query of an address that is trusted.

    Raises: Unavailable for an address that is not the channel's, Unanswered when the file does not
    arrive, BillRefused when it is larger than a bill.
    """
    target = _trusted(url, gateway, domains)
    ends = clock() + limits.BILL_SECONDS
    loopback = urlsplit(gateway).scheme == "http"
    # A proxy of the environment has no business on loopback.
    opener = build_opener(_Stay, *([ProxyHandler({})] if loopback else []))
    try:
        asked = Request(url, headers=dict(headers(target)))  # noqa: S310 - the address is checked
        with opener.open(asked, timeout=timeout_seconds) as answer:
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


def _trusted(url: str, gateway: str, domains: tuple[str, ...]) -> str:
    """Require the channel's own host over TLS, or on loopback the gateway's; give the target."""
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
    elif asked.scheme != "https" or port not in {None, 443} or not host.endswith(domains):
        raise Unavailable
    return asked.path + (f"?{asked.query}" if asked.query else "")

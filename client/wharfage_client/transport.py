"""HTTP as the API needs it: kept connections, timeouts, and repeats only of what is safe."""

import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from wharfage_client import __version__
from wharfage_client.errors import LocalError, NotTheApi, Unreachable, api_error

TRIES = 4
ANSWER_BYTES_MAX = 16 * 1024 * 1024
_PAUSE_FIRST_SECONDS = 0.2
_PAUSE_MAX_SECONDS = 5.0
_PASSING = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call. *key* is its Idempotency-Key; *repeatable*: a repeat does nothing twice."""

    method: str
    path: str
    query: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    key: str | None = None
    repeatable: bool = False
    wait_seconds: int = 0  #: How much longer than usual the API may take to answer.
    token: str | None = field(default=None, repr=False)

    @property
    def safe(self) -> bool:
        """Tell whether it may be sent again when nobody knows what became of it."""
        return self.method == "GET" or self.key is not None or self.repeatable

    @property
    def target(self) -> str:
        """The path with its query string."""
        return f"{self.path}?{urlencode(self.query)}" if self.query else self.path

    @property
    def headers(self) -> dict[str, str]:
        """The headers that belong to what is asked, without those of who asks."""
        found = {"Content-Type": "application/json"} if self.body is not None else {}
        return found | ({"Idempotency-Key": self.key} if self.key else {})


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back: header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def retry_after_seconds(self) -> float | None:
        """How long the API asks to be left alone."""
        text = self.headers.get("retry-after", "")
        return float(text) if text.isascii() and text.isdigit() else None


class Transport:
    """Sends calls to one server. Threads do not share connections."""

    def __init__(
        self,
        url: str,
        *,
        language: str = "en",
        timeout_seconds: float = 15.0,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._parts = checked(url)
        self.url = url.rstrip("/")
        self._language = language
        self._timeout_seconds = timeout_seconds
        self._pause = pause
        self._kept = threading.local()

    def send(self, call: Call) -> Answer:
        """Send a call, and again if that is safe and the trouble may pass.

        Raises: Unreachable.
        """
        backoff = _PAUSE_FIRST_SECONDS
        for left in range(TRIES - 1, -1, -1):
            try:
                answer = self._once(call)
            except (OSError, HTTPException) as error:
                if not left or not call.safe or _certificate(error):
                    raise Unreachable(self.url, _reason(error)) from error
                wait = backoff * random.uniform(0.5, 1.0)  # noqa: S311 - it only spreads repeats.
            else:
                wait = answer.retry_after_seconds or backoff
                over = not left or not call.safe or wait > _PAUSE_MAX_SECONDS
                if over or answer.status not in _PASSING:
                    return answer
            self.pause(wait)
            backoff *= 2
        raise AssertionError("the last try returns or raises")

    def pause(self, seconds: float) -> None:
        """Wait."""
        self._pause(seconds)

    def close(self) -> None:
        """Close this thread's connection."""
        connection: HTTPConnection | None = getattr(self._kept, "connection", None)
        if connection is not None:
            connection.close()
            self._kept.connection = None

    def _once(self, call: Call) -> Answer:
        if not call.safe:
            # A kept connection may have died unseen, and then nobody knows whether it was done.
            self.close()
        connection = self._connection(call)
        try:
            body = None if call.body is None else json.dumps(call.body).encode()
            target = self._parts.path.rstrip("/") + call.target
            connection.request(call.method, target, body=body, headers=self._headers(call))
            response = connection.getresponse()
            content = response.read(ANSWER_BYTES_MAX + 1)
            if len(content) > ANSWER_BYTES_MAX:
                raise HTTPException("the answer is too long")
        except BaseException:
            # Also when interrupted: half an answer must not be read as the next one.
            self.close()
            raise
        headers = {name.lower(): value for name, value in response.getheaders()}
        if response.will_close:
            self.close()
        return Answer(status=response.status, headers=headers, body=content)

    def _connection(self, call: Call) -> HTTPConnection:
        timeout = self._timeout_seconds + call.wait_seconds
        connection: HTTPConnection | None = getattr(self._kept, "connection", None)
        if connection is None:
            kind = HTTPSConnection if self._parts.scheme == "https" else HTTPConnection
            connection = kind(self._parts.hostname or "", self._parts.port, timeout=timeout)
            self._kept.connection = connection
        elif connection.sock is not None:
            connection.sock.settimeout(timeout)
        connection.timeout = timeout
        return connection

    def _headers(self, call: Call) -> dict[str, str]:
        return {
            "Accept": "application/json, application/problem+json",
            "Accept-Language": self._language,
            "User-Agent": f"wharfage/{__version__}",
            **call.headers,
            **({"Authorization": f"Bearer {call.token}"} if call.token else {}),
        }


def read(answer: Answer, url: str) -> Any:
    """Read what the API answered; None when it has nothing to say.

    Raises: ApiError, NotTheApi.
    """
    if answer.status == 204:
        return None
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise NotTheApi(url, answer.status) from None
    if not isinstance(value, dict) or 300 <= answer.status < 400:
        raise NotTheApi(url, answer.status)
    if answer.status >= 400:
        if "code" not in value:
            raise NotTheApi(url, answer.status)
        raise api_error(answer.status, value)
    return value


def checked(url: str) -> SplitResult:
    """Take a server's address apart. Passwords and tokens cross no network in the clear.

    Raises: LocalError.
    """
    try:
        parts = urlsplit(url)
        _ = parts.port  # It is checked when it is read.
    except ValueError:
        raise LocalError("bad_url", url=url) from None
    plain = parts.scheme in ("http", "https") and parts.hostname is not None
    if not plain or parts.username or parts.query or parts.fragment:
        raise LocalError("bad_url", url=url)
    if parts.scheme == "http" and not loopback(parts.hostname or ""):
        raise LocalError("insecure_url", url=url)
    return parts


def loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _certificate(error: Exception) -> bool:
    import ssl  # http.client has it already.

    return isinstance(error, ssl.SSLCertVerificationError)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__

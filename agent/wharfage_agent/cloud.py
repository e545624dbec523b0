"""The control plane over HTTPS: eight calls, JSON both ways, one kept-alive connection a thread."""

import http.client
import logging
import ssl
import threading
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec

from wharfage.messages import (
    AssignmentsReply,
    AssignmentsRequest,
    ClaimsReply,
    ClaimsRequest,
    CredentialsReply,
    EnrolReply,
    EnrolRequest,
    HeartbeatReply,
    HeartbeatRequest,
    LogsReply,
    LogsRequest,
    OutputsReply,
    OutputsRequest,
    ReportsReply,
    ReportsRequest,
)
from wharfage_agent import VERSION
from wharfage_agent.errors import CloudAway, CloudRefused, Fenced, Revoked, UnusableHost

log = logging.getLogger(__name__)

TIMEOUT_SECONDS = 5.0
ANSWER_BYTES_MAX = 16 * 1024 * 1024

OK, MULTIPLE = 200, 300
UNAUTHORIZED, REQUEST_TIMEOUT, CONFLICT, TOO_MANY, SERVER_ERROR = 401, 408, 409, 429, 500
STALE_BOOT = "stale_boot"

T = TypeVar("T")


class _Problem(msgspec.Struct, frozen=True):
    """What of a problem+json answer the agent reads."""

    code: str = ""
    type: str = ""


class HttpCloud:
    """The control plane at *server*. *token* is asked for at each call, for it is replaced."""

    def __init__(self, server: str, *, token: Callable[[], str | None]) -> None:
        parts = urlsplit(server)
        if parts.scheme not in ("http", "https") or parts.hostname is None:
            raise UnusableHost(f"{server} is not an http(s) address.")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._prefix = parts.path.rstrip("/")
        self._token = token
        self._own = threading.local()
        self._tls = ssl.create_default_context() if self._secure else None

    def enrol(self, request: EnrolRequest) -> EnrolReply:
        """Become a host. The only call without a token."""
        return self._call("enrol", request, EnrolReply)

    def credentials(self) -> CredentialsReply:
        """Fetch short-lived credentials for the queues."""
        return self._call("credentials", {}, CredentialsReply)

    def heartbeat(self, request: HeartbeatRequest) -> HeartbeatReply:
        """Give a sign of life."""
        return self._call("heartbeat", request, HeartbeatReply)

    def assignments(self, request: AssignmentsRequest) -> AssignmentsReply:
        """Ask what this host should hold."""
        return self._call("assignments", request, AssignmentsReply)

    def claims(self, request: ClaimsRequest) -> ClaimsReply:
        """Ask for work."""
        return self._call("claims", request, ClaimsReply)

    def reports(self, request: ReportsRequest) -> ReportsReply:
        """Say how attempts are going."""
        return self._call("reports", request, ReportsReply)

    def logs(self, request: LogsRequest) -> LogsReply:
        """Ship output."""
        return self._call("logs", request, LogsReply)

    def outputs(self, request: OutputsRequest) -> OutputsReply:
        """Say which files a job left, and learn where to send them."""
        return self._call("outputs", request, OutputsReply)

    def _call(self, name: str, body: Any, reply: type[T]) -> T:
        """Post *body* and read the answer. Raises: CloudAway, CloudRefused, Fenced, Revoked."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "application/json",
            "User-Agent": f"wharfage-agent/{VERSION}",
        }
        if (token := self._token()) is not None:
            headers["Authorization"] = f"Bearer {token}"
        path = f"{self._prefix}/v1/agent/{name}"
        status, answer = self._exchange(path, msgspec.json.encode(body), headers)
        if status == UNAUTHORIZED and self._token() != token:
            raise CloudAway(f"{name}: the token was replaced meanwhile")
        if not OK <= status < MULTIPLE:
            raise _refusal(name, status, answer)
        try:
            return msgspec.json.decode(answer, type=reply)
        except msgspec.DecodeError as error:
            raise CloudAway(f"{name}: the answer cannot be read: {error}") from error

    def _exchange(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        """Send once more when a kept-alive connection turns out to be closed: all calls repeat."""
        fresh = getattr(self._own, "connection", None) is None
        try:
            return self._send(path, body, headers)
        except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError) as error:
            self.close()
            if fresh:
                raise CloudAway(str(error)) from error
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise CloudAway(f"{type(error).__name__}: {error}") from error
        try:
            return self._send(path, body, headers)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise CloudAway(f"{type(error).__name__}: {error}") from error

    def _send(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = getattr(self._own, "connection", None) or self._connect()
        connection.request("POST", path, body=body, headers=headers)
        response = connection.getresponse()
        answer = response.read(ANSWER_BYTES_MAX)
        if response.will_close:
            self.close()
        return response.status, answer

    def _connect(self) -> http.client.HTTPConnection:
        if self._tls is not None:
            made: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=TIMEOUT_SECONDS, context=self._tls
            )
        else:
            made = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT_SECONDS)
        self._own.connection = made
        return made

    def close(self) -> None:
        """Close this thread's connection."""
        connection = getattr(self._own, "connection", None)
        if connection is not None:
            connection.close()
        self._own.connection = None


def _refusal(name: str, status: int, answer: bytes) -> CloudAway | CloudRefused:
    try:
        problem = msgspec.json.decode(answer, type=_Problem)
    except msgspec.DecodeError:
        problem = _Problem()
    code = problem.code or problem.type.rpartition("/")[2]
    if status >= SERVER_ERROR or status in (REQUEST_TIMEOUT, TOO_MANY):
        return CloudAway(f"{name}: {status} {code}")
    if status == CONFLICT and code == STALE_BOOT:
        return Fenced(status, code)
    if status == UNAUTHORIZED and name != "enrol":
        return Revoked(status, code)
    return CloudRefused(status, code)

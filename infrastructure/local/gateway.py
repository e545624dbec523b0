"""The API Gateway of one machine: a WSGI application in front of the functions of the template.

It refuses what API Gateway and Lambda would refuse, before and after the handler: unknown routes,
events and answers over 6 MB, headers over 10 KB, answers after 29 s. It builds HTTP API events in
payload 2.0; the handlers cannot tell it from Lambda.

    python -m infrastructure.local.gateway --port 8080 --schedule-seconds 2
"""

import argparse
import base64
import ctypes
import logging
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from infrastructure.local import housekeeping
from infrastructure.local.context import Context
from infrastructure.local.lanes import Lanes
from infrastructure.local.objects import ObjectDoor
from infrastructure.local.schedule import Scheduler
from infrastructure.template import Function, functions
from wharfage import wiring
from wharfage.adapters.folder import DOOR
from wharfage.domain.errors import Malformed, Refused, TooLarge, Unavailable
from wharfage.web import problems, replies

log = logging.getLogger(__name__)

PAYLOAD_BYTES_MAX = 6 * 1024 * 1024  #: Lambda: one synchronous event, one answer.
HEADER_BYTES_MAX = 10_240  #: API Gateway: all header lines together.
ANSWER_SECONDS_MAX = 29.0  #: API Gateway's integration time-out.
SCHEDULE_SECONDS = "WHARFAGE_SCHEDULE_SECONDS"

_TEXT_TYPES = ("text/", "application/json", "application/x-www-form-urlencoded", "application/xml")
_PR_SET_PDEATHSIG = 1

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]


@dataclass(slots=True)
class Node:
    """One segment of the routes: what follows it literally, or as a parameter."""

    literal: "dict[str, Node]" = field(default_factory=dict)
    parameter: "Node | None" = None
    methods: dict[str, tuple[str, Function]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Matched:
    """What a request is for, known before its body is read."""

    function: Function
    method: str
    path: str
    route: str
    parameters: dict[str, str]
    headers: dict[str, str]
    cookies: list[str]

    @property
    def key(self) -> str:
        """Name the route as API Gateway does."""
        return f"{self.method} {self.route}"


class Gateway:
    """The WSGI application. It keeps no state but the routes."""

    def __init__(
        self, served: Sequence[Function], settings: Any, lanes: Lanes | None = None
    ) -> None:
        self._settings = settings
        self._lanes = lanes or Lanes()
        self._root = Node()
        for function in served:
            for method, path in function.routes:
                node = self._root
                for segment in path.strip("/").split("/"):
                    node = _child(node, segment)
                node.methods[method] = (path, function)
        self._handlers = {each.name: each.load() for each in served if each.routes}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        request_id = str(uuid.uuid4())
        try:
            matched = self._matched(environ)
            # Read whatever becomes of it: a body that is left behind would end the connection.
            body = _read(environ)
            function, started = matched.function, time.monotonic()
            with self._lanes.taken(function.name, matched.key):
                event = _event(environ, matched, body, request_id)
                answer = self._handlers[function.name](event, Context.of(function))
            if time.monotonic() - started > ANSWER_SECONDS_MAX:
                raise Unavailable
        except Refused as refusal:
            answer = self._refusal(refusal, environ, request_id)
        body = _body(answer)
        if len(body) > PAYLOAD_BYTES_MAX:
            log.error("answer too large", extra={"action": "answer", "bytes": len(body)})
            answer = self._refusal(problems.Broken(), environ, request_id)
            body = _body(answer)
        status = HTTPStatus(answer["statusCode"])
        headers = [(name, str(value)) for name, value in answer["headers"].items()]
        headers += [("apigw-requestid", request_id), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]

    def _matched(self, environ: Environ) -> Matched:
        """Find the route. Raises: UnknownRoute, MethodNotAllowed, TooLarge."""
        headers, cookies = _headers(environ)
        if sum(len(name) + len(value) for name, value in headers.items()) > HEADER_BYTES_MAX:
            raise TooLarge(limit_bytes=HEADER_BYTES_MAX)
        path, method = _path(environ), environ["REQUEST_METHOD"]
        route, function, parameters = self._route(method, path)
        return Matched(
            function=function,
            method=method,
            path=path,
            route=route,
            parameters=parameters,
            headers=headers,
            cookies=cookies,
        )

    def _route(self, method: str, path: str) -> tuple[str, Function, dict[str, str]]:
        node, parameters = self._root, []
        for segment in path.strip("/").split("/"):
            if segment in node.literal:
                node = node.literal[segment]
            elif node.parameter is not None and segment:
                parameters.append(segment)
                node = node.parameter
            else:
                raise problems.UnknownRoute
        if not node.methods:
            raise problems.UnknownRoute
        if method not in node.methods:
            raise problems.MethodNotAllowed(allowed=tuple(sorted(node.methods)))
        route, function = node.methods[method]
        names = [part[1:-1] for part in route.split("/") if part.startswith("{")]
        return route, function, dict(zip(names, parameters, strict=True))

    def _refusal(self, refusal: Refused, environ: Environ, request_id: str) -> dict[str, Any]:
        body = problems.document(
            refusal,
            request_id=request_id,
            language=problems.language_of(environ.get("HTTP_ACCEPT_LANGUAGE", "")),
            settings=self._settings,
        )
        status = problems.row(type(refusal)).status
        answer: dict[str, Any] = replies.response(status, body, problems.headers(refusal)).to_dict()
        return answer


class Front:
    """The one address of the stack: the door to its files, and the API beside it."""

    def __init__(self, gateway: Gateway, door: ObjectDoor | None) -> None:
        self._gateway = gateway
        self._door = door

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._door is not None and str(environ["PATH_INFO"]).startswith(DOOR):
            return self._door(environ, start_response)
        return self._gateway(environ, start_response)


def build() -> Front:
    """Make the application of a server's process, and start what it drives."""
    # The server's own process may be killed; then this one must not keep its port.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    wired = wiring.shared()
    served = functions()
    gateway = Gateway(served, wired.settings)
    every_seconds = int(os.environ.get(SCHEDULE_SECONDS, "60"))
    Scheduler(served, wired.ports, every_seconds_max=every_seconds).start()
    folder = wired.settings.objects_folder
    objects = wiring.folder_objects(wired.settings, folder) if folder else None
    housekeeping.start(wired.settings, objects)
    return Front(gateway, ObjectDoor(objects) if objects else None)


def main() -> None:
    """Serve until TERM or INT."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--schedule-seconds", type=int, default=2)
    asked = parser.parse_args()
    wiring.shared()  # What is wrong with the environment is said here, before a port is open.
    os.environ[SCHEDULE_SECONDS] = str(asked.schedule_seconds)
    from granian import Granian
    from granian.constants import Interfaces

    Granian(
        f"{__spec__.name}:build",
        address=asked.address,
        port=asked.port,
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=Lanes().threads,
        factory=True,
        websockets=False,
        log_access=False,
    ).serve()


def _event(environ: Environ, asked: Matched, body: bytes, request_id: str) -> dict[str, Any]:
    """Build the event."""
    text = _text(body, asked.headers.get("content-type", "application/json"))
    event = {
        "version": "2.0",
        "routeKey": asked.key,
        "rawPath": quote(asked.path),
        "rawQueryString": environ.get("QUERY_STRING", ""),
        "cookies": asked.cookies,
        "headers": asked.headers,
        "pathParameters": asked.parameters,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "http": {
                "method": asked.method,
                "path": asked.path,
                "protocol": environ.get("SERVER_PROTOCOL", "HTTP/1.1"),
                "sourceIp": environ.get("REMOTE_ADDR", "").rpartition(":")[0]
                or environ.get("REMOTE_ADDR", ""),
                "userAgent": asked.headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": asked.key,
            "stage": "$default",
            "timeEpoch": int(time.time() * 1000),
        },
        "isBase64Encoded": text is None,
    }
    if body:
        event["body"] = base64.b64encode(body).decode() if text is None else text
    return event


def _child(node: Node, segment: str) -> Node:
    if segment.startswith("{"):
        node.parameter = node.parameter or Node()
        return node.parameter
    return node.literal.setdefault(segment, Node())


def _headers(environ: Environ) -> tuple[dict[str, str], list[str]]:
    headers = {
        name[5:].replace("_", "-").lower(): str(value)
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if value := environ.get(name):
            headers[name.replace("_", "-").lower()] = str(value)
    cookie = headers.pop("cookie", "")
    return headers, [part.strip() for part in cookie.split(";") if part.strip()]


def _path(environ: Environ) -> str:
    try:
        # WSGI hands over the decoded bytes as if they were Latin-1 (PEP 3333).
        return str(environ["PATH_INFO"]).encode("latin-1").decode()
    except UnicodeError:
        raise problems.UnknownRoute from None


def _read(environ: Environ) -> bytes:
    """Read the body. Raises: TooLarge, Malformed."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        raise Malformed from None
    if length > PAYLOAD_BYTES_MAX:
        raise TooLarge(limit_bytes=PAYLOAD_BYTES_MAX)
    body: bytes = environ["wsgi.input"].read(PAYLOAD_BYTES_MAX + 1)
    # As an event it is JSON, or base64, and so larger than it was.
    if len(body) > PAYLOAD_BYTES_MAX * 3 // 4:
        raise TooLarge(limit_bytes=PAYLOAD_BYTES_MAX * 3 // 4)
    return body


def _text(body: bytes, content_type: str) -> str | None:
    """Return a body as text, None when the event has to carry it as base64."""
    if not content_type.lower().startswith(_TEXT_TYPES):
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _body(answer: Mapping[str, Any]) -> bytes:
    body = answer.get("body") or ""
    return base64.b64decode(body) if answer.get("isBase64Encoded") else str(body).encode()


if __name__ == "__main__":
    main()

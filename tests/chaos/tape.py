"""What agents said to the control plane, byte for byte, and the saying of it again."""

import json
import random
import socket
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

_END_OF_HEAD = b"\r\n\r\n"
_KEPT = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request of an agent's."""

    call: str
    head: bytes
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def altered(self, body: Any) -> "Request":
        """Say something else in the same words: its own length, and the same token."""
        text = json.dumps(body).encode()
        lines = [
            b"Content-Length: %d" % len(text)
            if line.lower().startswith(b"content-length:")
            else line
            for line in self.head.split(b"\r\n")
        ]
        return Request(call=self.call, head=b"\r\n".join(lines), body=text)

    def send(self, url: str) -> tuple[int, Any]:
        """Make the request on a connection of its own. Raises: OSError, HTTPException."""
        parts = urlsplit(url)
        assert parts.hostname is not None
        with socket.create_connection((parts.hostname, parts.port or 80), timeout=20) as plug:
            plug.sendall(self.head + _END_OF_HEAD + self.body)
            reply = HTTPResponse(plug)
            try:
                reply.begin()
                text = reply.read()
            finally:
                reply.close()
        return reply.status, json.loads(text) if text else None


class Tape:
    """The newest requests of one agent. Each connection is listened to by a listener of its own."""

    def __init__(self) -> None:
        self._requests: deque[Request] = deque(maxlen=_KEPT)
        self._lock = threading.Lock()

    def listener(self) -> Callable[[bytes], None]:
        """Listen to one connection, on which requests come one after another."""
        heard = bytearray()

        def hear(data: bytes) -> None:
            heard.extend(data)
            while (request := _first(heard)) is not None:
                del heard[: len(request.head) + len(_END_OF_HEAD) + len(request.body)]
                with self._lock:
                    self._requests.append(request)

        return hear

    @property
    def requests(self) -> list[Request]:
        """Return what was said, oldest first."""
        with self._lock:
            return list(self._requests)

    def draw(self, chance: random.Random, calls: tuple[str, ...], count: int) -> list[Request]:
        """Choose some of what was said."""
        found = [request for request in self.requests if request.call in calls]
        return chance.sample(found, min(count, len(found)))


def _first(heard: bytearray) -> Request | None:
    """Read the first whole request; None while there is none."""
    end = heard.find(_END_OF_HEAD)
    if end < 0:
        return None
    head = bytes(heard[:end])
    first, *lines = head.split(b"\r\n")
    size = 0
    for line in lines:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    body = bytes(heard[end + len(_END_OF_HEAD) :][:size])
    if len(body) < size:
        return None
    call = first.split(b" ")[1].decode().rpartition("/")[2]
    return Request(call=call, head=head, body=body)

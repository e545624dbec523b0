"""What benchmarks share: a stack of their own, a paying customer, an engine over plain HTTP."""

import http.client
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from infrastructure.local import demo, engine
from infrastructure.local.paths import Paths
from infrastructure.local.process import Record
from infrastructure.local.stack import Choice, Stack
from infrastructure.setup.layout import ROOT
from wharfage_client.api import Client

CALL_SECONDS = 60
CREDIT_SECONDS = 20
DOWN_SECONDS = 180
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
MEBIBYTE = 1024 * 1024


@contextmanager
def local_stack() -> Iterator[Stack]:
    """Bring a whole stack up in a home of its own, and take it down with all it made."""
    with tempfile.TemporaryDirectory(prefix="wharfage-benchmark-") as folder:
        os.environ["WHARFAGE_HOME"] = folder
        stack = Stack(Paths.of(os.environ), Choice(), say)
        try:
            demo.start(stack, say=say)
            yield stack
        finally:
            subprocess.run(
                (sys.executable, "-m", "infrastructure.local", "down"),
                cwd=ROOT,
                check=True,
                stdout=subprocess.DEVNULL,
                timeout=DOWN_SECONDS,
            )
            if stack.engine_command is not None:
                engine.remove(stack.paths)
            shutil.rmtree(stack.paths.runtime, ignore_errors=True)


def say(text: str) -> None:
    """Tell whoever waits what is going on; the results alone go to standard output."""
    print(text, file=sys.stderr, flush=True)


def customer(stack: Stack, *, fen: int) -> str:
    """Register, sign in, pay that much at the sandbox's cashier; return the access token."""
    email, password = f"{secrets.token_hex(8)}@benchmark.example", secrets.token_urlsafe(18)
    with Client(stack.url) as stranger:
        stranger.account.register(email, password)
        token = stranger.account.sign_in(email, password)["access_token"]
    with Client(stack.url, token=token) as client:
        order = client.orders.open(fen)
        paying = client.orders.pay(order["id"], method="qr")
        cashier = urlsplit(str(paying["qr_text"]))
        connection = http.client.HTTPConnection(cashier.netloc, timeout=CALL_SECONDS)
        connection.request("POST", f"{cashier.path}/pay")
        connection.getresponse().read()
        connection.close()
        paid = client.orders.get(order["id"], wait_seconds=CREDIT_SECONDS)
        assert paid["state"] == "paid", paid
    return token


class RawEngine:
    """The engine's HTTP API over its unix socket, one kept connection, nothing in between.

    Threads do not share one.
    """

    def __init__(self, url: str) -> None:
        found = engine.probe(url)
        assert found is not None, f"no engine answers at {url}"
        self._prefix = f"/v{found.api_version}"
        assert url.startswith("unix://"), f"{url}: only an engine on this machine is measured"
        self._connection = _UnixConnection(url.removeprefix("unix://"))

    def call(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Make one call and read its answer."""
        self._ask(method, path, body, query)
        reply = self._connection.getresponse()
        text = reply.read()
        assert reply.status < http.client.BAD_REQUEST, (method, path, reply.status, text)
        return json.loads(text) if text.strip() else None

    def events(self, **filters: Sequence[str]) -> Iterator[Any]:
        """Listen to events, until `close` from another thread."""
        self._ask("GET", "/events", None, {"filters": json.dumps(filters)})
        reply = self._connection.getresponse()
        try:
            while line := reply.readline():
                yield json.loads(line)
        except (OSError, ValueError, AttributeError):
            return  # Closed meanwhile.

    def close(self) -> None:
        """Close the connection, also under a reader."""
        if self._connection.sock is not None:
            self._connection.sock.shutdown(socket.SHUT_RDWR)

    def _ask(self, method: str, path: str, body: Any, query: dict[str, str]) -> None:
        target = self._prefix + quote(path) + (f"?{urlencode(query)}" if query else "")
        sent = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        self._connection.request(method, target, body=sent, headers=headers)


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("engine", timeout=CALL_SECONDS)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What a child of the stack has used until now."""

    cpu_ms: float
    memory_mb: float

    @classmethod
    def of(cls, stack: Stack, child: str) -> "Usage":
        """Read it from the kernel, over all processes of the child."""
        record = Record.read(stack.paths.records / f"{child}.json")
        assert record is not None, f"{child} has no record"
        ticks = pages = 0
        for pid in record.family():
            # After the name, which may hold blanks and parentheses, come fields 3 and on.
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])  # utime, stime: proc(5)
            pages += int(fields[21])  # rss
        return cls(cpu_ms=ticks * 1000 / TICKS_PER_SECOND, memory_mb=pages * PAGE_BYTES / MEBIBYTE)


def moment(text: str) -> float:
    """Read a time as the engine (nanoseconds) and the API write it, as seconds since 1970."""
    micros = re.sub(r"(\.\d{1,6})\d*", r"\1", text).removesuffix("Z")
    return datetime.fromisoformat(micros).replace(tzinfo=UTC).timestamp()

"""Notifies and heartbeats under ten times the submits that the gateway takes, against at rest.

    python -m benchmarks.overload [--rounds 3] [--samples 40] [--stubborn] [--json FILE]

One gateway, one store file, no engine. In each round the same calls are made twice: with nobody
else there, and while so many customers submit as fill the submits' lane ten times.
The rival of the loaded gateway is itself at rest; the ratio is what the load costs.
"""

import argparse
import http.client
import json
import multiprocessing
import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec

from benchmarks.support import CALL_SECONDS
from infrastructure.local.keys import keys
from infrastructure.local.lanes import RETRY_SECONDS, Lanes
from infrastructure.local.sandbox.signing import Keys, text_of
from infrastructure.local.sandboxes import APP_ID, SELLER_ID
from infrastructure.setup.layout import ROOT
from wharfage import schema, wiring
from wharfage.adapters.embedded import file_store
from wharfage.domain.account import Role
from wharfage.domain.host import Room
from wharfage.messages import Doorbell, EnrolRequest
from wharfage.operations import agents
from wharfage.settings import read
from wharfage.transaction import Update, present

START_SECONDS = 60
PASSWORD = secrets.token_urlsafe(18)
ORDERS_OF_ONE = 20  #: What one account may open in its window.
FEN = 100_000
SPEC = {"image": "localhost:5000/demo:1", "resources": {"cpu_millis": 100, "memory_mb": 64}}
ROOM = {"slots": 8, "cpu_millis": 4000, "memory_mb": 4096, "disk_mb": 10_240}


class Caller:
    """One kept connection to the gateway. Threads do not share one."""

    def __init__(self, port: int, token: str | None = None) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=CALL_SECONDS)
        self._token = token

    def __call__(self, path: str, body: Any, kind: str = "application/json") -> tuple[int, bytes]:
        """Post; the status and what was answered."""
        headers = {"Content-Type": kind, "Idempotency-Key": secrets.token_hex(12)}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        sent = body if isinstance(body, str) else json.dumps(body)
        self._connection.request("POST", path, body=sent, headers=headers)
        answer = self._connection.getresponse()
        return answer.status, answer.read()


class NoQueue:
    """A queue for a host that is enrolled only to send heartbeats."""

    def ring(self, pool: str, bells: Sequence[Doorbell]) -> None:
        """Ring nowhere."""

    def nudge(self, host: str) -> None:
        """Tell nobody."""

    def open_mailbox(self, host: str) -> str:
        return f"mailbox-{host}"

    def close_mailbox(self, host: str) -> None:
        """Delete nothing."""


class Harbour:
    """A gateway of our own, and the people who call it."""

    def __init__(self, home: Path) -> None:
        self._keys = keys(home / "keys")
        self._signing = Keys.read(
            private_key=self._keys.sandbox_private, merchant_public_key=self._keys.app_public
        )
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._file = home / "store.sqlite3"
        self._log = home / "log"
        self._environ = {
            "PATH": os.environ["PATH"],
            "STAGE": "local",
            "PUBLIC_URL": f"http://127.0.0.1:{self.port}",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "SECRET_KEY": secrets.token_hex(32),
            "STORE": "embedded",
            "STORE_FILE": str(self._file),
            "OBJECTS_FOLDER": str(home / "objects"),
            "SQS_ENDPOINT": "http://127.0.0.1:9",
            "HOST_ROLE_ARN": "arn:aws:iam::000000000000:role/host",
            "REGISTRIES": "localhost:5000",
            "POOLS": "default",
            "ALIPAY_APP_ID": APP_ID,
            "ALIPAY_SELLER_ID": SELLER_ID,
            "ALIPAY_GATEWAY": "http://127.0.0.1:9/gateway.do",
            "ALIPAY_APP_PRIVATE_KEY_FILE": str(self._keys.app_private),
            "ALIPAY_PUBLIC_KEY_FILE": str(self._keys.sandbox_public),
        }

    @contextmanager
    def open(self) -> Iterator[None]:
        """Serve until the end of the block."""
        program = (sys.executable, "-m", "infrastructure.local.gateway", "--port", str(self.port))
        with self._log.open("ab") as log:
            served = subprocess.Popen(program, env=self._environ, cwd=ROOT, stdout=log, stderr=log)
        try:
            self._wait(served)
            yield
        finally:
            served.terminate()
            served.wait()

    def customer(self, *, operator: bool = False) -> tuple[str, str]:
        """Register and sign in; the account and its token."""
        credentials = {
            "email": f"{secrets.token_hex(8)}@benchmark.example",
            "password": PASSWORD,
        }
        call = Caller(self.port)
        account = json.loads(_done(call("/v1/auth/register", credentials)))["id"]
        if operator:
            key = schema.ACCOUNT.key(id=account)
            file_store(self._file).commit(
                Update(key, set={"role": Role.ADMIN.value}, when=[present()])
            )
        return account, str(json.loads(_done(call("/v1/auth/login", credentials)))["access_token"])

    def host(self) -> tuple[str, str]:
        """Enrol a host; its token and its boot."""
        _, operator = self.customer(operator=True)
        code = json.loads(_done(Caller(self.port, operator)("/v1/hosts/codes", {})))["code"]
        settings = read(self._environ, resolve=lambda name: name)
        ports = replace(wiring.ports_from(settings), queue=NoQueue())
        enrolled = agents.enrol(
            ports,
            EnrolRequest(
                code=code,
                name="dock",
                capacity=msgspec.convert(ROOM, Room),
                architecture="x86_64",
                engine_version="20.10",
                agent_version="1.0.0",
            ),
            local=True,
        )
        return enrolled.token, "bot_benchmark"

    def forms(self, token: str, count: int) -> list[str]:
        """Open so many orders, and sign the notify that each is paid."""
        call = Caller(self.port, token)
        orders = [
            json.loads(_done(call("/v1/orders", {"amount_fen": FEN})))["id"] for _ in range(count)
        ]
        return [self._form(order) for order in orders]

    def _form(self, order: str) -> str:
        fields = {
            "app_id": APP_ID,
            "charset": "utf-8",
            "notify_type": "trade_status_sync",
            "out_trade_no": order,
            "seller_id": SELLER_ID,
            "total_amount": f"{FEN // 100}.00",
            "trade_no": f"2026{order[-20:]}",
            "trade_status": "TRADE_SUCCESS",
        }
        return urlencode(
            {**fields, "sign": self._signing.sign(text_of(fields)), "sign_type": "RSA2"}
        )

    def _wait(self, served: "subprocess.Popen[bytes]") -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and served.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise SystemExit(f"the gateway did not start: {self._log.read_text()[-2000:]}")


def load(port: int, tokens: list[str], pause: float, stop: Any, told: Any) -> None:
    """Submit from one thread a token until told to stop, and tell the statuses.

    A refused customer comes back when it was told to; with *pause* 0 at once.
    """
    found: Counter[int] = Counter()

    def submit(token: str) -> None:
        call = Caller(port, token)
        while not stop.is_set():
            status, _ = call("/v1/jobs", SPEC)
            found[status] += 1
            if status == http.client.SERVICE_UNAVAILABLE:
                stop.wait(pause)

    threads = [threading.Thread(target=submit, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    told.put(dict(found))


@contextmanager
def loaded(port: int, tokens: list[str], pause: float) -> Iterator[Counter[int]]:
    """Put the gateway under load for the block; afterwards the answers are counted."""
    context = multiprocessing.get_context("spawn")
    stop, told, found = context.Event(), context.Queue(), Counter[int]()
    child = context.Process(target=load, args=(port, tokens, pause, stop, told))
    child.start()
    try:
        time.sleep(2.0)
        yield found
    finally:
        stop.set()
        found.update(told.get(timeout=CALL_SECONDS))
        child.join()


def timed(call: Callable[[], tuple[int, bytes]]) -> float:
    """Give the milliseconds of a call, which has to succeed."""
    started = time.perf_counter()
    _done(call())
    return (time.perf_counter() - started) * 1000


def measure(harbour: Harbour, host: tuple[str, str], samples: int) -> dict[str, float]:
    """Give the median milliseconds of a notify that credits, and of a heartbeat."""
    forms: list[str] = []
    while len(forms) < samples:
        _, token = harbour.customer()
        forms += harbour.forms(token, min(ORDERS_OF_ONE, samples - len(forms)))
    stranger, agent = Caller(harbour.port), Caller(harbour.port, host[0])
    beat = {
        "boot": host[1],
        "agent_version": "1.0.0",
        "capacity": ROOM,
        "free": ROOM,
        "held": [],
    }
    kind = "application/x-www-form-urlencoded"
    found: dict[str, list[float]] = {"notify": [], "heartbeat": []}
    for form in forms:
        notify = timed(lambda form=form: stranger("/v1/alipay/notify", form, kind))  # type: ignore[misc]
        found["notify"].append(notify)
        found["heartbeat"].append(timed(lambda: agent("/v1/agent/heartbeat", beat)))
    return {name: statistics.median(times) for name, times in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--samples", type=int, default=40)
    parser.add_argument("--json", type=Path, help="keep every figure in this file")
    parser.add_argument("--stubborn", action="store_true", help="no customer waits as it is told")
    asked = parser.parse_args()
    pause = 0.0 if asked.stubborn else float(RETRY_SECONDS)
    with tempfile.TemporaryDirectory(prefix="wharfage-benchmark-") as folder:
        harbour = Harbour(Path(folder))
        with harbour.open():
            rounds = list(compare(harbour, rounds=asked.rounds, samples=asked.samples, pause=pause))
    for name in ("notify", "heartbeat"):
        ratios = sorted(each["loaded"][name] / each["rest"][name] for each in rounds)
        rest = statistics.median(each["rest"][name] for each in rounds)
        under = statistics.median(each["loaded"][name] for each in rounds)
        print(
            f"{name:9}: loaded {under:6.1f} ms, at rest {rest:6.1f} ms,"
            f" ratio {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})"
        )
    statuses = sum((Counter(each["submits"]) for each in rounds), Counter[int]())
    print("submits  :", ", ".join(f"{count} x {status}" for status, count in statuses.items()))
    if asked.json:
        asked.json.write_text(json.dumps(rounds))


def compare(
    harbour: Harbour, *, rounds: int, samples: int, pause: float
) -> Iterator[dict[str, Any]]:
    """Measure at rest and under load, in turn."""
    host = harbour.host()
    tokens = [harbour.customer()[1] for _ in range(8)]
    for token in tokens:
        [form] = harbour.forms(token, 1)
        _done(Caller(harbour.port)("/v1/alipay/notify", form, "application/x-www-form-urlencoded"))
    crowd = [tokens[at % len(tokens)] for at in range(10 * Lanes().submits.places)]
    for _ in range(rounds):
        rest = measure(harbour, host, samples)
        with loaded(harbour.port, crowd, pause) as submits:
            under = measure(harbour, host, samples)
        yield {"rest": rest, "loaded": under, "submits": submits}


def _done(answer: tuple[int, bytes]) -> bytes:
    status, text = answer
    assert status < http.client.BAD_REQUEST, answer
    return text


if __name__ == "__main__":
    main()

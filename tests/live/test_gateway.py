"""The gateway as a process: it serves, sweeps, ends, and refuses to start with a weak secret."""

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infrastructure.template import CHECKOUT
from tests.fixtures.edge import ENVIRON
from tests.fixtures.waiting import until


@dataclass
class Running:
    """A gateway and its address."""

    process: subprocess.Popen[bytes]
    url: str

    def call(self, path: str, body: object = None) -> tuple[int, Any]:
        """Call a route; the status and what it answered."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url + path, data=data, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.load(refused)

    def listening(self) -> bool:
        """Tell whether somebody has its port."""
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", int(self.url.rpartition(":")[2]))) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(home: Path, port: int, **changes: str) -> subprocess.Popen[bytes]:
    environ = ENVIRON | {
        "PUBLIC_URL": f"http://127.0.0.1:{port}",
        "STORE": "embedded",
        "STORE_FILE": str(home / "store.sqlite3"),
        "SQS_ENDPOINT": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "PATH": os.environ["PATH"],
    }
    program = [sys.executable, "-m", "infrastructure.local.gateway", "--port", str(port)]
    with (home / "log").open("ab") as log:
        return subprocess.Popen(
            [*program, "--schedule-seconds", "1"],
            env=environ | changes,
            cwd=CHECKOUT,
            stdout=log,
            stderr=log,
        )


@pytest.fixture
def running(tmp_path) -> Iterator[Running]:
    port = free_port()
    process = start(tmp_path, port)
    found = Running(process, f"http://127.0.0.1:{port}")
    try:
        until(found.listening, seconds=30, what="the gateway")
        yield found
    finally:
        process.kill()
        process.wait()
        until(lambda: not found.listening(), what="the end of its worker")


def test_it_serves_and_sweeps_by_itself(running):
    until(lambda: running.call("/v1/health")[1]["sweep"] == "ok", what="the first sweep")

    account = {"email": "a@example.com", "password": "correct horse battery"}
    status, made = running.call("/v1/auth/register", account)
    signed_in, _ = running.call("/v1/auth/login", account)

    assert (status, made["email"], signed_in) == (201, "a@example.com", 200)
    assert running.call("/v1/nowhere")[0] == 404


def test_of_parallel_registrations_of_one_address_one_succeeds(running):
    account = {"email": "a@example.com", "password": "correct horse battery"}

    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: running.call("/v1/auth/register", account)[0], range(16)))

    assert sorted(found) == [201] + [409] * 15


def test_it_ends_when_it_is_told_to(running):
    running.process.send_signal(signal.SIGTERM)

    assert running.process.wait(timeout=20) == 0
    assert not running.listening()


def test_its_worker_dies_with_it(running):
    running.process.kill()
    running.process.wait()

    until(lambda: not running.listening(), what="the end of its worker")


def test_it_does_not_start_with_a_weak_secret(tmp_path):
    process = start(tmp_path, free_port(), SECRET_KEY="short")

    assert process.wait(timeout=30) != 0
    assert "SECRET_KEY" in (tmp_path / "log").read_text()

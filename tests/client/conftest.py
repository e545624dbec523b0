"""What tests of the client share: the played API, a home of their own, and the command."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.client.playing import Api
from tests.client.said import Session
from tests.client.serving import Server

ROOT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "wharfage_client.cli")


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended, and what it wrote."""

    code: int
    out: bytes
    err: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> Any:
        return json.loads(self.err)["error"]


Run = Callable[..., Result]


@pytest.fixture
def api() -> Iterator[Api]:
    with Server() as api:
        yield api


@pytest.fixture
def environ(tmp_path: Path, api: Api) -> dict[str, str]:
    """An environment with a home of its own, and nothing of the tester's."""
    paths = (ROOT, ROOT / "client")
    return {
        "HOME": str(tmp_path),
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONWARNINGS": "error",
        "PYTHONUTF8": "1",
        "WHARFAGE_URL": api.url,
        "LANG": "en_US.UTF-8",
    }


@pytest.fixture
def run(environ: dict[str, str], tmp_path: Path) -> Run:
    """Run the command to its end. `token` signs in by the environment."""

    def runs(*arguments: str, stdin: bytes = b"", **more: str) -> Result:
        done = subprocess.run(
            [*COMMAND, *arguments],
            input=stdin,
            capture_output=True,
            env=environ | more,
            cwd=tmp_path,
            timeout=30,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return runs


@pytest.fixture
def signed_in(api: Api, environ: dict[str, str]) -> Session:
    """A session whose access token is in the environment."""
    session = api.sign_in()
    environ["WHARFAGE_TOKEN"] = session.access
    return session


@pytest.fixture
def session_file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "wharfage" / "sessions" / "default.json"

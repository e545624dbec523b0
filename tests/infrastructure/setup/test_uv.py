"""The installer uv is fetched from the index at hand, and only if it is the pinned one."""

import base64
import hashlib
import io
import platform
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infrastructure.setup import uv
from infrastructure.setup.console import Stop
from infrastructure.setup.index import Index

VERSION = "9.9.9"
PROGRAM = b"#!/bin/sh\necho uv\n"
#: A name with every family's tag for this machine's processor.
WHEEL = f"uv-{VERSION}-py3-none-" + ".".join(
    f"{family}_1_0_{platform.machine()}" for family in ("macosx", "manylinux", "musllinux")
)


def wheel_bytes() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(f"uv-{VERSION}.data/scripts/uv", PROGRAM)
    return content.getvalue()


@pytest.fixture
def wheel() -> bytes:
    return wheel_bytes()


@pytest.fixture
def pin(tmp_path: Path, wheel: bytes) -> Path:
    path = tmp_path / "uv.lock"
    path.write_text(f"uv=={VERSION} \\\n    --hash=sha256:{hashlib.sha256(wheel).hexdigest()}\n")
    return path


@contextmanager
def index_server(wheel: bytes, *, user: str | None = None) -> Iterator[str]:
    """Serve one index page and one wheel on loopback, to *user* only if one is named."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            token = base64.b64encode((user or "").encode()).decode()
            if user and self.headers["Authorization"] != f"Basic {token}":
                self.send_error(401)
                return
            page = f'<a href="../../files/{WHEEL}.whl#sha256=0">uv</a>'.encode()
            pages = {"/simple/uv/": page, f"/files/{WHEEL}.whl": wheel}
            if self.path not in pages:
                self.send_error(404)
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(pages[self.path])

        def log_message(self, *arguments: object) -> None:
            """Say nothing: the test's output is its own."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_the_pinned_wheel_is_fetched_and_can_be_run(tmp_path: Path, pin: Path, wheel: bytes):
    with index_server(wheel) as address:
        index = Index(default=f"http://{address}/simple")

        program = uv.fetch(index, pin=pin, tools=tmp_path / "tools")

    assert program.read_bytes() == PROGRAM
    assert program.stat().st_mode & 0o111
    assert [path.name for path in program.parent.iterdir()] == ["uv"]


def test_a_wheel_that_is_not_the_pinned_one_is_refused(tmp_path: Path, pin: Path, wheel: bytes):
    with index_server(wheel + b"more") as address:
        index = Index(default=f"http://{address}/simple")

        with pytest.raises(Stop, match="does not list"):
            uv.fetch(index, pin=pin, tools=tmp_path / "tools")

    assert not (tmp_path / "tools").exists()


def test_an_index_that_asks_for_a_user_gets_the_one_in_its_address(
    tmp_path: Path, pin: Path, wheel: bytes
):
    with index_server(wheel, user="me:se cret") as address:
        index = Index(default=f"http://me:se%20cret@{address}/simple")

        program = uv.fetch(index, pin=pin, tools=tmp_path / "tools")

    assert program.exists()


def test_a_password_in_an_address_is_not_printed(tmp_path: Path, pin: Path, wheel: bytes):
    with index_server(wheel, user="me:other") as address:
        index = Index(default=f"http://me:secret@{address}/simple")

        with pytest.raises(Stop, match="401") as caught:
            uv.fetch(index, pin=pin, tools=tmp_path / "tools")

    assert "secret" not in str(caught.value)


def test_an_index_without_uv_is_passed_over_for_the_next(tmp_path: Path, pin: Path, wheel: bytes):
    with index_server(wheel) as address:
        index = Index(default=f"http://{address}/empty", extra=(f"http://{address}/simple",))

        program = uv.fetch(index, pin=pin, tools=tmp_path / "tools")

    assert program.exists()


def test_a_folder_of_wheels_will_do(tmp_path: Path, pin: Path, wheel: bytes):
    (tmp_path / "wheels").mkdir()
    (tmp_path / "wheels" / f"{WHEEL}.whl").write_bytes(wheel)
    index = Index(default="http://127.0.0.1:9/simple", find_links=(str(tmp_path / "wheels"),))

    program = uv.fetch(index, pin=pin, tools=tmp_path / "tools")

    assert program.exists()


def test_where_no_index_answers_it_is_said_what_to_do(tmp_path: Path, pin: Path):
    index = Index(default="http://127.0.0.1:9/simple")

    with pytest.raises(Stop, match="PIP_INDEX_URL"):
        uv.fetch(index, pin=pin, tools=tmp_path / "tools")


@pytest.mark.parametrize(
    "file",
    [
        f"uv-9.9.8-py3-none-{WHEEL.rpartition('-')[2]}.whl",
        f"uv-{VERSION}-py3-none-win_amd64.whl",
        f"uv-{VERSION}-py3-none-manylinux_2_17_s390x.whl",
        f"uv-{VERSION}.tar.gz",
    ],
)
def test_a_file_for_another_version_or_machine_does_not_fit(file: str):
    assert not uv.fits(file, version=VERSION)


def test_the_project_pins_uv_for_the_usual_machines():
    version, hashes = uv.pinned()

    assert version[0].isdigit()
    assert len(hashes) >= 4

"""The door to the files of one machine: what it answers, and that nothing of it can run."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from infrastructure.local.gateway import Front
from infrastructure.local.housekeeping import OBJECT_DAYS
from infrastructure.local.objects import ObjectDoor
from tests.fixtures.edge import HandClock
from tests.fixtures.objects import sha256
from wharfage.adapters.folder import FolderObjects

KEY = "outputs/usr_1/job_1/0001/00"
DATA = b"<script>alert(1)</script>"


class Visitor:
    """Somebody in front of the door."""

    def __init__(self, root: Path) -> None:
        self.objects = FolderObjects(
            root, url="http://127.0.0.1:1", key=b"k" * 32, clock=HandClock()
        )
        self.door: Any = ObjectDoor(self.objects)
        self.headers: dict[str, str] = {}
        self.body = b""

    def __call__(
        self, method: str, url: str, body: bytes = b"", environ: dict[str, Any] | None = None
    ) -> int:
        parts = urlsplit(url)
        said: list[int] = []

        def start(status: str, headers: list[tuple[str, str]]) -> None:
            said.append(int(status[:3]))
            self.headers = dict(headers)

        asked = {
            "REQUEST_METHOD": method,
            "PATH_INFO": parts.path,
            "QUERY_STRING": parts.query,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        } | (environ or {})
        self.body = b"".join(self.door(asked, start))
        return said[0]

    def put_link(self, data: bytes = DATA) -> str:
        return self.objects.put_link(KEY, size_bytes=len(data), sha256=sha256(data), seconds=60).url

    def get_link(self, name: str = "a.html") -> str:
        return self.objects.get_link(KEY, name=name, seconds=60).url


@pytest.fixture
def visit(tmp_path: Path) -> Visitor:
    return Visitor(tmp_path / "objects")


def test_a_file_is_given_to_be_saved_and_runs_nowhere(visit: Visitor):
    visit("PUT", visit.put_link(), DATA)

    status = visit("GET", visit.get_link('a"\r\nb: c\u8239.html'))

    assert (status, visit.body) == (200, DATA)
    assert visit.headers["Content-Type"] == "application/octet-stream"
    assert visit.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in visit.headers["Content-Security-Policy"]
    assert visit.headers["Content-Disposition"] == (
        "attachment; filename*=UTF-8''a%22%0D%0Ab%3A%20c%E8%88%B9.html"
    )
    assert visit.headers["Content-Length"] == str(len(DATA))


def test_a_file_that_is_not_there_is_not_found(visit: Visitor):
    assert visit("GET", visit.get_link()) == 404


@pytest.mark.parametrize("length", ["", "0", "24", "26", "-1", "x", None])
def test_a_length_that_is_not_the_announced_one_is_refused_unread(
    visit: Visitor, length: str | None
):
    class Unread(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise AssertionError("the body was read")

    assert visit(
        "PUT", visit.put_link(), environ={"CONTENT_LENGTH": length, "wsgi.input": Unread(DATA)}
    ) == 400  # fmt: skip


def test_a_link_of_more_than_the_length_says_is_refused(visit: Visitor):
    status = visit(
        "PUT",
        visit.put_link(),
        environ={"CONTENT_LENGTH": "25", "wsgi.input": io.BytesIO(DATA + b"!")},
    )

    assert status == 400
    assert visit("GET", visit.get_link()) == 404


@pytest.mark.parametrize("method", ["HEAD", "POST", "DELETE", "PATCH", "OPTIONS"])
def test_other_methods_are_forbidden(visit: Visitor, method: str):
    visit("PUT", visit.put_link(), DATA)

    assert visit(method, visit.get_link()) == 403
    assert visit(method, visit.put_link()) == 403
    assert visit("GET", visit.get_link()) == 200


@pytest.mark.parametrize(
    "spoil",
    [
        lambda url: url.partition("?")[0],
        lambda url: url + "&expires=99999999999",
        lambda url: url.replace("signature=", "signature=0"),
        lambda url: url.replace("/objects/", "/objects/../"),
        lambda url: url.replace("/objects/", "/objects//"),
        lambda url: url.replace(KEY, "outputs/usr_2/job_1/0001/00"),
        lambda url: url.replace(KEY, "\xff"),
    ],
)
def test_a_spoilt_link_is_forbidden(visit: Visitor, spoil: Callable[[str], str]):
    visit("PUT", visit.put_link(), DATA)

    assert visit("GET", spoil(visit.get_link())) == 403
    assert visit("PUT", spoil(visit.put_link()), DATA) == 403


def test_a_full_disk_is_said_so_and_keeps_nothing(visit: Visitor, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)

    assert visit("PUT", visit.put_link(), DATA) == 507
    assert visit("GET", visit.get_link()) == 404


def test_the_front_parts_files_from_the_api():
    def answer(name: str) -> Any:
        return lambda environ, start: [name.encode()]

    front = Front(answer("api"), answer("door"))
    bare = Front(answer("api"), None)

    def asked(front: Front, path: str) -> bytes:
        return b"".join(front({"PATH_INFO": path}, lambda *_: None))

    assert asked(front, "/objects/uploads/a") == b"door"
    assert [asked(front, path) for path in ("/v1/jobs", "/objects", "/")] == [b"api"] * 3
    assert asked(bare, "/objects/uploads/a") == b"api"


def test_what_the_sweep_missed_goes_a_day_later_than_the_longest_time():
    assert OBJECT_DAYS == {"uploads": 31, "outputs": 8}

"""Files brought and fetched: by links, whole, under their own names, and nowhere else."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.client.conftest import Run
from tests.client.playing import Api, with_jobs
from tests.client.samples import outputs_view

pytestmark = pytest.mark.usefixtures("signed_in")

JOB = "job_" + "1" * 26
DATA = bytes(range(256)) * 4096  # A megabyte: more than one part.
DIGEST = hashlib.sha256(DATA).hexdigest()


class Kept(BaseHTTPRequestHandler):
    """Keeps what is PUT by its path, and gives it back; fails as often as it is told to."""

    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        server: Any = self.server
        data = self.rfile.read(int(self.headers["content-length"]))
        server.asked.append(dict(self.headers))
        status = server.failures.pop() if server.failures else 200
        if status == 200:
            server.kept[self.path] = data
        self._answer(status, b"")

    def do_GET(self) -> None:
        data = self.server.kept.get(self.path)  # type: ignore[attr-defined]
        self._answer(404 if data is None else 200, data or b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def store(api: Api) -> Iterator[Any]:
    made: Any = ThreadingHTTPServer(("127.0.0.1", 0), Kept)
    made.kept, made.asked, made.failures = {}, [], []
    api.store_url = f"http://127.0.0.1:{made.server_port}"
    threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def left(api: Api, store: Any, *items: tuple[str, bytes], **missing: str) -> None:
    with_jobs(api, JOB)
    api.outputs = outputs_view(api.store_url, *items, **missing)
    for item, (_, data) in zip(api.outputs["items"], items, strict=True):
        store.kept[f"/{item['sha256']}?a=b"] = data


def test_a_file_is_announced_by_size_and_hash_and_sent_whole(
    api: Api, run: Run, store: Any, tmp_path: Path
):
    (tmp_path / "a.bin").write_bytes(DATA)

    result = run("upload", "a.bin")

    assert (result.code, result.out.decode().strip()) == (0, f"upl_{DIGEST[:4]}")
    [seen] = api.of("POST", "/v1/uploads")
    assert seen.body == {"size_bytes": len(DATA), "sha256": DIGEST, "name": "a.bin"}
    assert store.kept == {f"/{DIGEST}?a=b": DATA}
    assert "Authorization" not in store.asked[0]


def test_a_name_that_the_api_would_not_take_is_left_out(
    api: Api, run: Run, store: Any, tmp_path: Path
):
    (tmp_path / "my picture \u8239.png").write_bytes(b"a")

    assert run("upload", "my picture \u8239.png").code == 0

    [seen] = api.of("POST", "/v1/uploads")
    assert "name" not in seen.body


def test_a_link_that_is_refused_is_replaced_and_tried_again(
    api: Api, run: Run, store: Any, tmp_path: Path
):
    (tmp_path / "a").write_bytes(DATA)
    store.failures = [503, 403]

    assert run("upload", "a").code == 0

    assert len(api.of("GET", f"/v1/uploads/upl_{DIGEST[:4]}")) == 2
    assert store.kept == {f"/{DIGEST}?a=b": DATA}


def test_a_file_that_is_never_taken_and_one_that_is_not_there_are_told_apart(
    run: Run, store: Any, tmp_path: Path
):
    (tmp_path / "a").write_bytes(b"a")
    store.failures = [400] * 4

    refused, absent = run("upload", "--json", "a"), run("upload", "--json", "nothing")

    assert (refused.code, refused.error["code"]) == (7, "file_not_sent")
    assert (absent.code, absent.error["code"]) == (1, "file_unusable")


def test_run_brings_files_and_names_input_and_outputs(
    api: Api, run: Run, store: Any, tmp_path: Path
):
    (tmp_path / "a.bin").write_bytes(DATA)

    result = run(
        "run", "-d", "--file", "in.bin=a.bin", "--output", "out.png", "--output", "/wharfage/b",
        "--input", "-", "busybox", stdin=b'{"a": [1, 0.5]}',
    )  # fmt: skip

    assert result.code == 0, result.err
    [seen] = api.of("POST", "/v1/jobs")
    assert seen.body == {
        "image": "busybox",
        "files": {"in.bin": f"upl_{DIGEST[:4]}"},
        "outputs": ["/wharfage/out.png", "/wharfage/b"],
        "input": {"a": [1, 0.5]},
    }


def test_an_empty_input_is_an_input(api: Api, run: Run):
    assert run("run", "-d", "--input", "-", "busybox", stdin=b"{}").code == 0

    [seen] = api.of("POST", "/v1/jobs")
    assert seen.body["input"] == {}


@pytest.mark.parametrize("text", [b"[1]", b"{", b"\xff", b""])
def test_an_input_that_is_no_json_object_is_a_mistake_of_the_caller(
    api: Api, run: Run, text: bytes
):
    result = run("run", "-d", "--input", "-", "busybox", stdin=text)

    assert result.code in (2, 125)
    assert not api.of("POST", "/v1/jobs")


def test_outputs_are_listed_and_saved_under_their_paths(
    api: Api, run: Run, store: Any, tmp_path: Path
):
    left(api, store, ("/wharfage/a.png", DATA), ("/wharfage/d/b", b""))

    listed, saved = run("outputs", JOB), run("outputs", JOB, "--to", "got")

    assert (listed.code, saved.code) == (0, 0)
    assert DIGEST in listed.out.decode()
    got = tmp_path / "got"
    files = {str(p.relative_to(got)): p.read_bytes() for p in got.rglob("*") if p.is_file()}
    assert files == {"a.png": DATA, "d/b": b""}


def test_a_missing_output_is_told_and_the_exit_code_says_so(api: Api, run: Run, store: Any):
    left(api, store, ("/wharfage/a", b"a"), b="not_found")

    result = run("outputs", JOB)

    assert result.code == 1
    assert "/wharfage/b is missing: the container left no such file" in result.err.decode()


def test_bytes_that_are_not_those_of_the_job_are_not_saved(
    api: Api, run: Run, store: Any, tmp_path: Path
):
    left(api, store, ("/wharfage/a", DATA))
    store.kept[f"/{DIGEST}?a=b"] = DATA[:-1] + b"?"
    (tmp_path / "got").mkdir()
    (tmp_path / "got/a").write_bytes(b"before")

    result = run("outputs", JOB, "--to", "got", "--json")

    assert (result.code, result.error["code"]) == (7, "file_not_fetched")
    assert [each.name for each in (tmp_path / "got").iterdir()] == ["a"]
    assert (tmp_path / "got/a").read_bytes() == b"before"


@pytest.mark.parametrize(
    "path", ["/wharfage/../../etc/cron.d/a", "/etc/passwd", "/wharfage//a", "/wharfage/./a", "a"]
)
def test_no_path_leads_out_of_the_folder(api: Api, run: Run, store: Any, tmp_path: Path, path: str):
    left(api, store, (path, b"a"))

    result = run("outputs", JOB, "--to", "got", "--json")

    assert (result.code, result.error["code"]) == (7, "file_not_fetched")
    assert not (tmp_path / "got").exists()

"""Files by links: streamed, without redirects, and only to where they may come from."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from wharfage_agent.errors import FilesAway, FilesRefused
from wharfage_agent.transfers import HttpTransfers


class Store(BaseHTTPRequestHandler):
    """Answers as the path says, and keeps what it is sent."""

    protocol_version = "HTTP/1.1"
    seen: list[tuple[str, dict[str, str], bytes]]

    def do_GET(self) -> None:
        self._answer(b"some bytes")

    def do_PUT(self) -> None:
        length = int(self.headers["content-length"])
        data = self.rfile.read(length)
        self.server.seen.append((self.path, dict(self.headers), data))  # type: ignore[attr-defined]
        self._answer(b"")

    def _answer(self, body: bytes) -> None:
        status = int(self.path.split("/")[1].split("?")[0])
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://169.254.169.254/secret")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), Store)
    made.seen = []  # type: ignore[attr-defined]
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


def url(server: ThreadingHTTPServer) -> str:
    return f"http://127.0.0.1:{server.server_port}"


def read(transfers: HttpTransfers, link: str) -> bytes:
    with transfers.fetch(link) as parts:
        return b"".join(parts)


def test_bytes_are_fetched_and_sent_with_the_headers_of_the_link(server: ThreadingHTTPServer):
    transfers = HttpTransfers(url(server))
    headers = {"content-length": "6", "x-amz-checksum-sha256": "c"}

    got = read(transfers, f"{url(server)}/200/a?b=c")
    transfers.send(f"{url(server)}/200/a?b=c", headers, [b"abc", b"def"])

    assert got == b"some bytes"
    [(path, sent, data)] = server.seen  # type: ignore[attr-defined]
    assert (path, data) == ("/200/a?b=c", b"abcdef")
    assert {name: sent[name] for name in headers} == headers
    assert "Authorization" not in sent


@pytest.mark.parametrize(
    ("status", "error"),
    [(302, FilesRefused), (400, FilesRefused), (403, FilesRefused), (404, FilesRefused),
     (408, FilesAway), (429, FilesAway), (500, FilesAway), (503, FilesAway), (507, FilesAway)],
)  # fmt: skip
def test_an_answer_is_for_good_or_it_will_pass(
    server: ThreadingHTTPServer, status: int, error: type[Exception]
):
    transfers = HttpTransfers(url(server))

    with pytest.raises(error):
        read(transfers, f"{url(server)}/{status}?a")
    with pytest.raises(error):
        transfers.send(f"{url(server)}/{status}?a", {"content-length": "1"}, [b"a"])


def test_who_does_not_answer_is_away():
    with pytest.raises(FilesAway):
        read(HttpTransfers("http://127.0.0.1:9"), "http://127.0.0.1:9/a?b")


@pytest.mark.parametrize(
    "link",
    [
        "http://169.254.169.254/latest/meta-data/?a",
        "http://127.0.0.1:2375/containers/json?a",
        "http://10.0.0.1/?a",
        "file:///etc/passwd",
        "unix:///var/run/docker.sock",
        "//127.0.0.1/?a",
    ],
)
@pytest.mark.parametrize("server", ["https://api.example.com", "http://127.0.0.1:8080"])
def test_a_link_into_the_hosts_own_network_is_not_followed(server: str, link: str):
    transfers = HttpTransfers(server)

    with pytest.raises(FilesRefused):
        read(transfers, link)
    with pytest.raises(FilesRefused):
        transfers.send(link, {}, [b"a"])

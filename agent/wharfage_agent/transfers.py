"""Files by links over HTTPS: streamed, without redirects, and only to where they may come from."""

import http.client
import ssl
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import SplitResult, urlsplit

from wharfage_agent.errors import FilesAway, FilesRefused

SILENCE_SECONDS = 30.0  #: How long one read or write may take.
WHOLE_SECONDS = 900.0  #: How long one file may take.
PART_BYTES = 256 * 1024
OK, MULTIPLE = 200, 300
REQUEST_TIMEOUT, TOO_MANY, SERVER_ERROR = 408, 429, 500


class HttpTransfers:
    """Brings files for an agent whose control plane is at *server*.

    A control plane that was taken over must not make its hosts talk to their own networks: links
    are https, but for those to a server that is itself reached by http, as on one machine.
    """

    def __init__(self, server: str) -> None:
        self._server = urlsplit(server)
        self._tls: ssl.SSLContext | None = None

    @contextmanager
    def fetch(self, url: str) -> Iterator[Iterator[bytes]]:
        """Read what a link gives."""
        with self._connected(url) as (connection, target):
            connection.request("GET", target, headers={"Accept-Encoding": "identity"})
            response = connection.getresponse()
            _check(response)
            yield _parts(response)

    def send(self, url: str, headers: Mapping[str, str], parts: Iterable[bytes]) -> None:
        """Send bytes by a link. What was taken is not told again when its answer is lost."""
        with self._connected(url) as (connection, target):
            connection.putrequest("PUT", target, skip_accept_encoding=True)
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders()
            deadline = time.monotonic() + WHOLE_SECONDS
            for part in parts:
                connection.send(part)
                if time.monotonic() > deadline:
                    raise FilesAway("sending takes too long")
            _check(connection.getresponse())

    @contextmanager
    def _connected(self, url: str) -> Iterator[tuple[http.client.HTTPConnection, str]]:
        parts = urlsplit(url)
        self._allow(parts)
        connection = self._connect(parts)
        try:
            yield connection, f"{parts.path}?{parts.query}"
        except (OSError, http.client.HTTPException) as error:
            raise FilesAway(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()

    def _allow(self, parts: SplitResult) -> None:
        ours = (parts.scheme, parts.netloc) == (self._server.scheme, self._server.netloc)
        if parts.scheme != "https" and not ours:
            raise FilesRefused(f"a link to {parts.scheme}://{parts.hostname} is not followed")

    def _connect(self, parts: SplitResult) -> http.client.HTTPConnection:
        host, port = parts.hostname or "", parts.port
        if parts.scheme == "http":
            return http.client.HTTPConnection(host, port, timeout=SILENCE_SECONDS)
        self._tls = self._tls or ssl.create_default_context()
        return http.client.HTTPSConnection(host, port, timeout=SILENCE_SECONDS, context=self._tls)


def _parts(response: http.client.HTTPResponse) -> Iterator[bytes]:
    deadline = time.monotonic() + WHOLE_SECONDS
    while part := response.read(PART_BYTES):
        yield part
        if time.monotonic() > deadline:
            raise FilesAway("fetching takes too long")


def _check(response: http.client.HTTPResponse) -> None:
    if OK <= response.status < MULTIPLE:
        return
    if response.status >= SERVER_ERROR or response.status in (REQUEST_TIMEOUT, TOO_MANY):
        raise FilesAway(f"the answer is {response.status}")
    raise FilesRefused(f"the answer is {response.status}")

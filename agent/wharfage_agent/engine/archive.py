"""Files in and out of containers, through the engine's archives: it alone sees their volumes.

A path is resolved by the engine within the container, so what a container left can never lead to
a file of the host. It could still lead to another file of the container's own: no link is followed.
"""

import base64
import io
import json
import socket
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from wharfage.domain.attempt import ReasonCode
from wharfage.domain.spec import VOLUME_PATH
from wharfage_agent.engine.stream import OK, ask, refusal
from wharfage_agent.errors import EngineAway, EngineRefused, NotAFile
from wharfage_agent.ports import OpenFile

ANSWER_SECONDS = 60.0
PART_BYTES = 256 * 1024
STAT_HEADER = "x-docker-container-path-stat"

#: Bits of Go's os.FileMode, in which engines tell what a path is.
FOLDER_BIT = 1 << 31
TYPE_BITS = FOLDER_BIT | 1 << 27 | 1 << 26 | 1 << 25 | 1 << 24 | 1 << 21 | 1 << 19


class Archives:
    """Archives of containers at one engine, by `unix://` or `tcp://`."""

    def __init__(self, address: str, version: str) -> None:
        self._address = urlsplit(address)
        self._version = version

    def put(self, container: str, size_bytes: int, parts: Iterable[bytes]) -> None:
        """Unpack a tar stream in the volume. Raises: EngineAway, EngineRefused."""
        request = self._request("PUT", container, VOLUME_PATH, f"Content-Length: {size_bytes}\r\n")
        connection, status, _, rest = ask(self._address, request, parts)
        connection.close()
        if status != OK:
            raise refusal(status, rest)

    @contextmanager
    def open(self, container: str, path: str) -> Iterator[OpenFile]:
        """Read a plain file of a container that has ended, and so cannot change it meanwhile.

        Raises: EngineAway, NotThere, NotAFile, EngineRefused.
        """
        names = path.removeprefix(f"{VOLUME_PATH}/").split("/")
        for depth in range(1, len(names)):
            mode = self._stat(container, "/".join((VOLUME_PATH, *names[:depth])))["mode"]
            if mode & TYPE_BITS != FOLDER_BIT:
                raise _not_a_file(path)
        if self._stat(container, path)["mode"] & TYPE_BITS:
            raise _not_a_file(path)
        connection, status, _, rest = ask(self._address, self._request("GET", container, path))
        with connection:
            if status != OK:
                raise refusal(status, rest)
            connection.settimeout(ANSWER_SECONDS)
            try:
                with tarfile.open(fileobj=_Stream(connection, rest), mode="r|") as archive:
                    yield _only_file(archive, path)
            except (OSError, tarfile.TarError) as error:
                raise EngineAway(f"{type(error).__name__}: {error}") from error

    def _stat(self, container: str, path: str) -> dict[str, Any]:
        connection, status, headers, rest = ask(
            self._address, self._request("HEAD", container, path)
        )
        connection.close()
        if status != OK:
            raise refusal(status, rest)
        try:
            found: dict[str, Any] = json.loads(base64.b64decode(headers[STAT_HEADER]))
        except (KeyError, ValueError):
            raise EngineRefused(ReasonCode.ENGINE_ERROR, "the path's facts are missing") from None
        return found

    def _request(self, method: str, container: str, path: str, more: str = "") -> str:
        # In HTTP/1.0 what follows the head is the archive itself, without chunks.
        query = urlencode({"path": path})
        place = f"/v{self._version}/containers/{quote(container, safe='')}/archive?{query}"
        kind = "Content-Type: application/x-tar\r\n"
        return f"{method} {place} HTTP/1.0\r\nHost: engine\r\n{kind}{more}\r\n"


class _Stream(io.RawIOBase):
    """What is left of an answer, as tarfile reads it."""

    def __init__(self, connection: socket.socket, rest: bytes) -> None:
        self._connection = connection
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        if not self._rest:
            return self._connection.recv(size)
        part, self._rest = self._rest[:size], self._rest[size:]
        return part


def _only_file(archive: tarfile.TarFile, path: str) -> OpenFile:
    entry = archive.next()
    if entry is None or not entry.isreg():
        raise _not_a_file(path)
    content = archive.extractfile(entry)
    assert content is not None, "a plain file has content"
    return OpenFile(size_bytes=entry.size, parts=iter(lambda: content.read(PART_BYTES), b""))


def _not_a_file(path: str) -> NotAFile:
    return NotAFile(ReasonCode.ENGINE_ERROR, f"{path} is not a plain file")

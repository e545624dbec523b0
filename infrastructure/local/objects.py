"""The door to the files of one machine: it takes and gives bytes by signed links, as S3 does.

It stands beside the API, for an API event carries 6 MB at most. What it refuses, it refuses before
it has read a body; what it takes, it streams, and keeps whole or not at all.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

from wharfage.adapters.folder import (
    CHUNK_BYTES,
    FolderObjects,
    LinkRefused,
    Permission,
    WrongBytes,
)

log = logging.getLogger(__name__)

Environ = Mapping[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Headers = list[tuple[str, str]]

#: The files are customers' own, and the API's origin is the console's: nothing runs in it.
_INERT: Headers = [
    ("Content-Type", "application/octet-stream"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Security-Policy", "sandbox; default-src 'none'"),
    ("Cache-Control", "private, no-store"),
]


class ObjectDoor:
    """The WSGI application for paths that begin with `/objects/`."""

    def __init__(self, objects: FolderObjects) -> None:
        self._objects = objects

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            allowed = self._allowed(environ)
        except LinkRefused:
            return _say(start_response, HTTPStatus.FORBIDDEN)
        if allowed.method == "GET":
            return self._give(allowed, start_response)
        return self._take(allowed, environ, start_response)

    def _allowed(self, environ: Environ) -> Permission:
        try:
            path = str(environ["PATH_INFO"]).encode("latin-1").decode()
            pairs = parse_qsl(environ.get("QUERY_STRING", ""), strict_parsing=True)
        except ValueError:
            raise LinkRefused from None
        query = dict(pairs)
        if len(query) != len(pairs):
            raise LinkRefused
        return self._objects.permission(environ["REQUEST_METHOD"], path, query)

    def _give(self, allowed: Permission, start_response: StartResponse) -> Iterable[bytes]:
        found = self._objects.file(allowed.key)
        if found is None:
            return _say(start_response, HTTPStatus.NOT_FOUND)
        name = quote(allowed.name, safe="")
        headers = [
            *_INERT,
            ("Content-Length", str(found.stat().st_size)),
            ("Content-Disposition", f"attachment; filename*=UTF-8''{name}"),
        ]
        start_response("200 OK", headers)
        return _chunks(found)

    def _take(
        self, allowed: Permission, environ: Environ, start_response: StartResponse
    ) -> Iterable[bytes]:
        if environ.get("CONTENT_LENGTH") != str(allowed.size_bytes):
            return _say(start_response, HTTPStatus.BAD_REQUEST)
        try:
            self._objects.take(allowed, environ["wsgi.input"].read)
        except WrongBytes:
            return _say(start_response, HTTPStatus.BAD_REQUEST)
        except OSError as error:
            log.warning("bytes not kept", extra={"action": "take", "why": error.strerror})
            return _say(start_response, HTTPStatus.INSUFFICIENT_STORAGE)
        return _say(start_response, HTTPStatus.OK)


def _chunks(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while part := opened.read(CHUNK_BYTES):
            yield part


def _say(start_response: StartResponse, status: HTTPStatus) -> list[bytes]:
    headers = [("Content-Type", "text/plain"), ("Content-Length", "0")]
    start_response(f"{status.value} {status.phrase}", headers)
    return []

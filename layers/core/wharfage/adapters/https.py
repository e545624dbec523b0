"""HTTPS calls to payment channels: one attempt, bounded in time and size, and no more than that."""

import http.client
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT_SECONDS = 5  #: For connecting, and for each read of an answer.
ANSWER_BYTES_MAX = 1024 * 1024


class Unheard(Exception):
    """There is no whole answer: what was asked for may have been done."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What came back. The names of *headers* are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def call(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str],
    body: bytes = b"",
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Answer:
    """Ask once. Redirects are answers; nothing of the environment is obeyed. Raises: Unheard."""
    parts = urlsplit(url)
    target = parts.path + (f"?{parts.query}" if parts.query else "")
    connection = _connection(parts.scheme, parts.netloc, timeout_seconds)
    try:
        connection.request(method, target, body=body or None, headers=dict(headers))
        answer = connection.getresponse()
        content = answer.read(ANSWER_BYTES_MAX + 1)
    except (OSError, http.client.HTTPException) as error:
        raise Unheard(type(error).__name__) from error
    finally:
        connection.close()
    if len(content) > ANSWER_BYTES_MAX:
        raise Unheard("TooLarge")
    return Answer(
        status=answer.status,
        headers={name.lower(): value for name, value in answer.getheaders()},
        body=content,
    )


def _connection(scheme: str, netloc: str, timeout_seconds: float) -> http.client.HTTPConnection:
    """Open nothing yet. Settings let plain HTTP through to this machine only."""
    if scheme == "http":
        return http.client.HTTPConnection(netloc, timeout=timeout_seconds)
    return http.client.HTTPSConnection(
        netloc, timeout=timeout_seconds, context=ssl.create_default_context()
    )

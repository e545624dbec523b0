"""Turns what a view returned into a response: status, body, and the headers every answer has."""

from typing import Any

import chalice.app as chalice
import msgspec

from wharfage.web.answers import Accepted, Created, Html, NoContent, Text
from wharfage.web.pages import STYLE_SOURCE
from wharfage.web.request import Request

_POLICY = "default-src 'none'; frame-ancestors 'none'"
_EVERYWHERE = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=63072000",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_JSON = "application/json"


def reply(result: Any, asking: Request) -> chalice.Response:
    """Write the answer of a view."""
    match result:
        case Text(content, status=status):
            own = {"Content-Type": result.content_type}
            if isinstance(result, Html):
                own["Content-Security-Policy"] = f"{_POLICY}; style-src {STYLE_SOURCE}"
            return response(status, content, _headers(asking, own))
        case NoContent():
            return response(204, "", _headers(asking, {}))
        case Accepted(view, location=location, retry_after=seconds, replayed=replayed):
            more = {"Location": location, "Retry-After": str(seconds)}
            return _view(202, view, asking, more | _replayed(replayed))
        case Created(view, location=location, replayed=replayed):
            more = {"Location": location} if location else {}
            return _view(201, view, asking, more | _replayed(replayed))
        case _:
            return _view(200, result, asking, {})


def response(status: int, body: str | bytes, headers: dict[str, str]) -> chalice.Response:
    """Make a response with the headers every answer has."""
    text = body.decode() if isinstance(body, bytes) else body
    return chalice.Response(body=text, status_code=status, headers={**_EVERYWHERE, **headers})


def _view(status: int, view: Any, asking: Request, more: dict[str, str]) -> chalice.Response:
    headers = _headers(asking, {"Content-Type": _JSON, **more})
    version = getattr(view, "version", None)
    if isinstance(version, int):
        headers["ETag"] = f'"{version}"'
    return response(status, msgspec.json.encode(view), headers)


def _headers(asking: Request, more: dict[str, str]) -> dict[str, str]:
    return {**more, **asking.answer_headers}


def _replayed(replayed: bool) -> dict[str, str]:
    return {"Idempotency-Replayed": "true"} if replayed else {}

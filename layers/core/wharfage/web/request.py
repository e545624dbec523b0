"""The request at hand, as the edge has read it; one for each context, so threads never mix."""

import base64
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from wharfage.domain.account import Principal
from wharfage.domain.errors import Fault, Malformed
from wharfage.domain.host import HostPrincipal

_current: ContextVar["Request | None"] = ContextVar("request", default=None)


@dataclass(kw_only=True, slots=True)
class Request:
    """What came in, and what was found out about it on the way to the view."""

    method: str
    route: str  #: The path template, such as `/v1/jobs/{job_id}`.
    path: Mapping[str, str]
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]  #: Names in lower case.
    body: bytes
    request_id: str
    source_ip: str
    traceparent: str
    principal: Principal | None = None
    host: HostPrincipal | None = None
    idempotency_key: str | None = None
    answer_headers: dict[str, str] = field(default_factory=dict)

    @property
    def content_type(self) -> str:
        """The media type of the body, without parameters, in lower case."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def bearer(self) -> str | None:
        """The bearer token, None when there is none or it is not one."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" and token.strip() else None


def current() -> Request:
    """Return the request of this context."""
    request = _current.get()
    if request is None:
        raise AssertionError("there is no request outside of a view")
    return request


def peek() -> Request | None:
    """Return the request of this context, None when there is none yet."""
    return _current.get()


def begin(request: Request | None) -> None:
    """Make *request* the one of this context; None ends it."""
    _current.set(request)


def read(event: Mapping[str, Any], *, traceparent: str) -> Request:
    """Read a v1 proxy event.

    Raises: Malformed, when the body says base64 and is not.
    """
    context = event["requestContext"]
    return Request(
        method=context["httpMethod"],
        route=context["resourcePath"],
        path=event["pathParameters"] or {},
        query=event["multiValueQueryStringParameters"] or {},
        headers={name.lower(): str(value) for name, value in (event["headers"] or {}).items()},
        body=_body(event),
        request_id=context.get("requestId", ""),
        source_ip=context.get("identity", {}).get("sourceIp", ""),
        traceparent=traceparent,
    )


def _body(event: Mapping[str, Any]) -> bytes:
    body = event["body"] or ""
    if not event.get("isBase64Encoded"):
        return str(body).encode(errors="surrogatepass")
    try:
        return base64.b64decode(body, validate=True)
    except ValueError:
        fault = Fault(pointer="", code="base64", message="The body cannot be read.")
        raise Malformed(faults=(fault,)) from None

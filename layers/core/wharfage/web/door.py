"""The door for HTTP API events: payload 2.0 becomes the v1 shape that Chalice dispatches.

The route comes from `routeKey`, because that is what the template declared; queries from
`rawQueryString`, because payload 2.0 joins repeated ones with commas. Events in the v1 shape
pass unchanged.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from wharfage.domain.errors import Fault, Malformed

_QUERY_FIELDS_MAX = 64


def through(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Give back the event in the v1 shape.

    Raises: Malformed, when the query string cannot be read.
    """
    if event.get("version") != "2.0":
        return event
    context = event["requestContext"]
    http = context["http"]
    method, _, resource = event["routeKey"].partition(" ")
    headers = dict(event.get("headers") or {})
    if cookies := event.get("cookies"):
        headers["cookie"] = "; ".join(cookies)
    return {
        "resource": resource,
        "path": event["rawPath"],
        "httpMethod": method,
        "headers": headers,
        "multiValueQueryStringParameters": query_of(event.get("rawQueryString", "")),
        "pathParameters": event.get("pathParameters") or {},
        "stageVariables": event.get("stageVariables"),
        "body": event.get("body"),
        "isBase64Encoded": event.get("isBase64Encoded", False),
        "requestContext": {
            "resourcePath": resource,
            "httpMethod": method,
            "requestId": context["requestId"],
            "stage": context.get("stage", "$default"),
            "identity": {"sourceIp": http.get("sourceIp", "")},
        },
    }


def query_of(text: str) -> dict[str, list[str]]:
    """Read a query string; every value of a repeated name is kept.

    Raises: Malformed.
    """
    try:
        return parse_qs(
            text, keep_blank_values=True, errors="strict", max_num_fields=_QUERY_FIELDS_MAX
        )
    except ValueError:
        fault = Fault(pointer="?", code="query", message="The query string cannot be read.")
        raise Malformed(faults=(fault,)) from None

"""The OpenAPI 3.1 document, made from routes: their types, docstrings and declarations."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from wharfage.web.answers import Json, JsonWord, NoContent, Text, Word
from wharfage.web.app import App
from wharfage.web.auth import Scheme
from wharfage.web.problems import CONTENT_TYPE
from wharfage.web.routing import Route

API_VERSION = "1"  #: The `/v1` of every path.
_REF = "#/components/schemas/{name}"
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "Your own key for this request. A repeat with the same body answers with the "
    "same object and `Idempotency-Replayed: true`; with another body it is refused.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[ -~]{1,64}$"},
}
_SECURITY: dict[Scheme, list[dict[str, list[str]]]] = {
    Scheme.NONE: [],
    Scheme.SESSION: [{"session": []}],
    Scheme.HOST: [{"host": []}],
}
_SECURITY_SCHEMES = {
    "session": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of a signed-in account.",
    },
    "host": {
        "type": "http",
        "scheme": "bearer",
        "description": "The token of an enrolled host.",
    },
}
_SUCCESS = {200: "Done.", 201: "Made.", 202: "Accepted; it will take a while.", 204: "Done."}
_UNTYPED = (NoContent, Text)  #: Answers that no schema describes.
_WORDS: Mapping[type[Text], str] = {Word: "string", JsonWord: "object"}
_REFUSED_IN_A_WORD = {
    reply: {
        "description": "A refusal: a word of the view, or a problem from before it.",
        "content": {
            reply.content_type: {"schema": {"type": kind}},
            CONTENT_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}},
        },
    }
    for reply, kind in _WORDS.items()
}
_PROBLEM = {
    "type": "object",
    "description": "RFC 9457. `code` is stable and for programs; a refusal adds its own facts.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "message"],
                "properties": {
                    "pointer": {
                        "type": "string",
                        "description": "`/field/0` in the body, `?name` in the query, or a header.",
                    },
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
        "required_fen": {"type": "integer"},
        "available_fen": {"type": "integer"},
        "topup_url": {"type": "string", "format": "uri"},
    },
}


def _cleaned(components: dict[str, Any]) -> dict[str, Any]:
    """Sort the components and clean their texts, as Python 3.13 does by itself."""
    for component in components.values():
        if "description" in component:
            component["description"] = inspect.cleandoc(component["description"])
    return dict(sorted(components.items()))


def document(apps: Iterable[App]) -> dict[str, Any]:
    """Make the document of all routes of these apps."""
    routes = sorted(
        ((app.name, route) for app in apps for route in app.table.values()),
        key=lambda each: (each[1].path, each[1].method),
    )
    schemas, components = msgspec.json.schema_components(
        list(_types(route for _, route in routes)), ref_template=_REF
    )
    of_type = dict(zip(_types(route for _, route in routes), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for function, route in routes:
        operation = _operation(function, route, of_type)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Wharfage",
            "version": API_VERSION,
            "description": "A prepaid container cloud: pay first, run containers, be charged for "
            "what was used. Money is whole fen; times are UTC.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": _PROBLEM, **_cleaned(components)},
            "securitySchemes": _SECURITY_SCHEMES,
            "responses": {
                "Problem": {
                    "description": "A refusal.",
                    "content": {CONTENT_TYPE: {"schema": {"$ref": _REF.format(name="Problem")}}},
                }
            },
        },
    }


def encoded(made: Mapping[str, Any]) -> bytes:
    """Write the document as it is committed."""
    return msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"


def _types(routes: Iterable[Route]) -> Iterator[Any]:
    for route in routes:
        if route.body_type is not None:
            yield route.body_type
        if _typed(route.reply):
            yield route.reply
        yield from route.path_types.values()
        if route.query_type is not None:
            yield from (field.type for field in msgspec.structs.fields(route.query_type))


def _typed(reply: Any) -> bool:
    """Tell whether an answer has a schema; texts and nothing have none."""
    return not (inspect.isclass(reply) and issubclass(reply, _UNTYPED))


def _operation(function: str, route: Route, of_type: Mapping[Any, Any]) -> dict[str, Any]:
    summary, _, more = inspect.cleandoc(route.view.__doc__ or "").partition("\n")
    operation: dict[str, Any] = {
        "operationId": f"{function}.{route.view.__name__}",
        "tags": [function],
        "summary": summary,
        "security": _SECURITY[route.auth.scheme],
    }
    if more.strip():
        operation["description"] = more.strip()
    if route.auth.role is not None:
        operation["x-role"] = route.auth.role.value
    if parameters := [*_parameters(route, of_type)]:
        operation["parameters"] = parameters
    if route.body_type is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": of_type[route.body_type]}},
        }
    operation["responses"] = {
        str(route.status): _success(route, of_type),
        "default": _REFUSED_IN_A_WORD.get(route.reply, {"$ref": "#/components/responses/Problem"}),
    }
    return operation


def _parameters(route: Route, of_type: Mapping[Any, Any]) -> Iterator[dict[str, Any]]:
    for name, kind in route.path_types.items():
        yield {"name": name, "in": "path", "required": True, "schema": of_type[kind]}
    if route.query_type is not None:
        for field in msgspec.structs.fields(route.query_type):
            schema = dict(of_type[field.type])
            if field.default is not msgspec.NODEFAULT and field.default is not None:
                schema["default"] = field.default
            required = field.required
            yield {"name": field.name, "in": "query", "required": required, "schema": schema}
    if route.idempotent:
        yield _IDEMPOTENCY_KEY


def _success(route: Route, of_type: Mapping[Any, Any]) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": _SUCCESS[route.status]}
    if content := dict(_content(route, of_type)):
        answer["content"] = content
    return answer


def _content(route: Route, of_type: Mapping[Any, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind in (route.reply, *route.texts):
        if _typed(kind):
            yield "application/json", {"schema": of_type[kind]}
        elif kind is not NoContent:
            schema = {"type": "object" if issubclass(kind, Json) else "string"}
            yield kind.content_type.partition(";")[0], {"schema": schema}

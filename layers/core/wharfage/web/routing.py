"""Routes: what a view's type hints say it takes and returns, worked out once, at import."""

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Annotated, Any

import msgspec

from wharfage.domain import limits
from wharfage.domain.errors import Fault, Invalid, Malformed, NotFound
from wharfage.web import reading
from wharfage.web.answers import Accepted, Created, NoContent, Text
from wharfage.web.auth import Auth
from wharfage.web.problems import UnsupportedMediaType
from wharfage.web.request import Request

View = Callable[..., Any]

#: How many items a list answers with.
Limit = Annotated[int, msgspec.Meta(ge=1, le=limits.PAGE_MAX)]
#: For how many seconds a GET may wait for a change.
Wait = Annotated[int, msgspec.Meta(ge=0, le=limits.WAIT_SECONDS_MAX)]
#: A path parameter.
PathId = Annotated[
    str, msgspec.Meta(min_length=1, max_length=128, pattern=r"^[0-9A-Za-z_.-]+$(?!\n)")
]

_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_KEY = re.compile(rf"[\x20-\x7e]{{1,{limits.IDEMPOTENCY_KEY_CHARACTERS_MAX}}}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """One method of one path, and everything the edge must know to call its view."""

    path: str
    method: str
    view: View
    auth: Auth
    status: int
    reply: Any  #: The View type of the answer; a Text, Html or NoContent where there is none.
    texts: tuple[type[Text], ...]  #: What else it may answer with.
    path_types: Mapping[str, Any]
    query_type: type[msgspec.Struct] | None
    query_any: bool  #: The view takes `query`: every parameter there is.
    body_type: type[msgspec.Struct] | None
    decoder: msgspec.json.Decoder[Any] | None = field(repr=False)
    body_bytes_max: int
    idempotent: bool

    def arguments(self, request: Request) -> dict[str, Any]:
        """Read from the request what the view takes.

        Raises: Malformed, Invalid, NotFound, UnsupportedMediaType.
        """
        if self.idempotent:
            request.idempotency_key = _idempotency_key(request)
        found = {name: _path_value(name, kind, request) for name, kind in self.path_types.items()}
        if self.query_any:
            found["query"] = {name: values[-1] for name, values in request.query.items()}
        else:
            found |= self._query(request)
        if self.decoder:
            if request.content_type != "application/json":
                raise UnsupportedMediaType
            found["body"] = reading.json_body(
                request.body, self.decoder, bytes_max=self.body_bytes_max
            )
        return found

    def _query(self, request: Request) -> dict[str, Any]:
        if self.query_type is None:
            if request.query:
                name = next(iter(request.query))
                message = "This route takes no query parameters."
                fault = Fault(pointer=f"?{name}", code="unknown_field", message=message)
                raise Invalid(faults=(fault,))
            return {}
        for name, values in request.query.items():
            if len(values) > 1:
                message = f"`{name}` is given more than once."
                raise Malformed(
                    faults=(Fault(pointer=f"?{name}", code="repeated", message=message),)
                )
        plain = {name: values[0] for name, values in request.query.items()}
        value = reading.query(plain, self.query_type)
        return {name: getattr(value, name) for name in self.query_type.__struct_fields__}


def route(
    path: str,
    method: str,
    view: View,
    *,
    auth: Auth,
    body_bytes_max: int,
    idempotent: bool,
) -> Route:
    """Work out a route from its view's signature.

    Raises: TypeError, when the signature and the path do not fit.
    """
    hints = typing.get_type_hints(view, include_extras=True)
    parameters = inspect.signature(view).parameters
    in_path = _PARAMETER.findall(path)
    if missing := set(in_path) - set(parameters):
        raise TypeError(f"{method} {path}: the view does not take {sorted(missing)}")
    if untyped := [name for name in (*parameters, "return") if name not in hints]:
        raise TypeError(f"{method} {path}: no type for {untyped}")
    body_type = hints.get("body") if "body" in parameters else None
    status, reply = _reply(hints["return"])
    return Route(
        path=path,
        method=method,
        view=view,
        auth=auth,
        status=status,
        reply=reply,
        texts=_texts(hints["return"]),
        path_types={name: PathId if hints[name] is str else hints[name] for name in in_path},
        query_type=_query_type(view, hints, {*in_path, "body"}),
        query_any="query" in parameters,
        body_type=body_type,
        decoder=msgspec.json.Decoder(body_type) if body_type else None,
        body_bytes_max=body_bytes_max,
        idempotent=idempotent,
    )


def _query_type(
    view: View, hints: Mapping[str, Any], elsewhere: set[str]
) -> type[msgspec.Struct] | None:
    """Describe the query parameters as one Struct: every parameter that comes from nowhere else."""
    fields: list[Any] = []
    for name, parameter in inspect.signature(view).parameters.items():
        if name in elsewhere or name == "query":
            continue
        kind, has_default = _given(hints[name]), parameter.default is not inspect.Parameter.empty
        fields.append((name, kind, parameter.default) if has_default else (name, kind))
    if not fields:
        return None
    return msgspec.defstruct(
        f"{view.__name__}_query", fields, kw_only=True, frozen=True, forbid_unknown_fields=True
    )


def _given(hint: Any) -> Any:
    """Leave None out of a parameter's type: a query says something, or has not the parameter."""
    if typing.get_origin(hint) not in (typing.Union, types.UnionType):
        return hint
    return reduce(or_, (each for each in typing.get_args(hint) if each is not types.NoneType))


def _reply(hint: Any) -> tuple[int, Any]:
    """Tell status and View type from what the view returns."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        # Views that answer with text in some cases declare it; the View documents the route.
        return _reply(next(each for each in arguments if not _is_text(each)))
    if origin is Created:
        return 201, arguments[0]
    if origin is Accepted:
        return 202, arguments[0]
    if hint is NoContent:
        return 204, NoContent
    return 200, hint


def _texts(hint: Any) -> tuple[type[Text], ...]:
    """Find the texts that a view returns in some cases."""
    return tuple(each for each in typing.get_args(hint) if _is_text(each))


def _is_text(hint: Any) -> bool:
    return inspect.isclass(hint) and issubclass(hint, Text)


def _path_value(name: str, kind: Any, request: Request) -> Any:
    try:
        return msgspec.convert(request.path[name], kind, strict=False)
    except (KeyError, msgspec.ValidationError):
        # What has not the form of an id is the id of nothing.
        raise NotFound(what=name.removesuffix("_id")) from None


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("idempotency-key")
    if key is None:
        message = "Send an Idempotency-Key of your own, so that a repeat does nothing twice."
        raise reading.header_fault("Idempotency-Key", "missing_field", message)
    if not _KEY.fullmatch(key.strip()):
        message = (
            f"An Idempotency-Key is 1 to {limits.IDEMPOTENCY_KEY_CHARACTERS_MAX}"
            " printable ASCII characters."
        )
        raise reading.header_fault("Idempotency-Key", "pattern", message)
    return key.strip()

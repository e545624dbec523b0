"""Reads what clients send, strictly: JSON bodies, query strings and path parameters.

The same types that a view declares decide. What cannot be read is Malformed (400); what can be
read and is not acceptable is Invalid (422) with a pointer to each wrong place: `/field/0` in the
body, `?name` in the query, a header by its name.
"""

import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn, TypeVar

import msgspec

from wharfage.domain import limits
from wharfage.domain.errors import Fault, Invalid, Malformed, TooLarge

T = TypeVar("T")

_PLACE = re.compile(r" - at `(?:key` in `)?\$([^`]*)`$")
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_NAMED = re.compile(r"^Object (?:contains unknown|missing required) field `([^`]*)`")


def json_body(body: bytes, decoder: msgspec.json.Decoder[T], *, bytes_max: int) -> T:
    """Decode a JSON body: UTF-8, no duplicate names, no NaN, nothing after it.

    Raises: TooLarge, Malformed, Invalid.
    """
    if len(body) > bytes_max:
        raise TooLarge(limit_bytes=bytes_max)
    try:
        # msgspec keeps the last of duplicate names; only the standard library tells of them.
        whole = json.loads(body.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
        _check_depth(whole)
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise Invalid(faults=(_fault(str(error)),)) from None
    except RecursionError:
        raise _malformed("", "depth", "The JSON is nested too deeply.") from None
    except (msgspec.DecodeError, ValueError):
        raise _malformed("", "json", "The body is not valid JSON in UTF-8.") from None


def query(values: dict[str, Any], into: type[T]) -> T:
    """Turn query parameters, as text, into the Struct that describes them.

    Raises: Invalid.
    """
    try:
        return msgspec.convert(values, into, strict=False)
    except msgspec.ValidationError as error:
        found = _fault(str(error))
        pointer = "?" + found.pointer.removeprefix("/").partition("/")[0]
        fault = Fault(pointer=pointer, code=found.code, message=found.message)
        raise Invalid(faults=(fault,)) from None


def header_fault(name: str, code: str, message: str) -> Malformed:
    """Make the refusal for one wrong or missing header."""
    return _malformed(name, code, message)


def _check_depth(whole: Any) -> None:
    """Refuse deep nesting at one depth, wherever this Python's own recursion would end.

    Raises: RecursionError.
    """
    level = [whole]
    for _ in range(limits.JSON_DEPTH_MAX):
        level = [inner for each in level for inner in _inside(each)]
        if not level:
            return
    raise RecursionError


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


class _Duplicate(ValueError):
    """A JSON object names a field twice."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Duplicate
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _malformed(pointer: str, code: str, message: str) -> Malformed:
    return Malformed(faults=(Fault(pointer=pointer, code=code, message=message),))


def _fault(text: str) -> Fault:
    """Turn msgspec's sentence into a fault: `$.a[0]` becomes `/a/0`, `$.a[...]` just `/a`."""
    place = _PLACE.search(text)
    message = text[: place.start()] if place else text
    # msgspec writes every key of a dict as `[...]`; what lies behind one cannot be named.
    named_place, behind, _ = place[1].partition("[...]") if place else ("", "", "")
    steps = [name or index for name, index in _STEP.findall(named_place)]
    if not behind and (named := _NAMED.match(message)):
        steps.append(named[1])
    pointer = "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)
    return Fault(pointer=pointer, code=_code(message), message=message)


def _code(message: str) -> str:
    for start, code in (
        ("Object contains unknown field", "unknown_field"),
        ("Object missing required field", "missing_field"),
        ("Invalid enum value", "unknown_value"),
    ):
        if message.startswith(start):
            return code
    if "of length" in message:
        return "length"
    if "matching regex" in message:
        return "pattern"
    if re.search(r"(?:[<>]=?|multiple of) ", message) or "out of range" in message:
        return "range"
    return "type"

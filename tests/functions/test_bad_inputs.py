"""Every route that takes a body, and every body that it must not take.

The routes are the functions' own tables, so a new one is here by itself; it needs a good call in
`tests/fixtures/calls.py`, of which everything bad is made.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.fixtures import spoiling
from tests.fixtures.calls import GOOD, good
from tests.fixtures.edge import Answer
from tests.fixtures.port import ROUTES, Call, Port
from tests.fixtures.refusals import internals, pointers, require_problem

WITH_BODY = [name for name, (_, route) in ROUTES.items() if route.body_type is not None]
WITHOUT_BODY = [name for name in ROUTES if name not in WITH_BODY]
#: What they read is what the channel signed: see test_bad_notifies.py and test_channels.py.
NOTIFIES = {f"POST /v1/{channel}/notify" for channel in ("alipay", "wechat", "stripe")}
MALFORMED = (400, "malformed")
INVALID = (422, "invalid")
TOO_LARGE = (413, "too_large")
MEDIA_TYPE = (415, "unsupported_media_type")

#: Bodies that are no JSON, or none that can be read in one way only.
UNREADABLE: Mapping[str, Callable[[bytes], bytes]] = {
    "empty": lambda body: b"",
    "blank": lambda body: b" \n\t",
    "cut": lambda body: body[:-1],
    "trailing": lambda body: body + b"x",
    "two": lambda body: body + body,
    "bom": lambda body: b"\xef\xbb\xbf" + body,
    "utf16": lambda body: body.decode().encode("utf-16"),
    "nul": lambda body: b"\0" + body,
    "not_utf8": lambda body: body[:-1] + b',"\xff":1}',
    "overlong_utf8": lambda body: body[:-1] + b',"\xc0\xaf":1}',
    "lone_surrogate_name": lambda body: body[:-1] + b',"\\ud800":1}',
    "lone_surrogate_bytes": lambda body: body[:-1] + b',"\xed\xa0\x80":1}',
    "single_quotes": lambda body: body.replace(b'"', b"'"),
    "comment": lambda body: b"/**/" + body,
    "trailing_comma": lambda body: body[:-1] + b",}",
    "duplicate": lambda body: body[:-1] + b"," + body[1:],
    "duplicate_escaped": lambda body: body[:-1] + b',"a":1,"\\u0061":2}',
    "duplicate_inside": lambda body: body[:-1] + b',"x":{"a":1,"a":1}}',
    "nan": lambda body: body[:-1] + b',"x":NaN}',
    "infinity": lambda body: body[:-1] + b',"x":Infinity}',
    "minus_infinity": lambda body: body[:-1] + b',"x":-Infinity}',
    "deep_lists": lambda body: b"[" * 3500,
    "deep_lists_closed": lambda body: b"[" * 3500 + b"]" * 3500,
    "deep_objects": lambda body: b'{"a":' * 1500,
    "deep_inside": lambda body: body[:-1] + b',"x":' + b"[" * 3500 + b"]" * 3500 + b"}",
    "long_number": lambda body: body[:-1] + b',"x":' + b"9" * 5000 + b"}",
    "tab_in_text": lambda body: body[:-1] + b',"x\t":1}',
}
#: Bodies that are JSON, and nothing that any route takes.
UNACCEPTABLE: Mapping[str, bytes] = {
    "null": b"null",
    "true": b"true",
    "number": b"1",
    "infinite": b"1e309",
    "text": b'"text"',
    "list": b"[]",
    "list_of_one": b"[{}]",
}
CONTENT_TYPES = [
    None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
    "application/jsonp", "application/json2", "application/problem+json", "json",
    "application/json, text/plain", "text/plain; application/json",
]  # fmt: skip


def send(
    port: Port, name: str, raw: bytes, content_type: str | None = "application/json"
) -> Answer:
    call = good(port, name)
    headers = dict(call.headers) if content_type is None else {
        **call.headers, "content-type": content_type
    }  # fmt: skip
    call = Call(path=call.path, query=call.query, headers=headers, raw=raw)
    return port.ask(name, call, port.token_for(name))


def body_of(port: Port, name: str) -> Any:
    return good(port, name).body


def test_every_route_has_a_good_call_of_which_bad_ones_are_made() -> None:
    assert GOOD.keys() == ROUTES.keys()


@pytest.mark.parametrize("name", ROUTES)
def test_the_good_call_of_a_route_is_answered_as_the_route_declares(port: Port, name: str) -> None:
    answer = port.ask(name, good(port, name), port.token_for(name))

    assert answer.status == ROUTES[name][1].status, answer.text


@pytest.mark.parametrize("case", UNREADABLE)
@pytest.mark.parametrize("name", WITH_BODY)
def test_a_body_that_is_no_plain_json_is_malformed(port: Port, name: str, case: str) -> None:
    raw = UNREADABLE[case](json.dumps(body_of(port, name)).encode())

    with port.unchanged():
        answer = send(port, name, raw)

    require_problem(answer, MALFORMED)
    assert pointers(answer) == [""]


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_body_of_ten_thousand_levels_is_malformed_or_too_large(port: Port, name: str) -> None:
    for raw in (b"[" * 10_000, b'{"a":' * 10_000, b"[" * 10_000 + b"]" * 10_000):
        with port.unchanged():
            answer = send(port, name, raw)

        require_problem(answer, MALFORMED, TOO_LARGE)


@pytest.mark.parametrize("case", UNACCEPTABLE)
@pytest.mark.parametrize("name", WITH_BODY)
def test_a_body_that_is_no_object_is_invalid(port: Port, name: str, case: str) -> None:
    with port.unchanged():
        answer = send(port, name, UNACCEPTABLE[case])

    require_problem(answer, INVALID)


@pytest.mark.parametrize("content_type", CONTENT_TYPES)
@pytest.mark.parametrize("name", WITH_BODY)
def test_a_body_that_is_not_called_json_is_not_read(
    port: Port, name: str, content_type: str | None
) -> None:
    with port.unchanged():
        answer = send(port, name, json.dumps(body_of(port, name)).encode(), content_type)

    require_problem(answer, MEDIA_TYPE)


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_body_has_its_limit_to_the_byte(port: Port, name: str) -> None:
    most = ROUTES[name][1].body_bytes_max
    wrong = json.dumps(body_of(port, name) | {"unknown": 1}).encode()

    for size, expected in ((most - 1, INVALID), (most, INVALID), (most + 1, TOO_LARGE)):
        with port.unchanged():
            answer = send(port, name, wrong.ljust(size))

        require_problem(answer, expected)
        assert answer.json.get("limit_bytes", most) == most


@pytest.mark.parametrize("name", WITH_BODY)
def test_every_place_of_a_body_is_held_to_its_type_and_named(port: Port, name: str) -> None:
    kind, wrong = ROUTES[name][1].body_type, []
    assert kind is not None

    for case in spoiling.spoilt(kind, body_of(port, name)):
        with port.unchanged():
            answer = send(port, name, case.raw)
        found = answer.json.get("errors", [{}])[0]
        # Of what lies in an object of free names only the object is named.
        place = found.get("pointer", "?")
        named = place == case.place or (bool(place) and case.place.startswith(place + "/"))
        if (answer.status, answer.code) == TOO_LARGE and len(case.raw) > 8 * 1024:
            continue
        if answer.status != 422 or not named or found["code"] not in case.codes:
            wrong.append(f"{case.case}: {answer.text}")
        elif shown := internals(answer.text):
            wrong.append(f"{case.case} shows {shown}")

    assert wrong == []


@pytest.mark.parametrize("name", WITH_BODY)
def test_the_ends_of_every_range_are_in_it(port: Port, name: str) -> None:
    kind, wrong = ROUTES[name][1].body_type, []
    assert kind is not None

    for case, raw, place in spoiling.bounds(kind, body_of(port, name)):
        answer = send(port, name, raw)
        port.put_back()
        if answer.status >= 400:
            faults = [(each["pointer"], each["code"]) for each in answer.json.get("errors", [])]
            if answer.status >= 500 or (place, "range") in faults:
                wrong.append(f"{case}: {answer.text}")

    assert wrong == []


@pytest.mark.parametrize("name", WITH_BODY)
def test_hostile_text_is_taken_or_refused_and_breaks_nothing(port: Port, name: str) -> None:
    kind, wrong = ROUTES[name][1].body_type, []
    assert kind is not None

    for case, raw in spoiling.hostile(kind, body_of(port, name)):
        before = port.state()
        answer = send(port, name, raw)
        refused = answer.status >= 400
        if answer.status >= 500 or (refused and port.state() != before):
            wrong.append(f"{case}: {answer.text}")
        elif refused and (shown := internals(answer.text, said=spoiling.HOSTILE.values())):
            wrong.append(f"{case} shows {shown}")
        port.harbour.check()
        port.put_back()

    assert wrong == []


@pytest.mark.parametrize("name", WITH_BODY)
def test_a_lone_surrogate_anywhere_is_malformed(port: Port, name: str) -> None:
    kind, sample = ROUTES[name][1].body_type, body_of(port, name)
    assert kind is not None

    for path in spoiling.texts(kind, sample):
        raw = spoiling._written(sample, path, '"\\udfff"')
        with port.unchanged():
            answer = send(port, name, raw)

        require_problem(answer, MALFORMED)


@pytest.mark.parametrize("name", [name for name in WITHOUT_BODY if name not in NOTIFIES])
def test_a_body_where_none_is_taken_is_not_read(port: Port, name: str) -> None:
    call = good(port, name)

    for raw in (b"\xff", b"[" * 10_000, b'{"a":1,"a":1}'):
        found = Call(path=call.path, query=call.query, headers=call.headers, raw=raw)
        answer = port.ask(name, found, port.token_for(name))
        port.put_back()

        assert answer.status == ROUTES[name][1].status, answer.text


@pytest.mark.parametrize("name", WITHOUT_BODY)
def test_a_body_over_the_limit_is_refused_also_where_none_is_taken(port: Port, name: str) -> None:
    call, most = good(port, name), ROUTES[name][1].body_bytes_max
    found = Call(path=call.path, query=call.query, headers=call.headers, raw=b"x" * (most + 1))

    with port.unchanged():
        answer = port.ask(name, found, port.token_for(name))

    require_problem(answer, TOO_LARGE)


def test_an_operators_address_that_grows_beyond_any_key_is_invalid(port: Port) -> None:
    """Once it is normal, each of these characters is three, of four bytes each."""
    call = good(port, "POST /v1/auth/operator")
    body = call.body | {"email": "\U0001d160" * 500}

    with port.unchanged():
        answer = port.ask("POST /v1/auth/operator", Call(body=body))

    require_problem(answer, INVALID)
    assert pointers(answer) == ["/email"]

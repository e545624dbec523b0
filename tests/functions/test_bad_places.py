"""Every route's path, query and headers: ids of others and of nothing, cursors, waits, keys."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from tests.fixtures.calls import good
from tests.fixtures.edge import Answer
from tests.fixtures.port import ROUTES, Call, Port
from tests.fixtures.refusals import pointers, require_problem
from wharfage.web import cursors

WITH_ID = [(name, part) for name, (_, route) in ROUTES.items() for part in route.path_types]
QUERIES: Mapping[str, set[str]] = {
    name: set(route.query_type.__struct_fields__) if route.query_type else set()
    for name, (_, route) in ROUTES.items()
    if not route.query_any
}
LISTS = [name for name, known in QUERIES.items() if "cursor" in known]
KEYED = [name for name, (_, route) in ROUTES.items() if route.idempotent]
NOT_FOUND = (404, "not_found")
INVALID = (422, "invalid")
MALFORMED = (400, "malformed")

#: The same for every route: what has the form of no id, or is the id of something else.
IDS: Mapping[str, Callable[[Port], str]] = {
    "empty": lambda port: "",
    "dot": lambda port: ".",
    "up": lambda port: "..",
    "path": lambda port: "../../admin/users",
    "encoded_path": lambda port: "..%2f..%2fadmin",
    "nul": lambda port: "job_\0",
    "encoded_nul": lambda port: "%00",
    "fragment": lambda port: "job_1#spec",
    "query": lambda port: "job_1?x=1",
    "space": lambda port: "job 1",
    "newline": lambda port: f"{port.queued['id']}\n",
    "wide_digits": lambda port: "job_\uff11\u0661",
    "direction": lambda port: "job_\u202e1",
    "surrogate": lambda port: "job_\ud800",
    "limit": lambda port: "x" * 128,
    "over_the_limit": lambda port: "x" * 129,
    "long": lambda port: "x" * 300,
    "capitals": lambda port: str(port.queued["id"]).upper(),
    "none": lambda port: "None",
    "star": lambda port: "*",
    "number": lambda port: "0",
    "a_row's_name": lambda port: "spec",
    "a_partition's_name": lambda port: "directory",
    "the_fleet": lambda port: "fleet",
    "a_claim": lambda port: str(port.grant["claim_id"]),
    "an_event": lambda port: "evt_00000000000000000000000001",
    "a_hold": lambda port: "hld_00000000000000000000000001",
}
OF_TYPE: Mapping[str, Callable[[Port], str]] = {
    "job_id": lambda port: str(port.queued["id"]),
    "order_id": lambda port: port.order,
    "refund_id": lambda port: port.refund,
    "session_id": lambda port: str(port.session["session"]),
    "user_id": lambda port: port.owner.account,
    "host_id": lambda port: port.agent.id,
    "template": lambda port: port.template,
}
OF_ANOTHER: Mapping[str, Callable[[Port], str]] = {
    "job_id": lambda port: str(port.other_queued["id"]),
    "order_id": lambda port: port.other_order,
    "session_id": lambda port: str(port.other_session["session"]),
}
OF_EVERYBODY = {"POST /v1/admin/disputes/{order_id}"}  #: The operator's: no order is another's.
WRONG_NUMBERS = [
    "-1", "1e9", "1.5", "ten", "", "%201", "0x10", "\uff11", "9" * 39, "9" * 400, "1_0", "true",
    "null", "NaN", "-", "%00", "2147483648000",
]  # fmt: skip
BAD_CURSORS = [
    "",
    "x",
    "====",
    "!",
    "\u00e9",
    "A" * 2048,
    "A" * 2049,
    "A" * 9000,
    "Li4vLi4v",
    "%00",
]


def ask(port: Port, name: str, *, path: Mapping[str, str] | None = None, **changes: Any) -> Answer:
    """Make the good call of a route with *changes*, by somebody who may make it.

    Ids that *path* does not name stay the good ones.
    """
    call = good(port, name)
    whole = {each: getattr(call, each) for each in ("query", "body", "raw", "headers")} | changes
    whole["path"] = {**call.path, **(path or {})}
    return port.ask(name, Call(**whole), port.token_for(name))


@pytest.mark.parametrize("case", IDS)
@pytest.mark.parametrize(("name", "part"), WITH_ID)
def test_an_id_of_nothing_is_not_found(port: Port, name: str, part: str, case: str) -> None:
    path = {part: IDS[case](port)}

    with port.unchanged():
        answer = ask(port, name, path=path)

    require_problem(answer, NOT_FOUND)


@pytest.mark.parametrize(
    ("name", "part", "kind"),
    [(name, part, kind) for name, part in WITH_ID for kind in OF_TYPE if kind != part],
)
def test_an_id_of_another_type_is_not_found(port: Port, name: str, part: str, kind: str) -> None:
    with port.unchanged():
        answer = ask(port, name, path={part: OF_TYPE[kind](port)})

    require_problem(answer, NOT_FOUND)


@pytest.mark.parametrize(
    ("name", "part"),
    [(name, part) for name, part in WITH_ID if part in OF_ANOTHER and name not in OF_EVERYBODY],
)
def test_anothers_id_is_refused_as_an_unknown_one_is(port: Port, name: str, part: str) -> None:
    """R3: nothing tells that it exists: status, body, headers and what is written are the same."""
    of_nothing = OF_ANOTHER[part](port)[:-4] + "zzzz"

    with port.unchanged():
        others = ask(port, name, path={part: OF_ANOTHER[part](port)})
        unknown = ask(port, name, path={part: of_nothing})

    require_problem(others, NOT_FOUND)
    assert others.status == unknown.status
    assert others.json | {"request_id": ""} == unknown.json | {"request_id": ""}
    assert others.headers == unknown.headers


@pytest.mark.parametrize("name", QUERIES)
def test_a_parameter_that_a_route_does_not_know_is_named(port: Port, name: str) -> None:
    for unknown in ("unknown", "Limit", "limit%5B%5D", "access_token", "__class__"):
        with port.unchanged():
            answer = ask(port, name, query=f"{unknown}=1")

        require_problem(answer, INVALID)
        assert pointers(answer)[0].startswith("?")


@pytest.mark.parametrize(
    ("name", "parameter"),
    [(name, each) for name, known in QUERIES.items() for each in sorted(known)],
)
def test_a_parameter_given_twice_is_malformed(port: Port, name: str, parameter: str) -> None:
    for twice in ("{0}=1&{0}=1", "{0}=1&{0}=2", "{0}=&{0}="):
        with port.unchanged():
            answer = ask(port, name, query=twice.format(parameter))

        require_problem(answer, MALFORMED)
        assert pointers(answer) == [f"?{parameter}"]


@pytest.mark.parametrize("name", ROUTES)
def test_a_query_that_is_no_text_is_malformed(port: Port, name: str) -> None:
    many = "&".join(f"a{number}=1" for number in range(65))
    for query in ("limit=%ff", "%ed%a0%80=1", "a=%c0%af", many):
        with port.unchanged():
            answer = ask(port, name, query=query)

        require_problem(answer, MALFORMED)
        assert pointers(answer) == ["?"]


@pytest.mark.parametrize(
    ("name", "parameter"),
    [
        (name, each)
        for name, known in QUERIES.items()
        for each in sorted(known & {"limit", "wait", "version", "attempt"})
    ],
)
def test_a_number_in_a_query_is_held_to_its_range(port: Port, name: str, parameter: str) -> None:
    bounds = {
        "limit": ["0", "101"],
        "wait": ["21", "-0.5"],
        "attempt": ["0", "10000"],
        "version": [str(2**53 + 1)],
    }
    free = {"version": {"1e9", "2147483648000"}}
    numbers = {*WRONG_NUMBERS, *bounds.get(parameter, [])} - free.get(parameter, set())

    for number in sorted(numbers):
        with port.unchanged():
            answer = ask(port, name, query=f"{parameter}={quote(number, safe='%')}")

        require_problem(answer, INVALID, said=[number] if number else [])
        assert pointers(answer) == [f"?{parameter}"], number


@pytest.mark.parametrize("version", ["0", "1", str(2**53)])
def test_a_version_of_any_size_is_waited_for_no_longer_than_asked(port: Port, version: str) -> None:
    answer = ask(port, "GET /v1/jobs/{job_id}", query=f"wait=1&version={version}")

    assert answer.status == 200


@pytest.mark.parametrize("case", BAD_CURSORS)
@pytest.mark.parametrize("name", LISTS)
def test_a_cursor_that_was_never_given_is_refused(port: Port, name: str, case: str) -> None:
    with port.unchanged():
        answer = ask(port, name, query=f"cursor={quote(case, safe='%')}")

    require_problem(answer, INVALID)
    assert pointers(answer) == ["?cursor"]


@pytest.mark.parametrize("name", LISTS)
def test_a_cursor_is_good_for_one_list_of_one_account_and_cannot_be_edited(
    port: Port, name: str
) -> None:
    true = _cursor(port, name)
    sealed = _sealed(port, name, "\ud7ff")
    edited = [true[:-2] + ("AA" if true[-2:] != "AA" else "BB"), true[1:], true + "AAAA", sealed]
    foreign = [_cursor(port, each) for each in LISTS if each != name]

    for cursor in [*edited, *foreign]:
        with port.unchanged():
            answer = ask(port, name, query=f"cursor={quote(cursor)}")

        require_problem(answer, INVALID)
    assert ask(port, name, query=f"cursor={quote(true)}").status == 200


@pytest.mark.parametrize("name", [name for name in LISTS if ROUTES[name][1].auth.role is None])
def test_a_cursor_of_another_account_is_refused(port: Port, name: str) -> None:
    cursor = _cursor(port, name)
    path = good(port, name).path
    found = Call(path=path, query=f"cursor={quote(cursor)}")

    with port.unchanged():
        answer = port.ask(name, found, port.callers["other"])

    require_problem(answer, INVALID, NOT_FOUND)


@pytest.mark.parametrize(
    "key", [None, "", "   ", "a" * 65, "\u00e9", "a\nb", "a\0b", "\x7f", "\u202e", "\ud800", "\t"]
)
@pytest.mark.parametrize("name", KEYED)
def test_an_idempotency_key_that_cannot_be_kept_is_malformed(
    port: Port, name: str, key: str | None
) -> None:
    headers = {"content-type": "application/json"} | (
        {} if key is None else {"idempotency-key": key}
    )

    with port.unchanged():
        answer = ask(port, name, headers=headers)

    require_problem(answer, MALFORMED)
    assert pointers(answer) == ["Idempotency-Key"]


HEADERS: Mapping[str, str] = {
    "traceparent": "00-" + "g" * 32 + "-" + "0" * 16 + "-\n\0\u202e\ud800",
    "tracestate": "a=" + "b" * 5000,
    "accept": "\ud800/\0;q=NaN",
    "accept-language": "zh;q=nan,en;q=1e999,;;;q=,\u202e," + "x," * 3000,
    "x-forwarded-for": "999.999.999.999, ::ffff:127.0.0.1, '; DROP TABLE",
    "x-http-method-override": "DELETE",
    "x-amzn-trace-id": "Root=\n",
    "host": "evil.example",
    "cookie": "a" * 4000,
    "content-length": "-1",
    "if-match": '"\ud800"',
    "range": "bytes=0-18446744073709551615",
    "expect": "200-maybe",
    "": "no name",
}


@pytest.mark.parametrize("name", ROUTES)
def test_strange_headers_change_no_answer(port: Port, name: str) -> None:
    call = good(port, name)
    call = replace(call, headers={**HEADERS, **call.headers})
    answer = port.ask(name, call, port.token_for(name))

    assert answer.status == ROUTES[name][1].status, answer.text
    assert "evil.example" not in f"{answer.text} {answer.headers}"


@pytest.mark.parametrize("name", ROUTES)
def test_a_method_or_path_that_is_not_there_says_so(port: Port, name: str) -> None:
    app, route = ROUTES[name]
    event = {
        "version": "2.0",
        "routeKey": f"BREW {route.path}",
        "rawPath": route.path,
        "headers": None,
        "requestContext": {"http": {"method": "BREW"}, "requestId": "request-0"},
    }

    with port.unchanged():
        found = app(event, None)
        nowhere = app(event | {"routeKey": "GET /../{x}/%00", "rawPath": "/../\ud800"}, None)

    for each, expected in (
        (found, (405, "method_not_allowed")),
        (nowhere, (404, "route_not_found")),
    ):
        headers = {header.lower(): value for header, value in each["headers"].items()}
        require_problem(Answer(each["statusCode"], headers, each["body"]), expected)


def _cursor(port: Port, name: str) -> str:
    """Make the cursor that this list would give whoever makes its good call."""
    return _sealed(port, name, _place(port, name))


def _place(port: Port, name: str) -> str:
    return "1.0.0" if name.endswith("/logs") else "session#x" if "sessions" in name else "zzz_1"


def _sealed(port: Port, name: str, place: str) -> str:
    app, route = ROUTES[name]
    person = port.admin if route.auth.role is not None else port.owner
    path = sorted(good(port, name).path.items())
    owner = {"\ud7ff": "usr_nobody"}.get(place, person.account)
    scope = f"{owner} {route.path} {path}"
    return cursors.seal(place, key=app.settings.cursor_key, scope=scope)


def test_every_part_of_a_path_has_a_type_that_bounds_it() -> None:
    for name, part in WITH_ID:
        kind = ROUTES[name][1].path_types[part]
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert("x" * 300, kind)

"""The auth function: accounts, sessions and the operator's users, through the edge."""

import json

import pytest

from functions.auth.app import app
from tests.fixtures.edge import Caller, HandClock, ports
from wharfage.domain import limits
from wharfage.operations import accounts

PASSWORD = "correct horse battery"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def call(clock) -> Caller:
    return Caller(app, bound=ports(clock))


def register(call: Caller, email: str = "a@example.com") -> str:
    answer = call("POST", "/v1/auth/register", {"email": email, "password": PASSWORD})
    assert answer.status == 201
    return str(answer.json["id"])


def login(call: Caller, email: str = "a@example.com", password: str = PASSWORD):
    return call("POST", "/v1/auth/login", {"email": email, "password": password})


@pytest.fixture
def token(call) -> str:
    register(call)
    return str(login(call).json["access_token"])


@pytest.fixture
def operator(call) -> str:
    body = {
        "code": accounts.open_operator_code(call.ports),
        "email": "op@example.com",
        "password": PASSWORD,
    }
    assert call("POST", "/v1/auth/operator", body).status == 201
    return str(login(call, "op@example.com").json["access_token"])


def test_a_customer_registers_signs_in_and_is_known(call):
    made = register(call)

    tokens = login(call).json
    me = call("GET", "/v1/me", token=tokens["access_token"])

    assert (me.status, me.json["id"], me.json["role"]) == (200, made, "user")
    assert (tokens["token_type"], tokens["expires_in"]) == ("Bearer", 900)


def test_unknown_and_wrong_get_the_same_answer(call):
    register(call)

    wrong = login(call, password="wrong horse battery")
    unknown = login(call, email="nobody@example.com")

    assert (wrong.status, wrong.code) == (unknown.status, unknown.code)
    assert wrong.code == "wrong_credentials"
    assert {**wrong.json, "request_id": ""} == {**unknown.json, "request_id": ""}


def test_a_refresh_rotates_and_a_second_use_ends_the_session(call):
    register(call)
    first = login(call).json

    second = call("POST", "/v1/auth/refresh", {"refresh_token": first["refresh_token"]})
    again = call("POST", "/v1/auth/refresh", {"refresh_token": first["refresh_token"]})
    after = call("GET", "/v1/me", token=second.json["access_token"])

    assert second.status == 200
    assert (again.status, again.code) == (401, "session_ended")
    assert (after.status, after.code) == (401, "session_ended")


def test_a_refresh_token_is_no_access_token(call):
    register(call)

    assert call("GET", "/v1/me", token=login(call).json["refresh_token"]).status == 401


def test_signing_out_ends_the_session(call, token):
    assert call("POST", "/v1/auth/logout", token=token).status == 204
    assert call("GET", "/v1/me", token=token).code == "session_ended"


def test_a_token_older_than_a_new_password_is_refused(call, token):
    body = {"old_password": PASSWORD, "new_password": "another horse battery"}

    assert call("POST", "/v1/auth/password", body, token=token).status == 204
    assert call("GET", "/v1/me", token=token).code == "session_ended"
    assert login(call, password="another horse battery").status == 200


def test_sessions_are_listed_and_revoked(call, token):
    other = login(call).json

    listed = call("GET", "/v1/me/sessions", token=token).json["items"]
    ended = call("DELETE", f"/v1/me/sessions/{other['session']}", token=token)

    assert {each["id"] for each in listed} >= {other["session"]}
    assert ended.status == 204
    assert call("GET", "/v1/me", token=other["access_token"]).code == "session_ended"
    assert call("DELETE", "/v1/me/sessions/ses_none", token=token).status == 404


def test_a_password_of_a_megabyte_is_too_large(call):
    body = {"email": "a@example.com", "password": "x" * 1_000_000}

    answer = call("POST", "/v1/auth/register", body)

    assert (answer.status, answer.json["limit_bytes"]) == (413, limits.CREDENTIAL_BYTES_MAX)


@pytest.mark.parametrize(
    "body",
    [
        b'{"email":"a@example.com","password":"correct horse battery","password":"x"}',
        b"[" * 5000,
        b"\xef\xbb\xbf{}",
        b'{"email":"\\ud800@example.com","password":"correct horse battery"}',
        b"",
    ],
)
def test_what_is_not_json_changes_nothing(call, body):
    answer = call(
        "POST", "/v1/auth/register", raw=body, headers={"content-type": "application/json"}
    )

    assert (answer.status, answer.code) == (400, "malformed")


def test_the_operator_finds_bans_and_unbans(call, token, operator):
    found = call("GET", "/v1/admin/users?email=A@example.com", token=operator).json["items"]
    target = f"/v1/admin/users/{found[0]['id']}"

    banned = call("POST", f"{target}/ban", token=operator)

    assert banned.json["banned_at"] is not None
    refused = call("GET", "/v1/me", token=token)
    assert (refused.status, refused.code) == (403, "banned")
    assert login(call).code == "banned"
    assert call("POST", f"{target}/unban", token=operator).json["banned_at"] is None
    assert call("GET", "/v1/me", token=token).code == "session_ended"
    assert login(call).status == 200


def test_the_operator_pages_through_users(call, operator):
    made = {register(call, f"u{number}@example.com") for number in range(5)}

    found: list[str] = []
    target = "/v1/admin/users?limit=2"
    while target:
        page = call("GET", target, token=operator).json
        found += [each["id"] for each in page["items"]]
        cursor = page["next_cursor"]
        target = f"/v1/admin/users?limit=2&cursor={cursor}" if cursor else ""

    assert found == sorted(found, reverse=True)
    assert made < set(found)


def test_a_role_is_in_force_at_once(call, token, operator):
    me = call("GET", "/v1/me", token=token).json["id"]
    assert call("GET", "/v1/admin/users", token=token).status == 403

    call("POST", f"/v1/admin/users/{me}/role", {"role": "admin"}, token=operator)

    assert call("GET", "/v1/admin/users", token=token).status == 200


def test_a_role_that_is_none_is_named(call, operator):
    answer = call("POST", "/v1/admin/users/usr_1/role", {"role": "root"}, token=operator)

    assert answer.json["errors"][0] == {
        "pointer": "/role",
        "code": "unknown_value",
        "message": "Invalid enum value 'root'",
    }


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/admin/users"),
        ("POST", "/v1/admin/users/usr_1/ban"),
        ("POST", "/v1/admin/users/usr_1/unban"),
        ("POST", "/v1/admin/users/usr_1/role"),
    ],
)
def test_what_is_the_operators_is_nobody_elses(call, token, method, path):
    assert call(method, path).status == 401
    assert call(method, path, token=token).status == 403


def test_health_says_what_it_depends_on(call):
    answer = call("GET", "/v1/health")

    assert answer.status == 200
    assert answer.json == {
        "status": "unknown",
        "store": "ok",
        "sweep": "unknown",
        "sweep_age_seconds": None,
    }


def test_the_openapi_document_is_served(call):
    answer = call("GET", "/v1/openapi.json")

    assert answer.headers["content-type"] == "application/json"
    assert json.loads(answer.text)["openapi"] == "3.1.0"


def test_the_type_of_a_problem_leads_to_its_page(call):
    problem = call("GET", "/v1/me").json

    page = call("GET", problem["type"].removeprefix("http://127.0.0.1:8080"))

    assert (page.status, "unauthenticated" in page.text) == (200, True)
    assert call("GET", "/v1/errors/nonsense").status == 404
    needed = call("GET", "/v1/errors/insufficient_funds").text
    assert "<var>required_fen</var> fen are needed" in needed


def test_a_new_password_that_is_refused_is_named_as_the_new_one(call, token):
    body = {"old_password": PASSWORD, "new_password": "short"}

    answer = call("POST", "/v1/auth/password", body, token=token)

    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/new_password")


def test_an_address_that_grows_too_long_in_lower_case_is_refused(call):
    """Whoever registered with it could never be found: lower case makes three letters of one."""
    body = {"email": "\ufb03" * 60 + "@" + ".".join(["\ufb03" * 40] * 3), "password": PASSWORD}

    answer = call("POST", "/v1/auth/register", body)

    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/email")

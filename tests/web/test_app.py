"""Apps: who may call, what views take and answer, and that nothing of ours leaks."""

import json
import threading
from typing import Annotated

import pytest
from msgspec import Meta

from tests.fixtures.edge import Caller, ports
from wharfage import trace
from wharfage.domain.errors import InsufficientFunds, StateConflict
from wharfage.domain.record import Body, View
from wharfage.operations import accounts, sessions
from wharfage.web import (
    Accepted,
    App,
    Created,
    Html,
    Limit,
    Listing,
    NoContent,
    Text,
    Wait,
    admin,
    agent,
    public,
    signed_in,
)
from wharfage.web.pages import STYLE_SOURCE

PASSWORD = "correct horse battery"


class Note(Body, frozen=True, kw_only=True):
    """A body."""

    text: Annotated[str, Meta(max_length=5)]
    size: int = 1


class NoteView(View, frozen=True, kw_only=True):
    """An answer."""

    text: str
    version: int = 7


def make_app() -> App:
    app = App("test", pause=lambda seconds: None)

    @app.route("/v1/notes", methods=["POST"], auth=public(), body_bytes_max=100)
    def add(body: Note) -> Created[NoteView]:
        return Created(NoteView(text=body.text), location="/v1/notes/1")

    @app.route("/v1/notes", methods=["GET"], auth=signed_in())
    def index(limit: Limit = 20, cursor: str | None = None) -> Listing[str]:
        return app.listing([str(limit), str(cursor)], "place")

    @app.route("/v1/notes/{note_id}", methods=["GET"], auth=public())
    def show(note_id: str, wait: Wait = 0) -> NoteView:
        return app.wait_for(lambda: NoteView(text=note_id), lambda note: False, wait)

    @app.route("/v1/notes/{note_id}/copy", methods=["POST"], auth=signed_in(), idempotent=True)
    def copy(note_id: str) -> Accepted[NoteView]:
        view = NoteView(text=app.idempotency_key)
        return Accepted(view, location="/v1/notes/2", retry_after=3, replayed=True)

    @app.route("/v1/notes/{note_id}", methods=["DELETE"], auth=admin())
    def delete(note_id: str) -> NoContent:
        return NoContent()

    @app.route("/v1/beat", methods=["POST"], auth=agent())
    def beat() -> Text:
        return Text(app.host.host.id)

    @app.route("/v1/raw", methods=["POST"], auth=public())
    def raw(query: dict[str, str]) -> Text:
        return Text(f"{app.request.content_type} {len(app.request.body)} {sorted(query)}")

    @app.route("/v1/page", methods=["GET"], auth=public())
    def page() -> Html:
        return Html("<p>hello</p>")

    @app.route("/v1/broken", methods=["GET"], auth=public())
    def broken() -> Text:
        raise ValueError("the-inside at line 3")

    @app.route("/v1/poor", methods=["GET"], auth=public())
    def poor() -> Text:
        raise InsufficientFunds(required_fen=100, available_fen=3)

    @app.route("/v1/trace", methods=["GET"], auth=public())
    def follow() -> Text:
        return Text(trace.current() or "")

    return app


@pytest.fixture
def call() -> Caller:
    return Caller(make_app(), bound=ports())


@pytest.fixture
def token(call) -> str:
    return sign_up(call, "a@example.com")


def sign_up(call: Caller, email: str) -> str:
    accounts.register(call.ports, email=email, password=PASSWORD, address="::1")
    return sessions.sign_in(call.ports, email=email, password=PASSWORD, address="::1").access_token


def test_a_route_without_a_declaration_fails_at_import():
    app = App("test")

    with pytest.raises(TypeError):
        app.route("/v1/x", methods=["GET"], auth=None)  # type: ignore[arg-type]


def test_a_view_that_does_not_take_its_path_parameter_fails_at_import():
    app = App("test")

    with pytest.raises(TypeError, match="note_id"):

        @app.route("/v1/notes/{note_id}", methods=["GET"], auth=public())
        def show() -> Text:
            return Text("")


def test_a_view_without_types_fails_at_import():
    app = App("test")

    with pytest.raises(TypeError, match="no type"):

        @app.route("/v1/notes", methods=["GET"], auth=public())
        def show(limit=3) -> Text:
            return Text("")


def test_a_view_is_answered_as_json_with_its_version_as_etag(call):
    answer = call("GET", "/v1/notes/abc")

    assert (answer.status, answer.json) == (200, {"text": "abc", "version": 7})
    assert answer.headers["etag"] == '"7"'
    assert answer.headers["content-type"] == "application/json"


def test_what_was_made_says_where_it_is(call):
    answer = call("POST", "/v1/notes", {"text": "hello"})

    assert (answer.status, answer.headers["location"]) == (201, "/v1/notes/1")


def test_accepted_work_says_where_and_when_to_look_and_that_it_is_a_repeat(call, token):
    answer = call("POST", "/v1/notes/1/copy", token=token, headers={"Idempotency-Key": " k 1 "})

    assert answer.status == 202
    assert answer.json["text"] == "k 1"
    assert answer.headers["location"] == "/v1/notes/2"
    assert answer.headers["retry-after"] == "3"
    assert answer.headers["idempotency-replayed"] == "true"


def test_html_and_empty_answers_are_what_they_say(call):
    page = call("GET", "/v1/page")

    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert STYLE_SOURCE in page.headers["content-security-policy"]
    assert page.text == "<p>hello</p>"
    assert "style-src" not in call("GET", "/v1/notes/1").headers["content-security-policy"]


@pytest.mark.parametrize("target", ["/v1/notes/1", "/v1/page", "/v1/broken", "/v1/nowhere"])
def test_every_answer_is_kept_from_caches_frames_and_guesses(call, target):
    headers = call("GET", target).headers

    assert headers["cache-control"] == "no-store"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]


def test_a_body_at_its_limit_is_read_and_one_byte_more_is_refused(call):
    fits = json.dumps({"text": "x", "size": 1}).encode().ljust(100)
    json_type = {"content-type": "application/json"}

    assert call("POST", "/v1/notes", raw=fits, headers=json_type).status == 201
    over = call("POST", "/v1/notes", raw=fits + b" ", headers=json_type)
    assert (over.status, over.code, over.json["limit_bytes"]) == (413, "too_large", 100)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_a_body_that_is_not_declared_as_json_is_refused(call, content_type):
    answer = call("POST", "/v1/notes", raw=b'{"text":"x"}', headers={"content-type": content_type})

    assert (answer.status, answer.code) == (415, "unsupported_media_type")


def test_a_body_of_another_type_reaches_a_view_that_reads_it_itself(call):
    form = {"content-type": "application/x-www-form-urlencoded; charset=utf-8"}

    answer = call("POST", "/v1/raw?a=1&b=2", raw=b"x=%ff", headers=form)

    assert answer.text == "application/x-www-form-urlencoded 5 ['a', 'b']"


@pytest.mark.parametrize(
    ("target", "pointer"),
    [
        ("/v1/notes?limit=0", "?limit"),
        ("/v1/notes?limit=101", "?limit"),
        ("/v1/notes?limit=-1", "?limit"),
        ("/v1/notes?limit=1e9", "?limit"),
        ("/v1/notes?limit=", "?limit"),
        ("/v1/notes?limits=3", "?limits"),
        ("/v1/notes?cursor=abc", "?cursor"),
        ("/v1/notes/1?wait=21", "?wait"),
        ("/v1/trace?x=1", "?x"),
    ],
)
def test_a_query_parameter_that_is_not_acceptable_is_named(call, token, target, pointer):
    answer = call("GET", target, token=token)

    assert answer.status == 422
    assert answer.json["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize("target", ["/v1/notes?limit=1&limit=2", "/v1/notes?limit=%ff"])
def test_a_query_that_can_be_read_in_two_ways_or_not_at_all_is_malformed(call, token, target):
    assert call("GET", target, token=token).status == 400


@pytest.mark.parametrize("note_id", ["a%00", "..%2f", "a" * 129, "a'b", "%23", "é"])
def test_what_has_not_the_form_of_an_id_is_not_found(call, note_id):
    assert call("GET", f"/v1/notes/{note_id}").status == 404


@pytest.mark.parametrize(
    ("key", "code"),
    [(None, "missing_field"), ("", "pattern"), ("k" * 65, "pattern"), ("é", "pattern")],
)
def test_an_idempotent_route_demands_a_key_that_can_be_kept(call, token, key, code):
    headers = {} if key is None else {"Idempotency-Key": key}

    answer = call("POST", "/v1/notes/1/copy", token=token, headers=headers)

    assert answer.status == 400
    assert answer.json["errors"] == [
        {
            "pointer": "Idempotency-Key",
            "code": code,
            "message": answer.json["errors"][0]["message"],
        }
    ]


@pytest.mark.parametrize("bearer", ["", "x", "a.b.c", "Bearer", "é", "a,b"])
def test_a_token_that_is_none_is_unauthenticated(call, bearer):
    answer = call("GET", "/v1/notes", headers={"Authorization": f"Bearer {bearer}"})

    assert (answer.status, answer.code) == (401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_two_authorization_headers_are_as_none(call, token):
    both = {"Authorization": f"Bearer {token},Bearer {token}"}

    assert call("GET", "/v1/notes", headers=both).status == 401


def test_a_customer_is_forbidden_what_is_the_operators(call, token):
    assert call("DELETE", "/v1/notes/1", token=token).code == "forbidden"


@pytest.mark.parametrize("bearer", ["hst_1", "hst_1.", ".x", "hst_#.x", "hst_1.secret"])
def test_a_host_token_that_is_none_is_unauthenticated(call, bearer):
    assert call("POST", "/v1/beat", token=bearer).status == 401


def test_an_access_token_does_not_open_the_agents_api(call, token):
    assert call("POST", "/v1/beat", token=token).status == 401


def test_a_cursor_comes_back_opened(call, token):
    first = call("GET", "/v1/notes?limit=2", token=token).json

    second = call("GET", f"/v1/notes?cursor={first['next_cursor']}", token=token).json

    assert first["items"] == ["2", "None"]
    assert second["items"] == ["20", "place"]


def test_a_cursor_of_another_account_is_refused(call, token):
    cursor = call("GET", "/v1/notes", token=token).json["next_cursor"]

    answer = call("GET", f"/v1/notes?cursor={cursor}", token=sign_up(call, "b@example.com"))

    assert answer.status == 422


def test_an_unexpected_error_shows_nothing_of_itself(call):
    answer = call("GET", "/v1/broken")

    assert (answer.status, answer.code) == (500, "internal_error")
    assert "inside" not in answer.text
    assert answer.json["request_id"] == "req-1"


def test_too_little_money_says_how_much_and_where_to_top_up(call):
    answer = call("GET", "/v1/poor")

    assert answer.status == 402
    assert answer.json["required_fen"] == 100
    assert answer.json["available_fen"] == 3
    assert answer.json["topup_url"] == "http://127.0.0.1:8080/#/topup"


def test_an_unknown_route_is_refused_and_leaves_no_trace_in_chalice(call):
    before = len(call.apps[0].routes)

    answer = call("GET", "/v1/nowhere")

    assert (answer.status, answer.code) == (404, "route_not_found")
    assert len(call.apps[0].routes) == before


def test_a_known_path_with_another_method_says_which_are_allowed(call):
    answer = call("PATCH", "/v1/notes")

    assert (answer.status, answer.code) == (405, "method_not_allowed")
    assert answer.headers["allow"] == "GET, POST"


def test_an_event_in_the_v1_shape_is_answered_too(call):
    event = {
        "headers": None,
        "multiValueQueryStringParameters": None,
        "pathParameters": {"note_id": "n"},
        "body": None,
        "stageVariables": None,
        "requestContext": {"resourcePath": "/v1/notes/{note_id}", "httpMethod": "GET"},
    }

    assert call.apps[0](event, None)["statusCode"] == 200


def test_the_callers_trace_is_followed_and_a_wrong_one_is_not(call):
    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    assert call("GET", "/v1/trace", headers={"traceparent": given}).text == given
    assert trace.valid(call("GET", "/v1/trace", headers={"traceparent": "00-1-2-3"}).text)
    assert trace.current() is None


def test_requests_of_threads_do_not_mix(call):
    wrong = []

    def work(name: str) -> None:
        for _ in range(50):
            answer = call("GET", f"/v1/notes/{name}")
            if answer.json["text"] != name:
                wrong.append(answer.json)

    threads = [threading.Thread(target=work, args=(f"n{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_who_finds_no_seat_to_wait_is_answered_at_once_with_retry_after():
    app = make_app()
    call = Caller(app, bound=ports())
    while app._room.seats.acquire(blocking=False):
        pass

    answer = call("GET", "/v1/notes/1?wait=20")

    assert (answer.status, answer.headers["retry-after"]) == (200, "1")


def test_a_schedule_that_fails_is_seen_to_fail():
    app = App("test")

    @app.scheduled
    def run() -> None:
        raise StateConflict(state="bad")

    with pytest.raises(StateConflict):
        run({}, None)

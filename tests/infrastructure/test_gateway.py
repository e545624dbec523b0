"""The gateway: events as API Gateway makes them, and its refusals before and after the handler."""

import base64
import io
import json
from typing import Any

import pytest

from infrastructure.local import gateway as module
from infrastructure.local.gateway import HEADER_BYTES_MAX, PAYLOAD_BYTES_MAX, Gateway
from infrastructure.template import Function
from tests.fixtures.edge import settings


class Handlers:
    """A function of the template whose handler echoes its event, or answers what it is told."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] | None = None
        self.events: list[dict[str, Any]] = []

    def __call__(self, event, context):
        self.events.append(event)
        assert context.get_remaining_time_in_millis() > 0
        if self.answer is not None:
            return self.answer
        return {"statusCode": 200, "headers": {"x-n": "1"}, "body": json.dumps(event)}


class Echo(Function):
    """A function whose file need not be imported."""

    def load(self, attribute=None):
        return HANDLERS[self.name]


HANDLERS: dict[str, Handlers] = {}
ROUTES = (
    ("GET", "/v1/jobs"),
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs/{job_id}"),
    ("GET", "/v1/jobs/templates"),
    ("POST", "/v1/jobs/{job_id}/cancel"),
)


@pytest.fixture
def handlers():
    HANDLERS["Jobs"] = Handlers()
    return HANDLERS["Jobs"]


@pytest.fixture
def call(handlers):
    function = Echo(
        name="Jobs",
        module="none",
        handler="app",
        timeout_seconds=29,
        routes=ROUTES,
        schedules=(),
    )
    served = Gateway([function], settings())

    def request(method: str, path: str, body: bytes = b"", **environ: str):
        query_path, _, query = path.partition("?")
        given = {
            "REQUEST_METHOD": method,
            "PATH_INFO": query_path.encode().decode("latin-1"),
            "QUERY_STRING": query,
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
        } | environ
        found: dict[str, Any] = {}

        def start(status, headers):
            found.update(status=int(status.split()[0]), headers=dict(headers))

        found["body"] = b"".join(served(given, start))
        return found

    return request


def test_the_event_is_in_payload_two_with_the_route_of_the_template(call):
    event = json.loads(call("GET", "/v1/jobs/job_1?a=1&a=2")["body"])

    assert (event["version"], event["routeKey"]) == ("2.0", "GET /v1/jobs/{job_id}")
    assert event["pathParameters"] == {"job_id": "job_1"}
    assert event["rawQueryString"] == "a=1&a=2"
    assert event["requestContext"]["http"]["sourceIp"] == "127.0.0.1"


def test_a_literal_segment_goes_before_a_parameter(call):
    assert json.loads(call("GET", "/v1/jobs/templates")["body"])["routeKey"] == (
        "GET /v1/jobs/templates"
    )


def test_headers_are_lower_case_and_cookies_apart(call):
    event = json.loads(
        call("GET", "/v1/jobs", HTTP_X_ONE="1", HTTP_COOKIE="a=1; b=2", CONTENT_TYPE="a/b")["body"]
    )

    assert event["headers"]["x-one"] == "1"
    assert event["headers"]["content-type"] == "a/b"
    assert event["cookies"] == ["a=1", "b=2"]


@pytest.mark.parametrize(
    ("content_type", "body", "encoded"),
    [
        ("application/json", b"{}", False),
        ("application/x-www-form-urlencoded; charset=utf-8", b"a=1", False),
        ("application/x-www-form-urlencoded", b"\xff", True),
        ("application/octet-stream", b"abc", True),
    ],
)
def test_what_is_not_text_is_carried_as_base64(call, content_type, body, encoded):
    event = json.loads(call("POST", "/v1/jobs", body, CONTENT_TYPE=content_type)["body"])

    carried = event["body"].encode()
    assert event["isBase64Encoded"] is encoded
    assert (base64.b64decode(carried) if encoded else carried) == body


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/jobs/a/b", 404),
        ("GET", "/v1/jobs//cancel", 404),
        ("PUT", "/v1/jobs", 405),
        ("TRACE", "/v1/jobs/job_1", 405),
    ],
)
def test_what_the_template_does_not_declare_reaches_no_handler(
    call, handlers, method, path, status
):
    answer = call(method, path)

    assert answer["status"] == status
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    assert handlers.events == []


def test_a_wrong_method_is_told_the_right_ones(call):
    assert call("PUT", "/v1/jobs")["headers"]["Allow"] == "GET, POST"


def test_a_path_that_is_not_utf_8_is_no_route(call):
    assert call("GET", "/v1/jobs", PATH_INFO="/v1/jobs/\xff")["status"] == 404


def test_headers_at_their_limit_pass_and_one_byte_more_does_not(call):
    # Content-Length is a header, too.
    room = HEADER_BYTES_MAX - len("x-big") - len("content-length") - 1

    assert call("GET", "/v1/jobs", HTTP_X_BIG="a" * room)["status"] == 200
    assert call("GET", "/v1/jobs", HTTP_X_BIG="a" * (room + 1))["status"] == 413


def test_an_event_over_six_megabytes_reaches_no_handler(call, handlers):
    answer = call("POST", "/v1/jobs", b"x" * (PAYLOAD_BYTES_MAX * 3 // 4 + 1))

    assert (answer["status"], handlers.events) == (413, [])


def test_a_body_is_not_read_when_it_says_it_is_too_long(call, handlers):
    answer = call("POST", "/v1/jobs", b"", CONTENT_LENGTH=str(PAYLOAD_BYTES_MAX + 1))

    assert (answer["status"], handlers.events) == (413, [])


def test_a_content_length_that_is_none_is_malformed(call):
    assert call("POST", "/v1/jobs", b"", CONTENT_LENGTH="x")["status"] == 400


def test_an_answer_over_six_megabytes_becomes_an_error(call, handlers):
    handlers.answer = {"statusCode": 200, "headers": {}, "body": "x" * (PAYLOAD_BYTES_MAX + 1)}

    answer = call("GET", "/v1/jobs")

    assert (answer["status"], json.loads(answer["body"])["code"]) == (500, "internal_error")


def test_an_answer_that_comes_too_late_is_thrown_away(call, monkeypatch):
    monkeypatch.setattr(module, "ANSWER_SECONDS_MAX", -1.0)

    assert call("GET", "/v1/jobs")["status"] == 503


def test_an_encoded_answer_is_decoded(call, handlers):
    body = base64.b64encode(b"\xff").decode()
    handlers.answer = {"statusCode": 200, "headers": {}, "body": body, "isBase64Encoded": True}

    assert call("GET", "/v1/jobs")["body"] == b"\xff"


def test_every_answer_names_its_request(call):
    answer = call("GET", "/v1/jobs/job_1")

    event = json.loads(answer["body"])
    assert answer["headers"]["apigw-requestid"] == event["requestContext"]["requestId"]
    assert answer["headers"]["x-n"] == "1"

"""The door: payload 2.0 becomes what Chalice dispatches, and nothing is lost on the way."""

import base64

import pytest

from wharfage.domain.errors import Malformed
from wharfage.web import door, request


def event(**changes):
    return {
        "version": "2.0",
        "routeKey": "POST /v1/jobs/{job_id}",
        "rawPath": "/v1/jobs/job_1",
        "rawQueryString": "a=1&a=2,3&b=&c=%E4%BD%A0+x",
        "cookies": ["one=1", "two=2"],
        "headers": {"content-type": "application/json", "x-many": "1,2"},
        "queryStringParameters": {"a": "1,2,3"},
        "pathParameters": {"job_id": "job_1"},
        "body": "{}",
        "isBase64Encoded": False,
        "requestContext": {
            "http": {"method": "POST", "path": "/v1/jobs/job_1", "sourceIp": "192.0.2.1"},
            "requestId": "r1",
            "stage": "$default",
        },
    } | changes


def read(given):
    return request.read(door.through(given), traceparent="")


def test_the_route_comes_from_the_route_key():
    asked = read(event())

    assert (asked.method, asked.route, asked.path) == (
        "POST",
        "/v1/jobs/{job_id}",
        {"job_id": "job_1"},
    )
    assert (asked.source_ip, asked.request_id) == ("192.0.2.1", "r1")


def test_queries_come_from_the_raw_query_string():
    assert read(event()).query == {"a": ["1", "2,3"], "b": [""], "c": ["你 x"]}


def test_cookies_become_a_header_again():
    assert read(event()).headers["cookie"] == "one=1; two=2"


def test_a_base64_body_is_decoded():
    body = base64.b64encode(b"\xff\x00").decode()

    assert read(event(body=body, isBase64Encoded=True)).body == b"\xff\x00"


def test_a_body_that_only_says_it_is_base64_is_malformed():
    with pytest.raises(Malformed):
        read(event(body="%", isBase64Encoded=True))


def test_no_body_is_an_empty_one():
    assert read(event(body=None)).body == b""


@pytest.mark.parametrize("query", ["%ff=1", "a=%ff", "&".join(f"a{i}=1" for i in range(100))])
def test_a_query_string_that_cannot_be_read_is_malformed(query):
    with pytest.raises(Malformed):
        door.through(event(rawQueryString=query))


def test_an_event_in_the_v1_shape_passes_unchanged():
    v1 = {"requestContext": {"resourcePath": "/x", "httpMethod": "GET"}}

    assert door.through(v1) is v1

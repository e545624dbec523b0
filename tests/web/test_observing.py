"""Observing: one line of JSON and one set of metrics for each request, found by its ids."""

import json

from tests.fixtures.edge import Caller, ports
from wharfage.web import App, Text, public


def test_a_request_writes_a_log_line_and_its_metrics(capsys):
    app = App("test")

    @app.route("/v1/hello", methods=["GET"], auth=public())
    def hello() -> Text:
        return Text("hello")

    given = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    Caller(app, bound=ports())("GET", "/v1/hello", headers={"traceparent": given})

    line, metrics = (json.loads(each) for each in capsys.readouterr().out.splitlines())
    assert line["route"] == "GET /v1/hello"
    assert (line["status"], line["function"], line["request_id"]) == (200, "test", "req-1")
    assert line["correlation_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert (metrics["requests"], metrics["failures"]) == ([1.0], [0.0])


def test_keys_of_one_request_do_not_stay_for_the_next(capsys):
    app = App("test")

    @app.route("/v1/fail", methods=["GET"], auth=public())
    def fail() -> Text:
        raise KeyError("inside")

    call = Caller(app, bound=ports())
    call("GET", "/v1/fail")
    call("GET", "/v1/fail")

    lines = [json.loads(each) for each in capsys.readouterr().out.splitlines()]
    failures = [line for line in lines if line.get("level") == "ERROR"]
    assert [line["request_id"] for line in failures] == ["req-1", "req-2"]
    assert "KeyError" in failures[0]["exception"]

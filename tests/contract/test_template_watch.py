"""What is watched is counted: alarms, dashboards and filters against what is written."""

import importlib
import json
import logging
import re
from typing import Any

import pytest

from functions.reconcile.app import app as reconcile_app
from functions.reconcile.app import run as run_reconcile
from functions.sweep.app import app as sweep_app
from functions.sweep.app import run as run_sweep
from infrastructure.template import functions
from tests.fixtures import edge
from tests.fixtures.cloudformation import FOLDERS, ROOT, Stack, resources, template
from tests.fixtures.edge import Caller
from wharfage import wiring


def test_a_new_version_of_a_route_or_schedule_turns_back_on_its_alarm():
    stack = Stack()
    alarms = template("infrastructure/alarms.yaml")["Outputs"]
    for function in functions():
        properties = stack.document["Resources"][function.name]["Properties"]
        if function.routes or function.schedules:
            output = f"{function.name.removesuffix('Function')}Failing"
            wanted = [{"Fn::GetAtt": f"Alarms.Outputs.{output}"}]
            assert properties["DeploymentPreference"]["Alarms"] == wanted
            assert output in alarms


def test_alarms_and_dashboards_look_at_what_is_counted():
    filters = resources(template("infrastructure/logs.yaml"), "AWS::Logs::MetricFilter").values()
    counted = {each["MetricTransformations"][0]["MetricName"] for each in filters}
    watched = set()
    for name in ("alarms.yaml", "dashboards.yaml"):
        text = (ROOT / "infrastructure" / name).read_text()
        watched |= set(
            re.findall(
                r"\b[a-z]+-(?:failures|doubts|oldest-due-seconds|open-breaks|late-days)\b", text
            )
        )

    assert watched == counted


def test_alarms_and_dashboards_name_functions_that_there_are():
    text = (ROOT / "infrastructure" / "alarms.yaml").read_text()
    named = set(re.findall(r"wharfage-\$\{Stage\}-(\w+)\" \}", text))

    assert named == {folder for folder in FOLDERS if folder != "operator"}


def test_the_dashboard_is_json():
    stack = Stack("infrastructure/dashboards.yaml", Api="api-id")
    [dashboard] = resources(stack.document, "AWS::CloudWatch::Dashboard").values()

    assert json.loads(stack.resolve(dashboard["DashboardBody"]))["widgets"]


def test_the_filters_count_what_an_answer_writes_to_the_log(capsys: pytest.CaptureFixture[str]):
    auth = importlib.import_module("functions.auth.app").app
    call = Caller(auth, bound=edge.ports())

    call("GET", "/v1/health")
    auth._wired = None

    assert [line["status"] for line in written(capsys, "answered")] == [200]
    assert pattern("AuthFailures") == '{ $.message = "answered" && $.status >= 500 }'


def test_the_filters_count_what_a_sweep_writes_to_the_log(capsys: pytest.CaptureFixture[str]):
    sweep_app.bind(wiring.Wired(settings=edge.settings(), ports=edge.ports()))

    run_sweep({}, None)
    sweep_app._wired = None

    [line] = written(capsys, "swept")
    assert pattern("SweepOldestDue") == '{ $.message = "swept" }'
    for name in ("SweepFailures", "SweepOldestDue"):
        value = transformation(name)["MetricValue"].removeprefix("$.")
        assert type(line[value]) is int


def test_the_filters_count_what_a_comparison_writes(capsys: pytest.CaptureFixture[str]):
    reconcile_app.bind(wiring.Wired(settings=edge.settings(), ports=edge.ports()))

    run_reconcile({}, None)
    reconcile_app._wired = None

    [line] = written(capsys, "reconciled")
    for name in ("ReconcileFailures", "ReconcileOpenBreaks", "ReconcileLateDays"):
        assert pattern(name) == '{ $.message = "reconciled" }'
        value = transformation(name)["MetricValue"].removeprefix("$.")
        assert type(line[value]) is int


def test_the_filters_count_payments_in_doubt(capsys: pytest.CaptureFixture[str]):
    logger = logging.getLogger("wharfage.operations.payments")

    logger.error("order.doubted", extra={"action": "payment", "order_id": "ord_1"})

    [line] = written(capsys, "order.doubted")
    assert (line["action"], line["level"]) == ("payment", "ERROR")
    assert pattern("AlipayDoubts") == '{ $.action = "payment" && $.level = "ERROR" }'


def transformation(name: str) -> dict[str, Any]:
    filters = resources(template("infrastructure/logs.yaml"), "AWS::Logs::MetricFilter")
    [found] = filters[name]["MetricTransformations"]
    return dict(found)


def pattern(name: str) -> str:
    filters = resources(template("infrastructure/logs.yaml"), "AWS::Logs::MetricFilter")
    return str(filters[name]["FilterPattern"])


def written(capsys: pytest.CaptureFixture[str], message: str) -> list[dict[str, Any]]:
    """Give the lines of the log that were just written and say *message*."""
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line]
    return [line for line in lines if line.get("message") == message]

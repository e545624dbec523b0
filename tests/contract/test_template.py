"""template.yaml says what is so: its routes, settings, permissions, queues and limits."""

import ast
import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from functions.reconcile.app import RUN_SECONDS as RECONCILE_SECONDS
from functions.sweep.app import RUN_SECONDS
from infrastructure.template import functions
from tests.fixtures.cloudformation import FOLDERS, ROOT, STAGE, Stack, resources, template
from tests.fixtures.permissions import roles
from wharfage import settings
from wharfage.adapters.sqs import RETENTION_SECONDS, VISIBILITY_SECONDS, pool_queue
from wharfage.domain import limits

PREFIX = f"wharfage-{STAGE}-"


SECRET = "7f3c9ad51b60e28f4d1c7b9083a6e5f2"


ALIPAY = {"AlipayAppId": "2021000000000001", "AlipaySellerId": "2088000000000001"}
WECHAT = {
    "WechatAppId": "wx0000000000000001",
    "WechatMerchantId": "1900000001",
    "WechatSerial": "7A" * 20,
    "WechatPublicKeyId": "PUB_KEY_ID_0000000001",
}
STRIPE = {"StripeAccountId": "acct_0000000000000001"}
NESTED = sorted(path.name for path in (ROOT / "infrastructure").glob("*.yaml"))


#: What only the stack of one machine is told, and what Lambda itself says.
NOT_OURS = {
    "STORE_FILE",
    "DYNAMODB_ENDPOINT",
    "SQS_ENDPOINT",
    "STS_ENDPOINT",
    "AWS_REGION",
    "OBJECTS_FOLDER",
    "S3_ENDPOINT",
}


#: CloudFormation's limit on a template, and about what SAM makes of a function beside its events.
RESOURCES_MAX, RESOURCES_PER_FUNCTION = 500, 6


ROUTE_SECONDS_MAX = 30  #: An HTTP API gives up then.


LAMBDA_SECONDS_MAX = 900  #: No function runs longer.


def declared(**parameters: Any) -> dict[str, dict[str, Any]]:
    """Give each function's properties, by its folder, with the globals it does not replace."""
    stack = Stack(**parameters)
    defaults = stack.document["Globals"]["Function"]
    found = {}
    for properties in resources(stack.document, "AWS::Serverless::Function").values():
        merged = defaults | properties
        own = properties.get("Environment", {}).get("Variables", {})
        merged["Environment"] = {"Variables": defaults["Environment"]["Variables"] | own}
        found[Path(properties["CodeUri"]).name] = stack.resolve(merged)
    return found


def environment(folder: str, **parameters: Any) -> dict[str, str]:
    variables = declared(**parameters)[folder]["Environment"]["Variables"]
    return {"AWS_REGION": "eu-west-1", **variables}


def test_every_function_folder_is_a_function_and_the_other_way_round():
    assert sorted(declared()) == FOLDERS


@pytest.mark.parametrize("function", functions(), ids=lambda function: function.name)
def test_a_function_has_the_routes_that_its_code_declares(function):
    app = function.load("app")

    assert set(function.routes) == {(method, path) for path, method in app.table}
    assert len(set(function.routes)) == len(function.routes)


@pytest.mark.parametrize("function", functions(), ids=lambda function: function.name)
def test_a_handler_can_be_called(function):
    assert callable(function.load())


def test_the_openapi_document_has_the_same_routes():
    document = json.loads((ROOT / "docs" / "openapi.json").read_text())
    documented = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations
        if method in {"get", "post", "put", "patch", "delete"}
    }

    assert documented == {route for function in functions() for route in function.routes}


def test_no_route_is_greedy_and_none_has_two_functions():
    routes = [route for function in functions() for route in function.routes]

    assert [path for _, path in routes if "+}" in path] == []
    assert len(set(routes)) == len(routes)


def test_a_function_is_told_every_setting_that_is_read():
    told = {name for folder in FOLDERS for name in environment(folder)}

    assert names_read() - NOT_OURS == told - {"AWS_REGION"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_settings_of_a_function_are_ones_to_start_with(folder: str):
    found = settings.read(environment(folder, **ALIPAY), resolved)

    assert found.stage == STAGE
    assert found.public_url == "https://api.example.com"
    assert found.table_prefix == found.queue_prefix == PREFIX
    assert found.store == "dynamodb"
    assert found.registries == {"docker.io"}


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_function_may_read_every_parameter_that_it_is_given(folder: str):
    asked: list[str] = []

    def resolve(name: str) -> str:
        asked.append(name)
        return resolved(name)

    settings.read(environment(folder, **ALIPAY), resolve)

    for name in asked:
        roles()[folder].require(
            "ssm:GetParameter", f"arn:aws:ssm:eu-west-1:000000000000:parameter{name}"
        )


@pytest.mark.parametrize(
    ("channel", "parameters"), [("alipay", ALIPAY), ("wechat", WECHAT), ("stripe", STRIPE)]
)
def test_a_channel_is_known_to_those_who_talk_to_it_and_only_if_there_is_an_id(channel, parameters):
    def live(name: str) -> str:
        return "sk_live_0000000000" if "stripe" in name else resolved(name)

    known = {
        folder
        for folder in FOLDERS
        if getattr(settings.read(environment(folder, **parameters), live), channel) is not None
    }

    assert known == {"orders", channel, "sweep", "reconcile"}
    assert getattr(settings.read(environment("orders"), resolved), channel) is None


def test_a_domain_of_our_own_is_the_public_address():
    own = environment("auth", DomainName="dock.example.com", CertificateArn="arn")

    assert own["PUBLIC_URL"] == "https://dock.example.com"


def test_a_function_writes_its_own_log_and_has_its_own_role():
    stack = Stack()
    for name, properties in resources(stack.document, "AWS::Serverless::Function").items():
        part = name.removesuffix("Function")
        assert stack.resolve(properties["FunctionName"]) == PREFIX + part.lower()
        assert Path(properties["CodeUri"]).name == part.lower()
        assert properties["Role"] == {"Fn::GetAtt": f"Roles.Outputs.{part}Arn"}
        assert properties["LoggingConfig"] == {"LogGroup": {"Fn::GetAtt": f"Logs.Outputs.{part}"}}


def test_a_role_writes_to_the_log_group_of_its_function():
    logs = Stack("infrastructure/logs.yaml")
    groups = resources(logs.document, "AWS::Logs::LogGroup")
    for folder in FOLDERS:
        group = logs.resolve(groups[folder.capitalize()]["LogGroupName"])
        arn = f"arn:aws:logs:eu-west-1:000000000000:log-group:{group}:log-stream:today"
        roles()[folder].require("logs:PutLogEvents", arn)

    assert set(groups) == {folder.capitalize() for folder in FOLDERS} | {"Api"}


def test_an_answer_comes_before_the_api_gives_up_waiting():
    for function in functions():
        if function.routes:
            assert limits.WAIT_SECONDS_MAX < function.timeout_seconds < ROUTE_SECONDS_MAX


def test_a_run_of_the_sweep_fits_into_its_time():
    [sweep] = [each for each in functions() if each.name == "SweepFunction"]

    assert sweep.handler == "run"
    assert RUN_SECONDS < sweep.timeout_seconds <= sweep.schedules[0].every_seconds


def test_a_run_of_the_comparison_has_time_for_one_more_step():
    [reconcile] = [each for each in functions() if each.name == "ReconcileFunction"]

    assert RECONCILE_SECONDS + limits.BILL_SECONDS < reconcile.timeout_seconds <= LAMBDA_SECONDS_MAX


def test_notifies_agents_and_sign_in_have_room_of_their_own():
    kept = {
        folder for folder, each in declared().items()
        if isinstance(each.get("ReservedConcurrentExecutions"), int)
    }  # fmt: skip
    spared = declared(ReserveConcurrency="no")

    assert {"alipay", "agents", "auth"} <= kept
    assert all(
        not isinstance(each.get("ReservedConcurrentExecutions"), int) for each in spared.values()
    )


@pytest.mark.parametrize(
    ("runtime", "applies"), [("python3.11", "None"), ("python3.12", "PublishedVersions")]
)
def test_snapshots_are_taken_where_the_runtime_can(runtime: str, applies: str):
    found = declared(PythonRuntime=runtime)

    assert {each["SnapStart"]["ApplyOn"] for each in found.values()} == {applies}
    assert {each["Runtime"] for each in found.values()} == {runtime}


def test_no_foreign_origin_is_allowed_unless_it_is_named():
    def origins(**parameters: Any) -> Any:
        stack = Stack(**parameters)
        api = resources(stack.document, "AWS::Serverless::HttpApi")["Api"]
        return stack.resolve(api["CorsConfiguration"]["AllowOrigins"])

    assert origins() == "<AWS::NoValue>"
    assert origins(CorsOrigins="https://shop.example.com") == "https://shop.example.com"


def test_every_pool_has_its_queue_and_every_queue_its_pool():
    stack = Stack("infrastructure/queues.yaml")
    pools = stack.document["Outputs"]["Pools"]["Value"].split(",")
    queues = [stack.resolve(each) for each in resources(stack.document, "AWS::SQS::Queue").values()]

    assert {each["QueueName"] for each in queues} == {pool_queue(PREFIX, pool) for pool in pools}
    for queue in queues:
        assert queue["SqsManagedSseEnabled"] is True
        assert queue["VisibilityTimeout"] == VISIBILITY_SECONDS
        assert queue["MessageRetentionPeriod"] == RETENTION_SECONDS
        assert "RedrivePolicy" not in queue


@pytest.mark.parametrize("name", NESTED)
def test_a_nested_stack_is_included_and_given_what_it_asks_for(name: str):
    included = {
        properties["TemplateURL"]: properties.get("Parameters", {})
        for properties in resources(template(), "AWS::CloudFormation::Stack").values()
    }
    asked = template(f"infrastructure/{name}")["Parameters"]

    assert included[f"infrastructure/{name}"].keys() == asked.keys()


def test_what_is_taken_from_a_nested_stack_is_there():
    text = (ROOT / "template.yaml").read_text()
    taken = re.findall(r"(\w+)\.Outputs\.(\w+)", text)
    nested = resources(template(), "AWS::CloudFormation::Stack")

    assert taken
    for stack, output in taken:
        assert output in template(nested[stack]["TemplateURL"])["Outputs"], (stack, output)


def test_the_stack_stays_below_the_limit_on_resources():
    document = template()
    events = sum(
        len(each.get("Events", {}))
        for each in resources(document, "AWS::Serverless::Function").values()
    )
    made = len(document["Resources"]) + events + RESOURCES_PER_FUNCTION * len(FOLDERS)

    assert made < RESOURCES_MAX
    for name in NESTED:
        assert len(template(f"infrastructure/{name}")["Resources"]) < RESOURCES_MAX


def test_every_stage_that_can_be_deployed_sets_parameters_that_there_are():
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    stages = {
        name: each["deploy"]["parameters"] for name, each in config.items() if name != "version"
    }
    parameters = template()["Parameters"]

    for each in stages.values():
        given = dict(line.split("=", 1) for line in each["parameter_overrides"])
        assert given.keys() <= parameters.keys()
        assert re.fullmatch(parameters["Stage"]["AllowedPattern"], given["Stage"])
        assert each["stack_name"] == f"wharfage-{given['Stage']}"


def resolved(name: str) -> str:
    return "https://api.example.com" if name.endswith("/public-url") else SECRET


def names_read() -> set[str]:
    """Find the names of all variables that settings.py reads."""
    tree = ast.parse(Path(settings.__file__).read_text())
    return {
        str(call.args[0].value)
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and ast.unparse(call.func).startswith("source.")
        and isinstance(call.args[0], ast.Constant)
    }

"""The built artefacts, started by Lambda's own runtime client: each function answers a request."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from infrastructure.template import functions
from tests.fixtures import alipay, runtime, stripe, wechat
from tests.fixtures.runtime import LAYERS, Runtime
from wharfage.adapters.dynamo.rows import DynamoRows
from wharfage.adapters.dynamo.tables import create_tables, delete_tables

#: Lambda takes 250 MB of a function and its layers; a tenth of a second is lost on every 20.
VENDOR_BYTES_MAX = 48 * 1024 * 1024
CORE_BYTES_MAX = 3 * 1024 * 1024
#: The bits of a .pyc that say: believe me without looking at the source (PEP 552).
UNCHECKED_HASH = 0b01
TOOLS = ("pip", "setuptools", "wheel", "pytest", "moto", "inquirer", "pydantic", "docker", "yaml")
SCHEDULED = {
    "version": "0", "source": "aws.events", "detail-type": "Scheduled Event", "detail": {},
}  # fmt: skip
SERVICES = ("dynamodb", "sqs", "ssm", "sts")

PROBE = """
import importlib, json, pkgutil, sys
import wharfage
for module in pkgutil.walk_packages(wharfage.__path__, "wharfage."):
    importlib.import_module(module.name)
import boto3, importlib.util
clients = [boto3.client(name, region_name="eu-west-1").meta.service_model.service_name
           for name in json.loads(sys.argv[1])]
tools = [name for name in json.loads(sys.argv[2]) if importlib.util.find_spec(name)]
files = [module.__file__ for module in list(sys.modules.values())
         if getattr(module, "__file__", None)]
print(json.dumps({"clients": clients, "tools": tools, "files": files}))
"""


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Build, and name what a function can import from beside its own folder."""
    client = runtime.client(tmp_path_factory.mktemp("runtime"))
    return [*map(runtime.packages, LAYERS), client]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The settings of a local stack, with a store in a file that all functions share."""
    folder = tmp_path_factory.mktemp("store")
    (folder / "app.pem").write_text(alipay.pair("app").private_pem)
    (folder / "alipay.pem").write_text(alipay.pair("alipay").public_pem)
    weixin, card = wechat.settings(), stripe.settings()
    (folder / "merchant.pem").write_text(weixin.private_key)
    (folder / "wechat.pem").write_text(weixin.public_key)
    return {
        "STAGE": "local",
        "PUBLIC_URL": "http://127.0.0.1:1",
        "AWS_REGION": "eu-west-1",
        "SECRET_KEY": "7f3c9ad51b60e28f4d1c7b9083a6e5f2",
        "STORE": "embedded",
        "STORE_FILE": str(folder / "store.db"),
        "OBJECTS_BUCKET": "wharfage-test-objects",
        "HOST_ROLE_ARN": "arn:aws:iam::000000000000:role/host",
        "REGISTRIES": "docker.io",
        "ALIPAY_APP_ID": alipay.APP_ID,
        "ALIPAY_SELLER_ID": alipay.SELLER,
        "ALIPAY_GATEWAY": "http://127.0.0.1:1/gateway.do",
        "ALIPAY_APP_PRIVATE_KEY_FILE": str(folder / "app.pem"),
        "ALIPAY_PUBLIC_KEY_FILE": str(folder / "alipay.pem"),
        "WECHAT_APP_ID": weixin.app_id,
        "WECHAT_MERCHANT_ID": weixin.merchant_id,
        "WECHAT_SERIAL": weixin.serial,
        "WECHAT_GATEWAY": weixin.gateway,
        "WECHAT_PRIVATE_KEY_FILE": str(folder / "merchant.pem"),
        "WECHAT_PUBLIC_KEY_ID": weixin.public_key_id,
        "WECHAT_PUBLIC_KEY_FILE": str(folder / "wechat.pem"),
        "WECHAT_V3_KEY": weixin.v3_key,
        "STRIPE_ACCOUNT_ID": card.account_id,
        "STRIPE_GATEWAY": card.gateway,
        "STRIPE_SECRET_KEY": card.secret_key,
        "STRIPE_WEBHOOK_SECRET": card.webhook_secret,
    }


@pytest.fixture
def start(
    path: list[Path], settings: dict[str, str], tmp_path: Path
) -> Iterator[Callable[..., Runtime]]:
    """Start built functions by the name of their folder; all end with the test."""
    handlers = {each.module.split(".")[1]: each for each in functions()}
    with ExitStack() as ends:

        def begin(folder: str, **changes: str) -> Runtime:
            function = handlers[folder]
            handler = f"{function.module.split('.')[-1]}.{function.handler}"
            log = tmp_path / f"{folder}.log"
            return ends.enter_context(
                runtime.running(function.name, handler, path, settings | changes, log)
            )

        yield begin


def request(method: str, route: str, *, body: str | None = None, **headers: str) -> dict[str, Any]:
    """Make the event of an HTTP API, in payload 2.0."""
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": f"{method} {route}",
        "rawPath": route,
        "rawQueryString": "",
        "headers": {name.replace("_", "-"): value for name, value in headers.items()},
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "test",
            "http": {"method": method, "path": route, "sourceIp": "192.0.2.1"},
            "requestId": "req-1",
            "routeKey": f"{method} {route}",
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }
    return event if body is None else event | {"body": body}


def problem(answer: dict[str, Any]) -> tuple[int, str]:
    """Give status and code of an answer that is a problem."""
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    return answer["statusCode"], json.loads(answer["body"])["code"]


def test_auth_says_how_the_product_is(start):
    answer = start("auth")(request("GET", "/v1/health"))

    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["store"] == "ok"


def test_auth_gives_the_openapi_document(start):
    answer = start("auth")(request("GET", "/v1/openapi.json"))

    assert json.loads(answer["body"])["openapi"].startswith("3.1")


def test_auth_registers_a_customer_and_signs_them_in(start):
    auth = start("auth")
    body = json.dumps({"email": "alice@example.com", "password": "a long enough password"})

    made = auth(request("POST", "/v1/auth/register", body=body, content_type="application/json"))
    tokens = auth(request("POST", "/v1/auth/login", body=body, content_type="application/json"))

    assert (made["statusCode"], tokens["statusCode"]) == (201, 200)
    bearer = f"Bearer {json.loads(tokens['body'])['access_token']}"
    quota = start("quota")(request("GET", "/v1/quota", authorization=bearer))
    assert json.loads(quota["body"])["available_fen"] == 0


def test_quota_gives_the_prices(start):
    answer = start("quota")(request("GET", "/v1/prices"))

    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["vcpu_hour_fen"] > 0


@pytest.mark.parametrize(
    ("folder", "method", "route"),
    [
        ("orders", "GET", "/v1/orders"),
        ("jobs", "GET", "/v1/jobs"),
        ("hosts", "GET", "/v1/hosts"),
        ("agents", "POST", "/v1/agent/credentials"),
        ("books", "GET", "/v1/admin/reconciliation"),
    ],
)
def test_a_stranger_is_refused(start, folder: str, method: str, route: str):
    answer = start(folder)(request(method, route))

    assert problem(answer) == (401, "unauthenticated")


def test_alipay_is_told_that_garbage_is_no_notify(start):
    form = "application/x-www-form-urlencoded; charset=utf-8"
    answer = start("alipay")(
        request("POST", "/v1/alipay/notify", body="sign=AAAA&a=%00", content_type=form)
    )

    assert (answer["statusCode"], answer["body"]) == (400, "fail")


@pytest.mark.parametrize("folder", ["wechat", "stripe"])
def test_another_channel_is_told_that_garbage_is_no_notify(start, folder: str):
    route = f"/v1/{folder}/notify"
    answer = start(folder)(
        request("POST", route, body='{"id":"evt"}', content_type="application/json")
    )

    assert answer["statusCode"] == 400
    assert "problem" not in answer["headers"]["Content-Type"]


def test_a_comparison_of_the_books_ends_without_a_complaint(start):
    assert start("reconcile")(SCHEDULED) is None


def test_a_sweep_is_noticed(start):
    assert start("sweep")(SCHEDULED) is None

    health = json.loads(start("auth")(request("GET", "/v1/health"))["body"])
    assert health["sweep"] == "ok"


def test_the_operator_gets_a_code(start):
    assert len(start("operator")({})["code"]) >= 32


def test_every_function_of_the_template_is_started_by_a_test_here():
    text = Path(__file__).read_text()

    assert [each.name for each in functions() if f'"{each.module.split(".")[1]}"' not in text] == []


def test_the_store_on_dynamodb_is_reached_through_the_trimmed_layer(
    start, dynamodb_endpoint: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    prefix = f"runtime-{os.getpid()}-"
    rows = DynamoRows(prefix=prefix, region="eu-west-1", endpoint=dynamodb_endpoint)
    create_tables(rows.connection, prefix)
    auth = start("auth", STORE="dynamodb", TABLE_PREFIX=prefix, DYNAMODB_ENDPOINT=dynamodb_endpoint)
    body = json.dumps({"email": "bob@example.com", "password": "a long enough password"})

    made = auth(request("POST", "/v1/auth/register", body=body, content_type="application/json"))
    again = auth(request("POST", "/v1/auth/register", body=body, content_type="application/json"))
    delete_tables(rows.connection, prefix)

    assert made["statusCode"] == 201
    assert problem(again)[0] == 409


def test_nothing_but_the_layers_is_importable(path: list[Path]):
    command = [runtime.interpreter(), "-S", "-c", PROBE, json.dumps(SERVICES), json.dumps(TOOLS)]
    ran = subprocess.run(
        command, capture_output=True, check=True, cwd="/", env=runtime.environ(path), text=True
    )
    found = json.loads(ran.stdout)
    layers = [str(each) for each in path[: len(LAYERS)]]
    foreign = [
        file
        for file in found["files"]
        if "site-packages" in file and not file.startswith(tuple(layers))
    ]

    assert foreign == []
    assert found["clients"] == list(SERVICES)
    assert found["tools"] == []


def test_the_layers_are_small(path: list[Path]):
    vendor, core = (_bytes(layer) for layer in path[: len(LAYERS)])

    assert vendor < VENDOR_BYTES_MAX
    assert core < CORE_BYTES_MAX


@pytest.mark.parametrize("layer", LAYERS)
def test_every_module_of_a_layer_is_compiled_and_believed_without_a_look(layer: str):
    sources = list(runtime.packages(layer).rglob("*.py"))

    assert sources
    for source in sources:
        name = f"{source.stem}.{sys.implementation.cache_tag}.pyc"
        compiled = source.parent / "__pycache__" / name
        assert int.from_bytes(compiled.read_bytes()[4:8], "little") == UNCHECKED_HASH, source


def test_botocore_keeps_the_data_of_the_services_that_are_called():
    data = runtime.packages("VendorLayer") / "botocore" / "data"

    assert {each.name for each in data.iterdir() if each.is_dir()} == set(SERVICES)


def test_a_function_is_one_file():
    for function in functions():
        built = {each.name for each in (runtime.build() / function.name).iterdir()}
        assert built - {"__pycache__"} == {"app.py"}


def _bytes(folder: Path) -> int:
    return sum(each.stat().st_size for each in folder.rglob("*") if each.is_file())

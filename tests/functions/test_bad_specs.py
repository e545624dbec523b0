"""Images and specifications that no customer may ask for, submitted and priced alike."""

from typing import Any

import pytest

from tests.fixtures.calls import WHOLE_SPEC
from tests.fixtures.edge import Answer
from tests.fixtures.harbour import IMAGE, SPEC
from tests.fixtures.port import Call, Port
from tests.fixtures.refusals import pointers, require_problem
from wharfage.domain import limits

SUBMIT, CHECK = "POST /v1/jobs", "POST /v1/quota/check"
INVALID = (422, "invalid")
TOO_LARGE = (413, "too_large")
DIGEST = "sha256:" + "a" * 64

IMAGES = [
    "", " ", "-v",
    "--privileged", "a;b", "a|b", "a&&b", "$(id)", "`id`", "a b", "a\n", "\na", "a\0",
    "A", "Busybox", "localhost:5000/Demo", "localhost:5000/demo/hello:" + "x" * 129,
    "localhost:5000/" + "a" * 300, "localhost:5000/demo:1:2", "localhost:5000/demo@sha256:abc",
    "localhost:5000/demo@md5:" + "a" * 32, f"localhost:5000/demo@{DIGEST}@{DIGEST}",
    "localhost:5000/", "localhost:5000", "/demo", "demo/", "a//b", "../demo", "demo/../hello", ".",
    "http://localhost:5000/demo", "https://localhost:5000/demo", "docker://demo", "file:///etc",
    "localhost:5000@evil.example/demo", "user:password@localhost:5000/demo",
    "evil.example/localhost:5000/demo", "localhost:5001/demo", "localhost:05000/demo",
    "localhost:5000.evil.example/demo", "LOCALHOST:5000/demo", "localhost/demo", "localhost./demo",
    "127.0.0.1:5000/demo", "127.1:5000/demo", "0.0.0.0:5000/demo", "2130706433:5000/demo",
    "0x7f000001:5000/demo", "[::1]:5000/demo", "[::ffff:127.0.0.1]:5000/demo",
    "169.254.169.254/latest/meta-data", "169.254.170.2/v2", "10.0.0.1/demo", "172.16.0.1:5000/demo",
    "192.168.0.1/demo", "metadata.internal/demo", "busybox", "docker.io/library/busybox",
    "l\u043ecalhost:5000/demo", "localhost\uff1a5000/demo", "\u202elocalhost:5000/demo",
    "localhost:5000/de\u0301mo", "localhost:5000/demo?x=1", "localhost:5000/demo#x",
    "localhost:5000/demo%00", "localhost:99999/demo", "localhost:5000/demo:latest ",
]  # fmt: skip
#: What a container engine knows and a customer may not: there are no such fields.
PRIVILEGES = [
    "privileged", "cap_add", "cap_drop", "security_opt", "pid", "pid_mode", "ipc", "ipc_mode",
    "uts_mode", "userns_mode", "network_mode", "binds", "volumes", "mounts", "volumes_from",
    "devices", "device_requests", "gpus", "runtime", "user", "group_add", "sysctls", "ulimits",
    "host_config", "extra_hosts", "dns", "links", "ports", "port_bindings", "publish", "cgroup",
    "cgroup_parent", "cgroupns", "oom_kill_disable", "oom_score_adj", "shm_size", "tmpfs",
    "restart", "restart_policy", "init", "stdin", "tty", "working_dir", "hostname", "domainname",
    "mac_address", "log_config", "healthcheck", "platform", "account", "id", "hold_fen", "price",
    "version", "state", "secrets", "registry_auth",
]  # fmt: skip
BIG = "x" * 32_768
SPECS: dict[str, tuple[dict[str, Any], str]] = {
    "network_host": ({"network": "host"}, "/network"),
    "network_container": ({"network": "container:other"}, "/network"),
    "network_bridge": ({"network": "bridge"}, "/network"),
    "env_name_with_equals": ({"env": {"A=B": "x"}}, "/env"),
    "env_name_with_nul": ({"env": {"A\0": "x"}}, "/env"),
    "env_name_empty": ({"env": {"": "x"}}, "/env"),
    "env_name_digit": ({"env": {"1A": "x"}}, "/env"),
    "env_name_newline": ({"env": {"A\n": "x"}}, "/env"),
    "env_name_wide": ({"env": {"\uff21": "x"}}, "/env"),
    "env_name_long": ({"env": {"A" * 129: "x"}}, "/env"),
    "env_value_with_nul": ({"env": {"A": "x\0y"}}, "/env/A"),
    "env_value_large": ({"env": {"A": "x" * (limits.ENV_VALUE_BYTES_MAX + 1)}}, "/env/A"),
    "env_value_of_wide_text": ({"env": {"A": "\U0001f6a2" * 16_385}}, "/env/A"),
    "env_201": ({"env": {f"A{n}": "x" for n in range(201)}}, "/env"),
    "env_together": ({"env": {f"A{n}": BIG for n in range(9)}}, "/env"),
    "command_as_text": ({"command": "rm -rf /"}, "/command"),
    "command_with_nul": ({"command": ["a\0b"]}, "/command/0"),
    "command_long": ({"command": ["x" * (limits.COMMAND_BYTES_MAX + 1)]}, "/command/0"),
    "command_of_wide_text": ({"command": ["\u0301" * limits.COMMAND_BYTES_MAX]}, "/command"),
    "command_257_words": ({"command": ["x"] * 257}, "/command"),
    "both_together": ({"command": [BIG], "entrypoint": ["x"]}, "/command"),
    "entrypoint_with_nul": ({"entrypoint": ["\0"]}, "/entrypoint/0"),
    "cpu_none": ({"resources": {"cpu_millis": 0}}, "/resources/cpu_millis"),
    "cpu_fraction": ({"resources": {"cpu_millis": 0.5}}, "/resources/cpu_millis"),
    "memory_negative": ({"resources": {"memory_mb": -1}}, "/resources/memory_mb"),
    "gpu": ({"resources": {"gpus": 1}}, "/resources/gpus"),
    "disk_of_a_planet": ({"resources": {"disk_mb": 2**63}}, "/resources/disk_mb"),
    "label_name": ({"labels": {"Zone": "a"}}, "/labels"),
    "label_of_the_engine": ({"labels": {"com.docker.compose": "a b"}}, "/labels"),
    "labels_nine": ({"labels": {f"a{n}": "b" for n in range(9)}}, "/labels"),
    "pool_path": ({"pool": "../default"}, "/pool"),
    "pool_empty": ({"pool": ""}, "/pool"),
    "priority": ({"priority": "urgent"}, "/priority"),
    "run_forever": ({"max_run_s": 0}, "/max_run_s"),
    "run_too_long": ({"max_run_s": limits.RUN_SECONDS_MAX + 1}, "/max_run_s"),
    "eleven_attempts": ({"retry": {"max_attempts": 11}}, "/retry/max_attempts"),
    "retry_of_success": ({"retry": {"rules": [{"exit_codes": [0]}]}}, "/retry/rules/0/exit_codes"),
    "retry_of_256": ({"retry": {"rules": [{"exit_codes": [256]}]}}, "/retry/rules/0/exit_codes"),
    "cost_below_a_second": ({"max_cost_fen": 1, "stop_grace_s": 300}, "/max_cost_fen"),
}  # fmt: skip


def ask(port: Port, name: str, spec: dict[str, Any]) -> Answer:
    headers = {"idempotency-key": "a key"} if name == SUBMIT else {}
    return port.ask(name, Call(body=spec, headers=headers), port.callers["owner"])


@pytest.mark.parametrize("image", IMAGES, ids=ascii)
@pytest.mark.parametrize("name", [SUBMIT, CHECK])
def test_an_image_that_is_none_or_from_elsewhere_is_refused(
    port: Port, name: str, image: str
) -> None:
    with port.unchanged():
        answer = ask(port, name, SPEC | {"image": image})

    require_problem(answer, INVALID, said=[image.partition("/")[0]] if image else [])
    assert pointers(answer) == ["/image"]


@pytest.mark.parametrize("field", PRIVILEGES)
@pytest.mark.parametrize("name", [SUBMIT, CHECK])
def test_there_is_no_field_for_privilege(port: Port, name: str, field: str) -> None:
    with port.unchanged():
        answer = ask(port, name, SPEC | {field: True})

    require_problem(answer, INVALID)
    assert pointers(answer) == [f"/{field}"]


@pytest.mark.parametrize("case", SPECS)
@pytest.mark.parametrize("name", [SUBMIT, CHECK])
def test_a_specification_that_cannot_be_carried_out_is_refused(
    port: Port, name: str, case: str
) -> None:
    changes, place = SPECS[case]

    with port.unchanged():
        answer = ask(port, name, SPEC | changes)

    require_problem(answer, INVALID)
    assert pointers(answer)[0].startswith(place)


@pytest.mark.parametrize("name", [SUBMIT, CHECK])
def test_two_hundred_variables_of_32_kilobytes_are_too_large(port: Port, name: str) -> None:
    with port.unchanged():
        answer = ask(port, name, SPEC | {"env": {f"A{n}": BIG for n in range(200)}})

    require_problem(answer, TOO_LARGE)


@pytest.mark.parametrize("name", [SUBMIT, CHECK])
@pytest.mark.parametrize("pool", ["gpu", "nobody-s", "a" * 32])
def test_a_pool_that_is_not_granted_looks_as_one_that_is_not_there(
    port: Port, name: str, pool: str
) -> None:
    with port.unchanged():
        answer = ask(port, name, SPEC | {"pool": pool})

    require_problem(answer, (422, "pool_unknown"))


def test_the_largest_specification_there_is_can_be_stored_claimed_and_read(port: Port) -> None:
    names = [f"A{number}" for number in range(200)]
    whole = limits.ENV_BYTES_MAX - sum(map(len, names))
    values = dict.fromkeys(names, "\u00e9" * (whole // 200 // 2))
    word = "\x01" * (limits.COMMAND_BYTES_MAX // 2)
    rule = {"exit_codes": [*range(1, 17)], "reasons": ["exit_code"] * 8}
    spec = WHOLE_SPEC | {
        "image": f"{IMAGE.partition(':1')[0]}:{'x' * 128}",
        "labels": {}, "env": values, "command": [word], "entrypoint": [word],
        "retry": WHOLE_SPEC["retry"] | {"rules": [rule] * limits.RETRY_RULES_MAX},
    }  # fmt: skip

    answer = ask(port, SUBMIT, spec)

    assert answer.status == 202, answer.text
    heard = {"account": port.owner.account, "job": answer.json["id"], "attempt": 1}
    free = {"slots": 1, "cpu_millis": 4000, "memory_mb": 4096, "disk_mb": 4096}
    claim = {"boot": port.agent.boot, "free": free, "candidates": [heard]}
    claimed = port.ask("POST /v1/agent/claims", Call(body=claim), port.agent.token)
    assert claimed.status == 200
    assert claimed.json["grants"][0]["spec"]["env"] == values


def test_money_that_is_not_there_is_named_and_nothing_is_held(port: Port) -> None:
    with port.unchanged():
        answer = ask(port, SUBMIT, SPEC | {"max_run_s": limits.RUN_SECONDS_MAX})

    require_problem(answer, (402, "insufficient_funds"))
    assert answer.json["required_fen"] > answer.json["available_fen"] >= 0

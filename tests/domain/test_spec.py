"""Job specifications: each limit before, at and after; unknown keys; and no field for privilege."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfage.domain import limits
from wharfage.domain.attempt import ReasonCode
from wharfage.domain.errors import Invalid
from wharfage.domain.record import Body
from wharfage.domain.spec import JobSpec, Retry, RetryRule

REGISTRIES = frozenset({"docker.io"})

#: A path in the specification, the last value that is fine, and the first that is not.
EDGES: list[tuple[str, Any, Any]] = [
    ("image", "a" * limits.IMAGE_CHARACTERS_MAX, "a" * (limits.IMAGE_CHARACTERS_MAX + 1)),
    ("image", "a", ""),
    ("command", ["x"] * limits.COMMAND_WORDS_MAX, ["x"] * (limits.COMMAND_WORDS_MAX + 1)),
    ("entrypoint", ["x"] * limits.COMMAND_WORDS_MAX, ["x"] * (limits.COMMAND_WORDS_MAX + 1)),
    ("command", ["x" * limits.COMMAND_BYTES_MAX], ["x" * (limits.COMMAND_BYTES_MAX + 1)]),
    (
        "env",
        {f"N{place}": "" for place in range(limits.ENV_VARIABLES_MAX)},
        {f"N{place}": "" for place in range(limits.ENV_VARIABLES_MAX + 1)},
    ),
    ("env", {"N" * 128: "v"}, {"N" * 129: "v"}),
    ("max_run_s", 1, 0),
    ("max_run_s", limits.RUN_SECONDS_MAX, limits.RUN_SECONDS_MAX + 1),
    ("queue_ttl_s", 1, 0),
    ("queue_ttl_s", limits.QUEUE_SECONDS_MAX, limits.QUEUE_SECONDS_MAX + 1),
    ("stop_grace_s", 1, 0),
    ("stop_grace_s", limits.STOP_GRACE_SECONDS_MAX, limits.STOP_GRACE_SECONDS_MAX + 1),
    (
        "labels",
        {f"n{place}": "v" for place in range(limits.LABELS_MAX)},
        {f"n{place}": "v" for place in range(limits.LABELS_MAX + 1)},
    ),
    ("labels", {"n" * 63: "v"}, {"n" * 64: "v"}),
    ("labels", {"n": "v" * 63}, {"n": "v" * 64}),
    ("pool", "p" * 32, "p" * 33),
    ("max_cost_fen", 1, 0),
    ("max_cost_fen", limits.TOPUP_FEN_MAX, limits.TOPUP_FEN_MAX + 1),
    ("resources.cpu_millis", limits.CPU_MILLIS_MIN, limits.CPU_MILLIS_MIN - 1),
    ("resources.cpu_millis", limits.CPU_MILLIS_MAX, limits.CPU_MILLIS_MAX + 1),
    ("resources.memory_mb", limits.MEMORY_MB_MIN, limits.MEMORY_MB_MIN - 1),
    ("resources.memory_mb", limits.MEMORY_MB_MAX, limits.MEMORY_MB_MAX + 1),
    ("resources.disk_mb", limits.DISK_MB_MIN, limits.DISK_MB_MIN - 1),
    ("resources.disk_mb", limits.DISK_MB_MAX, limits.DISK_MB_MAX + 1),
    ("retry.max_attempts", 1, 0),
    ("retry.max_attempts", limits.ATTEMPTS_MAX, limits.ATTEMPTS_MAX + 1),
    ("retry.rules", [{}] * limits.RETRY_RULES_MAX, [{}] * (limits.RETRY_RULES_MAX + 1)),
    ("retry.rules", [{"exit_codes": [1, 255]}], [{"exit_codes": [0]}]),
    ("retry.rules", [{"exit_codes": [1] * 16}], [{"exit_codes": [256]}]),
    ("retry.rules", [{"reasons": ["timeout"] * 8}], [{"reasons": ["timeout"] * 9}]),
    ("retry.backoff_base_s", 0, -1),
    ("retry.backoff_base_s", limits.BACKOFF_SECONDS_MAX, limits.BACKOFF_SECONDS_MAX + 1),
    ("retry.backoff_factor", 1, 0),
    ("retry.backoff_factor", 10, 11),
    ("retry.backoff_cap_s", limits.BACKOFF_SECONDS_MAX, limits.BACKOFF_SECONDS_MAX + 1),
]


def asked(path: str, value: Any) -> JobSpec:
    """Read a specification as the edge does, with one value changed, and check it."""
    body: dict[str, Any] = {"image": "busybox"}
    *parents, name = path.split(".")
    at = body
    for parent in parents:
        at = at.setdefault(parent, {})
    at[name] = value
    spec = msgspec.json.decode(msgspec.json.encode(body), type=JobSpec)
    spec.check(REGISTRIES)
    return spec


def refused(path: str, value: Any) -> None:
    with pytest.raises((msgspec.ValidationError, Invalid)):
        asked(path, value)


@pytest.mark.parametrize(("path", "fine", "beyond"), EDGES)
def test_each_limit_is_met_exactly(path: str, fine: Any, beyond: Any) -> None:
    asked(path, fine)
    refused(path, beyond)


def faults(**fields: Any) -> list[tuple[str, str]]:
    with pytest.raises(Invalid) as refusal:
        JobSpec(**({"image": "busybox"} | fields)).check(REGISTRIES)
    return [(fault.pointer, fault.code) for fault in refusal.value.faults]


def test_a_value_of_the_environment_is_limited_in_bytes_and_not_in_characters() -> None:
    half = "\u00e9" * (limits.ENV_VALUE_BYTES_MAX // 2)

    asked("env", {"A": half})
    assert faults(env={"A": half + "x"}) == [("/env/A", "too_large")]


def test_the_environment_is_limited_as_a_whole_with_its_names() -> None:
    value = "x" * (limits.ENV_VALUE_BYTES_MAX - 1)
    fits = dict.fromkeys("ABCD", value)
    assert sum(len(name) + len(text) for name, text in fits.items()) == limits.ENV_BYTES_MAX

    asked("env", fits)
    assert faults(env={**fits, "E": ""}) == [("/env", "too_large")]


def test_two_hundred_large_variables_are_refused() -> None:
    large = {f"N{place}": "x" * 32 * 1024 for place in range(200)}

    assert faults(env=large) == [("/env", "too_large")]


def test_command_and_entrypoint_are_limited_together_in_bytes() -> None:
    half = ("x" * (limits.COMMAND_BYTES_MAX // 2),)

    JobSpec(image="a", command=half, entrypoint=half).check(REGISTRIES)
    assert faults(command=half, entrypoint=(*half, "x")) == [("/command", "too_large")]


@pytest.mark.parametrize("text", ["\0", "a\0b", "\ud800", "a\udfffb"])
def test_text_that_no_program_can_be_given_is_refused_where_it_is(text: str) -> None:
    assert faults(env={"A": text}) == [("/env/A", "text")]
    assert faults(command=("sh", text)) == [("/command/1", "text")]
    assert faults(entrypoint=(text,)) == [("/entrypoint/0", "text")]


@pytest.mark.parametrize("text", ["", "\u202e", "\u0300" * 16_000, "中文", "a\nb", "=", " "])
def test_any_other_text_is_the_customers_own_affair(text: str) -> None:
    JobSpec(image="a", env={"A": text}, command=(text,)).check(REGISTRIES)


def test_every_fault_is_said_at_once() -> None:
    found = faults(image="https://x", env={"A": "\0"}, command=("\0",))

    assert found == [("/env/A", "text"), ("/command/0", "text"), ("/image", "image_reference")]


@pytest.mark.parametrize(
    "image",
    ["evil.example/a", "localhost:5000/a", "127.0.0.1:80/a", "169.254.169.254/a", "10.0.0.1/a"],
)
def test_an_image_of_a_registry_that_is_not_listed_is_refused(image: str) -> None:
    assert faults(image=image) == [("/image", "registry_not_allowed")]


def test_a_registry_is_allowed_by_its_exact_name_and_port() -> None:
    spec = JobSpec(image="localhost:5000/a")

    spec.check(frozenset({"localhost:5000"}))
    with pytest.raises(Invalid):
        spec.check(frozenset({"localhost", "localhost:5001", "ocalhost:5000"}))


@pytest.mark.parametrize(
    "name", ["", "1A", "A=B", "A B", "A-B", "A\n", "A\0", "\u00c4", "A.B", "=", "\u0661"]
)
def test_a_name_that_no_environment_can_hold_is_refused(name: str) -> None:
    refused("env", {name: "v"})


@pytest.mark.parametrize("text", ["", "-x", "a\n", "a b", "a/b", "\u00e4", "a:b"])
def test_labels_and_pools_are_plain_words(text: str) -> None:
    refused("labels", {text: "v"})
    refused("labels", {"n": text})
    refused("pool", text)


@pytest.mark.parametrize("value", [-1, 0.1, "10", True, 1e309, 2**63, 10**38, None])
@pytest.mark.parametrize("path", ["max_run_s", "resources.cpu_millis", "retry.max_attempts"])
def test_a_number_is_a_whole_one_in_its_range(path: str, value: Any) -> None:
    refused(path, value)


@pytest.mark.parametrize(
    "key",
    [
        "privileged", "cap_add", "cap_drop", "devices", "binds", "volumes", "mounts", "pid_mode",
        "ipc_mode", "network_mode", "userns_mode", "security_opt", "user", "host_config", "ports",
        "restart_policy", "runtime", "sysctls", "Image", "imag",
    ],
)  # fmt: skip
def test_unknown_keys_are_refused(key: str) -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        asked(key, True)
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        asked(f"resources.{key}", True)
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        asked(f"retry.{key}", True)


def test_there_is_no_field_for_privilege() -> None:
    """A field that is added to a specification has to be added here, knowingly."""
    assert set(JobSpec.__struct_fields__) == {
        "image", "command", "entrypoint", "env", "resources", "max_run_s", "queue_ttl_s",
        "stop_grace_s", "network", "labels", "pool", "priority", "retry", "on_host_lost",
        "max_cost_fen", "input", "files", "outputs",
    }  # fmt: skip
    with pytest.raises(msgspec.ValidationError):
        asked("network", "host")


def test_every_part_of_a_specification_refuses_unknown_keys() -> None:
    assert all(issubclass(part, Body) for part in (JobSpec, Retry, RetryRule))
    assert JobSpec.__struct_config__.forbid_unknown_fields


def test_without_rules_every_failure_is_tried_again_until_the_attempts_are_used_up() -> None:
    retry = Retry(max_attempts=3)

    assert [retry.allows(ended, 1, ReasonCode.EXIT_CODE) for ended in (1, 2, 3)] == [
        True, True, False,
    ]  # fmt: skip


def test_with_rules_only_what_they_name_is_tried_again() -> None:
    rules = (RetryRule(exit_codes=(75,)), RetryRule(reasons=(ReasonCode.TIMEOUT,)))
    retry = Retry(max_attempts=2, rules=rules)

    assert retry.allows(1, 75, ReasonCode.EXIT_CODE)
    assert retry.allows(1, None, ReasonCode.TIMEOUT)
    assert not retry.allows(1, 1, ReasonCode.EXIT_CODE)
    assert not retry.allows(1, None, None)


@given(
    st.builds(
        Retry,
        backoff_base_s=st.integers(0, limits.BACKOFF_SECONDS_MAX),
        backoff_factor=st.integers(1, 10),
        backoff_cap_s=st.integers(0, limits.BACKOFF_SECONDS_MAX),
    ),
    st.integers(1, limits.ATTEMPTS_MAX),
)
def test_a_back_off_grows_up_to_its_cap(retry: Retry, ended: int) -> None:
    first, wait, longer = map(retry.backoff_seconds, (1, ended, ended + 1))

    assert first == min(retry.backoff_base_s, retry.backoff_cap_s)
    assert 0 <= wait <= longer <= retry.backoff_cap_s

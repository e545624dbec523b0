"""What engines and registries say, and the reason that leaves the host."""

import pytest

from wharfage.domain.attempt import ReasonCode
from wharfage_agent.engine.faults import pull_reason, start_reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("manifest for a/b:9 not found: manifest unknown", ReasonCode.IMAGE_NOT_FOUND),
        (
            "pull access denied for a, repository does not exist or may require 'docker login'",
            ReasonCode.IMAGE_NOT_FOUND,
        ),
        ("unauthorized: authentication required", ReasonCode.IMAGE_AUTH_FAILED),
        ("denied: requested access to the resource is denied", ReasonCode.IMAGE_AUTH_FAILED),
        (
            "no matching manifest for linux/amd64 in the manifest list entries",
            ReasonCode.IMAGE_WRONG_PLATFORM,
        ),
        ("dial tcp 10.0.0.1:443: i/o timeout", ReasonCode.IMAGE_PULL_FAILED),
    ],
)
def test_a_registrys_words_become_a_reason(text: str, reason: ReasonCode) -> None:
    assert pull_reason(text) is reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            'exec: "nosuch": executable file not found in $PATH: unknown',
            ReasonCode.COMMAND_NOT_FOUND,
        ),
        ('exec: "/a": permission denied: unknown', ReasonCode.COMMAND_NOT_EXECUTABLE),
        ("No command specified", ReasonCode.COMMAND_NOT_FOUND),
        (
            'exec: "/a": stat /a: no such file or directory: unknown',
            ReasonCode.COMMAND_NOT_FOUND,
        ),
        ("exec /a: exec format error", ReasonCode.COMMAND_NOT_EXECUTABLE),
        ("error mounting: stat /x: no such file or directory", ReasonCode.START_FAILED),
        ("cgroup: cannot enter cgroupv2", ReasonCode.START_FAILED),
    ],
)
def test_the_engines_words_become_a_reason(text: str, reason: ReasonCode) -> None:
    assert start_reason(text) is reason

"""Image references: what is checked is what the engine is told."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from wharfage.domain import limits
from wharfage.domain.errors import Invalid
from wharfage.domain.image import Reference

DIGEST = "sha256:" + "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("busybox:1.36", "docker.io/library/busybox:1.36"),
        ("bitnami/redis", "docker.io/bitnami/redis:latest"),
        ("docker.io/busybox", "docker.io/library/busybox:latest"),
        ("ghcr.io/a/b/c:V1.0-rc_2", "ghcr.io/a/b/c:V1.0-rc_2"),
        ("localhost:5000/demo/hello:1", "localhost:5000/demo/hello:1"),
        ("localhost/demo", "localhost/demo:latest"),
        ("registry:5000/demo", "registry:5000/demo:latest"),
        ("a.b:443/x__y/z--w", "a.b:443/x__y/z--w:latest"),
        (f"busybox@{DIGEST}", f"docker.io/library/busybox@{DIGEST}"),
        (f"ghcr.io/a/b:1@{DIGEST}", f"ghcr.io/a/b:1@{DIGEST}"),
        # Without a dot or a port it is a part of the path, as the engine reads it.
        ("registry/demo", "docker.io/registry/demo:latest"),
        ("busybox:5000", "docker.io/library/busybox:5000"),
    ],
)
def test_a_reference_is_read_as_the_engine_reads_it(text: str, whole: str) -> None:
    assert str(Reference.parse(text)) == whole


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "Busybox",
        "ghcr.io/Team/app",
        "GHCR.io/team/app",
        "-v",
        "--privileged",
        "a;b",
        "$(id)",
        "a b",
        " busybox",
        "busybox ",
        "busybox\n",
        "busybox:1\n",
        "bus\nybox",
        "busy\0box",
        "https://ghcr.io/a/b",
        "docker://busybox",
        "user@host/image",
        "user:password@ghcr.io/a",
        "/busybox",
        "busybox/",
        "a//b",
        "../etc/passwd",
        "a/../b",
        "a/./b",
        "a..b",
        "a___b",
        "_a",
        "a_",
        "a:",
        "a:-x",
        "a:b:c",
        "a:b/c:d",
        "a@sha256:abc",
        f"a@{DIGEST}0",
        "a@" + DIGEST.upper(),
        "a@md5:" + "0" * 32,
        f"a@{DIGEST}@{DIGEST}",
        "[::1]:5000/a",
        "ghcr.io:123456/a",
        "ghcr.io:/a",
        "-a.b/c",
        "a-.b/c",
        "ghcr..io/a",
        "caf\u00e9",
        "b\u202eusybox",
        "\ud800",
        "１２３",
        "a:" + "t" * 129,
    ],
)
def test_what_is_no_reference_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        Reference.parse(text)

    (fault,) = refusal.value.faults
    assert (fault.pointer, fault.code) == ("/image", "image_reference")


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1:80", "10.0.0.1", "192.168.1.1:5000", "169.254.169.254", "2130706433:80"],
)
def test_an_address_is_only_a_name_that_no_list_has(address: str) -> None:
    """Loopback, link-local, private and decimal addresses are refused by the list of registries."""
    assert Reference.parse(f"{address}/a").registry == address


def test_the_longest_reference_is_read_and_one_more_is_not() -> None:
    longest = "a" * limits.IMAGE_CHARACTERS_MAX

    assert Reference.parse(longest[1:]).path == "library/" + longest[1:]
    assert Reference.parse(longest).path == "library/" + longest
    with pytest.raises(Invalid):
        Reference.parse(longest + "a")


@given(st.text(st.characters(codec=None), max_size=300))
@example("a" * 254 + ":")
@example("a-" * 120)
def test_any_text_is_read_or_refused_and_what_is_read_is_stable(text: str) -> None:
    try:
        reference = Reference.parse(text)
    except Invalid:
        return

    assert Reference.parse(str(reference)) == reference
    assert re.fullmatch(r"[\x21-\x7e]+", str(reference))
    assert str(reference).endswith(text) or reference.tag == "latest"

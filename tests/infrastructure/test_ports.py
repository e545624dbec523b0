"""Ports: free when chosen, remembered, and never given twice."""

import socket

import pytest

from infrastructure.local import ports
from infrastructure.local.ports import LOOPBACK, NoFreePort, Ports, free


@pytest.fixture
def file(tmp_path):
    return tmp_path / "ports.json"


def listener(port: int) -> socket.socket:
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    taken.bind((LOOPBACK, port))
    taken.listen()
    return taken


def test_a_second_start_gets_the_same_port(file):
    first = Ports(file).take("gateway")

    assert Ports(file).take("gateway") == first


def test_a_port_that_is_taken_is_not_given(file):
    first = Ports(file).take("gateway")

    with listener(first):
        second = Ports(file).take("gateway")

    assert second != first
    assert free(second)


def test_two_names_never_share_a_port(file):
    chosen = Ports(file)

    assert chosen.take("gateway", preferred=24_000) != chosen.take("emulator", preferred=24_000)


def test_a_preferred_port_is_given_when_it_is_free(file):
    wanted = Ports(file).take("somebody")

    assert Ports(file.with_name("other.json")).take("gateway", preferred=wanted) == wanted


def test_ports_lie_below_the_ephemeral_range(file):
    lowest_ephemeral = 32_768

    assert ports.PORT_FIRST <= Ports(file).take("gateway") <= ports.PORT_LAST < lowest_ephemeral


@pytest.mark.parametrize("content", ["", "[", "[]", '{"gateway": "x"}', '{"gateway": 70000}'])
def test_a_spoilt_file_costs_nothing_but_the_address(file, content):
    file.write_text(content)

    assert free(Ports(file).take("gateway"))


def test_an_exhausted_range_is_said(file, monkeypatch):
    monkeypatch.setattr(ports, "free", lambda _port: False)

    with pytest.raises(NoFreePort, match="gateway"):
        Ports(file).take("gateway")


def test_what_was_known_is_known(file):
    port = Ports(file).take("gateway")

    assert Ports(file).known("gateway") == port
    assert Ports(file).known("stranger") is None

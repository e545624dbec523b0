"""The wire that can be cut, between two plain sockets."""

import contextlib
import socket
import threading
import time

import pytest

from tests.chaos.proxy import Mode, Wire
from tests.chaos.tape import Tape
from tests.fixtures.waiting import until

WAIT_SECONDS = 0.5


@pytest.fixture
def echo():
    """Give the address of a server that says back what it hears, and what it has heard."""
    server = socket.create_server(("127.0.0.1", 0))
    heard = []

    def answer(plug):
        with plug, contextlib.suppress(OSError):
            while data := plug.recv(1024):
                heard.append(data)
                plug.sendall(data)

    def serve():
        with contextlib.suppress(OSError):
            while True:
                plug, _ = server.accept()
                threading.Thread(target=answer, args=(plug,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield server.getsockname(), heard
    server.shutdown(socket.SHUT_RDWR)
    server.close()


@pytest.fixture
def tape():
    return Tape()


@pytest.fixture
def wire(echo, tape):
    found = Wire(socket.create_server(("127.0.0.1", 0)), echo[0], tap=tape.listener)
    yield found
    found.close()


@pytest.fixture
def plug(wire):
    with socket.create_connection(wire.address) as found:
        found.settimeout(WAIT_SECONDS)
        assert said(found, b"before")
        yield found


def said(plug, text):
    """Say something, and tell whether it came back; None where the connection is gone."""
    try:
        plug.sendall(text)
        back = plug.recv(1024)
    except TimeoutError:
        return False
    except OSError:
        return None
    return back == text if back else None


def test_a_cut_resets_what_is_open_and_what_is_opened(wire, plug):
    wire.set(Mode.CUT)

    assert said(plug, b"after") is None
    with socket.create_connection(wire.address) as another:
        another.settimeout(WAIT_SECONDS)
        assert said(another, b"anew") is None


def test_a_half_open_connection_stays_and_passes_nothing(wire, plug, echo):
    wire.set(Mode.HALF_OPEN)

    assert said(plug, b"after") is False
    assert echo[1] == [b"before"]


def test_a_dropped_answer_was_asked_for_all_the_same(wire, plug, echo):
    wire.set(Mode.DROP_ANSWERS)

    assert said(plug, b"after") is False
    assert echo[1] == [b"before", b"after"]


def test_a_slow_wire_loses_nothing(wire, plug):
    wire.set(Mode.SLOW, delay=0.1)
    began = time.monotonic()

    assert said(plug, b"after")
    assert time.monotonic() - began >= 0.2


@pytest.mark.parametrize("mode", [Mode.CUT, Mode.HALF_OPEN, Mode.DROP_ANSWERS])
def test_after_a_broken_wire_is_mended_only_new_connections_work(wire, plug, mode):
    wire.set(mode)

    wire.set(Mode.OPEN)

    until(lambda: said(plug, b"old") is None, what="the end of the old connection")
    with socket.create_connection(wire.address) as another:
        another.settimeout(WAIT_SECONDS)
        assert said(another, b"new")


def test_a_tape_holds_whole_requests_however_they_were_cut(tape):
    request = b"POST /v1/agent/reports HTTP/1.1\r\nContent-Length: 11\r\n\r\n" + b'{"boot": 1}'
    hear = tape.listener()

    for place in range(0, len(request * 2), 7):
        hear((request * 2)[place : place + 7])

    kept = list(tape.requests)
    assert [(each.call, each.json) for each in kept] == [("reports", {"boot": 1})] * 2
    assert kept[0].altered({"boot": 12}).head.endswith(b"Content-Length: 12")

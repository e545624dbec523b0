"""What the machine must have is seen, said, and got without starting a service."""

import socket
import threading
from pathlib import Path

import pytest

from infrastructure.setup import machine
from infrastructure.setup.machine import Need


def need(name: str, *, present: bool, commands: frozenset[str] = machine.STACK) -> Need:
    return Need(
        name=name,
        why="the test wants it",
        packages=(f"{name}-package",),
        commands=commands,
        present=lambda: present,
        remedy=f"get {name}",
    )


def answer_once(server: socket.socket, status: str) -> None:
    connection, _ = server.accept()
    with connection:
        connection.recv(1024)
        connection.sendall(f"HTTP/1.0 {status}\r\n\r\n".encode())


def test_only_what_the_command_needs_and_lacks_is_missing():
    needs = [
        need("there", present=True),
        need("lacking", present=False),
        need("elsewhere", present=False, commands=frozenset({"sam"})),
    ]

    assert [each.name for each in machine.missing("demo", needs)] == ["lacking"]


def test_instructions_name_the_thing_its_purpose_and_the_remedy():
    text = machine.instructions([need("thing", present=False)])

    assert "thing (the test wants it): get thing" in text


def test_services_are_kept_down_only_meanwhile(tmp_path: Path):
    policy = tmp_path / "policy-rc.d"

    with machine.services_kept_down(policy):
        assert "exit 101" in policy.read_text()
        assert policy.stat().st_mode & 0o111

    assert not policy.exists()


def test_services_may_start_again_after_a_failure(tmp_path: Path):
    policy = tmp_path / "policy-rc.d"

    with pytest.raises(OSError, match="broken"), machine.services_kept_down(policy):
        raise OSError("broken")

    assert not policy.exists()


def test_an_operators_policy_stays(tmp_path: Path):
    policy = tmp_path / "policy-rc.d"
    policy.write_text("theirs")

    with machine.services_kept_down(policy):
        assert policy.read_text() == "theirs"

    assert policy.read_text() == "theirs"


@pytest.mark.parametrize(("status", "expected"), [("200 OK", True), ("500 No", False)])
def test_an_engine_is_there_when_it_answers_well(
    status: str, expected: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "engine.sock"))
        server.listen()
        thread = threading.Thread(target=answer_once, args=(server, status))
        thread.start()

        answers = machine.engine_answers()
        thread.join()

    assert answers is expected


@pytest.mark.parametrize("address", ["unix:///nonexistent.sock", "tcp://127.0.0.1:9", "tcp://x:y"])
def test_an_engine_that_cannot_be_reached_is_not_there(
    address: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DOCKER_HOST", address)

    assert not machine.engine_answers()


@pytest.mark.parametrize(
    ("content", "static"),
    [(b"\x7fELF....", True), (b"\x7fELF../lib64/ld-linux-x86-64.so.2", False)],
)
def test_a_busybox_that_needs_a_loader_will_not_do(
    content: bytes, static: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "busybox").write_bytes(content)
    (tmp_path / "busybox").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert machine.static_busybox_present() is static

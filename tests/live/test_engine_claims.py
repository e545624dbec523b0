"""A real engine does what the simulated one is held to; and what a container left stays in it."""

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from tests.agent.fakes import grant
from tests.fixtures.engines import CLAIMS, Claims
from tests.fixtures.objects import packed
from tests.fixtures.waiting import until
from wharfage.domain.price import Resources
from wharfage.domain.spec import JobSpec
from wharfage_agent import containers
from wharfage_agent.attempts import Container, Image
from wharfage_agent.engine import DockerEngine
from wharfage_agent.errors import NotAFile, NotRunning, NotThere
from wharfage_agent.policy import Policy
from wharfage_agent.ports import LogSource

SMALL = Resources(cpu_millis=300, memory_mb=32, disk_mb=64)
PROGRAMS = {
    "quick": ("/bin/sh", "-c", "echo hello"),
    "long": ("/bin/sh", "-c", "trap '' TERM; echo hello; while :; do sleep 1; done"),
    "nothing": ("/nothing",),
}


class Real:
    """A real engine on trial, with the containers that the agent makes."""

    def __init__(self, url: str, image: str) -> None:
        self.host = f"hst_{secrets.token_hex(8)}"
        self.engine: Any = DockerEngine(url, host=self.host)
        self._image = image

    def create(self, name: str, program: str) -> Container:
        # An init is there whatever the image has, and says itself that it finds no program.
        return self.run_later(f"{name}{self.host[-6:]}", PROGRAMS[program], init=False)

    def run_later(self, name: str, words: tuple[str, ...], *, init: bool = True) -> Container:
        spec = JobSpec(image=self._image, entrypoint=words, command=(), resources=SMALL)
        found = self.engine.image(self._image)
        assert isinstance(found, Image)
        config = containers.config(
            grant(job=f"job_{name}", spec=spec), found, host=self.host, boot="bot_1",
            machine=replace(self.engine.machine(), init=init), policy=Policy(), hosts_file=None,
        )  # fmt: skip
        made: Container = self.engine.create(f"wharfage-{name}-1", config)
        return made

    def run(self, script: str) -> Container:
        """Run a script to its end."""
        made = self.run_later(secrets.token_hex(4), ("/bin/sh", "-c", script))
        self.engine.start(made.id)
        until(lambda: self.engine.inspect(made.id).exited, seconds=20)
        return made

    def pass_time(self, seconds: float) -> None:
        time.sleep(seconds)

    def read(self, source: LogSource) -> bytes:
        found, deadline = b"", time.monotonic() + 20
        while (data := source.read(1 << 16)) != b"":
            assert time.monotonic() < deadline, "the source never ends"
            found += data or b""
            time.sleep(0.01)
        source.close()
        return found

    def told(self, during: Callable[[], None]) -> list[str]:
        heard: list[str] = []
        ready = threading.Event()

        def listen() -> None:
            heard.extend(each.container for each in self.engine.events(connected=ready.set))

        threading.Thread(target=listen, daemon=True).start()
        assert ready.wait(10)
        during()
        time.sleep(3.0)
        return list(heard)

    def clean(self) -> None:
        for container in self.engine.containers():
            with suppress(NotThere, NotRunning):
                self.engine.remove(container.id, force=True)


@pytest.fixture(scope="module")
def real(engine_url: str, demo_image: str) -> Iterator[Real]:
    found = Real(engine_url, demo_image)
    yield found
    found.clean()


@pytest.mark.parametrize("claim", CLAIMS)
def test_the_real_engine_keeps_each_claim(real: Real, claim: str):
    real.clean()

    getattr(Claims(real), claim)()


@pytest.mark.parametrize(
    ("script", "path"),
    [
        ("ln -s /etc/passwd /wharfage/out", "/wharfage/out"),
        ("ln -s / /wharfage/root", "/wharfage/root/etc/passwd"),
        ("ln -s ../../../../../../etc /wharfage/up", "/wharfage/up/passwd"),
        ("mkdir /wharfage/a; ln -s /etc /wharfage/a/b", "/wharfage/a/b/passwd"),
        ("echo a > /wharfage/a; ln -s a /wharfage/b", "/wharfage/b"),
        ("mkdir /wharfage/out", "/wharfage/out"),
        ("mkfifo /wharfage/out", "/wharfage/out"),
        ("ln -s /proc/self/environ /wharfage/out", "/wharfage/out"),
    ],
)
def test_no_link_and_nothing_but_a_plain_file_is_read(real: Real, script: str, path: str):
    made = real.run(script)

    with pytest.raises(NotAFile), real.engine.open_file(made.id, path):
        pass


@pytest.mark.parametrize(
    ("script", "path"),
    [
        ("ln -s /nowhere/at/all /wharfage/a", "/wharfage/a/b"),
        ("echo a > /wharfage/a", "/wharfage/a/b"),
    ],
)
def test_what_is_under_no_folder_is_not_there(real: Real, script: str, path: str):
    made = real.run(script)

    with pytest.raises((NotThere, NotAFile)), real.engine.open_file(made.id, path):
        pass


def test_what_a_container_wrote_is_read_byte_for_byte(real: Real):
    made = real.run("mkdir /wharfage/d; seq 1 200000 > /wharfage/d/out; touch /wharfage/empty")

    with real.engine.open_file(made.id, "/wharfage/d/out") as file:
        data = b"".join(file.parts)
    with real.engine.open_file(made.id, "/wharfage/empty") as file:
        nothing = b"".join(file.parts)

    assert data == b"".join(b"%d\n" % number for number in range(1, 200_001))
    assert nothing == b""


def test_a_file_that_is_mostly_hole_is_known_by_its_whole_size(real: Real):
    made = real.run("dd if=/dev/zero of=/wharfage/out bs=1 count=1 seek=8589934592 2>/dev/null")

    with real.engine.open_file(made.id, "/wharfage/out") as file:
        assert file.size_bytes == 8589934593


def test_what_is_put_in_can_be_read_and_not_changed(real: Real):
    made = real.run_later("given", ("/bin/sh", "-c", "cat /wharfage/inputs/a; id -u"))
    data = packed({"inputs/a": b"given\n", "input.json": b"{}"})
    real.engine.put_files(made.id, len(data), [data])
    source = real.engine.attach(made.id)

    real.engine.start(made.id)

    assert b"given\n" in real.read(source)
    stubborn = real.run_later(
        "stubborn",
        ("/bin/sh", "-c", "echo x > /wharfage/input.json; rm -f /wharfage/input.json; exit 7"),
    )
    real.engine.put_files(stubborn.id, len(data), [data])
    real.engine.start(stubborn.id)
    until(lambda: real.engine.inspect(stubborn.id).exited, seconds=20)
    with real.engine.open_file(stubborn.id, "/wharfage/input.json") as file:
        assert b"".join(file.parts) == b"{}"

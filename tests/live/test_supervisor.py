"""The real machine part under the supervisor: killed in the middle, started again, taken down."""

import os
import signal
import subprocess
import sys
from contextlib import closing, contextmanager

import pytest

from infrastructure.local import engine, images
from infrastructure.local.paths import Paths
from infrastructure.local.ports import Ports
from infrastructure.local.process import Record
from infrastructure.local.supervisor import take_down
from tests.fixtures import machine_apart
from tests.fixtures.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
def paths(tmp_path):
    found = Paths.of({"WHARFAGE_HOME": str(tmp_path / "home")})
    yield found
    take_down([engine.own(found)], paths=found, say=print)
    engine.remove(found)


@contextmanager
def up(paths):
    """Run the machine part in a process of its own, up when the block begins."""
    stack = subprocess.Popen(
        [sys.executable, "-m", "tests.fixtures.machine_apart"],
        stdout=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "WHARFAGE_HOME": str(paths.home),
            "PYTHONPATH": os.pathsep.join(sys.path),
        },
    )
    with stack:
        try:
            assert stack.stdout is not None
            said = list(iter(stack.stdout.readline, "up\n"))
            assert stack.poll() is None, said
            yield stack
        finally:
            stack.kill()


def records(paths):
    found = {file.stem: Record.read(file) for file in paths.records.glob("[!.]*.json")}
    return {name: record for name, record in found.items() if record is not None}


def test_a_killed_stack_loses_no_container_and_comes_back_at_the_same_addresses(paths):
    with up(paths) as stack:
        addresses = paths.ports.read_text()
        before = records(paths)
        found = engine.probe(engine.own_url(paths))
        assert found is not None
        with closing(engine.connect(found)) as client:
            images.demo(client)
            host = client.create_host_config(network_mode="none", init=True)
            job = client.create_container(images.DEMO_IMAGE, ["sleep", "600"], host_config=host)
            client.start(job)
        stack.kill()
        stack.wait()
    until(lambda: not before["emulator"].alive and not before["registry"].alive)
    assert before["engine"].alive

    with up(paths) as stack:
        assert records(paths)["engine"] == before["engine"]
        assert paths.ports.read_text() == addresses
        with closing(engine.connect(found)) as client:
            assert client.inspect_container(job)["State"]["Running"]
        stack.send_signal(signal.SIGTERM)
        assert stack.wait(timeout=60) == 0

    assert engine.probe(engine.own_url(paths)) is None
    assert records(paths) == {}


def test_taking_down_from_outside_leaves_nothing_running(paths):
    with up(paths) as stack:
        before = records(paths)

        found = take_down(machine_apart.commands(paths), paths=paths, say=print)

        assert found
        assert stack.wait(timeout=60) == 0
    assert not any(record.alive for record in before.values())
    assert Ports(paths.ports).known("registry") is not None

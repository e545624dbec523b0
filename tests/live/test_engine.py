"""An engine of our own: what it is like, and that jobs survive a crash of the stack."""

import os
import signal
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from infrastructure.local import engine, images, launcher
from infrastructure.local.paths import Paths
from infrastructure.local.process import Process
from infrastructure.local.supervisor import take_down
from tests.fixtures.waiting import until
from wharfage_agent.engine import DockerEngine

pytestmark = pytest.mark.slow


@pytest.fixture
def paths(tmp_path):
    found = Paths.of({"WHARFAGE_HOME": str(tmp_path / "home")})
    yield found
    take_down([engine.own(found)], paths=found, say=print)
    engine.remove(found)


@pytest.fixture
def own(paths):
    """Start an engine in this test's folders."""
    process = Process(engine.own(paths), paths)
    process.start()
    process.wait_ready()
    yield process
    process.stop()


@contextmanager
def client(paths):
    found = engine.probe(engine.own_url(paths))
    assert found is not None
    with closing(engine.connect(found)) as opened:
        yield opened


def sleeper(opened) -> str:
    """Start a container that ends on TERM only because it has an init."""
    images.demo(opened)
    host = opened.create_host_config(network_mode="none", init=True)
    made = opened.create_container(images.DEMO_IMAGE, ["sleep", "600"], host_config=host)
    opened.start(made)
    return str(made["Id"])


def init_pid(opened, container: str) -> int:
    return int(opened.inspect_container(container)["State"]["Pid"])


def alive(pid: int) -> bool:
    return launcher.started_at(pid) is not None


def test_an_own_engine_keeps_containers_through_its_own_crash(paths, own):
    with client(paths) as opened:
        container = sleeper(opened)
        pid = init_pid(opened, container)

    os.kill(own.pid, signal.SIGKILL)
    until(lambda: not own.running)
    assert alive(pid)
    own.clear()
    own.start()
    own.wait_ready()

    with client(paths) as opened:
        assert opened.inspect_container(container)["State"]["Running"]
        assert init_pid(opened, container) == pid


def test_an_engine_that_was_away_remembers_no_start(paths, own):
    with client(paths) as opened:
        container = sleeper(opened)
    url = engine.own_url(paths)
    before = DockerEngine(url, host="hst_1").remembers(container)

    os.kill(own.pid, signal.SIGKILL)
    until(lambda: not own.running)
    own.clear()
    own.start()
    own.wait_ready()

    assert (before, DockerEngine(url, host="hst_1").remembers(container)) == (True, False)


def test_an_own_engine_has_a_cgroup_parent_of_its_own(paths, own):
    with client(paths) as opened:
        pid = init_pid(opened, sleeper(opened))

    groups = Path(f"/proc/{pid}/cgroup").read_text()

    assert f"/{paths.runtime.name}/" in groups


def test_a_next_life_adopts_the_engine_and_its_containers(paths, own):
    with client(paths) as opened:
        container = sleeper(opened)

    later = Process(engine.own(paths), paths)

    assert later.adopt()
    later.wait_ready()
    with client(paths) as opened:
        assert opened.inspect_container(container)["State"]["Running"]


def test_taking_down_ends_the_engine_and_every_container(paths, own):
    with client(paths) as opened:
        pid = init_pid(opened, sleeper(opened))

    found = take_down([engine.own(paths)], paths=paths, say=print)

    assert found
    assert not alive(pid)
    assert engine.probe(engine.own_url(paths)) is None
    until(lambda: leftovers(paths) == [], what="the end of containerd and its shims")


def test_taking_down_an_engine_that_died_still_ends_its_containers(paths, own):
    with client(paths) as opened:
        pid = init_pid(opened, sleeper(opened))
    os.kill(own.pid, signal.SIGKILL)
    until(lambda: not own.running)

    found = take_down([engine.own(paths)], paths=paths, say=print)

    assert found
    assert not alive(pid)
    until(lambda: leftovers(paths) == [], what="the end of containerd and its shims")


def leftovers(paths: Paths) -> list[int]:
    """List the living processes whose command names this stack's runtime folder."""
    mark = os.fsencode(paths.runtime)
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and mark in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return [pid for pid in found if alive(pid)]

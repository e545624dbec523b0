"""The first instants of a child: it dies with its parent, unless it is to outlive it."""

import os
import signal
import subprocess
import sys

import pytest

from infrastructure.local import launcher
from tests.fixtures.children import home
from tests.fixtures.waiting import until

_PARENT = """
import sys, time
from pathlib import Path
from infrastructure.local.process import Process
from tests.fixtures.children import child, home
paths = home(Path(sys.argv[1]))
one = Process(child(paths, "one", outlives=sys.argv[2] == "outlives"), paths)
one.start()
one.wait_ready()
print(one.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def orphaned(tmp_path):
    """Start a child by a parent that is then killed; give the child's pid."""
    pids = []

    def make(manner: str) -> int:
        parent = subprocess.Popen(
            [sys.executable, "-c", _PARENT, str(tmp_path), manner],
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        with parent:
            assert parent.stdout is not None
            pids.append(int(parent.stdout.readline()))
            parent.kill()
        return pids[-1]

    yield make
    for pid in pids:
        if launcher.started_at(pid) is not None:
            os.kill(pid, signal.SIGKILL)


def test_a_child_dies_with_its_killed_parent(orphaned):
    pid = orphaned("ends")

    until(lambda: launcher.started_at(pid) is None, what="the end of the child")


def test_a_child_that_outlives_lives_on_and_can_be_found(orphaned, tmp_path):
    pid = orphaned("outlives")

    record = (home(tmp_path).records / "one.json").read_text()

    assert launcher.started_at(pid) is not None
    assert f'"pid": {pid}' in record


def test_a_launcher_whose_parent_is_gone_starts_nothing(tmp_path):
    mark = tmp_path / "started"
    nobody = "999999999"

    born = [sys.executable, "-I", "-S", launcher.__file__, str(tmp_path / "record.json"), nobody]
    ended = subprocess.run(
        [*born, "touch", str(mark)], check=False, env={launcher.TOKEN_VARIABLE: "x"}
    )

    assert ended.returncode == 127
    assert not mark.exists()


def test_a_zombie_is_dead():
    zombie = subprocess.Popen(["true"])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)

    seen = launcher.started_at(zombie.pid)

    zombie.wait()
    assert seen is None

"""A child: started, known again, ended with all its descendants, and never mistaken."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infrastructure.local import launcher, process
from infrastructure.local.process import ChildFailed, Process, Record, end_orphan, environment
from tests.fixtures.children import PARENT, STUBBORN, child, home
from tests.fixtures.waiting import until


@pytest.fixture
def paths(tmp_path):
    return home(tmp_path)


@pytest.fixture
def started(paths):
    """Start children and end them whatever the test does."""
    begun = []

    def start(command):
        begun.append(Process(command, paths))
        begun[-1].start()
        begun[-1].wait_ready()
        return begun[-1]

    yield start
    for each in begun:
        each.stop(grace_seconds=0)


def alive(pid: int) -> bool:
    return launcher.started_at(pid) is not None


def test_a_started_child_says_in_its_pid_file_who_it_is(paths, started):
    running = started(child(paths, "one"))

    record = Record.read(paths.records / "one.json")

    assert record is not None
    assert record.pid == running.pid
    assert record.alive
    assert (paths.records / "one.json").stat().st_mode & 0o077 == 0


def test_a_child_leads_a_session_of_its_own(paths, started):
    running = started(child(paths, "one"))

    assert os.getsid(running.pid) == running.pid != os.getsid(0)


def test_a_child_inherits_nothing_but_its_environment(paths, started, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted")

    running = started(child(paths, "one", env=environment(GIVEN="yes")))

    seen = (Path("/proc") / str(running.pid) / "environ").read_bytes().split(b"\0")
    assert b"GIVEN=yes" in seen
    assert not any(b"planted" in entry for entry in seen)


def test_a_stopped_child_is_gone_and_its_pid_file_too(paths, started):
    running = started(child(paths, "one"))
    pid = running.pid

    running.stop()

    assert not running.running
    assert not alive(pid)
    assert not (paths.records / "one.json").exists()
    assert running.ending == "signal 15"


def test_a_child_that_ignores_term_is_killed_after_its_grace(paths, started):
    running = started(child(paths, "stubborn", STUBBORN))
    pid = running.pid

    running.stop(grace_seconds=0.2)

    assert not alive(pid)
    assert running.ending == "signal 9"


def test_descendants_end_with_the_child(paths, started):
    running = started(child(paths, "parent", PARENT))
    grandchild = int((paths.stack / "parent.ready").read_text())
    assert alive(grandchild)

    running.stop()

    until(lambda: not alive(grandchild))  # Killed: a busy machine takes its time to bury it.


def test_descendants_of_a_killed_child_are_found_and_ended(paths, started):
    running = started(child(paths, "parent", PARENT))
    grandchild = int((paths.stack / "parent.ready").read_text())
    os.kill(running.pid, signal.SIGKILL)
    until(lambda: not running.running)
    assert alive(grandchild)

    running.clear()

    until(lambda: not alive(grandchild))  # Killed: a busy machine takes its time to bury it.


def test_stopping_twice_is_stopping_once(paths, started):
    running = started(child(paths, "one"))

    running.stop()
    running.stop()

    assert not running.running


def test_a_child_that_ends_at_once_is_told_with_the_end_of_its_log(paths):
    failing = Process(
        child(paths, "failing", "import sys; sys.exit('no such key')", ready=lambda: False), paths
    )

    failing.start()

    with pytest.raises(ChildFailed, match=r"failing ended \(exit code 1\)\nno such key"):
        failing.wait_ready()
    failing.stop()


def test_a_program_that_is_not_there_is_told(paths):
    absent = Process(child(paths, "absent", argv=("/no/such/program",), ready=lambda: False), paths)

    absent.start()

    with pytest.raises(ChildFailed, match="No such file"):
        absent.wait_ready()
    absent.stop()


def test_a_child_that_is_never_ready_is_ended_and_told(paths):
    slow = Process(child(paths, "slow", ready=lambda: False, ready_seconds=0.3), paths)

    slow.start()

    with pytest.raises(ChildFailed, match=r"slow was not ready within 0\.3 s"):
        slow.wait_ready()
    assert not slow.running


def test_what_follows_readiness_is_done_after_it(paths, started):
    done = []

    started(child(paths, "one", once_ready=lambda: done.append("ready")))

    assert done == ["ready"]


def test_a_recycled_pid_is_never_signalled(paths):
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    started = launcher.started_at(stranger.pid)
    assert started is not None
    try:
        file = paths.stack / "orphan.json"
        file.write_text(
            json.dumps(
                {
                    "pid": stranger.pid,
                    "started": started - 1,
                    "boot": launcher.boot_id(),
                    "token": "of somebody else",
                }
            )
        )

        found = end_orphan(file)

        assert not found
        assert not file.exists()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_record_of_another_boot_names_nobody(paths, started):
    running = started(child(paths, "one"))
    record = Record.read(paths.records / "one.json")
    assert record is not None
    earlier = Record(pid=record.pid, started=record.started, boot="earlier", token=record.token)

    assert not earlier.alive
    assert earlier.family() == []
    assert not earlier.send(signal.SIGKILL)
    assert running.running


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', "null"])
def test_a_spoilt_pid_file_names_nobody(tmp_path, content):
    file = tmp_path / "spoilt.json"
    file.write_text(content)

    assert Record.read(file) is None
    assert not end_orphan(file)
    assert not file.exists()


def test_an_orphan_is_ended_by_its_pid_file(paths, started):
    running = started(child(paths, "one", outlives=True))

    found = end_orphan(paths.records / "one.json", grace_seconds=2)

    assert found
    until(lambda: not running.running)


def test_a_running_child_of_an_earlier_life_is_adopted(paths, started):
    first = started(child(paths, "one", outlives=True))

    second = Process(child(paths, "one", outlives=True), paths)

    assert second.adopt()
    assert second.pid == first.pid
    second.stop()
    until(lambda: not first.running)


def test_nobody_is_adopted_where_nobody_runs(paths):
    assert not Process(child(paths, "one"), paths).adopt()


def test_a_log_is_kept_within_two_files(paths, started, monkeypatch):
    monkeypatch.setattr(process, "LOG_BYTES_MAX", 1000)
    talks = "import sys, time\nfor i in range(40): print('x' * 99, flush=True)\n"
    running = started(
        child(paths, "talks", talks + "open(sys.argv[1], 'w').close(); time.sleep(600)")
    )

    running.rotate()
    running.rotate()

    assert running.log.stat().st_size == 0
    assert running.log.with_suffix(".log.1").stat().st_size == 4000


def test_a_child_writes_on_into_its_log_after_a_rotation(paths, started, monkeypatch):
    monkeypatch.setattr(process, "LOG_BYTES_MAX", 10)
    listens = (
        "import os, sys, time\nprint('before the rotation', flush=True)\n"
        "open(sys.argv[1], 'w').close()\n"
        "while not os.path.exists(sys.argv[1] + '.go'): time.sleep(0.01)\n"
        "print('after', flush=True); time.sleep(600)"
    )
    running = started(child(paths, "listens", listens))
    running.rotate()

    (paths.stack / "listens.ready.go").touch()

    until(lambda: running.log.read_text() == "after\n", what="the line after the rotation")


def test_a_log_that_is_not_there_has_no_end(paths):
    assert Process(child(paths, "one"), paths).tail() == ""

"""The supervisor: order, mending, a clean end, and nothing left after its own death."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import pytest

from infrastructure.local import launcher
from infrastructure.local.process import ChildFailed, Record
from infrastructure.local.supervisor import AlreadyRunning, Supervisor, running, take_down
from tests.fixtures import supervised
from tests.fixtures.children import STUBBORN, child, home
from tests.fixtures.waiting import until


@pytest.fixture
def paths(tmp_path):
    return home(tmp_path)


def pid_of(paths, name):
    record = Record.read(paths.records / f"{name}.json")
    return record.pid if record is not None and record.alive else None


def alive(pid):
    return launcher.started_at(pid) is not None


def run(commands, paths, act=lambda _: None):
    """Run a stack in this thread while *act* works in another, then end it; give what was said.

    The children's lives hang on the thread that starts them, so it is this one that supervises.
    *act* is given the list of what is said.
    """
    said: list[str] = []
    failures: list[BaseException] = []
    supervisor = Supervisor(commands, paths=paths, say=said.append)

    def work():
        try:
            act(said)
        except BaseException as failure:  # noqa: BLE001 - it is raised again below.
            failures.append(failure)
        finally:
            supervisor.stop()

    worker = threading.Thread(target=work)
    supervisor.run(once_up=worker.start)
    worker.join()
    if failures:
        raise failures[0]
    return said


@contextmanager
def apart(folder):
    """Run a stack in a process of its own, up when the block begins."""
    stack = subprocess.Popen(
        [sys.executable, "-m", "tests.fixtures.supervised", str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with stack:
        try:
            assert stack.stdout is not None
            assert "up\n" in stack.stdout, "it ended before it was up"
            yield stack
        finally:
            stack.kill()


def test_children_start_in_order_and_end_in_reverse(paths):
    events = []
    commands = [
        child(
            paths,
            name,
            once_ready=lambda name=name: events.append(f"{name} ready"),
            before_stop=lambda name=name: events.append(f"{name} stops"),
        )
        for name in ("first", "second")
    ]

    run(commands, paths)

    assert events == ["first ready", "second ready", "second stops", "first stops"]


def test_nothing_runs_after_the_end(paths):
    seen = []

    run([child(paths, "one")], paths, act=lambda _: seen.append(pid_of(paths, "one")))

    assert seen != [None]
    assert not alive(seen[0])
    assert list(paths.records.iterdir()) == []


def test_a_crash_is_said_and_mended(paths):
    readied: list[int] = []

    def crash(_):
        first = pid_of(paths, "agent")
        os.kill(first, signal.SIGKILL)
        until(lambda: len(readied) == 2, what="the second start")
        until(lambda: pid_of(paths, "agent") not in (None, first))

    said = run([child(paths, "agent", once_ready=lambda: readied.append(1))], paths, act=crash)

    assert any(line.startswith("agent stopped unexpectedly (signal 9)") for line in said)
    assert "agent is running again" in said


def test_a_child_that_keeps_crashing_is_started_ever_later(paths):
    mark = paths.stack / "agent.ready"
    once = (
        "import os, sys, time\n"
        f"again = os.path.exists({str(mark)!r} + '.again')\n"
        f"open({str(mark)!r} + '.again', 'w').close()\n"
        "if again: sys.exit(3)\n"
        "open(sys.argv[1], 'w').close(); time.sleep(600)"
    )

    def crash(said):
        os.kill(pid_of(paths, "agent"), signal.SIGKILL)
        until(
            lambda: sum("unexpectedly" in line for line in said) >= 3,
            seconds=60,
            what="three crashes",
        )

    said = run([child(paths, "agent", once)], paths, act=crash)

    crashes = [line for line in said if "unexpectedly" in line]
    assert ["0.2 s" in crashes[0], "0.5 s" in crashes[1], "1 s" in crashes[2]] == [True] * 3
    assert "exit code 3" in crashes[1]


def test_a_first_start_that_fails_ends_what_was_started(paths):
    commands = [
        child(paths, "one"),
        child(paths, "two", "import sys; sys.exit('it broke')", ready=lambda: False),
    ]

    with pytest.raises(ChildFailed, match="it broke"):
        run(commands, paths)

    assert pid_of(paths, "one") is None
    assert list(paths.records.iterdir()) == []


def test_one_home_has_one_stack(paths):
    def second(_):
        with pytest.raises(AlreadyRunning, match=str(os.getpid())):
            Supervisor([], paths=paths, say=print).run(once_up=lambda: None)

    run([child(paths, "one")], paths, act=second)


def test_it_says_whether_it_runs(paths):
    seen = []

    run([child(paths, "one")], paths, act=lambda _: seen.append(running(paths)))

    assert seen == [os.getpid()]
    assert running(paths) is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_all_of_it_cleanly(tmp_path, number):
    paths = home(tmp_path)
    with apart(tmp_path) as stack:
        pids = [pid_of(paths, "plain"), pid_of(paths, "engine")]

        stack.send_signal(number)

        assert stack.wait(timeout=20) == 0
        assert [alive(pid) for pid in pids] == [False, False]


def test_a_second_signal_does_not_wait_for_the_stubborn(paths):
    said: list[str] = []
    supervisor = Supervisor(
        [child(paths, "stubborn", STUBBORN, grace_seconds=60.0)], paths=paths, say=said.append
    )

    def twice():
        supervisor.stop()
        until(lambda: said == ["stopping stubborn"])
        supervisor.stop()

    worker = threading.Thread(target=twice)
    began = time.monotonic()
    supervisor.run(once_up=worker.start)
    worker.join()

    assert pid_of(paths, "stubborn") is None
    assert time.monotonic() - began < 30


def test_a_killed_supervisor_leaves_the_engine_alone_and_the_next_run_adopts_it(tmp_path):
    paths = home(tmp_path)
    with apart(tmp_path) as stack:
        plain, engine = pid_of(paths, "plain"), pid_of(paths, "engine")
        stack.kill()
        stack.wait()
    until(lambda: not alive(plain), what="the end of the plain child")
    assert alive(engine)
    seen = []

    run(supervised.commands(paths), paths, act=lambda _: seen.append(pid_of(paths, "engine")))

    assert seen == [engine]
    assert not alive(engine)


def test_taking_down_ends_a_running_stack(tmp_path):
    paths = home(tmp_path)
    with apart(tmp_path) as stack:
        pids = [pid_of(paths, "plain"), pid_of(paths, "engine")]

        found = take_down(supervised.commands(paths), paths=paths, say=print)

        assert found
        assert stack.wait(timeout=20) == 0
        assert [alive(pid) for pid in pids] == [False, False]


def test_taking_down_ends_what_a_killed_stack_left(tmp_path):
    paths = home(tmp_path)
    with apart(tmp_path) as stack:
        engine = pid_of(paths, "engine")
        stack.kill()
        stack.wait()
    ended_well = []
    commands = [child(paths, "engine", outlives=True, before_stop=lambda: ended_well.append(True))]

    found = take_down(commands, paths=paths, say=print)

    assert found
    assert ended_well == [True]
    assert not alive(engine)
    assert list(paths.records.iterdir()) == []


def test_taking_down_nothing_finds_nothing(paths):
    assert not take_down([child(paths, "one")], paths=paths, say=print)


def test_an_engine_that_died_but_left_containers_is_brought_back_to_end_them(paths):
    left, events = [True], []
    command = child(
        paths,
        "engine",
        outlives=True,
        left_over=lambda: left.pop() if left else False,
        before_stop=lambda: events.append("containers stopped"),
    )
    left.append(True)

    found = take_down([command], paths=paths, say=print)

    assert found
    assert events == ["containers stopped"]
    assert pid_of(paths, "engine") is None

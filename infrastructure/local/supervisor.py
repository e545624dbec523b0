"""The one process that starts the stack's children in order, mends what crashes, and ends them all.

    supervisor = Supervisor([emulator, gateway, agent], paths=paths, say=print)
    supervisor.run(once_up=lambda: print("up"))     # Returns after Ctrl-C, TERM or `take_down`.

One stack lives in a home at a time: a lock says so. If the supervisor itself is killed, the kernel
kills its children with it (see `launcher`); what is left all the same is found by its pid file at
the next `run` or `take_down`. Only a child that `outlives` us, the engine, goes on, so that the
containers of jobs survive a crash of the stack: the next `run` adopts it, and a clean end stops it.
"""

import contextlib
import fcntl
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from infrastructure.local import launcher
from infrastructure.local.paths import Paths, made
from infrastructure.local.process import ChildFailed, Command, Process, Record, end, end_orphan

SUPERVISOR = "supervisor"
_TICK_SECONDS = 0.2
_BACK_OFF_SECONDS = (0.2, 0.5, 1.0, 2.0)
#: After so long without a crash a child is trusted again.
_HEALTHY_SECONDS = 60.0
#: How long `take_down` waits for a supervisor that ends its children one after another.
_TAKE_DOWN_SECONDS = 120.0


class AlreadyRunning(Exception):
    """A stack is up in this home."""


@dataclass(slots=True)
class _Child:
    """A child and what the supervisor remembers of it."""

    process: Process
    crashes: int = 0
    ready: bool = False
    #: When it was last started, and when a crashed one may be: both on the monotonic clock.
    started: float = field(default=0.0)
    again: float | None = None


class Supervisor:
    """Runs *commands*, given in the order in which they depend on each other."""

    def __init__(
        self, commands: Sequence[Command], *, paths: Paths, say: Callable[[str], None]
    ) -> None:
        self._paths = paths
        self._say = say
        self._children = [_Child(Process(command, paths)) for command in commands]
        self._stopping = threading.Event()
        self._hurried = False

    def run(self, *, once_up: Callable[[], None]) -> None:
        """Start all, call *once_up*, watch until told to stop, end all in reverse order.

        Call it from the main thread, for it takes the signals and its children's lives hang on it.

        Raises: AlreadyRunning; ChildFailed when a child does not come up the first time (what had
            been started is ended again).
        """
        with _alone(self._paths), self._signals():
            try:
                self._end_orphans()
                self._start_all()
                if not self._stopping.is_set():
                    once_up()
                while not self._stopping.wait(_TICK_SECONDS):
                    self._tick()
            finally:
                self._stop_all()

    def stop(self) -> None:
        """Ask `run` to end; a second time, to be quick about it."""
        self._hurried = self._stopping.is_set()
        self._stopping.set()

    def _start_all(self) -> None:
        for child in self._children:
            if self._stopping.is_set():
                return
            process = child.process
            if not (process.command.outlives and process.adopt()):
                process.start()
            child.started = time.monotonic()
            process.wait_ready(given_up=self._stopping.is_set)
            child.ready = True

    def _end_orphans(self) -> None:
        kept = {child.process.command.name for child in self._children if _outlives(child)}
        for name in _end_orphans(self._paths, except_for=kept):
            self._say(f"{name} was left over from an earlier run; ended")

    def _tick(self) -> None:
        now = time.monotonic()
        for child in self._children:
            child.process.rotate()
            if child.again is not None:
                if now >= child.again:
                    self._start_again(child)
            elif not child.process.running:
                self._crashed(child, child.process.ending)
            elif not child.ready:
                self._look(child, now)
            elif child.crashes and now - child.started > _HEALTHY_SECONDS:
                child.crashes = 0

    def _crashed(self, child: _Child, how: str) -> None:
        process = child.process
        wait_seconds = _BACK_OFF_SECONDS[min(child.crashes, len(_BACK_OFF_SECONDS) - 1)]
        child.crashes += 1
        child.ready = False
        child.again = time.monotonic() + wait_seconds
        self._say(
            f"{process.command.name} stopped unexpectedly ({how}); "
            f"starting it again in {wait_seconds:g} s (its log: {process.log})"
        )
        process.clear()

    def _start_again(self, child: _Child) -> None:
        child.again = None
        child.started = time.monotonic()
        try:
            child.process.start()
        except OSError as error:
            self._crashed(child, str(error))

    def _look(self, child: _Child, now: float) -> None:
        process = child.process
        try:
            if process.command.ready():
                process.wait_ready()  # It is; this carries out what follows.
                child.ready = True
                self._say(f"{process.command.name} is running again")
            elif now - child.started > process.command.ready_seconds:
                self._crashed(child, f"not ready within {process.command.ready_seconds:g} s")
        except ChildFailed:
            self._crashed(child, process.ending)

    def _stop_all(self) -> None:
        for child in reversed(self._children):
            process = child.process
            if process.running and not self._hurried:
                self._say(f"stopping {process.command.name}")
            process.stop(hurry=lambda: self._hurried)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        def asked(_number: int, _frame: FrameType | None) -> None:
            self.stop()

        numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        before = {number: signal.signal(number, asked) for number in numbers}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def running(paths: Paths) -> int | None:
    """Say which process supervises the stack of this home; None when it is down."""
    record = Record.read(_own_record(paths))
    return record.pid if record is not None and record.alive else None


def take_down(commands: Sequence[Command], *, paths: Paths, say: Callable[[str], None]) -> bool:
    """End the stack of this home from outside, and whatever a killed one left behind.

    *commands* tell how to end the children that outlive their supervisor; they are not started.

    Returns: whether there was anything to end.
    """
    found = False
    record = Record.read(_own_record(paths))
    if record is not None and record.alive:
        found = True
        say(f"stopping the stack (process {record.pid})")
        # If it has to be killed its children go with it; the outliving one is ended below.
        end(record, grace_seconds=_TAKE_DOWN_SECONDS)
    for command in reversed(commands):
        process = Process(command, paths)
        if command.outlives and (process.adopt() or command.left_over()):
            say(f"stopping {command.name}")
            process.stop()
            found = True
    for name in _end_orphans(paths, except_for=set()):
        say(f"{name} was left over from an earlier run; ended")
        found = True
    _own_record(paths).unlink(missing_ok=True)
    return found


@contextlib.contextmanager
def _alone(paths: Paths) -> Iterator[None]:
    """Hold the home's lock, and say in a pid file that it is us."""
    made(paths.stack)
    made(paths.records)
    with paths.lock.open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            whose = running(paths)
            raise AlreadyRunning(f"the stack is up already (process {whose})") from None
        launcher.write_record(_own_record(paths), os.getpid(), token="")
        try:
            yield
        finally:
            _own_record(paths).unlink(missing_ok=True)


def _own_record(paths: Paths) -> Path:
    return paths.records / f"{SUPERVISOR}.json"


def _end_orphans(paths: Paths, *, except_for: set[str]) -> list[str]:
    """End what earlier lives left, by their pid files; give the names of those that were alive."""
    files = sorted(paths.records.glob("[!.]*.json")) if paths.records.is_dir() else []
    spared = except_for | {SUPERVISOR}
    return [file.stem for file in files if file.stem not in spared and end_orphan(file)]


def _outlives(child: _Child) -> bool:
    return child.process.command.outlives

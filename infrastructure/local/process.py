"""A child process of the stack: its command, its log, its pid file, and how it is ended.

A child leads a session of its own, so that a Ctrl-C in the terminal reaches the supervisor alone.
It is ended by TERM to its session, a grace, and KILL; a process is signalled only after it was
recognised, through a pidfd, so a recycled pid is never hit.
"""

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from infrastructure.local import launcher
from infrastructure.local.paths import Paths, made

LOG_BYTES_MAX = 10_000_000
_POLL_SECONDS = 0.05
_REAP_SECONDS = 5.0
_UNSETTLED_SECONDS = 2.0
_TAIL_LINES = 15


class ChildFailed(Exception):
    """A child ended, or was not ready in time; the end of its log is in the message."""


def _nothing() -> None:
    """Do nothing: most children need no step of their own."""


def _never() -> bool:
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Command:
    """What to run as a child, and how to know that it works."""

    name: str
    argv: tuple[str, ...]
    #: The whole environment: nothing is inherited. See `environment`.
    env: Mapping[str, str]
    #: Asked again and again, so it answers within a second and never raises.
    ready: Callable[[], bool]
    cwd: Path | None = None
    ready_seconds: float = 30.0
    grace_seconds: float = 10.0
    #: Carried out before every start, after every readiness, and before a wanted stop.
    before_start: Callable[[], None] = field(default=_nothing)
    once_ready: Callable[[], None] = field(default=_nothing)
    before_stop: Callable[[], None] = field(default=_nothing)
    #: True for the one child that outlives a crash of the stack and is found again: the engine.
    outlives: bool = False
    #: Whether something of it runs on after its death, so that it must come back to end that.
    left_over: Callable[[], bool] = field(default=_never)


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """Who a child is, as its pid file says."""

    pid: int
    started: int
    boot: str
    token: str

    @classmethod
    def read(cls, file: Path) -> "Record | None":
        """Read a pid file; None when it is absent or says nothing."""
        try:
            return cls(**json.loads(file.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @property
    def alive(self) -> bool:
        """Whether the very process that wrote the record is still running."""
        return self.boot == launcher.boot_id() and launcher.started_at(self.pid) == self.started

    def family(self) -> list[int]:
        """List the living processes of its session, though the child itself may be gone.

        A session number is not proof, for it is reused as pids are: each must also carry the
        token that the child was born with.
        """
        if self.boot != launcher.boot_id():
            return []
        return [pid for pid in _processes() if self._holds(pid)]

    def _holds(self, pid: int) -> bool:
        if pid == self.pid:
            return self.alive
        mark = f"{launcher.TOKEN_VARIABLE}={self.token}".encode()
        try:
            return os.getsid(pid) == self.pid and mark in _environ(pid)
        except (ProcessLookupError, FileNotFoundError, PermissionError):
            return False

    def send(self, number: signal.Signals) -> bool:
        """Signal the family; False when nobody of it is left."""
        found = False
        for pid in self.family():
            with contextlib.suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                try:
                    # Only now is the pid pinned, so only now does recognising it mean anything.
                    if self._holds(pid):
                        signal.pidfd_send_signal(descriptor, number)
                        found = True
                finally:
                    os.close(descriptor)
        return found


class Process:
    """One child, from its start to the end of its last descendant."""

    def __init__(self, command: Command, paths: Paths) -> None:
        self.command = command
        self.log = paths.logs / f"{command.name}.log"
        self._file = paths.records / f"{command.name}.json"
        self._child: subprocess.Popen[bytes] | None = None
        self._record: Record | None = None

    @property
    def pid(self) -> int | None:
        return self._record.pid if self._record and self.running else None

    @property
    def running(self) -> bool:
        if self._child is not None:
            return self._child.poll() is None
        return self._record is not None and self._record.alive

    @property
    def ending(self) -> str:
        """How it ended, in words; of an adopted child nothing is known."""
        code = self._child.poll() if self._child is not None else None
        if code is None:
            return "no exit code"
        return f"signal {-code}" if code < 0 else f"exit code {code}"

    def start(self) -> None:
        """Start the child; call it from a thread that lives as long as the child is to live.

        The kernel ties the child's life to the thread that started it, not to the process.
        """
        assert not self.running, f"{self.command.name} runs already"
        made(self.log.parent)
        made(self._file.parent)
        self.command.before_start()
        self._file.unlink(missing_ok=True)
        token = secrets.token_hex(16)
        parent = 0 if self.command.outlives else os.getpid()
        born = [sys.executable, "-I", "-S", launcher.__file__, str(self._file), str(parent)]
        with self.log.open("ab") as log:
            self._child = subprocess.Popen(
                [*born, *self.command.argv],
                env={**self.command.env, launcher.TOKEN_VARIABLE: token},
                cwd=self.command.cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        started = launcher.started_at(self._child.pid)
        self._record = Record(
            pid=self._child.pid, started=started or 0, boot=launcher.boot_id(), token=token
        )

    def adopt(self) -> bool:
        """Take over the child of an earlier life; False when none is running."""
        record = Record.read(self._file)
        if record is None or not record.alive:
            return False
        self._child, self._record = None, record
        return True

    def wait_ready(self, *, given_up: Callable[[], bool] = _never) -> None:
        """Wait until the probe agrees, then carry out what follows readiness; or return, given up.

        Raises: ChildFailed.
        """
        deadline = time.monotonic() + self.command.ready_seconds
        while not self.command.ready():
            if given_up():
                return
            if not self.running:
                raise ChildFailed(f"{self.command.name} ended ({self.ending})\n{self.tail()}")
            if time.monotonic() > deadline:
                self._end(self.command.grace_seconds)
                waited = f"within {self.command.ready_seconds:g} s"
                raise ChildFailed(f"{self.command.name} was not ready {waited}\n{self.tail()}")
            time.sleep(_POLL_SECONDS)
        # Somebody else may answer on our port while our own child has failed to bind it.
        if not self.running:
            raise ChildFailed(f"{self.command.name} ended ({self.ending})\n{self.tail()}")
        self.command.once_ready()

    def stop(
        self, *, grace_seconds: float | None = None, hurry: Callable[[], bool] = _never
    ) -> None:
        """End the child and its session: TERM, a grace unless in a *hurry*, KILL.

        Nothing happens when it is gone.
        """
        if not self.running and self.command.left_over():
            self.start()
            self.wait_ready()
        if self.running:
            self.command.before_stop()
        grace = self.command.grace_seconds if grace_seconds is None else grace_seconds
        self._end(grace, hurry=hurry)

    def clear(self) -> None:
        """Kill what a dead child left in its session: it would hold the port or the files."""
        self._end(0)

    def rotate(self) -> None:
        """Keep the log within two files of `LOG_BYTES_MAX`. The child appends, so it can be cut."""
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size > LOG_BYTES_MAX:
                shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
                os.truncate(self.log, 0)

    def tail(self) -> str:
        """Read the last lines of the log."""
        try:
            with self.log.open("rb") as log:
                log.seek(max(0, self.log.stat().st_size - 8192))
                lines = log.read().decode(errors="replace").splitlines()
        except FileNotFoundError:
            return ""
        return "\n".join(lines[-_TAIL_LINES:])

    def _end(self, grace_seconds: float, *, hurry: Callable[[], bool] = _never) -> None:
        record = self._record or Record.read(self._file)
        if record is not None:
            end(record, grace_seconds=grace_seconds, hurry=hurry, reap=self._reap)
        # A killed program of many threads is a zombie before the last of them has gone.
        self._reap(_REAP_SECONDS)
        self._file.unlink(missing_ok=True)

    def _reap(self, wait_seconds: float = 0) -> None:
        if self._child is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout=wait_seconds)


def end(
    record: Record,
    *,
    grace_seconds: float,
    hurry: Callable[[], bool] = _never,
    reap: Callable[[], None] = _nothing,
) -> None:
    """End a family: TERM to all, KILL to whoever is left after *grace_seconds* or in a *hurry*."""
    record.send(signal.SIGTERM)
    deadline = time.monotonic() + grace_seconds
    while record.family() and time.monotonic() < deadline and not hurry():
        reap()
        time.sleep(_POLL_SECONDS)
    while record.send(signal.SIGKILL):
        reap()
        time.sleep(_POLL_SECONDS)


def end_orphan(file: Path, *, grace_seconds: float = 10.0) -> bool:
    """End the child that a pid file of an earlier life names; False when there was none."""
    record = Record.read(file)
    found = record is not None and bool(record.family())
    if record is not None:
        end(record, grace_seconds=grace_seconds)
    file.unlink(missing_ok=True)
    return found


def environment(**more: str) -> dict[str, str]:
    """Make a child's environment: what any program needs of ours, and *more*.

    Credentials, proxies and settings of the surrounding shell stay outside.
    """
    plain = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "USER", "XDG_RUNTIME_DIR")
    return {name: os.environ[name] for name in plain if name in os.environ} | more


def _environ(pid: int) -> list[bytes]:
    """Read the environment *pid* was born with; at its birth and its death it has none at all."""
    deadline = time.monotonic() + _UNSETTLED_SECONDS
    content = b""
    while not content and launcher.started_at(pid) is not None and time.monotonic() < deadline:
        content = Path(f"/proc/{pid}/environ").read_bytes()
        time.sleep(0 if content else _POLL_SECONDS / 10)
    return content.split(b"\0")


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]

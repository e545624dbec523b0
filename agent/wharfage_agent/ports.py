"""What the agent's core needs from outside, as protocols: the simulation gives it other ones."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from wharfage.domain.attempt import StopReason
from wharfage.domain.image import Reference
from wharfage.messages import (
    AssignmentsReply,
    AssignmentsRequest,
    ClaimsReply,
    ClaimsRequest,
    CredentialsReply,
    Doorbell,
    EnrolReply,
    EnrolRequest,
    HeartbeatReply,
    HeartbeatRequest,
    LogsReply,
    LogsRequest,
    OutputsReply,
    OutputsRequest,
    Report,
    ReportsReply,
    ReportsRequest,
)
from wharfage_agent.attempts import Container, Image, Key, Work


class Clock(Protocol):
    """The time. It cannot sleep."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""

    def now(self) -> datetime:
        """Return the time of day, aware, UTC."""


class Chance(Protocol):
    """Random numbers, for jitter."""

    def uniform(self) -> float:
        """Return a number from 0 to 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """The engine's host, as far as the agent has to know it."""

    version: str
    architecture: str
    cpu_count: int
    memory_mb: int
    disk_mb: int
    init: bool  #: The engine has an init to run as process 1.
    paths_shared: bool  #: The engine sees the files that the agent sees.
    files_max: int  #: The hard limit of open files.


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to one of this host's containers."""

    container: str
    action: str


class LogSource(Protocol):
    """An open stream of a container's output, framed as the engine frames it."""

    def fileno(self) -> int:
        """Return what a selector waits on."""

    def read(self, size: int) -> bytes | None:
        """Return what is there; None when nothing is yet, empty at the end."""

    def close(self) -> None:
        """Let go of it. The container is not held up any more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OpenFile:
    """A file that is being read: its size, and its bytes, once."""

    size_bytes: int
    parts: Iterator[bytes]


class Transfers(Protocol):
    """Brings files by links. Raises: FilesAway, FilesRefused."""

    def fetch(self, url: str) -> AbstractContextManager[Iterator[bytes]]:
        """Read what a link gives."""

    def send(self, url: str, headers: Mapping[str, str], parts: Iterable[bytes]) -> None:
        """Send bytes by a link, with its headers as they are."""


class Engine(Protocol):
    """A Docker Engine. Every call raises EngineAway when it was not answered."""

    def machine(self) -> Machine:
        """Look at the engine and its host."""

    def disk_free_mb(self) -> int:
        """Return the free space where the engine keeps its containers."""

    def image(self, reference: str) -> Image | None:
        """Return an image that is here, by any of its names; None if it is not."""

    def digest_of(self, reference: Reference) -> str:
        """Ask the registry which digest a tag stands for. Raises: EngineRefused."""

    def pull(self, reference: Reference) -> None:
        """Fetch an image. Raises: EngineRefused."""

    def create(self, name: str, config: dict[str, Any]) -> Container:
        """Create a container. Raises: NameTaken, NotThere, EngineRefused."""

    def put_files(self, container: str, size_bytes: int, parts: Iterable[bytes]) -> None:
        """Unpack a tar stream of *size_bytes* in a container's volume. Raises: EngineRefused."""

    def open_file(self, container: str, path: str) -> AbstractContextManager[OpenFile]:
        """Read a plain file of a container that has ended. Raises: NotThere, NotAFile."""

    def start(self, container: str) -> None:
        """Start a container. One that has exited would run again. Raises: EngineRefused."""

    def signal(self, container: str, name: str) -> None:
        """Send a signal. Raises: NotRunning, NotThere."""

    def remove(self, container: str, *, force: bool) -> None:
        """Remove a container and its volume; *force* kills it first. Raises: NotRunning."""

    def inspect(self, container: str) -> Container | None:
        """Look at a container, by id or name."""

    def remembers(self, container: str) -> bool:
        """Tell whether the engine has not been away since it started a container.

        False also when that was too long ago for it to remember.
        """

    def containers(self) -> list[Container]:
        """List this host's own containers, whatever their state."""

    def attach(self, container: str) -> LogSource:
        """Listen from now on. A listener that does not read holds the container up."""

    def follow(self, container: str) -> LogSource:
        """Read from the first byte on, to the container's end. It never holds it up."""

    def events(self, *, connected: Callable[[], None]) -> Iterator[Event]:
        """Wait for ends of this host's containers; call *connected* once nothing is missed."""


class Cloud(Protocol):
    """The control plane's eight calls. Raises: CloudAway, CloudRefused, Fenced, Revoked."""

    def enrol(self, request: EnrolRequest) -> EnrolReply: ...
    def credentials(self) -> CredentialsReply: ...
    def heartbeat(self, request: HeartbeatRequest) -> HeartbeatReply: ...
    def assignments(self, request: AssignmentsRequest) -> AssignmentsReply: ...
    def claims(self, request: ClaimsRequest) -> ClaimsReply: ...
    def reports(self, request: ReportsRequest) -> ReportsReply: ...
    def logs(self, request: LogsRequest) -> LogsReply: ...
    def outputs(self, request: OutputsRequest) -> OutputsReply: ...


@dataclass(frozen=True, slots=True)
class Bell:
    """A doorbell as it was received; *receipt* deletes it. *doorbell* is None if unreadable."""

    doorbell: Doorbell | None
    receipt: str


class Inbox(Protocol):
    """The host's two queues. Raises: InboxAway, and what Cloud raises."""

    def receive(self, *, at_most: int, wait_seconds: int) -> list[Bell]:
        """Wait for doorbells of the pool."""

    def delete(self, bells: Sequence[Bell]) -> None:
        """Delete doorbells, ten at a time."""

    def nudged(self, *, wait_seconds: int) -> bool:
        """Wait for a nudge in the mailbox; take it out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Remembered:
    """What the journal says of one attempt of an earlier life."""

    work: Work
    seq: int
    stop: StopReason | None = None
    report: Report | None = None  #: The terminal report, as it was (or was about to be) sent.


class Journal(Protocol):
    """What must survive a kill -9, on this host's disk."""

    def recall(self) -> list[Remembered]:
        """Return what earlier lives held and did not forget."""

    def hold(self, works: Sequence[tuple[Work, int]]) -> None:
        """Keep attempts and the number their reports begin with, before anything is done."""

    def stop(self, key: Key, reason: StopReason) -> None:
        """Keep why TERM is about to be sent."""

    def end(self, report: Report) -> None:
        """Keep a terminal report before it is sent."""

    def forget(self, key: Key) -> None:
        """Let go of an attempt of which nothing is left."""

    def close(self) -> None:
        """Flush; nothing is written after it."""


class Logs(Protocol):
    """Ships what containers write. None of these waits for the control plane."""

    def attach(self, work: Work, container: str) -> None:
        """Listen to a container that has not started. Raises: EngineAway, EngineRefused."""

    def resume(self, work: Work, container: str) -> None:
        """Read a container's output again from the first byte that may not have arrived."""

    def finish(self, work: Work, *, started: bool) -> None:
        """Ship the rest and then the end; without a source of what has *started*, with a gap."""

    def drop(self, key: Key) -> None:
        """Let go of what has not been shipped."""


class Tasks(Protocol):
    """Somebody to carry: it runs what it is given, soon, on a lane of its own."""

    def spawn(self, lane: str, work: Callable[[], None]) -> None:
        """Run *work* on one of the lanes `start`, `finish`, `pull`, `carry`."""

    def wake_clock(self) -> None:
        """Have the clock ask again when it is next due."""

    def wake_reporter(self) -> None:
        """Say that there is something to report."""

    def wake_receiver(self) -> None:
        """Say that a slot has become free."""


class Signal(Protocol):
    """News to wait for. Once set it stays set until it is cleared."""

    def set(self) -> None: ...
    def clear(self) -> None: ...
    def is_set(self) -> bool: ...
    def wait(self, timeout: float | None = None) -> bool: ...


class Carrier(Protocol):
    """What carries the agent's loops, and lets them wait: threads, or greenlets in a simulation."""

    def carry(self, name: str, loop: Callable[[], None]) -> None:
        """Run *loop* beside the others, until it returns or the process ends."""

    def signal(self) -> Signal:
        """Make a signal."""

    def lock(self) -> AbstractContextManager[object]:
        """Make a lock that may be held while waiting."""


class Selector(Protocol):
    """Waits for output on many sources at once; `selectors` has them."""

    def register(self, fileobj: int, events: int, data: Any = None) -> object: ...
    def unregister(self, fileobj: int) -> object: ...
    def select(self, timeout: float | None = None) -> Sequence[tuple[Any, int]]: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerPorts:
    """What the worker needs from outside."""

    engine: Engine
    cloud: Cloud
    transfers: Transfers
    journal: Journal
    logs: Logs
    clock: Clock
    chance: Chance
    tasks: Tasks

"""Small simulators of what is outside the agent: a clock, an engine, tasks, logs."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.fixtures.objects import unpacked
from wharfage.domain.attempt import ReasonCode
from wharfage.domain.image import Reference
from wharfage.domain.spec import JobSpec
from wharfage.messages import Grant
from wharfage_agent.attempts import Container, Image, Key, Work
from wharfage_agent.errors import (
    EngineAway,
    FilesRefused,
    NameTaken,
    NotAFile,
    NotRunning,
    NotThere,
)
from wharfage_agent.ports import Event, LogSource, Machine, OpenFile

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
MACHINE = Machine(
    version="20.10.24",
    architecture="amd64",
    cpu_count=2,
    memory_mb=8192,
    disk_mb=100_000,
    init=True,
    paths_shared=False,
    files_max=20_000,
)


class FakeClock:
    """Stands still until it is told to go on."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def monotonic(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return EPOCH + timedelta(seconds=self.seconds)


class FakeChance:
    def uniform(self) -> float:
        return 0.5


class FakeTasks:
    """Keeps what is to be carried until it is told to run it."""

    def __init__(self) -> None:
        self.line: deque[Callable[[], None]] = deque()

    def spawn(self, lane: str, work: Callable[[], None]) -> None:
        self.line.append(work)

    def wake_clock(self) -> None: ...

    def wake_reporter(self) -> None: ...

    def wake_receiver(self) -> None: ...

    def run(self, *, at_most: int = 10_000) -> None:
        for _ in range(at_most):
            if not self.line:
                return
            self.line.popleft()()
        raise AssertionError("the core never comes to rest")


class FakeLogs:
    """Ships everything at once: an attempt's logs have ended when its container has."""

    def __init__(self, ended: Callable[[Key], None]) -> None:
        self._ended = ended
        self.attached: list[str] = []
        self.resumed: list[str] = []

    def attach(self, work: Work, container: str) -> None:
        self.attached.append(container)

    def resume(self, work: Work, container: str) -> None:
        self.resumed.append(container)

    def finish(self, work: Work, *, started: bool) -> None:
        self._ended(work.key)

    def drop(self, key: Key) -> None: ...


class FakeTransfers:
    """What is behind links, by their addresses."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        #: Called with `fetch` or `send` and the address, before it is done: a place to fail.
        self.fault: Callable[[str, str], None] = lambda call, url: None

    @contextmanager
    def fetch(self, url: str) -> Iterator[Iterator[bytes]]:
        self.fault("fetch", url)
        if url not in self.kept:
            raise FilesRefused("the answer is 404")
        yield iter([self.kept[url][:3], self.kept[url][3:]])

    def send(self, url: str, headers: Mapping[str, str], parts: Iterable[bytes]) -> None:
        self.fault("send", url)
        data = b"".join(parts)
        assert headers == {"content-length": str(len(data))}
        self.kept[url] = data


@dataclass(kw_only=True, slots=True)
class Program:
    """What a container's process does."""

    leaves: Mapping[str, bytes | None] = field(default_factory=dict)  #: None: not a plain file.

    seconds: float = 1.0
    exit_code: int = 0
    oom: bool = False
    heeds_term: bool = True


@dataclass(kw_only=True, slots=True)
class _Box:
    view: Container
    program: Program
    starts: int = 0
    files: dict[str, bytes | None] = field(default_factory=dict)
    ends_at: float | None = None


class FakeEngine:
    """An engine that obeys the same rules: names are unique, an exited container starts again."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self._ids = itertools.count(1)
        self.boxes: dict[str, _Box] = {}
        self.program: Callable[[str], Program] = lambda name: Program()
        self.starts: dict[str, int] = {}
        self.exists: dict[str, float] = {}
        self.happened: list[tuple[str, str]] = []
        self.away = False
        self.remembered = True
        self.late_starts: list[str] = []
        #: Called with the name of each call, before and after it is done: a place to fail.
        self.fault: Callable[[str, bool], None] = lambda call, done: None
        self.images: dict[str, Image] = {}
        self.pulls: list[str] = []
        self.disk_free = 50_000

    def machine(self) -> Machine:
        return MACHINE

    def disk_free_mb(self) -> int:
        return self.disk_free

    def image(self, reference: str) -> Image | None:
        self._before("image")
        return self.images.get(reference)

    def digest_of(self, reference: Reference) -> str:
        self._before("digest_of")
        return DIGEST

    def pull(self, reference: Reference) -> None:
        self._before("pull")
        self.pulls.append(str(reference))
        self.images[str(reference)] = Image(reference=str(reference), digest=DIGEST, user="")

    def create(self, name: str, config: dict[str, Any]) -> Container:
        self._before("create")
        if any(box.view.name == name for box in self.boxes.values()):
            raise NameTaken(ReasonCode.ENGINE_ERROR, "is already in use")
        view = Container(
            id=f"c{next(self._ids)}", name=name, status="created", labels=config["Labels"]
        )
        self.boxes[view.id] = _Box(view=view, program=self.program(name))
        self._after("create")
        return view

    def put_files(self, container: str, size_bytes: int, parts: Iterable[bytes]) -> None:
        self._before("put_files")
        whole = b"".join(parts)
        assert len(whole) == size_bytes
        self._box(container).files |= unpacked([whole])
        self._after("put_files")

    @contextmanager
    def open_file(self, container: str, path: str) -> Iterator[OpenFile]:
        self._before("open_file")
        files = self._box(container).files
        if path not in files:
            raise NotThere(ReasonCode.ENGINE_ERROR, "no such file")
        data = files[path]
        if data is None:
            raise NotAFile(ReasonCode.ENGINE_ERROR, "a link")
        yield OpenFile(size_bytes=len(data), parts=iter([data]))

    def start(self, container: str) -> None:
        self._before("start")
        box = self._box(container)
        if not box.view.alive:
            box.starts += 1
            self.starts[box.view.name] = self.starts.get(box.view.name, 0) + 1
            box.ends_at = self._clock.seconds + box.program.seconds
            box.view = replace(
                box.view, status="running", started_at=self._clock.now(), finished_at=None
            )
        self._after("start")

    def signal(self, container: str, name: str) -> None:
        self._before("signal")
        box = self._box(container)
        if not box.view.alive:
            raise NotRunning(ReasonCode.ENGINE_ERROR, "is not running")
        if name == "SIGKILL" or box.program.heeds_term:
            self._exit(box, 137 if name == "SIGKILL" else 143)
        self._after("signal")

    def remove(self, container: str, *, force: bool) -> None:
        self._before("remove")
        box = self._box(container)
        if box.view.alive and not force:
            raise NotRunning(ReasonCode.ENGINE_ERROR, "stop the container first")
        del self.boxes[box.view.id]
        self._after("remove")

    def inspect(self, container: str) -> Container | None:
        self._before("inspect")
        for box in self.boxes.values():
            if container in (box.view.id, box.view.name):
                return box.view
        return None

    def remembers(self, container: str) -> bool:
        return self.remembered

    def containers(self) -> list[Container]:
        self._before("containers")
        return [box.view for box in self.boxes.values()]

    def attach(self, container: str) -> LogSource:
        raise NotImplementedError

    def follow(self, container: str) -> LogSource:
        raise NotImplementedError

    def events(self, *, connected: Callable[[], None]) -> Iterator[Event]:
        raise NotImplementedError

    def pass_time(self) -> None:
        """End what has run for long enough."""
        for box in self.boxes.values():
            if box.view.alive and box.ends_at is not None and box.ends_at <= self._clock.seconds:
                self._exit(box, box.program.exit_code, oom=box.program.oom)

    def _exit(self, box: _Box, code: int, *, oom: bool = False) -> None:
        box.files |= box.program.leaves
        box.view = replace(
            box.view, status="exited", exit_code=code, oom=oom, finished_at=self._clock.now()
        )
        self.happened.append((box.view.id, "die"))

    def _box(self, container: str) -> _Box:
        if container not in self.boxes:
            raise NotThere(ReasonCode.ENGINE_ERROR, "no such container")
        return self.boxes[container]

    def _before(self, call: str) -> None:
        if self.away:
            raise EngineAway("the engine is away")
        self.fault(call, False)

    def _after(self, call: str) -> None:
        self.fault(call, True)


def grant(number: int = 1, *, attempt: int = 1, **changes: Any) -> Grant:
    """A claim that was granted."""
    spec = changes.pop("spec", None) or JobSpec(image="local/demo:1", command=("true",))
    given: dict[str, Any] = {
        "account": "acc_0001",
        "job": f"job_{number:04d}",
        "attempt": attempt,
        "claim_id": f"clm_{number:04d}",
        "lease_seconds": 60,
        "spec": spec,
        "max_run_s": spec.max_run_s,
        "image_digest": None,
        "log_cap_bytes": 1024 * 1024,
        "preparing_seconds": 900,
        "starting_seconds": 120,
    }
    return Grant(**{**given, **changes})

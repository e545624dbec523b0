"""The simulated Docker Engine: it outlives agents, and obeys what was measured of the real one."""

import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from random import Random
from typing import Any, Protocol

from tests.fixtures.objects import unpacked
from tests.simulation.schedule import Scheduler, SimSignal
from wharfage.domain.attempt import ReasonCode
from wharfage.domain.image import Reference
from wharfage_agent.attempts import Container, Image
from wharfage_agent.errors import EngineRefused, NameTaken, NotAFile, NotRunning, NotThere
from wharfage_agent.ports import Event, OpenFile

DIGEST = "sha256:" + "a" * 64
LOCAL_IMAGE = "local/demo:1"
EVENT_SECONDS = 0.05  #: How long after an end its event comes.
TERM_SECONDS = 0.5  #: How long a program takes that heeds TERM.
STREAMS = {"stdout": 1, "stderr": 2}
KILLED, TERMINATED = 137, 143
UNKNOWN = 255  #: What an engine says of a container that ended while it was away itself.


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """What a container does: it writes, and ends."""

    seconds: float = 1.0
    exit_code: int = 0
    oom: bool = False
    heeds_term: bool = True
    disk_mb: int = 0
    starts: bool = True  #: False: the engine finds no such program.
    leaves: tuple[tuple[str, bytes], ...] = ()  #: Files, once it has ended by itself.
    output: tuple[tuple[float, str, bytes], ...] = ()  #: After so many seconds, to which stream.


@dataclass(kw_only=True, slots=True)
class Box:
    """A container and all that is true of it."""

    view: Container
    program: Program
    life: int = 0  #: How often it was started.
    written: list[tuple[str, bytes]] = field(default_factory=list)
    unread: list[tuple[str, bytes]] = field(default_factory=list)  #: While the engine is away.
    remembered: bool = False  #: The engine has not been away since its start.
    files: dict[str, bytes] = field(default_factory=dict)  #: What is in its volume.


class Watcher(Protocol):
    """Sees what really happens to containers."""

    def started(self, engine: "SimEngine", box: Box) -> None: ...
    def ended(self, engine: "SimEngine", box: Box) -> None: ...


class Source:
    """A stream of a container's output, as an agent reads it."""

    def __init__(self, engine: "SimEngine", box: Box, begins: int, *, ends: bool) -> None:
        self._engine = engine
        self._box = box
        self._number = engine.next_number()
        self._next = begins
        self._ends = ends  #: There is nothing to wait for behind what is written already.
        self.broken = False
        engine.sources[self._number] = self

    def fileno(self) -> int:
        return self._number

    @property
    def readable(self) -> bool:
        return self.broken or self._next < len(self._box.written) or self._ended

    @property
    def _ended(self) -> bool:
        view = self._box.view
        return self._ends or (view.started_at is not None and not view.alive)

    def read(self, size: int) -> bytes | None:
        if self.broken:
            return b""
        runs = self._box.written[self._next :]
        self._next = len(self._box.written)
        if runs:
            return b"".join(
                bytes([STREAMS[stream], 0, 0, 0]) + len(run).to_bytes(4, "big") + run
                for stream, run in runs
            )
        return b"" if self._ended else None

    def close(self) -> None:
        self._engine.sources.pop(self._number, None)


class EventStream:
    """One listener for ends of containers."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.line: list[Event] = []
        self.broken = False
        self.news = SimSignal(scheduler)


class SimEngine:
    """One engine. Its calls are instants; whoever calls it over a socket waits and fails there."""

    def __init__(
        self,
        scheduler: Scheduler,
        chance: Random,
        *,
        now: Callable[[], datetime],
        program: Callable[[dict[str, Any]], Program],
        watcher: Watcher,
        event_missed: float = 0.0,
    ) -> None:
        self.scheduler = scheduler
        self._chance = chance
        self._now = now
        self._program = program
        self._watcher = watcher
        self.event_missed = event_missed
        self.name = ""
        self.down = False
        self.disk_free = 50_000
        self.boxes: dict[str, Box] = {}
        self.images: dict[str, Image] = {
            LOCAL_IMAGE: Image(reference=LOCAL_IMAGE, digest=DIGEST, user="")
        }
        self.sources: dict[int, Source] = {}
        self.streams: list[EventStream] = []
        self.output = SimSignal(scheduler)  #: Some source may have something to read.
        self._numbers = itertools.count(1)

    # Images.

    def image(self, reference: str) -> Image | None:
        return self.images.get(reference)

    def pull(self, reference: Reference) -> None:
        name = str(reference)
        self.images[name] = Image(reference=name, digest=DIGEST, user="")

    # Containers.

    def create(self, name: str, config: dict[str, Any]) -> Container:
        if any(box.view.name == name for box in self.boxes.values()):
            raise NameTaken(ReasonCode.ENGINE_ERROR, f"{name} is already in use")
        container = f"{self.name}c{next(self._numbers)}"
        view = Container(
            id=container, name=name, status="created", labels=config["Labels"], volume=container
        )
        self.boxes[container] = Box(view=view, program=self._program(config))
        return view

    def put_files(self, container: str, size_bytes: int, parts: Iterable[bytes]) -> None:
        self._box(container).files |= unpacked(parts)

    @contextmanager
    def open_file(self, container: str, path: str) -> Iterator[OpenFile]:
        files = self._box(container).files
        if path in files:
            yield OpenFile(size_bytes=len(files[path]), parts=iter([files[path]]))
            return
        if any(name.startswith(f"{path}/") for name in files):
            raise NotAFile(ReasonCode.ENGINE_ERROR, f"{path} is not a plain file")
        raise NotThere(ReasonCode.ENGINE_ERROR, f"no such file: {path}")

    def start(self, container: str) -> None:
        box = self._box(container)
        if box.view.alive:
            return
        if not box.program.starts:
            raise EngineRefused(ReasonCode.COMMAND_NOT_FOUND, 'exec: "nothing": not found')
        box.life += 1
        box.view = replace(
            box.view, status="running", started_at=self._now(), finished_at=None, exit_code=None
        )
        box.remembered = True
        self._watcher.started(self, box)
        for seconds, stream, run in box.program.output:
            if seconds <= box.program.seconds:
                self._later(seconds, self._write, box, box.life, stream, run)
        program = box.program
        code = KILLED if program.oom else program.exit_code
        self._later(program.seconds, self._exit, box, box.life, code, program.oom)

    def signal(self, container: str, name: str) -> None:
        box = self._box(container)
        if not box.view.alive:
            raise NotRunning(ReasonCode.ENGINE_ERROR, f"{container} is not running")
        if name == "SIGKILL":
            self._later(0.01, self._exit, box, box.life, KILLED, False)
        elif box.program.heeds_term:
            self._later(
                TERM_SECONDS * self._chance.random(), self._exit, box, box.life, TERMINATED, False
            )

    def remove(self, container: str, *, force: bool) -> None:
        box = self._box(container)
        if box.view.alive:
            if not force:
                raise NotRunning(ReasonCode.ENGINE_ERROR, "stop the container first")
            self._exit(box, box.life, KILLED, False)
        del self.boxes[box.view.id]
        self.output.set()

    def inspect(self, container: str) -> Container | None:
        box = self._find(container)
        return box.view if box else None

    def remembers(self, container: str) -> bool:
        return self._box(container).remembered

    def containers(self) -> list[Container]:
        return [
            Container(id=v.id, name=v.name, status=v.status, labels=v.labels)
            for v in (box.view for box in self.boxes.values())
        ]

    def used_mb(self, volume: str) -> int | None:
        """Return how much of the disk a container's volume takes."""
        box = self.boxes.get(volume)
        return box.program.disk_mb if box is not None and box.view.alive else None

    # Streams.

    def attach(self, container: str) -> Source:
        box = self._box(container)
        return Source(self, box, len(box.written), ends=False)

    def follow(self, container: str) -> Source:
        box = self._box(container)
        return Source(self, box, 0, ends=not box.view.alive)

    def listen(self) -> EventStream:
        stream = EventStream(self.scheduler)
        self.streams.append(stream)
        return stream

    # What happens to an engine.

    def stop(self, *, live_restore: bool) -> None:
        """Go away: who listens hears no more; without live-restore everything that runs ends."""
        self.down = True
        for stream in self.streams:
            stream.broken = True
            stream.news.set()
        self.streams.clear()
        for source in list(self.sources.values()):
            source.broken = True
        if not live_restore:
            for box in self.boxes.values():
                if box.view.alive:
                    code = self._chance.choice((KILLED, TERMINATED, UNKNOWN))
                    self._exit(box, box.life, code, False)
        for box in self.boxes.values():
            box.remembered = False
        self.output.set()

    def go_on(self) -> None:
        """Be there again. What happened meanwhile is not told, and what ended took its last words.

        What still runs is listened to again: its pipes kept what it wrote.
        """
        self.down = False
        for box in self.boxes.values():
            if box.view.alive:
                box.written += box.unread
                box.unread = []
        self.output.set()

    def _write(self, box: Box, life: int, stream: str, run: bytes) -> None:
        if box.view.alive and box.life == life:
            (box.unread if self.down else box.written).append((stream, run))
            self.output.set()

    def _exit(self, box: Box, life: int, code: int, oom: bool) -> None:
        if not box.view.alive or box.life != life:
            return
        box.view = replace(
            box.view, status="exited", exit_code=code, oom=oom, finished_at=self._now()
        )
        box.files |= dict(box.program.leaves)
        self._watcher.ended(self, box)
        self.output.set()
        if self._chance.random() >= self.event_missed:
            self._later(EVENT_SECONDS, self._tell, Event(container=box.view.id, action="die"))

    def _tell(self, event: Event) -> None:
        for stream in self.streams:
            stream.line.append(event)
            stream.news.set()

    def _later(self, seconds: float, work: Callable[..., None], *arguments: Any) -> None:
        self.scheduler.at(self.scheduler.now + seconds, work, *arguments)

    def next_number(self) -> int:
        return next(self._numbers)

    def _find(self, container: str) -> Box | None:
        found = self.boxes.get(container)
        if found is None:
            found = next((b for b in self.boxes.values() if b.view.name == container), None)
        return found

    def _box(self, container: str) -> Box:
        box = self._find(container)
        if box is None:
            raise NotThere(ReasonCode.ENGINE_ERROR, f"no such container: {container}")
        return box

"""What carries one life of an agent in simulated time: its loops, lanes, clock, selector, disk."""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from greenlet import GreenletExit

from tests.simulation.engine import SimEngine
from tests.simulation.schedule import Process, Scheduler, SimLock, SimSignal
from wharfage.domain.attempt import StopReason
from wharfage.messages import Report
from wharfage_agent.attempts import Key, Work
from wharfage_agent.errors import DiskFull
from wharfage_agent.ports import Remembered

EPOCH = datetime(2026, 3, 1, 4, 0, 0, tzinfo=UTC)
FLUSH_SECONDS = 0.01
#: How long the selector may overlook what is not readable: a reader that is slow, not wrong.
LAZY_IDLE, LAZY_QUIET = 10.0, 4.0


class ControlClock:
    """The control plane's time, in whole milliseconds."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler

    def now(self) -> datetime:
        return EPOCH + timedelta(milliseconds=int(self._scheduler.now * 1000))


class HostClock:
    """A machine's two clocks: one began with the machine, one is off."""

    def __init__(self, scheduler: Scheduler, *, offset: float, skew: float) -> None:
        self._scheduler = scheduler
        self._offset = offset
        self._skew = timedelta(seconds=skew)

    def monotonic(self) -> float:
        return self._scheduler.now + self._offset

    def now(self) -> datetime:
        return EPOCH + timedelta(microseconds=int(self._scheduler.now * 1e6)) + self._skew


class SimChance:
    """A machine's random numbers."""

    def __init__(self, chance: Random) -> None:
        self.uniform = chance.random


class SimCarrier:
    """Carries an agent's loops in its process."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def carry(self, name: str, loop: Callable[[], None]) -> None:
        self._process.spawn(loop)

    def signal(self) -> SimSignal:
        return SimSignal(self._process.scheduler)

    def lock(self) -> SimLock:
        return SimLock(self._process.scheduler)


class SimLanes:
    """Runs what it is given on a few greenlets a lane, in the order of its line."""

    def __init__(self, process: Process, widths: Mapping[str, int]) -> None:
        self._process = process
        self._idle = dict(widths)
        self._lines: dict[str, deque[Callable[[], None]]] = {lane: deque() for lane in widths}
        self.clock = SimSignal(process.scheduler)
        self.reporter = SimSignal(process.scheduler)
        self.receiver = SimSignal(process.scheduler)

    def spawn(self, lane: str, work: Callable[[], None]) -> None:
        if self._process.dead:
            return
        self._lines[lane].append(work)
        if self._idle[lane]:
            self._idle[lane] -= 1
            self._process.spawn(lambda: self._work_off(lane))

    def wake_clock(self) -> None:
        self.clock.set()

    def wake_reporter(self) -> None:
        self.reporter.set()

    def wake_receiver(self) -> None:
        self.receiver.set()

    def _work_off(self, lane: str) -> None:
        line = self._lines[lane]
        while line:
            line.popleft()()
        self._idle[lane] += 1


class _Registered(NamedTuple):
    fd: int
    data: Any


class SimSelector:
    """Waits for output of an engine's containers."""

    def __init__(self, engine: SimEngine) -> None:
        self._engine = engine
        self._registered: dict[int, _Registered] = {}

    def register(self, fileobj: int, events: int, data: Any = None) -> object:
        self._registered[fileobj] = _Registered(fileobj, data)
        self._engine.output.set()
        return None

    def unregister(self, fileobj: int) -> object:
        return self._registered.pop(fileobj)

    def select(self, timeout: float | None = None) -> Sequence[tuple[_Registered, int]]:
        found = self._readable()
        if not found:
            # Others that wait for the same engine are a twin's at most: a needless look is no harm.
            self._engine.output.clear()
            self._engine.output.wait(LAZY_QUIET if self._registered else LAZY_IDLE)
            found = self._readable()
        self._engine.scheduler.sleep(0.001)
        return [each for each in found if each[0].fd in self._registered]

    def _readable(self) -> list[tuple[_Registered, int]]:
        sources = self._engine.sources
        return [
            (each, 1)
            for fd, each in self._registered.items()
            if fd in sources and sources[fd].readable
        ]


@dataclass(kw_only=True, slots=True)
class Disk:
    """What of a machine outlives its agent: the journal, and the number of its last life."""

    held: dict[Key, Remembered] = field(default_factory=dict)
    forgotten: dict[Key, None] = field(default_factory=dict)  #: Written, and not flushed.
    last_boot: int = 0
    full: bool = False

    def copied(self) -> "Disk":
        """Return what somebody has who copied this disk."""
        return Disk(held=dict(self.held), last_boot=self.last_boot)

    def lose_power(self, chance: Random) -> None:
        """Lose what was not flushed, or some of it."""
        for key in self.forgotten:
            if chance.random() < 0.5:
                self.held.pop(key, None)
        self.forgotten.clear()

    def next_boot(self, now: datetime, chance: Random) -> str:
        """Name a life of the agent, as `identity.State.next_boot` does."""
        self.last_boot = max(int(now.timestamp() * 1000), self.last_boot + 1)
        return f"bot_{self.last_boot:014d}{chance.getrandbits(48):012x}"


class SimJournal:
    """The journal of one life, on its machine's disk; what is written is flushed, or refused."""

    def __init__(self, disk: Disk, scheduler: Scheduler, chance: Random) -> None:
        self._disk = disk
        self._scheduler = scheduler
        self._chance = chance

    def recall(self) -> list[Remembered]:
        return [each for key, each in self._disk.held.items() if key not in self._disk.forgotten]

    def hold(self, works: Sequence[tuple[Work, int]]) -> None:
        self._write()
        for work, seq in works:
            self._disk.held[work.key] = Remembered(work=work, seq=seq)
            self._disk.forgotten.pop(work.key, None)

    def stop(self, key: Key, reason: StopReason) -> None:
        self._write()
        self._change(key, stop=reason)

    def end(self, report: Report) -> None:
        self._write()
        self._change(Key(report.job, report.attempt), report=report, seq=report.seq)

    def forget(self, key: Key) -> None:
        self._write(flush=False)
        if key in self._disk.held:
            self._disk.forgotten[key] = None

    def close(self) -> None:
        self._flush()

    def _change(self, key: Key, **changes: Any) -> None:
        if key in self._disk.held and key not in self._disk.forgotten:
            self._disk.held[key] = replace(self._disk.held[key], **changes)

    def _write(self, *, flush: bool = True) -> None:
        task = self._scheduler.current
        if task is None or task.process.dead:
            raise GreenletExit
        if self._disk.full:
            raise DiskFull("no space left on device")
        if flush:
            self._scheduler.sleep(FLUSH_SECONDS * self._chance.random())
            self._flush()

    def _flush(self) -> None:
        for key in self._disk.forgotten:
            self._disk.held.pop(key, None)
        self._disk.forgotten.clear()

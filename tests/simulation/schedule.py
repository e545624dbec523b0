"""Simulated time: a heap of events, greenlets that wait in it, and nothing that runs by itself."""

import heapq
from collections.abc import Callable
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

EVENTS_MAX = 4_000_000  #: More in one world means that something runs in a circle.


class Livelock(BaseException):
    """Something runs in a circle without letting time pass."""


class Task:
    """One line of work: it waits in the heap, or it is the one that runs."""

    __slots__ = ("calls_left", "generation", "greenlet", "process", "request")

    def __init__(self, process: "Process", work: Callable[[], object]) -> None:
        self.process = process
        self.generation = 0
        self.request: Any = None  #: What it serves, for the checkers.
        self.calls_left: int | None = None  #: It dies at this call of the store, if at all.
        self.greenlet = greenlet(work, process.scheduler.hub)

    def resume(self, generation: int, value: object) -> None:
        """Go on, if it still waits for this very thing; once its process is not frozen."""
        process = self.process
        if generation != self.generation or process.dead:
            return
        scheduler = process.scheduler
        if process.frozen_until > scheduler.now:
            scheduler.at(process.frozen_until, self.resume, generation, value)
            return
        self.generation += 1
        scheduler.current = self
        if self.greenlet:
            self.greenlet.switch(value)
        else:
            self.greenlet.switch()  # It begins.
        scheduler.current = None
        if self.greenlet.dead:
            process.tasks.pop(self, None)


class Process:
    """What lives and dies together: it can be frozen, and killed between any two waits."""

    def __init__(self, scheduler: "Scheduler", name: str) -> None:
        self.scheduler = scheduler
        self.name = name
        self.dead = False
        self.frozen_until = 0.0
        self.tasks: dict[Task, None] = {}
        scheduler.processes.append(self)

    def spawn(self, work: Callable[[], object]) -> Task:
        """Begin *work* at this instant, after what is due already."""
        task = Task(self, work)
        self.tasks[task] = None
        self.scheduler.at(self.scheduler.now, task.resume, 0, None)
        return task

    def kill(self) -> None:
        """End at once. Nothing of it reaches the world any more."""
        if not self.dead:
            self.dead = True
            self.scheduler.at(self.scheduler.now, self.reap)

    def reap(self) -> None:
        """End every task where it waits."""
        for task in list(self.tasks):
            task.generation += 1
            if task.greenlet:
                self.scheduler.current = task
                task.greenlet.throw()
                self.scheduler.current = None
        self.tasks.clear()


class Scheduler:
    """The heap and the time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.hub = getcurrent()
        self.current: Task | None = None
        self.events = 0
        self.processes: list[Process] = []
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._number = 0
        self._until = 0.0

    def at(self, moment: float, work: Callable[..., object], *arguments: Any) -> None:
        """Have the hub call *work* at *moment*; it must not wait."""
        self._number += 1
        heapq.heappush(self._heap, (moment, self._number, work, arguments))

    def run(self, until: float, *, done: Callable[[], bool] | None = None) -> None:
        """Let time pass until then, or until *done* holds after an event."""
        heap = self._heap
        self._until = until
        while heap and heap[0][0] <= until:
            moment, _, work, arguments = heapq.heappop(heap)
            self.now = moment
            self._count()
            work(*arguments)
            if done is not None and done():
                return
        self.now = max(self.now, until)

    def _count(self) -> None:
        self.events += 1
        if self.events > EVENTS_MAX:
            raise Livelock(f"{EVENTS_MAX} events")

    def end(self) -> None:
        """End whatever still waits: a waiting greenlet keeps all of its world in memory."""
        for process in self.processes:
            process.dead = True
            process.reap()
        self._heap.clear()

    # For tasks.

    def sleep(self, seconds: float) -> None:
        """Let others go on for so long."""
        task = self.current
        assert task is not None, "only a task can wait"
        if task.process.dead:
            raise GreenletExit
        moment = self.now + seconds
        heap = self._heap
        if moment <= self._until and (not heap or heap[0][0] > moment):
            self.now = moment  # Nobody else has anything to do meanwhile.
            self._count()
            return
        self.at(moment, task.resume, task.generation, None)
        self.hub.switch()

    def pause(self, timeout: float | None) -> Any:
        """Wait to be resumed; None after *timeout* seconds."""
        task = self.current
        assert task is not None, "only a task can wait"
        if task.process.dead:
            raise GreenletExit
        if timeout is not None:
            self.at(self.now + timeout, task.resume, task.generation, None)
        return self.hub.switch()


class SimSignal:
    """News to wait for: `threading.Event`, in simulated time."""

    __slots__ = ("_flag", "_scheduler", "_waiting")

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._flag = False
        self._waiting: list[tuple[Task, int]] = []

    def set(self) -> None:
        self._flag = True
        waiting, self._waiting = self._waiting, []
        for task, generation in waiting:
            self._scheduler.at(self._scheduler.now, task.resume, generation, True)

    def clear(self) -> None:
        self._flag = False

    def is_set(self) -> bool:
        return self._flag

    def wait(self, timeout: float | None = None) -> bool:
        if self._flag:
            return True
        task = self._scheduler.current
        assert task is not None, "only a task can wait"
        mine = (task, task.generation)
        self._waiting.append(mine)
        self._scheduler.pause(timeout)
        if mine in self._waiting:
            self._waiting.remove(mine)
        return self._flag


class SimLock:
    """A lock that may be held while waiting."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._free = SimSignal(scheduler)
        self._free.set()

    def __enter__(self) -> None:
        while not self._free.is_set():
            self._free.wait()
        self._free.clear()

    def __exit__(self, *_: object) -> None:
        self._free.set()

"""Threads that carry: a few lanes, each with its own line of work."""

import logging
import queue
import threading
from collections.abc import Callable, Mapping

log = logging.getLogger(__name__)


class Lanes:
    """Runs what it is given on daemon threads: none of them keeps the process from ending."""

    def __init__(self, widths: Mapping[str, int]) -> None:
        self._lines: dict[str, queue.SimpleQueue[Callable[[], None]]] = {}
        self.clock = threading.Event()
        self.reporter = threading.Event()
        self.receiver = threading.Event()
        for lane, width in widths.items():
            line = self._lines[lane] = queue.SimpleQueue()
            for number in range(width):
                threading.Thread(
                    target=_carry, args=(line,), name=f"{lane}-{number}", daemon=True
                ).start()

    def spawn(self, lane: str, work: Callable[[], None]) -> None:
        """Run *work* on a lane, after what is in its line already."""
        self._lines[lane].put(work)

    def wake_clock(self) -> None:
        """Have the clock ask again when it is next due."""
        self.clock.set()

    def wake_reporter(self) -> None:
        """Say that there is something to report."""
        self.reporter.set()

    def wake_receiver(self) -> None:
        """Say that a slot has become free."""
        self.receiver.set()


def _carry(line: "queue.SimpleQueue[Callable[[], None]]") -> None:
    while True:
        work = line.get()
        try:
            work()
        except Exception:  # The edge of the process: the sweep steps that attempt again.
            log.exception("A step failed")

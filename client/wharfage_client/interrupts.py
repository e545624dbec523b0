"""Ctrl-C while a job runs: the first asks to cancel it, the second leaves."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Counts interruptions; the first one raises only where the caller is idle.

    Whoever is in the middle of writing out bytes is not disturbed, or some would come twice.
    """

    def __init__(self) -> None:
        self.count = 0
        self._taken = 0
        self._idle = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        for each in _SIGNALS:
            self._before[each] = signal.signal(each, self._interrupt)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for each, handler in self._before.items():
            signal.signal(each, handler)

    def take(self) -> int:
        """Take notice of what has come so far; give how many."""
        self._taken = self.count
        return self._taken

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Let an interruption end what is done in here. Raises: KeyboardInterrupt."""
        self._idle = True
        try:
            if self.count > self._taken:
                raise KeyboardInterrupt  # It came just before.
            yield
        finally:
            self._idle = False

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.count += 1
        if self._idle or self.count > 1:
            raise KeyboardInterrupt

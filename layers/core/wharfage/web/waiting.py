"""Waiting for a change inside one request, without letting those who wait crowd out the rest."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")

WAITERS_MAX = 32  #: Requests that may wait at one time in one process.
_PAUSE_FIRST_SECONDS = 0.05
_PAUSE_MAX_SECONDS = 0.5
_PAUSE_FACTOR = 1.5


@dataclass(frozen=True, slots=True)
class Waited:
    """How a wait went: *refused* when too many were waiting already."""

    refused: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class WaitingRoom:
    """A room with so many seats; who finds none is answered at once."""

    pause: Callable[[float], None]
    seats: threading.Semaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(WAITERS_MAX)
    )

    def wait_for(
        self, read: Callable[[], T], changed: Callable[[T], bool], seconds: float
    ) -> tuple[T, Waited]:
        """Read until *changed* says so or *seconds* have passed; the value read last."""
        value = read()
        if seconds <= 0 or changed(value):
            return value, Waited(refused=False)
        if not self.seats.acquire(blocking=False):
            return value, Waited(refused=True)
        try:
            pause = _PAUSE_FIRST_SECONDS
            while seconds > 0 and not changed(value):
                step = min(pause, seconds)
                self.pause(step)
                # What the reads take comes on top; the gateway's own limit leaves room for it.
                seconds -= step
                pause = min(pause * _PAUSE_FACTOR, _PAUSE_MAX_SECONDS)
                value = read()
            return value, Waited(refused=False)
        finally:
            self.seats.release()

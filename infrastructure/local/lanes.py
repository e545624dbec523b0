"""Lanes: how many requests of a kind may be under way at once, so that none crowds out another.

What money and hosts depend on (notifies, the agents' calls, sign-in) has no lane and finds a free
thread, for all lanes together leave some. Submits have the narrowest one: under overload they are
refused first, and at once. On AWS the same is done by concurrency that
is kept for functions, and by a rate of the submit's route.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from wharfage.domain.errors import Unavailable

log = logging.getLogger(__name__)

RETRY_SECONDS = 2  #: When to come back, for who finds a lane full.
#: Functions that keep their times: the same for which template.yaml keeps concurrency.
KEPT = frozenset(
    {"AlipayFunction", "WechatFunction", "StripeFunction", "AgentsFunction", "AuthFunction"}
)
SUBMITS = frozenset({"POST /v1/jobs"})


class Lane:
    """So many requests at work, so many more that wait for a short time; the next is refused."""

    def __init__(self, name: str, *, at_work: int, waiting: int, wait_seconds: float) -> None:
        self.name = name
        self.places = at_work + waiting  #: Threads that it can take.
        self._wait_seconds = wait_seconds
        self._at_work = threading.BoundedSemaphore(at_work)
        self._places = threading.BoundedSemaphore(self.places)
        self._full = False

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Go through the lane. Raises: Unavailable, when it is full."""
        if not self._places.acquire(blocking=False):
            raise self._refusal()
        try:
            if not self._at_work.acquire(timeout=self._wait_seconds):
                raise self._refusal()
            try:
                self._full = False
                yield
            finally:
                self._at_work.release()
        finally:
            self._places.release()

    def _refusal(self) -> Unavailable:
        if not self._full:  # One line for each time that it fills up, not for each refusal.
            self._full = True
            log.warning("lane full", extra={"action": "lane", "lane": self.name})
        return Unavailable(retry_after_seconds=RETRY_SECONDS)


class Lanes:
    """The lanes of one gateway."""

    def __init__(self) -> None:
        self.submits = Lane("submits", at_work=4, waiting=12, wait_seconds=2.0)
        #: Wide enough for all who wait for a change (`web.waiting`), and as many more.
        self.others = Lane("others", at_work=64, waiting=16, wait_seconds=5.0)

    @property
    def threads(self) -> int:
        """Say how many threads a server needs so that what has no lane finds one."""
        return self.submits.places + self.others.places + 32

    @contextmanager
    def taken(self, function: str, route: str) -> Iterator[None]:
        """Go through the lane of a route, if it has one. Raises: Unavailable."""
        if function in KEPT:
            yield
            return
        with (self.submits if route in SUBMITS else self.others).taken():
            yield

"""Signs of life: what the host has room for, and until when it may go on without an answer."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from wharfage.domain.host import Room
from wharfage.messages import HeartbeatReply, HeartbeatRequest, Held
from wharfage_agent import VERSION
from wharfage_agent.ports import Clock, Cloud

log = logging.getLogger(__name__)

#: The agent stops a job by itself this long before its lease ends: a request's time-out, a
#: loop's period and twice the clocks' error fit in.
LEASE_MARGIN_SECONDS = 10
#: After a restart the lease is unknown; it is confirmed within this time, or work is stopped.
CONFIRM_SECONDS = 6


class Lease:
    """Until when this host may hold its work, by its own clock. Counted from the condition."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until = clock.monotonic() + CONFIRM_SECONDS
        self._lock = threading.Lock()

    @property
    def until(self) -> float:
        """Return the time at which work has to be stopped, already less the margin."""
        return self._until

    @property
    def left(self) -> float:
        """Return the seconds that are left; negative when it is over."""
        return self._until - self._clock.monotonic()

    def renew(self, *, sent_at: float, seconds: int) -> None:
        """Extend it. A late answer to an early request takes nothing away."""
        with self._lock:
            self._until = max(self._until, sent_at + seconds - LEASE_MARGIN_SECONDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Condition:
    """How the host is doing, as a heartbeat says it."""

    capacity: Room
    free: Room
    busy: bool
    problem: str | None


class Heartbeat:
    """Says what this host has, and hears what is wanted of it."""

    def __init__(
        self,
        cloud: Cloud,
        clock: Clock,
        lease: Lease,
        *,
        boot: str,
        engine_version: str,
    ) -> None:
        self._cloud = cloud
        self._clock = clock
        self._lease = lease
        self._boot = boot
        self._engine_version = engine_version
        self._introduced = False
        self.reply: HeartbeatReply | None = None

    def beat(self, condition: Condition, *, held: Callable[[], tuple[Held, ...]]) -> HeartbeatReply:
        """Send one. The first of a boot lists everything held. Raises: what Cloud raises."""
        sent_at = self._clock.monotonic()
        listed = None if self._introduced else held()
        reply = self._cloud.heartbeat(
            HeartbeatRequest(
                boot=self._boot,
                agent_version=VERSION,
                capacity=condition.capacity,
                free=condition.free,
                engine_version=self._engine_version,
                busy=condition.busy,
                problem=condition.problem,
                held=listed,
            )
        )
        self._introduced = True
        self._lease.renew(sent_at=sent_at, seconds=reply.lease_seconds)
        if reply.notice and (self.reply is None or self.reply.notice != reply.notice):
            log.warning("The control plane says: %s", reply.notice)
        self.reply = reply
        return reply

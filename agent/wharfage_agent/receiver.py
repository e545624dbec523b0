"""Takes work: hears doorbells, claims, journals, and only then deletes the message."""

import logging
import threading
from collections.abc import Sequence

from wharfage.domain.limits import CLAIMS_MAX
from wharfage.messages import Candidate, ClaimsReply, ClaimsRequest
from wharfage_agent.errors import CloudAway, DiskFull
from wharfage_agent.heartbeat import Heartbeat
from wharfage_agent.ports import Bell, Clock, Cloud, Inbox
from wharfage_agent.worker import Worker

log = logging.getLogger(__name__)

IDLE_WAIT_SECONDS = 20
BUSY_WAIT_SECONDS = 1
PAUSE_SECONDS = 1.0  #: Before looking again whether there is room.
FRUITLESS_SECONDS = 2.0  #: Work is waiting, and none of it fits here.
LOOK_SECONDS = 60.0  #: The queue only hints: without a bell for so long, ask all the same.


class Receiver:
    """One caller at a time: it alone takes slots, so what it counted as free stays free."""

    def __init__(
        self,
        inbox: Inbox,
        cloud: Cloud,
        clock: Clock,
        worker: Worker,
        heartbeat: Heartbeat,
        *,
        boot: str,
    ) -> None:
        self._inbox = inbox
        self._cloud = cloud
        self._clock = clock
        self._worker = worker
        self._heartbeat = heartbeat
        self._boot = boot
        self._lock = threading.Lock()
        self._missing: dict[tuple[str, int], Candidate] = {}
        self._more = False
        self._asked_at = clock.monotonic()

    @property
    def open(self) -> bool:
        """Tell whether this host takes work at all."""
        reply = self._heartbeat.reply
        return (
            reply is not None
            and reply.accepts_claims
            and not reply.draining
            and not self._worker.draining
            and self._worker.engine_present
        )

    def ask_for(self, candidates: Sequence[Candidate]) -> None:
        """Claim these with the next call: they may be ours already, by a lost answer."""
        with self._lock:
            self._missing.update({(c.job, c.attempt): c for c in candidates})

    def once(self) -> float:
        """Take what there is room for; return the seconds to wait before the next time.

        Raises: InboxAway, EngineAway, and what Cloud raises; nothing is lost by it.
        """
        if not self.open:
            return PAUSE_SECONDS
        condition = self._worker.condition()
        if condition.problem is not None or condition.free.slots == 0:
            return PAUSE_SECONDS
        overdue = self._clock.monotonic() - self._asked_at >= LOOK_SECONDS
        bells = [] if overdue else self._bells(condition.free.slots)
        if not (bells or overdue or self._asks_at_once):
            return 0.0
        reply = self._claim(bells)
        # Whatever the answer was: the table decides, and the message has done its work.
        self._inbox.delete(bells)
        self._more = reply.more
        return FRUITLESS_SECONDS if reply.more and not reply.grants else 0.0

    @property
    def _asks_at_once(self) -> bool:
        return self._more or bool(self._missing)

    def _bells(self, slots: int) -> Sequence[Bell]:
        patience = BUSY_WAIT_SECONDS if self._worker.running else IDLE_WAIT_SECONDS
        return self._inbox.receive(
            at_most=min(slots, CLAIMS_MAX), wait_seconds=0 if self._asks_at_once else patience
        )

    def _claim(self, bells: Sequence[Bell]) -> ClaimsReply:
        heard = [bell.doorbell for bell in bells if bell.doorbell is not None]
        with self._lock:
            for bell in heard:
                candidate = Candidate(account=bell.account, job=bell.job, attempt=bell.attempt)
                self._missing[candidate.job, candidate.attempt] = candidate
            asked = list(self._missing.values())[:CLAIMS_MAX]
        free = self._worker.condition().free
        sent_at = self._asked_at = self._clock.monotonic()
        try:
            reply = self._cloud.claims(
                ClaimsRequest(boot=self._boot, free=free, candidates=tuple(asked))
            )
            self._worker.accept(reply.grants, sent_at=sent_at)
        except (CloudAway, DiskFull):
            # It may have been granted: what this host holds is compared, and asked for again.
            self._worker.assignments_due = True
            raise
        with self._lock:
            for candidate in asked:
                self._missing.pop((candidate.job, candidate.attempt), None)
        return reply

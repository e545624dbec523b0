"""The agent's loops: each does one round and says how long to wait; and two words for stopping."""

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from wharfage.domain.limits import HEARTBEAT_BUSY_SECONDS
from wharfage.messages import AssignmentsRequest
from wharfage_agent.backoff import Backoff
from wharfage_agent.errors import EngineAway, Fenced, Revoked, WillNotPass, WillPass
from wharfage_agent.heartbeat import Heartbeat
from wharfage_agent.logs import LogPump
from wharfage_agent.ports import (
    Carrier,
    Chance,
    Clock,
    Cloud,
    Engine,
    Event,
    Inbox,
    Journal,
    Signal,
)
from wharfage_agent.receiver import Receiver
from wharfage_agent.worker import Worker

log = logging.getLogger(__name__)

SWEEP_SECONDS = 30.0
DISK_SECONDS = 10.0
MAILBOX_SECONDS = 20
COALESCE_SECONDS = 0.5  #: How long a state on the way waits for its successor.
LEFT_SECONDS = 0.5  #: How often a draining agent looks whether anything is left.
TICK_MOST_SECONDS = 5.0
RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS = 0.5, 30.0


class Leaving(StrEnum):
    """Why the agent ends."""

    DRAINED = "drained"  #: It was asked to, and nothing was left.
    ABANDONED = "abandoned"  #: It was asked twice: what runs is left to the next life.
    HANDOVER = "handover"  #: It was asked, and told to leave what runs.
    FENCED = "fenced"  #: Another start with this host's token took over.
    REVOKED = "revoked"  #: The token is not accepted any more.


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    """What the loops wait for."""

    clock: Signal  #: Something may be due earlier than thought.
    report: Signal  #: There is something to report.
    room: Signal  #: A slot has become free.
    output: Signal  #: There is output to ship.


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The agent, put together."""

    engine: Engine
    cloud: Cloud
    inbox: Inbox
    journal: Journal
    worker: Worker
    logs: LogPump
    heartbeat: Heartbeat
    receiver: Receiver
    clock: Clock
    chance: Chance
    carrier: Carrier
    news: News
    volume_used_mb: Callable[[str], int | None]
    boot: str


class Loops:
    """One life of the agent."""

    def __init__(self, parts: Parts, *, handover: bool) -> None:
        self._parts = parts
        self._handover = handover
        self._left = parts.carrier.signal()
        self._asked = parts.carrier.signal()  #: Somebody wants the agent to leave.
        self._beat_now = parts.carrier.signal()
        self._comparing: AbstractContextManager[object] = parts.carrier.lock()
        self._leaving: Leaving | None = None
        self._revoked = False
        self._wanted: int | None = None

    def run(self) -> Leaving:
        """Live until asked to leave; return why."""
        self._recover()
        loops: dict[str, Callable[[], float]] = {
            "clock": self._tick,
            "heartbeat": self._beat,
            "events": self._listen,
            "receiver": self._receive,
            "mailbox": self._hear_nudges,
            "reporter": self._report,
            "log-reader": self._read_logs,
            "log-shipper": self._ship_logs,
            "housekeeper": self._keep_house,
        }
        for name, once in loops.items():
            self._parts.carrier.carry(name, partial(self._carry, name, once))
        while not self._left.is_set():
            self._asked.wait(timeout=LEFT_SECONDS if self._parts.worker.draining else None)
            self._asked.clear()
            if self._revoked:
                self._parts.worker.disown()  # Also what was found only now.
                if not self._parts.worker.busy:
                    self._leave(Leaving.REVOKED)
            elif self._parts.worker.draining and self._nothing_left():
                self._leave(Leaving.DRAINED)
        self._parts.journal.close()
        assert self._leaving is not None
        return self._leaving

    # Leaving.

    def ask_to_leave(self) -> None:
        """Drain; asked again, leave what runs to the next life."""
        if self._handover:
            self._leave(Leaving.HANDOVER)
        elif self._parts.worker.draining:
            self._leave(Leaving.ABANDONED)
        else:
            log.info("Draining: what runs is finished, nothing new is begun")
            self._parts.worker.draining = True
            self._beat_now.set()
            self._asked.set()

    def _leave(self, why: Leaving) -> None:
        self._leaving = self._leaving or why
        self._left.set()
        self._asked.set()

    def _nothing_left(self) -> bool:
        parts = self._parts
        return not parts.worker.busy and parts.worker.reporter.idle and not parts.logs.unshipped

    # Loops. Each does one round and returns the seconds until its next.

    def _carry(self, name: str, once: Callable[[], float]) -> None:
        backoff = Backoff(self._parts.chance, RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS)
        while not self._left.is_set():
            try:
                wait = once()
                backoff.succeeded()
            except Fenced as fenced:
                log.critical("Another agent uses this host's token; leaving (%s)", fenced)
                self._leave(Leaving.FENCED)
                return
            except Revoked as revoked:
                log.critical("This host's token is not accepted; ending its work (%s)", revoked)
                self._revoked = True
                self._parts.worker.disown()
                self._asked.set()
                return
            except (WillPass, WillNotPass) as problem:
                wait = backoff.failed()
                log.warning("%s: %s", name, problem)
            except Exception:  # The edge of the process.
                wait = backoff.failed()
                log.exception("%s failed", name)
            if wait > 0:
                self._left.wait(timeout=wait)

    def _recover(self) -> None:
        backoff = Backoff(self._parts.chance, RETRY_FIRST_SECONDS, RETRY_MOST_SECONDS)
        while not self._left.is_set():
            try:
                return self._parts.worker.recover()
            except WillPass as away:
                log.warning("Cannot take up what was left: %s", away)
                self._left.wait(timeout=backoff.failed())
        return None

    def _tick(self) -> float:
        due = self._parts.worker.tick()
        wait = TICK_MOST_SECONDS
        if due is not None:
            wait = min(wait, max(0.0, due - self._parts.clock.monotonic()))
        self._parts.news.clock.wait(timeout=wait)
        self._parts.news.clock.clear()
        return 0.0

    def _beat(self) -> float:
        parts = self._parts
        self._beat_now.clear()
        condition = parts.worker.condition()
        reply = parts.heartbeat.beat(condition, held=parts.worker.held)
        if reply.wanted != self._wanted or parts.worker.assignments_due:
            self._compare()
        pace = reply.next_seconds
        if condition.busy or parts.worker.busy:
            pace = min(pace, HEARTBEAT_BUSY_SECONDS)
        self._beat_now.wait(timeout=pace)
        return 0.0

    def _compare(self) -> None:
        """Compare what is held with what the control plane says should be."""
        parts = self._parts
        with self._comparing:
            parts.worker.assignments_due = False
            asked_at = parts.clock.monotonic()
            try:
                reply = parts.cloud.assignments(AssignmentsRequest(boot=parts.boot))
            except WillPass:
                parts.worker.assignments_due = True
                raise
            parts.receiver.ask_for(parts.worker.apply(reply, asked_at=asked_at))
            self._wanted = reply.wanted

    def _listen(self) -> float:
        parts = self._parts
        try:
            for event in parts.engine.events(connected=self._engine_is_back):
                self._happened(event)
        finally:
            # What was missed is not told again, and listeners lost what came after.
            parts.worker.engine_lost()
            parts.logs.doubt()
        raise EngineAway("the engine ended its events")

    def _engine_is_back(self) -> None:
        self._parts.worker.sweep()
        self._parts.worker.engine_present = True

    def _happened(self, event: Event) -> None:
        self._parts.worker.heard(container=event.container, died=event.action == "die")

    def _receive(self) -> float:
        parts = self._parts
        before = parts.worker.running
        wait = parts.receiver.once()
        if before == 0 and parts.worker.running:
            self._beat_now.set()  # The busy rhythm begins at once.
        if wait:
            parts.news.room.wait(timeout=wait)
            parts.news.room.clear()
        return 0.0

    def _hear_nudges(self) -> float:
        if self._parts.heartbeat.reply is None:
            return COALESCE_SECONDS  # Before the first heartbeat this boot is not known.
        if self._parts.inbox.nudged(wait_seconds=MAILBOX_SECONDS):
            self._compare()
        return 0.0

    def _report(self) -> float:
        parts = self._parts
        reporter, wake = parts.worker.reporter, parts.news.report
        if parts.heartbeat.reply is None:
            return COALESCE_SECONDS
        if reporter.idle:
            wake.wait(timeout=TICK_MOST_SECONDS)
        deadline = parts.clock.monotonic() + COALESCE_SECONDS
        while not reporter.urgent and (left := deadline - parts.clock.monotonic()) > 0:
            wake.clear()
            if not reporter.urgent:
                wake.wait(timeout=left)
        wake.clear()
        reporter.flush()
        return 0.0

    def _read_logs(self) -> float:
        self._parts.logs.read_once(timeout=COALESCE_SECONDS)
        return 0.0

    def _ship_logs(self) -> float:
        wait = self._parts.logs.ship_once()
        if wait:
            self._parts.news.output.wait(timeout=wait)
            self._parts.news.output.clear()
        return 0.0

    def _keep_house(self) -> float:
        """Measure volumes often, compare with the engine now and then."""
        parts = self._parts
        rounds = max(1, round(SWEEP_SECONDS / DISK_SECONDS))
        for _ in range(rounds):
            for key, volume in parts.worker.volumes().items():
                if (used := parts.volume_used_mb(volume)) is not None:
                    parts.worker.learn(key, disk_used_mb=used)
            if self._left.wait(timeout=DISK_SECONDS):
                return 0.0
        parts.worker.sweep()
        return 0.0

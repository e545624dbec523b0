"""The core: holds attempts, moves each on step by step, and carries its effects into the world.

It has no threads and no clock of its own. Whoever carries it (threads in `runtime`, greenlets in
a simulation) calls `step`, `tick`, `sweep` and the rest, as often and from as many sides as it
likes: one attempt is stepped by one caller at a time.
"""

import logging
import threading
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import msgspec

from wharfage.messages import AssignmentsReply, Candidate, Grant, Held, Report
from wharfage_agent import containers, room, steps
from wharfage_agent.attempts import Absent, Attempt, Container, Ending, Facts, Key, Phase, Work
from wharfage_agent.backoff import Backoff
from wharfage_agent.effects import Effects, Outside, Slot, Surroundings
from wharfage_agent.errors import WillPass
from wharfage_agent.files import Files
from wharfage_agent.heartbeat import LEASE_MARGIN_SECONDS, Condition, Lease
from wharfage_agent.images import Images
from wharfage_agent.ports import Remembered, WorkerPorts
from wharfage_agent.reporter import Reporter

log = logging.getLogger(__name__)

#: A new life numbers its reports from here on, above what the last one may have sent unjournalled.
SEQ_GAP = 1000
MILLISECONDS = 1000
ENGINE_FIRST_SECONDS, ENGINE_MOST_SECONDS = 0.2, 10.0


class Worker:
    """Everything this host holds."""

    def __init__(self, ports: WorkerPorts, around: Surroundings, *, lease: Lease) -> None:
        self._ports = ports
        self._around = around
        self._lease = lease
        self._lock = threading.RLock()
        self._slots: dict[Key, Slot] = {}
        self._gone: dict[Key, float] = {}  #: What has ended here, and when it was let go of.
        self._capacity = room.capacity(around.policy, around.machine)
        self.draining = False  #: Nothing new is started.
        self.engine_present = True
        self.assignments_due = False  #: What is held has to be compared with the control plane.
        self.reporter = Reporter(
            ports.cloud, boot=around.boot, answered=self._answered, wake=ports.tasks.wake_reporter
        )
        outside = Outside(
            engine=ports.engine,
            journal=ports.journal,
            logs=ports.logs,
            clock=ports.clock,
            images=Images(ports.engine, around.policy, ports.tasks),
            reporter=self.reporter,
            files=Files(ports, self.learn),
        )
        self._effects = Effects(around, outside, self.learn)

    # What comes in.

    def accept(self, grants: Iterable[Grant], *, sent_at: float) -> None:
        """Take what was granted: journal it, then begin. A repeat changes nothing.

        *sent_at* is when the claim was asked for: an answer that was on its way for long may
        grant again what has ended here meanwhile. Raises: DiskFull, and nothing was taken.
        """
        with self._lock:  # Claims are asked for one after another, so what is older is over.
            self._gone = {key: at for key, at in self._gone.items() if at >= sent_at}
            known = {*self._slots, *self._gone}
        new = [grant for grant in grants if Key(grant.job, grant.attempt) not in known]
        if not new:
            return
        self._ports.journal.hold([(Work.of(grant), 0) for grant in new])
        with self._lock:
            for grant in new:
                self._slots[Key(grant.job, grant.attempt)] = self._slot(
                    Attempt(
                        work=Work.of(grant),
                        phase=Phase.CLAIMED,
                        since=self._ports.clock.monotonic(),
                        preparing_seconds=grant.preparing_seconds,
                        starting_seconds=grant.starting_seconds,
                        fills=grant.spec.input is not None or bool(grant.files),
                    ),
                    vetoed=self._around.policy.vetoes(grant.spec),
                    grant=grant,
                    claimed_at=sent_at,
                    lease_until=sent_at + grant.lease_seconds - LEASE_MARGIN_SECONDS,
                )
        for grant in new:
            self.touch(Key(grant.job, grant.attempt))

    def recover(self) -> None:
        """Take up what earlier lives left: of the journal, and of the engine. Raises: EngineAway.

        Nothing of it is ever started: a start that an earlier life sent may still land.
        """
        remembered = {
            record.work.key: record
            for record in self._ports.journal.recall()
            if record.work.key not in self._slots
        }
        seen = self._found()
        held: list[tuple[Key, Remembered, Container | None]] = []
        for key, there in seen.items():
            work = containers.work_of(there.labels)
            if work is not None and key not in self._slots:
                today_ms = int(self._ports.clock.now().timestamp() * MILLISECONDS)
                unknown = Remembered(work=work, seq=today_ms)
                held.append((key, remembered.pop(key, unknown), there))
        held.extend((key, record, None) for key, record in remembered.items())
        fresh = [
            (record.work, record.seq + SEQ_GAP) for _, record, _ in held if record.report is None
        ]
        self._ports.journal.hold(fresh)
        for _, record, _ in held:
            if record.report is None and record.stop is not None:
                self._ports.journal.stop(record.work.key, record.stop)
        with self._lock:
            for key, record, container in held:
                if key not in self._slots:
                    self._slots[key] = self._adopted(record, container)
        for key, _, _ in held:
            self.touch(key)

    def heard(self, *, container: str, died: bool) -> None:
        """Take an event of the engine: look at that container; it may have ended just now."""
        with self._lock:
            for key, slot in self._slots.items():
                known = slot.facts.container
                name_known = isinstance(known, Container) and known.id == container
                if container in (slot.attempt.container, key.container) or name_known:
                    changes: dict[str, Any] = {"look_again": True}
                    if died and slot.facts.finished is None:
                        changes["finished"] = self._ports.clock.monotonic()
                    self.learn(key, **changes)
                    return

    def engine_lost(self) -> None:
        """Take it that the engine is away: what ends meanwhile is seen by nobody."""
        self.engine_present = False
        for key in list(self._slots):
            self.learn(key, unwatched=True)

    def sweep(self) -> None:
        """Compare with what the engine has; adopt what is ours and unknown. Raises: EngineAway."""
        found = self._found(inspect=False)
        with self._lock:
            for key, slot in self._slots.items():
                if slot.attempt.phase in (Phase.RUNNING, Phase.STOPPING, Phase.DISOWNED):
                    seen = found.get(key)
                    ended = seen is None or not seen.alive
                    self.learn(key, **({"look_again": True} if ended else {"unwatched": False}))
            unknown = [key for key in found if key not in self._slots]
        if unknown:
            self.recover()
        for key in list(self._slots):
            self.touch(key)

    def apply(self, reply: AssignmentsReply, *, asked_at: float) -> list[Candidate]:
        """Compare with what the control plane says this host should hold.

        What was claimed after *asked_at* is not judged. Returns what this host should hold and
        does not have: asked for again, the same claim is granted again.
        """
        wanted = {Key(a.job, a.attempt): a for a in reply.assignments}
        with self._lock:
            for key, slot in self._slots.items():
                assigned = wanted.get(key)
                mine = assigned is not None and assigned.claim_id == slot.attempt.work.claim_id
                ended = slot.attempt.ending is not None
                late = slot.claimed_at >= asked_at
                if assigned is not None and mine and assigned.stop_reason is not None:
                    self.learn(key, stop_asked=assigned.stop_reason)
                elif not mine and not ended and not late:
                    self.learn(key, disowned=True)
            return [
                Candidate(account=a.account, job=a.job, attempt=a.attempt)
                for key, a in wanted.items()
                if key not in self._slots and a.stop_reason is None
            ]

    def disown(self) -> None:
        """Give everything up: it is stopped, removed and not reported; nothing new is begun."""
        self.draining = True
        with self._lock:
            keys = [key for key, slot in self._slots.items() if not slot.facts.disowned]
        for key in keys:
            self.learn(key, disowned=True)

    def learn(self, key: Key, **changes: Any) -> None:
        """Add to what is known of an attempt, and have it stepped."""
        with self._lock:
            slot = self._slots.get(key)
            if slot is None:
                return
            slot.facts = replace(slot.facts, **changes)
        self.touch(key)

    def _answered(self, report: Report, outcome: str) -> None:
        key = Key(report.job, report.attempt)
        if outcome == "stale_claim":
            self.reporter.drop(key)
            self.learn(key, disowned=True)
        elif report.state.terminal:
            self.learn(key, report_accepted=True)

    # What moves on.

    def touch(self, key: Key) -> None:
        """Have an attempt stepped soon, on the lane that fits it."""
        with self._lock:
            slot = self._slots.get(key)
            if slot is None:
                return
            if slot.busy:
                slot.again = True
                return
            slot.busy = True
            lane = _lane(slot.attempt.phase)
        self._ports.tasks.spawn(lane, lambda: self._step(key, lane))

    def tick(self) -> float | None:
        """Have every attempt stepped that is due; return when the next one is, None if none is."""
        now = self._ports.clock.monotonic()
        following: list[float] = []
        due: list[Key] = []
        with self._lock:
            for key, slot in self._slots.items():
                times = [at for at in (slot.attempt.wake_at, slot.retry_at) if at is not None]
                if any(at <= now for at in times):
                    slot.attempt = replace(slot.attempt, wake_at=None)
                    slot.retry_at = None
                    due.append(key)
                following.extend(at for at in times if at > now)
        for key in due:
            self.touch(key)
        return min(following, default=None)

    def _step(self, key: Key, lane: str) -> None:
        """Step one attempt until it has to wait or another lane fits it better."""
        slot = self._slots[key]
        try:
            while _lane(slot.attempt.phase) == lane and self._step_once(slot):
                pass
        except WillPass as problem:
            wait = slot.backoff.failed()
            log.warning("A step will be repeated", extra={"job_id": key.job, "why": str(problem)})
            with self._lock:
                slot.retry_at = self._ports.clock.monotonic() + wait
        finally:
            with self._lock:
                slot.busy = False
                other_lane = _lane(slot.attempt.phase) != lane
                again = (slot.again and slot.retry_at is None) or other_lane
                if slot.attempt.phase is Phase.GONE:
                    self._slots.pop(key, None)
                    self._gone[key] = self._ports.clock.monotonic()
                    self.reporter.drop(key)
            if again:
                self.touch(key)
            self._ports.tasks.wake_clock()

    def _step_once(self, slot: Slot) -> bool:
        """Decide, do, and only then keep the decision: what failed half-way is done again."""
        with self._lock:
            slot.again = False  # What was learned until now is taken into account.
            slot.facts = replace(
                slot.facts,
                now=self._ports.clock.monotonic(),
                today=self._ports.clock.now(),
                lease_until=max(self._lease.until, slot.lease_until),
                starts_allowed=not self.draining,
            )
            attempt, effects = steps.advance(
                slot.attempt, slot.facts, settle_seconds=self._around.policy.settle_seconds
            )
        for effect in effects:
            self._effects.perform(slot, attempt, effect)
        with self._lock:
            freed = slot.attempt.phase.occupies and not attempt.phase.occupies
            slot.attempt = attempt
        if freed:
            self._ports.tasks.wake_receiver()
        if effects:
            slot.backoff.succeeded()
        return bool(effects)

    # What is held.

    @property
    def busy(self) -> bool:
        """Tell whether anything is held."""
        return bool(self._slots)

    @property
    def running(self) -> int:
        """Return how many attempts take a slot."""
        with self._lock:
            return sum(slot.attempt.phase.occupies for slot in self._slots.values())

    def held(self) -> tuple[Held, ...]:
        """List everything held, for the first heartbeat of a boot."""
        with self._lock:
            return tuple(slot.attempt.work.held for slot in self._slots.values())

    def volumes(self) -> dict[Key, str]:
        """Return where the volumes of running attempts are, as the engine sees them."""
        with self._lock:
            return {
                key: slot.facts.container.volume
                for key, slot in self._slots.items()
                if slot.attempt.phase is Phase.RUNNING
                and isinstance(slot.facts.container, Container)
                and slot.facts.container.volume is not None
            }

    def condition(self) -> Condition:
        """Say how this host is doing. Raises: EngineAway."""
        disk_left_mb = self._ports.engine.disk_free_mb() - self._around.policy.disk_reserve_mb
        with self._lock:
            held = [slot.attempt for slot in self._slots.values()]
        free = room.left(self._capacity, held, disk_left_mb=disk_left_mb)
        return Condition(
            capacity=self._capacity,
            free=msgspec.structs.replace(free, slots=0) if self.draining else free,
            busy=bool(held),
            problem=self._problem(disk_left_mb),
        )

    def _problem(self, disk_left_mb: int) -> str | None:
        if not self.engine_present:
            return "engine_down"
        return "disk_low" if disk_left_mb <= 0 else None

    # Helpers.

    def _found(self, *, inspect: bool = True) -> dict[Key, Container]:
        """Return this host's containers by attempt, looked at closely or only listed."""
        found: dict[Key, Container] = {}
        for listed in self._ports.engine.containers():
            work = containers.work_of(listed.labels)
            if work is None or listed.name != work.key.container:
                continue
            seen = self._ports.engine.inspect(listed.id) if inspect else listed
            if seen is not None:
                found[work.key] = seen
        return found

    def _adopted(self, record: Remembered, container: Container | None) -> Slot:
        attempt = Attempt(
            work=record.work,
            phase=Phase.UNSETTLED if record.report is None else Phase.RETOLD,
            since=self._ports.clock.monotonic(),
            container=container.id if container else None,
            stop=record.stop,
            ending=_ending(record.report) if record.report else None,
            inherited=True,
        )
        slot = self._slot(attempt, seq=record.seq + SEQ_GAP, report=record.report)
        slot.facts = replace(slot.facts, container=container or Absent())
        return slot

    def _slot(self, attempt: Attempt, *, vetoed: bool = False, seq: int = 0, **rest: Any) -> Slot:
        clock = self._ports.clock
        return Slot(
            attempt=attempt,
            facts=Facts(now=clock.monotonic(), today=clock.now(), vetoed=vetoed),
            backoff=Backoff(self._ports.chance, ENGINE_FIRST_SECONDS, ENGINE_MOST_SECONDS),
            seq=seq,
            **rest,
        )


def _lane(phase: Phase) -> str:
    return "start" if phase.begins else "finish"


def _ending(report: Report) -> Ending:
    return Ending(
        state=report.state,
        reason=report.reason_code,
        stop=report.stop_reason,
        exit_code=report.exit_code,
        signal=report.signal,
        oom=report.oom,
        started=report.started,
        run_ms=report.run_ms,
    )

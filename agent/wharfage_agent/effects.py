"""What a step asks for, done in the world; what was seen on the way comes back as facts."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wharfage.domain.attempt import AttemptState, ReasonCode
from wharfage.messages import Grant, Report
from wharfage_agent import containers
from wharfage_agent.attempts import Absent, Attempt, Container, Ending, Facts, Key
from wharfage_agent.backoff import Backoff
from wharfage_agent.errors import (
    EngineAway,
    EngineRefused,
    NameTaken,
    NotRunning,
    NotThere,
    WillPass,
)
from wharfage_agent.files import Files
from wharfage_agent.images import Images
from wharfage_agent.policy import Policy
from wharfage_agent.ports import Clock, Engine, Journal, Logs, Machine
from wharfage_agent.reporter import Reporter
from wharfage_agent.steps import Act, Effect, NoteStop, Tell, TellEnd

log = logging.getLogger(__name__)

Learn = Callable[..., None]


@dataclass(kw_only=True, slots=True)
class Slot:
    """An attempt's place in the worker. *grant* is None for what an earlier life claimed."""

    attempt: Attempt
    facts: Facts
    backoff: Backoff
    seq: int  #: The number of its next report.
    grant: Grant | None = None
    claimed_at: float = float("-inf")  #: When its claim was asked for, if this life asked.
    lease_until: float = float("-inf")  #: What the grant alone allows.
    report: Report | None = None  #: Its terminal report.
    retry_at: float | None = None
    busy: bool = False
    again: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What effects need of this host."""

    host: str
    boot: str
    machine: Machine
    policy: Policy
    hosts_file: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outside:
    """The ports effects go through."""

    engine: Engine
    journal: Journal
    logs: Logs
    clock: Clock
    images: Images
    reporter: Reporter
    files: Files


class Effects:
    """Carries effects out. *learn* takes a key and the facts that changed."""

    def __init__(self, around: Surroundings, outside: Outside, learn: Learn) -> None:
        self._around = around
        self._out = outside
        self._learn = learn
        self._acts: dict[Act, Callable[[Slot, Attempt], None]] = {
            Act.PREPARE: self._prepare,
            Act.CREATE: self._create,
            Act.FILL: self._fill,
            Act.ATTACH: self._attach,
            Act.BRING: lambda _, attempt: self._out.files.bring(attempt),
            Act.START: self._start,
            Act.LOOK: self._look,
            Act.TERM: self._term,
            Act.KILL: self._kill,
            Act.REMOVE: self._remove,
            Act.REMOVE_RUNNING: self._remove_running,
            Act.FINISH_LOGS: self._finish_logs,
            Act.RESUME_LOGS: self._resume_logs,
            Act.DROP_LOGS: lambda _, attempt: self._out.logs.drop(attempt.key),
            Act.FORGET: lambda _, attempt: self._out.journal.forget(attempt.key),
        }

    def perform(self, slot: Slot, attempt: Attempt, effect: Effect) -> None:
        """Do it. *attempt* is what it will be once all its effects are done.

        Raises: WillPass, when the whole step has to be repeated.
        """
        if isinstance(effect, Act):
            self._acts[effect](slot, attempt)
        elif isinstance(effect, NoteStop):
            self._out.journal.stop(attempt.key, effect.stop)
        elif isinstance(effect, Tell):
            self._tell(slot, attempt, effect.state)
        elif isinstance(effect, TellEnd):
            self._tell_end(slot, attempt, effect.ending)

    def _prepare(self, slot: Slot, attempt: Attempt) -> None:
        assert slot.grant is not None
        key = attempt.key
        self._out.images.prepare(
            slot.grant.spec.image,
            slot.grant.image_digest,
            lambda outcome: self._learn(key, image=outcome),
        )

    def _create(self, slot: Slot, attempt: Attempt) -> None:
        assert slot.grant is not None
        image = slot.facts.image
        assert image is not None
        assert not isinstance(image, ReasonCode)
        config = containers.config(
            slot.grant,
            image,
            host=self._around.host,
            boot=self._around.boot,
            machine=self._around.machine,
            policy=self._around.policy,
            hosts_file=self._around.hosts_file,
        )
        try:
            created = self._out.engine.create(attempt.key.container, config)
        except NameTaken:
            self._taken(attempt.key)
        except EngineRefused as refusal:
            log.warning("No container was created", extra=_extra(attempt, refusal))
            self._learn(attempt.key, refused=refusal.reason)
        else:
            self._learn(attempt.key, container=created)

    def _taken(self, key: Key) -> None:
        """Tell our own unanswered create from another life's container."""
        found = self._out.engine.inspect(key.container)
        if found is None:
            raise EngineAway(f"{key.container} is taken and not there")
        ours = found.labels.get(containers.BOOT_LABEL) == self._around.boot and self._own(found)
        if ours and found.started_at is None:
            self._learn(key, container=found)
        else:
            self._learn(key, foreign=True)

    def _fill(self, slot: Slot, attempt: Attempt) -> None:
        assert slot.grant is not None
        assert attempt.container is not None
        self._out.files.fill(slot.grant, attempt.container)

    def _attach(self, _: Slot, attempt: Attempt) -> None:
        assert attempt.container is not None
        try:
            self._out.logs.attach(attempt.work, attempt.container)
        except EngineRefused as refusal:
            log.warning("A container cannot be listened to", extra=_extra(attempt, refusal))
            self._learn(attempt.key, refused=ReasonCode.ENGINE_ERROR)
        else:
            self._learn(attempt.key, attached=True)

    def _start(self, _: Slot, attempt: Attempt) -> None:
        assert attempt.container is not None
        try:
            self._out.engine.start(attempt.container)
        except EngineRefused as refusal:
            log.warning("A container was not started", extra=_extra(attempt, refusal))
            self._learn(attempt.key, refused=refusal.reason, look_again=True)
        except WillPass as silence:  # It may start yet. It is never told to start again.
            log.warning("A start was not answered", extra=_extra(attempt, silence))
            self._learn(attempt.key, unanswered=True)
        else:
            self._learn(attempt.key, started=self._out.clock.monotonic())

    def _look(self, _: Slot, attempt: Attempt) -> None:
        self._learn(attempt.key, look_again=False)  # Before the look: what comes later counts.
        began = self._out.clock.monotonic()
        found = self._out.engine.inspect(attempt.container or attempt.key.container)
        ours = found is not None and self._own(found)
        watched = {"unwatched": False} if found is not None and found.alive else {}
        self._learn(attempt.key, container=found if ours else Absent(), looked_at=began, **watched)

    def _own(self, container: Container) -> bool:
        return container.labels.get(containers.HOST_LABEL) == self._around.host

    def _term(self, _: Slot, attempt: Attempt) -> None:
        self._signal(attempt, "SIGTERM", term_refused=True)

    def _kill(self, _: Slot, attempt: Attempt) -> None:
        self._signal(attempt, "SIGKILL")

    def _signal(self, attempt: Attempt, name: str, **if_ended: bool) -> None:
        assert attempt.container is not None
        try:
            self._out.engine.signal(attempt.container, name)
        except NotRunning:
            self._learn(attempt.key, look_again=True, **if_ended)
        except EngineRefused:
            self._learn(attempt.key, look_again=True)
        except WillPass as silence:  # It may have arrived; KILL follows in any case.
            log.warning("A signal was not answered", extra=_extra(attempt, silence))

    def _remove(self, _: Slot, attempt: Attempt) -> None:
        self._take_away(attempt, force=False)

    def _remove_running(self, _: Slot, attempt: Attempt) -> None:
        self._take_away(attempt, force=True)

    def _take_away(self, attempt: Attempt, *, force: bool) -> None:
        container = attempt.container
        if container is None:
            seen = self._out.engine.inspect(attempt.key.container)
            container = seen.id if seen is not None and self._own(seen) else None
        if container is not None:
            try:
                self._out.engine.remove(container, force=force)
            except NotThere:
                pass
            except EngineRefused as refusal:  # It runs after all, or is being removed already.
                self._learn(attempt.key, look_again=True)
                raise EngineAway(str(refusal)) from refusal
        self._learn(attempt.key, container=Absent())

    def _resume_logs(self, _: Slot, attempt: Attempt) -> None:
        assert attempt.container is not None
        try:
            self._out.logs.resume(attempt.work, attempt.container)
        except EngineRefused as refusal:
            log.warning("A container's output is gone", extra=_extra(attempt, refusal))

    def _finish_logs(self, _: Slot, attempt: Attempt) -> None:
        assert attempt.ending is not None
        self._out.logs.finish(attempt.work, started=attempt.ending.started)

    def _tell(self, slot: Slot, attempt: Attempt, state: AttemptState) -> None:
        report = self._report(slot, attempt, Ending(state=state, stop=attempt.stop))
        self._out.reporter.put(report)

    def _tell_end(self, slot: Slot, attempt: Attempt, ending: Ending) -> None:
        if slot.report is None:
            report = self._report(slot, attempt, ending)
            self._out.journal.end(report)  # Before it is sent: a repeat must be the same.
            slot.report = report
        self._out.reporter.put(slot.report)

    def _report(self, slot: Slot, attempt: Attempt, ending: Ending) -> Report:
        work = attempt.work
        report = Report(
            account=work.account,
            job=work.job,
            attempt=work.attempt,
            claim_id=work.claim_id,
            seq=slot.seq,
            state=ending.state,
            at=self._out.clock.now(),
            reason_code=ending.reason,
            stop_reason=ending.stop,
            exit_code=ending.exit_code,
            signal=ending.signal,
            oom=ending.oom,
            started=ending.started or ending.state in _STARTED,
            run_ms=ending.run_ms,
            image_digest=attempt.digest,
        )
        slot.seq += 1
        return report


_STARTED = (AttemptState.RUNNING, AttemptState.STOPPING)


def _extra(attempt: Attempt, error: Exception) -> dict[str, Any]:
    return {"job_id": attempt.work.job, "attempt": attempt.work.attempt, "why": str(error)}

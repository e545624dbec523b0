"""What to do next for an attempt: a pure decision, from what was decided and what was seen."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from wharfage.domain.attempt import AttemptState, ReasonCode, StopReason
from wharfage.domain.limits import LOG_LATE_SECONDS
from wharfage.domain.spec import OnHostLost
from wharfage_agent import endings
from wharfage_agent.attempts import (
    Absent,
    Attempt,
    Container,
    Ending,
    Facts,
    Image,
    Phase,
)

LOOK_SECONDS = 2  #: How often to look whether a lost start has landed.
KILL_AGAIN_SECONDS = 5  #: A KILL that was not seen to work is repeated.


class Act(StrEnum):
    """What can be done in the world without more to say. Each may be done twice."""

    PREPARE = "prepare"  #: Make the image ready.
    CREATE = "create"  #: Create the container by its name.
    FILL = "fill"  #: Have its input and its files put into its volume.
    ATTACH = "attach"  #: Listen to its output, before it can say anything.
    START = "start"  #: Start it: once, ever.
    LOOK = "look"  #: Ask the engine what it is now.
    TERM = "term"  #: Ask its process to end.
    KILL = "kill"  #: End its process.
    REMOVE = "remove"  #: Remove it and its volume, unless it runs.
    REMOVE_RUNNING = "remove_running"  #: Remove it and its volume, whatever it does.
    FINISH_LOGS = "finish_logs"  #: Nothing more will be written: ship the rest, then the end.
    BRING = "bring"  #: Have its outputs brought to where they are kept.
    RESUME_LOGS = "resume_logs"  #: Read what an earlier life may not have shipped.
    DROP_LOGS = "drop_logs"  #: Nobody wants the rest.
    FORGET = "forget"  #: Nothing of it is left.


@dataclass(frozen=True, slots=True)
class Tell:
    """Report a state on the way."""

    state: AttemptState


@dataclass(frozen=True, slots=True)
class TellEnd:
    """Report the end, after journalling it: a repeat must be the same report."""

    ending: Ending


@dataclass(frozen=True, slots=True)
class NoteStop:
    """Journal that TERM is about to be sent, and why."""

    stop: StopReason


Effect = Act | Tell | TellEnd | NoteStop
Step = tuple[Attempt, list[Effect]]


def advance(attempt: Attempt, facts: Facts, *, settle_seconds: float) -> Step:
    """Decide the one thing that moves *attempt* on: the attempt after it, and what to do.

    Every effect may be carried out twice: after a crash the same step is repeated, and finds
    its work already done. Only START is never repeated: an engine that is told to start a
    container that has exited runs it again. No effects mean: wait, until `wake_at` at most.
    """
    if facts.disowned and attempt.phase not in (Phase.DISOWNED, Phase.GONE):
        return _enter(attempt, facts, Phase.DISOWNED), [Act.DROP_LOGS, Act.LOOK]
    if attempt.phase is Phase.UNSETTLED:
        return _unsettled(attempt, facts, settle_seconds)
    return _STEPS[attempt.phase](attempt, facts)


def _claimed(attempt: Attempt, facts: Facts) -> Step:
    if ending := _not_to_start(attempt, facts):
        return _end(attempt, facts, ending)
    return _enter(attempt, facts, Phase.PREPARING), [Tell(AttemptState.PREPARING), Act.PREPARE]


def _preparing(attempt: Attempt, facts: Facts) -> Step:
    if ending := _not_to_start(attempt, facts):
        return _end(attempt, facts, ending)
    if isinstance(facts.image, Image):
        creating = replace(attempt, digest=facts.image.digest)
        return _enter(creating, facts, Phase.CREATING), [Act.CREATE]
    deadline = attempt.since + attempt.preparing_seconds
    if facts.image is not None or facts.now >= deadline:
        reason = facts.image or ReasonCode.IMAGE_PULL_FAILED
        return _end(attempt, facts, endings.never_started(AttemptState.FAILED, reason))
    return replace(attempt, wake_at=min(deadline, facts.lease_until)), []


def _creating(attempt: Attempt, facts: Facts) -> Step:
    if ending := _not_to_start(attempt, facts):
        return _end(attempt, facts, ending)
    if facts.refused is not None:
        return _end(attempt, facts, endings.never_started(AttemptState.FAILED, facts.refused))
    if facts.foreign:
        return _enter(attempt, facts, Phase.UNSETTLED), [Act.LOOK]
    if isinstance(facts.container, Container):
        created = replace(attempt, container=facts.container.id)
        if attempt.fills:
            return _enter(created, facts, Phase.FILLING), []
        return _enter(created, facts, Phase.CREATED), [Act.ATTACH]
    if facts.now >= attempt.since + attempt.starting_seconds:
        failed = endings.never_started(AttemptState.FAILED, ReasonCode.ENGINE_ERROR)
        return _end(attempt, facts, failed)
    return attempt, [Act.CREATE]  # Without an answer it is asked again: its name is the lock.


def _filling(attempt: Attempt, facts: Facts) -> Step:
    if ending := _not_to_start(attempt, facts):
        return _end(attempt, facts, ending)
    if facts.filled:
        return _enter(attempt, facts, Phase.CREATED), [Act.ATTACH]
    deadline = attempt.since + attempt.preparing_seconds
    if facts.refused is not None or facts.now >= deadline:
        reason = facts.refused or ReasonCode.INPUT_FAILED
        return _end(attempt, facts, endings.never_started(AttemptState.FAILED, reason))
    if carry_at := _carried(facts):
        return replace(attempt, wake_at=min(carry_at, deadline, facts.lease_until)), []
    return attempt, [Act.FILL]


def _created(attempt: Attempt, facts: Facts) -> Step:
    if ending := _not_to_start(attempt, facts):
        return _end(attempt, facts, ending)
    if facts.refused is not None:
        return _end(attempt, facts, endings.never_started(AttemptState.FAILED, facts.refused))
    if not facts.attached:
        return attempt, [Act.ATTACH]
    # The lease was compared with the time just now, and nothing slow lies between here and START.
    return _enter(attempt, facts, Phase.STARTING), [Tell(AttemptState.STARTING), Act.START]


def _starting(attempt: Attempt, facts: Facts) -> Step:
    if facts.started is not None:
        return _run(attempt, facts, facts.started + attempt.work.max_run_s)
    if facts.unanswered:
        return _enter(attempt, facts, Phase.UNSETTLED), [Act.LOOK]
    if facts.refused is None:
        return attempt, []
    if facts.look_again or not isinstance(facts.container, Container):
        return attempt, [Act.LOOK]  # What it did matters, not what the engine said of it.
    if facts.container.started_at is not None:
        return _seen_started(attempt, facts, facts.container)
    return _end(attempt, facts, endings.never_started(AttemptState.FAILED, facts.refused))


def _unsettled(attempt: Attempt, facts: Facts, settle_seconds: float) -> Step:
    container = facts.container
    if container is None or facts.look_again:
        return attempt, [Act.LOOK]
    if isinstance(container, Container) and container.started_at is not None:
        return _seen_started(attempt, facts, container)
    settled_at = attempt.since + settle_seconds
    if facts.looked_at < settled_at:
        look_at = min(settled_at, facts.looked_at + LOOK_SECONDS)
        if facts.now < look_at:
            return replace(attempt, wake_at=look_at), []
        return attempt, [Act.LOOK]
    if isinstance(container, Container):
        return attempt, [Act.REMOVE]
    ending = endings.never_started(AttemptState.REJECTED, ReasonCode.NOT_STARTED)
    if facts.stop_asked is not None:
        ending = endings.stopped_early(facts.stop_asked)
    return _end(attempt, facts, ending)


def _running(attempt: Attempt, facts: Facts) -> Step:
    if facts.look_again:
        return attempt, [Act.LOOK]
    if ended := _ended_by_itself(attempt, facts):
        return ended
    stop = _stop_reason(attempt, facts)
    if stop is None:
        bounds = [facts.lease_until if _lease_binds(attempt) else None, attempt.ends_at]
        return replace(attempt, wake_at=min((b for b in bounds if b is not None), default=None)), []
    stopping = replace(_enter(attempt, facts, Phase.STOPPING), stop=stop, stopped_at=facts.now)
    # Journalled before TERM, so that a later life knows whose doing the exit was.
    return stopping, [NoteStop(stop), Act.TERM, Tell(AttemptState.STOPPING)]


def _stopping(attempt: Attempt, facts: Facts) -> Step:
    if facts.look_again:
        return attempt, [Act.LOOK]
    if ended := _ended_by_itself(attempt, facts):
        return ended
    assert attempt.stopped_at is not None
    kill_at = attempt.stopped_at + attempt.work.stop_grace_s
    if attempt.killed_at is not None:
        kill_at = attempt.killed_at + KILL_AGAIN_SECONDS
    if facts.now < kill_at:
        return replace(attempt, wake_at=kill_at), []
    return replace(attempt, killed_at=facts.now, wake_at=None), [Act.KILL, Act.LOOK]


def _ended(attempt: Attempt, facts: Facts) -> Step:
    late_at = attempt.since + LOG_LATE_SECONDS
    late = facts.now >= late_at
    left = _outputs_left(attempt, facts)
    carry_at = _carried(facts)
    if left and not late and carry_at is None:
        return attempt, [Act.BRING]
    if not facts.report_accepted or not (late or (facts.logs_ended and not left)):
        wake_at = min(late_at, carry_at or late_at) if left else late_at
        return replace(attempt, wake_at=None if late else wake_at), []
    if facts.look_again and attempt.container is not None:
        return attempt, [Act.LOOK]
    container = facts.container
    if attempt.container is None or isinstance(container, Absent):
        return _enter(attempt, facts, Phase.GONE), [Act.DROP_LOGS, Act.FORGET]
    alive = container is not None and container.alive
    return attempt, [Act.REMOVE_RUNNING if alive else Act.REMOVE]


def _retold(attempt: Attempt, facts: Facts) -> Step:
    assert attempt.ending is not None
    resume = [Act.RESUME_LOGS] if isinstance(facts.container, Container) else []
    ended, told = _end(attempt, facts, attempt.ending)
    return ended, [*resume, *told]


def _disowned(attempt: Attempt, facts: Facts) -> Step:
    if facts.look_again:
        return attempt, [Act.LOOK]
    if isinstance(facts.container, Absent):
        return _enter(attempt, facts, Phase.GONE), [Act.FORGET]
    return attempt, [Act.REMOVE_RUNNING]


def _gone(attempt: Attempt, facts: Facts) -> Step:
    return replace(attempt, wake_at=None), []


_STEPS: dict[Phase, Callable[[Attempt, Facts], Step]] = {
    Phase.CLAIMED: _claimed,
    Phase.PREPARING: _preparing,
    Phase.CREATING: _creating,
    Phase.FILLING: _filling,
    Phase.CREATED: _created,
    Phase.STARTING: _starting,
    Phase.RUNNING: _running,
    Phase.STOPPING: _stopping,
    Phase.ENDED: _ended,
    Phase.RETOLD: _retold,
    Phase.DISOWNED: _disowned,
    Phase.GONE: _gone,
}


def _not_to_start(attempt: Attempt, facts: Facts) -> Ending | None:
    """Say how an attempt ends that must not be started, None if it may be."""
    rejected = AttemptState.REJECTED
    if facts.stop_asked is not None:
        return endings.stopped_early(facts.stop_asked)
    if facts.vetoed:
        return endings.never_started(rejected, ReasonCode.HOST_POLICY)
    if not facts.starts_allowed:
        return endings.never_started(rejected, ReasonCode.HOST_DRAINED)
    if facts.now >= facts.lease_until:
        return endings.never_started(rejected, ReasonCode.NOT_STARTED)
    return None


def _carried(facts: Facts) -> float | None:
    """Return when to see again about files that are on their way or have to wait; else None."""
    if facts.carrying:
        return float("inf")
    return facts.carry_at if facts.now < facts.carry_at else None


def _outputs_left(attempt: Attempt, facts: Facts) -> bool:
    ran = attempt.ending is not None and attempt.ending.started
    return ran and bool(attempt.work.outputs) and not facts.outputs_settled


def _ended_by_itself(attempt: Attempt, facts: Facts) -> Step | None:
    container = facts.container
    if isinstance(container, Absent):
        return _end(attempt, facts, endings.vanished(attempt, facts))
    if isinstance(container, Container) and container.exited:
        return _end(attempt, facts, endings.of_container(attempt, facts, container))
    return None


def _seen_started(attempt: Attempt, facts: Facts, container: Container) -> Step:
    """Go on from a container that started without this life of the agent knowing when."""
    assert container.started_at is not None
    known = replace(attempt, container=container.id)
    if container.exited:
        ended, told = _end(known, facts, endings.of_container(known, facts, container))
        return ended, [Act.RESUME_LOGS, *told]
    ran = max(0.0, (facts.today - container.started_at).total_seconds())
    running, effects = _run(known, facts, facts.now + attempt.work.max_run_s - ran)
    if attempt.stop is not None:  # An earlier life was about to send TERM: send it (again).
        running = replace(
            _enter(running, facts, Phase.STOPPING), stop=attempt.stop, stopped_at=facts.now
        )
        return running, [Act.RESUME_LOGS, Act.TERM]
    return running, [Act.RESUME_LOGS, *effects]


def _run(attempt: Attempt, facts: Facts, ends_at: float) -> Step:
    running = replace(_enter(attempt, facts, Phase.RUNNING), ends_at=ends_at)
    return running, [Tell(AttemptState.RUNNING)]


def _stop_reason(attempt: Attempt, facts: Facts) -> StopReason | None:
    if facts.stop_asked is not None:
        return facts.stop_asked
    if attempt.ends_at is not None and facts.now >= attempt.ends_at:
        return StopReason.TIMEOUT
    if facts.disk_used_mb > attempt.work.disk_mb:
        return StopReason.DISK
    if _lease_binds(attempt) and facts.now >= facts.lease_until:
        return StopReason.SUPERSEDED
    return None


def _lease_binds(attempt: Attempt) -> bool:
    return attempt.work.on_host_lost is OnHostLost.RERUN


def _end(attempt: Attempt, facts: Facts, ending: Ending) -> Step:
    ended = replace(_enter(attempt, facts, Phase.ENDED), ending=ending)
    if isinstance(facts.container, Container):
        ended = replace(ended, container=facts.container.id)
    return ended, [TellEnd(ending), Act.FINISH_LOGS]


def _enter(attempt: Attempt, facts: Facts, phase: Phase) -> Attempt:
    return replace(attempt, phase=phase, since=facts.now, wake_at=None)

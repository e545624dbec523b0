"""How an attempt ended, from what the engine says of its container."""

from datetime import datetime

from wharfage.domain.attempt import STOP_ENDS, AttemptState, ReasonCode, StopReason
from wharfage_agent.attempts import Attempt, Container, Ending, Facts

SIGNAL_BASE = 128  #: A shell's word for "ended by a signal": 128 and the signal's number.
SIGNAL_MAX = 64
NOT_EXECUTABLE, NOT_FOUND = 126, 127  #: What an init or a shell answers for a bad command.
UNKNOWN = 255  #: What an engine says of a container that ended while it was away itself.
MILLISECONDS = 1000


def never_started(state: AttemptState, reason: ReasonCode) -> Ending:
    """Return the ending of an attempt whose container never ran."""
    return Ending(state=state, reason=reason)


def stopped_early(stop: StopReason) -> Ending:
    """Return the ending of an attempt that was stopped before its container ran."""
    state, reason, _ = STOP_ENDS[stop]
    return Ending(state=state, reason=reason, stop=stop)


def of_container(attempt: Attempt, facts: Facts, container: Container) -> Ending:
    """Return the ending of an attempt whose container started and exited.

    A container that had ended before it was sent TERM keeps its own result.
    """
    code = None if container.exit_code is None else container.exit_code & 0xFF
    if attempt.stop is not None and (attempt.inherited or not facts.term_refused):
        state, reason, _ = STOP_ENDS[attempt.stop]
        return Ending(
            state=state,
            reason=reason,
            stop=attempt.stop,
            exit_code=code,
            signal=_signal(code),
            oom=container.oom,
            started=True,
            run_ms=_run_ms(facts, container),
        )
    if code == UNKNOWN and facts.unwatched:  # Nobody knows: it is not held against the program.
        failed, reason = AttemptState.FAILED, ReasonCode.ENGINE_ERROR
        return Ending(state=failed, reason=reason, started=True, run_ms=_run_ms(facts, container))
    state = AttemptState.SUCCEEDED if code == 0 and not container.oom else AttemptState.FAILED
    return Ending(
        state=state,
        reason=_reason(code, oom=container.oom),
        exit_code=code,
        signal=_signal(code),
        oom=container.oom,
        started=True,
        run_ms=_run_ms(facts, container),
    )


def vanished(attempt: Attempt, facts: Facts) -> Ending:
    """Return the ending of an attempt whose started container somebody else removed."""
    stop = STOP_ENDS.get(attempt.stop) if attempt.stop is not None else None
    state, reason = stop[:2] if stop else (AttemptState.FAILED, ReasonCode.ENGINE_ERROR)
    run_ms = None if facts.started is None else _milliseconds(facts.now - facts.started)
    return Ending(state=state, reason=reason, stop=attempt.stop, started=True, run_ms=run_ms)


def _reason(code: int | None, *, oom: bool) -> ReasonCode | None:
    if oom:
        return ReasonCode.OUT_OF_MEMORY
    if code == 0:
        return None
    if code == NOT_FOUND:
        return ReasonCode.COMMAND_NOT_FOUND
    if code == NOT_EXECUTABLE:
        return ReasonCode.COMMAND_NOT_EXECUTABLE
    return ReasonCode.EXIT_CODE


def _signal(code: int | None) -> int | None:
    if code is None or not SIGNAL_BASE < code <= SIGNAL_BASE + SIGNAL_MAX:
        return None
    return code - SIGNAL_BASE


def _run_ms(facts: Facts, container: Container) -> int | None:
    """Measure by our own steady clock when both ends were seen, else by the engine's.

    An end can be heard of late, so a shorter time that the engine measured is believed.
    """
    measured = _engine_ms(container.started_at, container.finished_at)
    if facts.started is None or facts.finished is None:
        return measured
    seen = _milliseconds(facts.finished - facts.started)
    if seen == 0:  # A short job's end can be heard of before its start was answered.
        return measured
    return min(seen, measured) if measured else seen


def _engine_ms(started_at: datetime | None, finished_at: datetime | None) -> int | None:
    if started_at is None or finished_at is None:
        return None
    return _milliseconds((finished_at - started_at).total_seconds())


def _milliseconds(seconds: float) -> int:
    return max(0, round(seconds * MILLISECONDS))

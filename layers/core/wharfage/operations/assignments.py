"""What hosts should hold: asking them to stop, and giving their work to others."""

from collections.abc import Callable

from wharfage.domain import ending, progress
from wharfage.domain.attempt import AttemptState, ReasonCode, StopReason
from wharfage.domain.errors import StateConflict
from wharfage.domain.host import Assignment
from wharfage.domain.job import Job
from wharfage.domain.spec import OnHostLost
from wharfage.items import change
from wharfage.operations import attempts
from wharfage.ports import Ports
from wharfage.schema import ASSIGNMENT, HOST, JOB
from wharfage.transaction import Check, Delete, Update, equals, present

_PAGE = 100

#: Tells which assignments of a host are left to it.
Spare = Callable[[Assignment, Job], bool]


def of_host(ports: Ports, host_id: str) -> list[Assignment]:
    """Read everything a host should hold."""
    found: list[Assignment] = []
    after: str | None = None
    while True:
        page = ports.store.query(ASSIGNMENT, host_id, after=after, limit=_PAGE)
        found += page.items
        after = page.next
        if after is None:
            return found


def stop(ports: Ports, job: Job, reason: StopReason, *, actor: str) -> Job:
    """Ask the host of a live attempt to end it; a reason that adds nothing changes nothing.

    Raises: StateConflict, if the job has moved since it was read.
    """
    assert job.host is not None
    if not progress.stoppable(job, reason):
        return job
    after = progress.asked_to_stop(job, reason, ports.clock.now())
    ports.store.commit(
        change(job, after),
        Update(
            ASSIGNMENT.key(host=job.host, job=job.id, attempt=job.attempt),
            set={"stop_reason": reason.value},
            when=[present()],
        ),
        Update(HOST.key(id=job.host), add={"wanted": 1}, when=[present()]),
        attempts.event(ports, after, "attempt.stop_asked", actor, reason=reason.value),
    )
    ports.queue.nudge(job.host)
    return after


def ask_to_stop(ports: Ports, assignment: Assignment, reason: StopReason, *, actor: str) -> None:
    """Ask for one assignment to be stopped, if its attempt is still the current one."""
    job = _current_job(ports, assignment)
    if job is not None:
        stop(ports, job, reason, actor=actor)


def give_up(ports: Ports, host_id: str, *, boot: str | None, spare: Spare) -> int:
    """End what a host no longer has, so that others can take it; return how much is spared.

    *boot* is the life that was judged, None for a host that was fenced: what a later life has
    taken up meanwhile is that life's to answer for.
    """
    left = 0
    for assignment in of_host(ports, host_id):
        job = _current_job(ports, assignment)
        if job is None:
            key = ASSIGNMENT.key(host=host_id, job=assignment.job, attempt=assignment.attempt)
            ports.store.commit(Delete(key))
        elif spare(assignment, job):
            left += 1
        else:
            judged = Check(HOST.key(id=host_id), when=[equals("boot", boot)])
            _end_lost(ports, job, judged)
    return left


def spare_none(_assignment: Assignment, _job: Job) -> bool:
    """Spare nothing: the host will not come back."""
    return False


def spare_waiting(_assignment: Assignment, job: Job) -> bool:
    """Spare what its owner wants left to its host until that comes back."""
    return job.on_host_lost is OnHostLost.WAIT


def _end_lost(ports: Ports, job: Job, judged: Check) -> None:
    end = ending.platform_end(AttemptState.LOST, ReasonCode.HOST_LOST)
    try:
        attempts.end(ports, job, end, actor="control", only_if=judged)
    except StateConflict:
        return  # It or its host moved meanwhile: whoever moved it, or the next sweep, sees to it.


def _current_job(ports: Ports, assignment: Assignment) -> Job | None:
    job = ports.store.get(JOB.key(account=assignment.account, id=assignment.job))
    if job is None or job.terminal:
        return None
    same = (job.attempt, job.claim_id) == (assignment.attempt, assignment.claim_id)
    return job if same else None

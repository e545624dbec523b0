"""Jobs: admit them, look at them, stop them."""

from wharfage.domain import limits, rate
from wharfage.domain.account import Principal
from wharfage.domain.attempt import AttemptState, StopReason
from wharfage.domain.ending import stopped_end
from wharfage.domain.errors import NotFound, StateConflict
from wharfage.domain.event import Event
from wharfage.domain.job import Job
from wharfage.domain.job_view import (
    AttemptView,
    JobView,
    show,
    show_ended_attempt,
    show_live_attempt,
)
from wharfage.domain.placement import FleetView, waiting
from wharfage.domain.spec import JobSpec, Submission
from wharfage.operations import admission, assignments, attempts, hosts, keys, rates
from wharfage.operations.keys import Made
from wharfage.ports import Page, Ports
from wharfage.schema import ATTEMPT, EVENT, JOB

_TRIES = 4  #: How often a stop is decided anew because its job moved meanwhile.


def submit(
    ports: Ports, who: Principal, asked: Submission | JobSpec, *, key: str | None
) -> Made[JobView]:
    """Admit a job: hold its worst case and queue it, in one transaction; then ring its pool.

    A template's job is paid whole from one source: units if the open period has enough, else
    the balance.

    Raises: Invalid, PoolUnknown, NotFound (of a template or an upload), RateLimited,
    InsufficientFunds, LimitReached, AccountFrozen, AccountSuspended, Banned, KeyReused,
    Unavailable.
    """
    now = ports.clock.now()
    whole = admission.resolve(ports, who, asked, now)
    ports.terms.check(whole.spec, who)
    ports.store.commit(rates.count(rate.SUBMITS, who.account, now=now))
    request = keys.Request(who=who, operation="jobs.submit", key=key, body=asked)
    try:
        job = admission.take_in(ports, request, whole, now)
    except keys.Replay as replay:
        return Made(value=find(ports, who, replay.object_id), replayed=True)
    ports.queue.ring(job.pool, [attempts.doorbell(job)])
    return Made(value=show(job))


def find(ports: Ports, who: Principal, job_id: str) -> JobView:
    """Show a job to its owner, with what it waits for. Raises: NotFound."""
    job = _own(ports, who, job_id)
    fleet = hosts.fleet(ports, job.pool) if job.state is AttemptState.QUEUED else []
    return show(job, waiting(job, fleet, ports.clock.now()))


def version(ports: Ports, who: Principal, job_id: str) -> tuple[int, bool]:
    """Read which state of a job is current, and whether it is the last. Raises: NotFound."""
    job = _own(ports, who, job_id)
    return job.version, job.terminal


def find_all(ports: Ports, who: Principal, *, after: str | None, limit: int) -> Page[JobView]:
    """List the owner's jobs, newest first."""
    page = ports.store.query(
        JOB, who.account, prefix="job_", after=after, newest_first=True, limit=limit
    )
    fleets: dict[str, list[FleetView]] = {}
    now = ports.clock.now()
    views = []
    for job in page.items:
        if job.state is AttemptState.QUEUED and job.pool not in fleets:
            fleets[job.pool] = hosts.fleet(ports, job.pool)
        views.append(show(job, waiting(job, fleets.get(job.pool, []), now)))
    return Page(tuple(views), page.next)


def list_attempts(ports: Ports, who: Principal, job_id: str) -> list[AttemptView]:
    """Show every attempt of a job, oldest first. Raises: NotFound."""
    job = _own(ports, who, job_id)
    most = limits.ATTEMPTS_MAX + limits.PLATFORM_FAULTS_MAX
    page = ports.store.query(ATTEMPT, job.id, limit=most)
    views = [show_ended_attempt(record) for record in page.items]
    if not job.terminal and len(views) < job.attempt:
        views.append(show_live_attempt(job))
    return views


def list_events(
    ports: Ports, who: Principal, job_id: str, *, after: str | None, limit: int
) -> Page[Event]:
    """Show a job's timeline, oldest first. Raises: NotFound."""
    job = _own(ports, who, job_id)
    return ports.store.query(EVENT, job.id, prefix="evt_", after=after, limit=limit)


def cancel(ports: Ports, who: Principal, job_id: str) -> JobView:
    """Stop a job; one that has ended stays as it ended. Raises: NotFound, StateConflict."""
    job = _own(ports, who, job_id)
    return show(_stop(ports, job, StopReason.CANCEL, actor=who.account))


def stop_all(ports: Ports, account: str, reason: StopReason, *, actor: str = "operator") -> int:
    """Stop everything of an account that has not ended; return how much that was."""
    stopped = 0
    after: str | None = None
    while True:
        page = ports.store.query(
            JOB, account, prefix="job_", after=after, newest_first=True, limit=limits.PAGE_MAX
        )
        for job in page.items:
            if not job.terminal:
                _stop(ports, job, reason, actor=actor)
                stopped += 1
        after = page.next
        if after is None:
            return stopped


def _stop(ports: Ports, job: Job, reason: StopReason, *, actor: str) -> Job:
    """End a waiting job, or ask the host of a live one; decide anew while it keeps moving."""
    for _ in range(_TRIES):
        try:
            if job.terminal:
                return job
            if job.state.held_by_host:
                return assignments.stop(ports, job, reason, actor=actor)
            return attempts.end(ports, job, stopped_end(reason), actor=actor)
        except StateConflict:
            again = ports.store.get(JOB.key(account=job.account, id=job.id))
            assert again is not None, "a job row is never deleted while its account uses it"
            job = again
    raise StateConflict(state=job.state.value)


def _own(ports: Ports, who: Principal, job_id: str) -> Job:
    job = ports.store.get(JOB.key(account=who.account, id=job_id))
    if job is None:
        raise NotFound(what="job")
    return job

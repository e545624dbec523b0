"""Claims: a host asks for work, and the table decides whose it is."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import Enum, auto

import msgspec
from msgspec.structs import replace

from wharfage.domain import limits, progress
from wharfage.domain.attempt import AttemptState
from wharfage.domain.errors import StaleBoot, StateConflict
from wharfage.domain.host import Assignment, Host, HostPrincipal, Room
from wharfage.domain.job import Job, SpecRecord
from wharfage.domain.placement import has_labels, takes_work
from wharfage.items import change
from wharfage.messages import Candidate, ClaimsReply, ClaimsRequest, Declined, Grant
from wharfage.operations import attempts, uploads, usage
from wharfage.ports import Ports
from wharfage.schema import HOST, JOB, READY, SPEC
from wharfage.transaction import Key, Put, Update, absent, equals

_BATCH = 10  #: Jobs read at a time, each with its specification.


class _HostMoved(StateConflict):
    """The host's row changed meanwhile: another claim of it, a drain, a fence."""


class _Standing(Enum):
    """How a job stands towards the host that is asking."""

    FREE = auto()  #: It waits, and this host can take it.
    MINE = auto()  #: This very boot has just claimed it.
    TAKEN = auto()  #: Another host or another boot has it, or this one did not begin in time.
    GONE = auto()  #: It has ended, or another attempt of it is current.
    ELSEWHERE = auto()  #: This host could never run it.
    CROWDED = auto()  #: This host could run it, and has no room now.


def claim(ports: Ports, who: HostPrincipal, request: ClaimsRequest) -> ClaimsReply:
    """Give the host what fits: the jobs it heard of first, then the best waiting in its pool.

    Each job is one transaction; the same boot asking again soon gets the same claim.

    Raises: StaleBoot.
    """
    if who.host.boot != request.boot:
        raise StaleBoot
    now = ports.clock.now()
    if not takes_work(who.host, now):
        return ClaimsReply()
    # One call never takes more than the host has in all, whatever it calls free.
    host, room, more, size = who.host, request.free.within(who.facts.capacity), False, 0
    grants: list[Grant] = []
    declined: list[Declined] = []
    for candidate, job, spec in _candidates(ports, host, request):
        standing = _standing(candidate, job, who, room, now)
        mine = job if standing is _Standing.MINE else None
        if job and standing is _Standing.FREE:
            try:
                mine = _take(ports, host, job)
            except _HostMoved:
                more = True
                break
            except StateConflict:
                standing = _Standing.TAKEN
            else:
                host = replace(host, claims=host.claims + 1)
                room = room.less(job.resources)
        if mine and spec:
            grants.append(_grant(ports, mine, spec))
            size += len(msgspec.json.encode(spec))
        elif candidate in request.candidates:
            declined.append(_declined(candidate, standing))
        more = more or standing is _Standing.CROWDED
        if len(grants) == limits.CLAIMS_MAX or size > limits.CLAIM_ANSWER_BYTES:
            more = True
            break
        if more and room.slots == 0 and candidate not in request.candidates:
            break  # All it heard of is answered, and nothing else can fit: no need to read on.
    return ClaimsReply(grants=tuple(grants), declined=tuple(declined), more=more)


def _candidates(
    ports: Ports, host: Host, request: ClaimsRequest
) -> Iterator[tuple[Candidate, Job | None, SpecRecord | None]]:
    """Read what may be claimed, a batch at a time: heard of first, then longest ready."""
    heard = [JOB.key(account=each.account, id=each.job) for each in request.candidates]
    waiting = ports.store.nominate(
        JOB, READY, host.pool, until=None, limit=_BATCH * limits.READY_PAGES_MAX
    )
    keys: list[Key[Job]] = list(dict.fromkeys([*heard, *waiting]))
    asked = {each.job: each for each in request.candidates}
    for start in range(0, len(keys), _BATCH):
        batch = keys[start : start + _BATCH]
        yield from _read(ports, batch, asked)


def _read(
    ports: Ports, keys: Sequence[Key[Job]], asked: dict[str, Candidate]
) -> Iterator[tuple[Candidate, Job | None, SpecRecord | None]]:
    specs = [SPEC.key(job=key.sort) for key in keys]
    records = ports.store.get_many([*keys, *specs])
    for key, job, spec in zip(keys, records[: len(keys)], records[len(keys) :], strict=True):
        found = asked.get(key.sort)
        if found is None and job is not None:
            found = Candidate(account=job.account, job=job.id, attempt=job.attempt)
        if found is not None:
            yield found, job, spec


def _standing(
    candidate: Candidate, job: Job | None, who: HostPrincipal, room: Room, now: datetime
) -> _Standing:
    if job is None or job.terminal or job.attempt < candidate.attempt:
        return _Standing.GONE
    if job.state.held_by_host:
        mine = (job.host, job.boot) == (who.host.id, who.host.boot)
        again = mine and progress.grantable_again(job, now)
        return _Standing.MINE if again else _Standing.TAKEN
    if job.state is not AttemptState.QUEUED:
        return _Standing.GONE
    # It may be a later attempt than the bell spoke of: a bell only means that there may be work.
    facts = who.facts
    able = job.pool == who.host.pool and has_labels(facts.labels, job.labels)
    if not able or not facts.capacity.fits(job.resources):
        return _Standing.ELSEWHERE
    return _Standing.FREE if room.fits(job.resources) else _Standing.CROWDED


def _take(ports: Ports, host: Host, job: Job) -> Job:
    """Make the attempt this host's, if both rows are still as read."""
    now: datetime = ports.clock.now()
    assert host.boot is not None
    claim_id = ports.ids.new("clm")
    after = progress.claimed(job, host=host.id, boot=host.boot, claim_id=claim_id, now=now)
    assignment = Assignment(
        host=host.id,
        account=job.account,
        job=job.id,
        attempt=job.attempt,
        claim_id=claim_id,
        boot=host.boot,
        claimed_at=now,
    )
    ports.store.commit(
        change(job, after),
        Update(
            HOST.key(id=host.id),
            add={"claims": 1},
            when=[
                equals("claims", host.claims),
                equals("boot", host.boot),
                equals("status", host.status.value),
            ],
            otherwise=_HostMoved(),
        ),
        Put(assignment, when=[absent()]),
        *usage.move(job, after, now),
        attempts.event(ports, after, "attempt.claimed", host.id),
    )
    return after


def _grant(ports: Ports, job: Job, spec: SpecRecord) -> Grant:
    assert job.claim_id is not None
    return Grant(
        account=job.account,
        job=job.id,
        attempt=job.attempt,
        claim_id=job.claim_id,
        lease_seconds=limits.LEASE_SECONDS,
        spec=spec.whole,
        files=uploads.for_host(ports, job.account, spec.files),
        max_run_s=job.max_run_s,
        image_digest=job.image_digest,
        log_cap_bytes=limits.LOG_CAP_BYTES,
        preparing_seconds=limits.PREPARING_SECONDS,
        starting_seconds=limits.STARTING_SECONDS,
    )


def _declined(candidate: Candidate, standing: _Standing) -> Declined:
    match standing:
        case _Standing.GONE:
            return Declined(job=candidate.job, attempt=candidate.attempt, outcome="gone")
        case _Standing.TAKEN:
            return Declined(job=candidate.job, attempt=candidate.attempt, outcome="taken")
        case _:
            return Declined(job=candidate.job, attempt=candidate.attempt, outcome="not_here")

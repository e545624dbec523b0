"""Agents: how a machine becomes a host, stays one, and learns what it should hold."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from wharfage.domain import limits
from wharfage.domain.errors import CodeRejected, Forbidden, StaleBoot, fault
from wharfage.domain.host import (
    Assignment,
    EnrolmentCode,
    FleetMember,
    Host,
    HostFacts,
    HostPrincipal,
    HostStatus,
    Watch,
)
from wharfage.domain.job import Job
from wharfage.domain.placement import has_labels
from wharfage.domain.secret import digest
from wharfage.domain.version import at_least_version
from wharfage.items import encode_value, merge
from wharfage.messages import (
    Assigned,
    AssignmentsReply,
    AssignmentsRequest,
    CredentialsReply,
    EnrolReply,
    EnrolRequest,
    HeartbeatReply,
    HeartbeatRequest,
)
from wharfage.operations import assignments
from wharfage.ports import Ports
from wharfage.schema import ENROLMENT, FACTS, HOST, timestamp
from wharfage.transaction import Put, Update, absent, equals, present


def enrol(ports: Ports, request: EnrolRequest, *, local: bool) -> EnrolReply:
    """Make a machine a host, by its one-time code. *local*: it asks from this very machine.

    Raises: Forbidden, CodeRejected, Invalid.
    """
    if not (local or ports.terms.remote_hosts):
        raise Forbidden("This installation serves agents of its own machine only.")
    now = ports.clock.now()
    key = ENROLMENT.key(code_hash=digest(request.code))
    code = ports.store.get(key)
    if code is None or code.used_by is not None or code.expires_at <= now:
        raise CodeRejected
    host_id, secret = ports.ids.new("hst"), ports.ids.secret()
    host = Host(
        id=host_id,
        pool=code.pool,
        status=HostStatus.ENROLLED,
        token_hash=digest(secret),
        token_since=now,
        created_at=now,
    )
    facts = HostFacts(
        id=host_id,
        name=request.name,
        pool=code.pool,
        labels=_narrowed(code, request.labels),
        capacity=request.capacity,
        architecture=request.architecture,
        engine_version=request.engine_version,
        mailbox=ports.queue.open_mailbox(host_id),
        updated_at=now,
    )
    ports.store.commit(
        Update(
            key,
            set={"used_by": host_id},
            when=[present(), absent("used_by")],
            otherwise=CodeRejected(),
        ),
        Put(host, when=[absent()], proves=True),
        Put(facts, when=[absent()]),
        Put(FleetMember(id=host_id, name=request.name, pool=code.pool, enrolled_at=now)),
    )
    return EnrolReply(
        host=host_id, token=f"{host_id}.{secret}", pool=code.pool, labels=facts.labels
    )


def credentials(ports: Ports, who: HostPrincipal) -> CredentialsReply:
    """Give a host short-lived credentials for its queues; once a day, a new token as well.

    The old token stays good until the new one is used, so a lost answer locks nobody out.

    Raises: Unavailable.
    """
    host, now = who.host, ports.clock.now()
    ports.queue.open_mailbox(host.id)
    issued = ports.credentials.issue(host=host.id, pool=host.pool, mailbox=who.facts.mailbox)
    age = now - (host.token_since or host.created_at)
    token = None
    if age >= timedelta(hours=limits.AGENT_TOKEN_HOURS):
        token = _next_token(ports, host, now)
    return CredentialsReply(
        access_key_id=issued.access_key_id,
        secret_access_key=issued.secret_access_key,
        session_token=issued.session_token,
        expires_at=issued.expires_at,
        region=issued.region,
        sqs_endpoint=issued.sqs_endpoint,
        pool_queue_url=issued.pool_queue_url,
        mailbox_queue_url=issued.mailbox_queue_url,
        token=token,
    )


def heartbeat(ports: Ports, who: HostPrincipal, request: HeartbeatRequest) -> HeartbeatReply:
    """Renew a host's lease; the first one of a boot says everything the host still holds.

    Raises: StaleBoot.
    """
    host, now = who.host, ports.clock.now()
    known = host.boot == request.boot
    if not known and (request.held is None or request.boot < host.boot_newest):
        raise StaleBoot
    outdated = not at_least_version(request.agent_version, ports.terms.agent_version_min)
    status = _status(host, busy=request.busy, outdated=outdated)
    lease_until = now + timedelta(seconds=limits.LEASE_SECONDS)
    due_at = lease_until + timedelta(seconds=limits.LEASE_GRACE_SECONDS)
    if host.drain_by is not None and status is HostStatus.DRAINING:
        due_at = min(due_at, max(host.drain_by, now))
    fields = {
        "boot": request.boot,
        "boot_newest": max(request.boot, host.boot_newest),
        "status": status.value,
        "lease_until": timestamp(lease_until),
        "seen_at": timestamp(now),
        "due_at": timestamp(due_at),
        "free": encode_value(request.free),
        "agent_version": request.agent_version,
    }
    gone = []
    if request.problem:
        fields["problem"] = request.problem
    else:
        gone.append("problem")
    if who.renewed:  # The new token has arrived, so the old one has done its duty.
        fields["token_hash"] = host.next_token_hash
        gone.append("next_token_hash")
    ports.store.commit(
        Update(
            HOST.key(id=host.id),
            set=fields,
            remove=gone,
            when=[equals("boot", host.boot), equals("status", host.status.value)],
            otherwise=StaleBoot(),
        )
    )
    if not known:
        _note_facts(ports, who, request, now)
    if request.held is not None:
        _reconcile(ports, who, request)
    _note_life(ports, who, now)
    accepting = status is HostStatus.READY
    notice = "outdated_agent" if outdated else None if accepting else status.value
    return HeartbeatReply(
        lease_seconds=limits.LEASE_SECONDS,
        next_seconds=_interval(busy=request.busy or status is HostStatus.DRAINING),
        wanted=host.wanted,
        draining=status in (HostStatus.DRAINING, HostStatus.DRAINED),
        accepts_claims=accepting,
        server_time=now,
        notice=notice,
    )


def assigned(ports: Ports, who: HostPrincipal, request: AssignmentsRequest) -> AssignmentsReply:
    """Tell a host everything it should hold. Raises: StaleBoot."""
    if who.host.boot != request.boot:
        raise StaleBoot
    return AssignmentsReply(
        wanted=who.host.wanted,
        assignments=tuple(
            Assigned(
                account=each.account,
                job=each.job,
                attempt=each.attempt,
                claim_id=each.claim_id,
                stop_reason=each.stop_reason,
            )
            for each in assignments.of_host(ports, who.host.id)
        ),
    )


def _narrowed(code: EnrolmentCode, asked: Mapping[str, str] | None) -> dict[str, str]:
    """Return the code's labels, or the part of them the machine wants."""
    if asked is None:
        return code.labels
    if not has_labels(code.labels, asked):
        raise fault("/labels", "not_granted", "The enrolment code does not grant these labels.")
    return dict(asked)


def _next_token(ports: Ports, host: Host, now: datetime) -> str:
    """Make the token that follows. Whoever uses it first makes the one before worthless."""
    secret = ports.ids.secret()
    ports.store.commit(
        Update(
            HOST.key(id=host.id),
            set={"next_token_hash": digest(secret), "token_since": timestamp(now)},
            when=[equals("token_hash", host.token_hash)],
        )
    )
    return f"{host.id}.{secret}"


def _status(host: Host, *, busy: bool, outdated: bool) -> HostStatus:
    if outdated:
        return HostStatus.QUARANTINED
    match host.status:
        case HostStatus.ENROLLED | HostStatus.QUARANTINED:
            return HostStatus.READY
        case HostStatus.DRAINING if not busy:
            return HostStatus.DRAINED
        case status:
            return status


def _interval(*, busy: bool) -> int:
    return limits.HEARTBEAT_BUSY_SECONDS if busy else limits.HEARTBEAT_IDLE_SECONDS


def _note_facts(ports: Ports, who: HostPrincipal, request: HeartbeatRequest, now: datetime) -> None:
    ports.store.commit(
        Update(
            FACTS.key(id=who.host.id),
            set={
                "capacity": encode_value(request.capacity),
                "engine_version": request.engine_version or who.facts.engine_version,
                "updated_at": timestamp(now),
            },
            when=[present()],
        )
    )


def _reconcile(ports: Ports, who: HostPrincipal, request: HeartbeatRequest) -> None:
    """End what the table has and this boot lacks; what the boot claimed itself is not judged."""
    held = {each.claim_id for each in request.held or ()}

    def spare(assignment: Assignment, _job: Job) -> bool:
        return assignment.claim_id in held or assignment.boot == request.boot

    assignments.give_up(ports, who.host.id, boot=request.boot, spare=spare)


def _note_life(ports: Ports, who: HostPrincipal, now: datetime) -> None:
    """Note, seldom, that heartbeats arrive at all: without that the sweep takes no lease away."""
    seen = who.watch.heartbeat_seen_at
    if seen is None or now - seen >= timedelta(seconds=limits.WATCH_SECONDS):
        ports.store.commit(merge(Watch(heartbeat_seen_at=now)))

"""What the operator is shown of a host and of an enrolment code."""

from datetime import datetime

from wharfage.domain.host import HostStatus, Room
from wharfage.domain.placement import FleetView, reachable
from wharfage.domain.record import View


class HostView(View, frozen=True, kw_only=True):
    """A host as the operator sees it."""

    id: str
    name: str
    pool: str
    status: HostStatus
    reachable: bool
    labels: dict[str, str]
    capacity: Room
    free: Room | None
    problem: str | None
    architecture: str
    engine_version: str
    agent_version: str | None
    seen_at: datetime | None
    drain_by: datetime | None
    claims: int


class CodeView(View, frozen=True, kw_only=True):
    """A one-time enrolment code; it is shown this once."""

    code: str
    pool: str
    labels: dict[str, str]
    expires_at: datetime


def show(member: FleetView, now: datetime) -> HostView:
    """Show a host to the operator."""
    host, facts = member.host, member.facts
    return HostView(
        id=host.id,
        name=facts.name,
        pool=host.pool,
        status=host.status,
        reachable=reachable(host, now),
        labels=facts.labels,
        capacity=facts.capacity,
        free=host.free,
        problem=host.problem,
        architecture=facts.architecture,
        engine_version=facts.engine_version,
        agent_version=host.agent_version,
        seen_at=host.seen_at,
        drain_by=host.drain_by,
        claims=host.claims,
    )

"""Which host may take which job, and what a waiting job waits for."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from wharfage.domain.attempt import AttemptState
from wharfage.domain.host import Host, HostFacts, HostStatus
from wharfage.domain.job import Job
from wharfage.domain.record import View


class WaitingFor(StrEnum):
    """What a job that does not run yet waits for."""

    BACKOFF = "backoff"  #: The pause before another try.
    NO_MATCHING_HOST = "no_matching_host"  #: No enrolled host could ever run it.
    HOSTS_OFFLINE = "hosts_offline"  #: Those that could are silent, draining or full of trouble.
    HOSTS_FULL = "hosts_full"  #: Those that could have no room now.
    IMAGE_PULL = "image_pull"  #: Its host is fetching the image.
    HOST = "host"  #: A host with room has been rung.


class Waiting(View, frozen=True, kw_only=True):
    """Why a job is not running yet, with the numbers behind it."""

    reason: WaitingFor
    numbers: dict[str, int] = {}


@dataclass(frozen=True, kw_only=True, slots=True)
class FleetView:
    """One host as placement sees it."""

    host: Host
    facts: HostFacts


def matches(job: Job, facts: HostFacts) -> bool:
    """Tell whether this host, empty, could run this job."""
    return (
        facts.pool == job.pool
        and facts.capacity.fits(job.resources)
        and has_labels(facts.labels, job.labels)
    )


def has_labels(labels: Mapping[str, str], required: Mapping[str, str]) -> bool:
    """Tell whether all required labels are there with their values."""
    return all(labels.get(name) == value for name, value in required.items())


def reachable(host: Host, now: datetime) -> bool:
    """Tell whether the host's lease is good."""
    return host.boot is not None and host.lease_until is not None and now < host.lease_until


def takes_work(host: Host, now: datetime) -> bool:
    """Tell whether the host may claim."""
    return host.status is HostStatus.READY and host.problem is None and reachable(host, now)


def waiting(job: Job, fleet: Iterable[FleetView], now: datetime) -> Waiting | None:
    """Say what a job waits for; None once it starts or has ended."""
    match job.state:
        case AttemptState.PENDING:
            left = int((job.due_at - now).total_seconds()) if job.due_at else 0
            return Waiting(reason=WaitingFor.BACKOFF, numbers={"seconds": max(0, left)})
        case AttemptState.QUEUED:
            return _waiting_in_queue(job, list(fleet), now)
        case AttemptState.CLAIMED | AttemptState.PREPARING:
            return Waiting(reason=WaitingFor.IMAGE_PULL)
        case _:
            return None


def _waiting_in_queue(job: Job, fleet: list[FleetView], now: datetime) -> Waiting:
    matching = [
        member
        for member in fleet
        if member.host.status is not HostStatus.REVOKED and matches(job, member.facts)
    ]
    numbers = {"hosts_enrolled": len(fleet), "hosts_matching": len(matching)}
    if not matching:
        return Waiting(reason=WaitingFor.NO_MATCHING_HOST, numbers=numbers)
    online = [member for member in matching if takes_work(member.host, now)]
    numbers["hosts_online"] = len(online)
    if not online:
        return Waiting(reason=WaitingFor.HOSTS_OFFLINE, numbers=numbers)
    if any(member.host.free and member.host.free.fits(job.resources) for member in online):
        return Waiting(reason=WaitingFor.HOST, numbers=numbers)
    free = [member.host.free for member in online if member.host.free is not None]
    numbers |= {
        "slots_free": max((room.slots for room in free), default=0),
        "cpu_millis_needed": job.resources.cpu_millis,
        "cpu_millis_free": max((room.cpu_millis for room in free), default=0),
        "memory_mb_needed": job.resources.memory_mb,
        "memory_mb_free": max((room.memory_mb for room in free), default=0),
    }
    return Waiting(reason=WaitingFor.HOSTS_FULL, numbers=numbers)

"""Hosts: machines with an agent, what they have room for, and what they should hold."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

import msgspec
from msgspec import Meta

from wharfage.domain.attempt import StopReason
from wharfage.domain.price import Resources
from wharfage.domain.record import Body, Record


class HostStatus(StrEnum):
    """What the operator and the agent have made of a host; *unreachable* is a flag, not a state."""

    ENROLLED = "enrolled"  #: Has a token, has not been heard from.
    READY = "ready"  #: Takes work.
    DRAINING = "draining"  #: Finishes what it runs, takes nothing new.
    DRAINED = "drained"  #: Draining and empty.
    QUARANTINED = "quarantined"  #: Takes nothing until what is wrong with it is mended.
    REVOKED = "revoked"  #: Its token is worthless, for good.


class Room(Body, frozen=True, kw_only=True):
    """An amount of a machine: slots (containers), thousandths of a CPU, MiB of memory and disk."""

    slots: Annotated[int, Meta(ge=0, le=10_000)]
    cpu_millis: Annotated[int, Meta(ge=0, le=10_000_000)]
    memory_mb: Annotated[int, Meta(ge=0, le=100_000_000)]
    disk_mb: Annotated[int, Meta(ge=0, le=1_000_000_000)]

    def fits(self, resources: Resources) -> bool:
        """Tell whether one more container with *resources* has room."""
        return (
            self.slots >= 1
            and self.cpu_millis >= resources.cpu_millis
            and self.memory_mb >= resources.memory_mb
            and self.disk_mb >= resources.disk_mb
        )

    def within(self, whole: Self) -> Self:
        """Return what of this is not more than *whole* has."""
        names = self.__struct_fields__
        return type(self)(
            **{name: min(getattr(self, name), getattr(whole, name)) for name in names}
        )

    def less(self, resources: Resources) -> Self:
        """Return what is left beside one container with *resources*."""
        return msgspec.structs.replace(
            self,
            slots=self.slots - 1,
            cpu_millis=self.cpu_millis - resources.cpu_millis,
            memory_mb=self.memory_mb - resources.memory_mb,
            disk_mb=self.disk_mb - resources.disk_mb,
        )


class Host(Record, frozen=True, kw_only=True):
    """The part of a host that changes with every heartbeat. *boot* is None while it is fenced."""

    id: str
    pool: str
    status: HostStatus
    token_hash: str
    created_at: datetime
    next_token_hash: str | None = None
    token_since: datetime | None = None
    boot: str | None = None
    boot_newest: str = ""  #: The latest boot ever heard of; an earlier one is refused.
    lease_until: datetime | None = None
    seen_at: datetime | None = None
    due_at: datetime | None = None
    claims: int = 0  #: Claims ever made; each claim requires it as read.
    wanted: int = 0  #: Raised whenever an assignment's wish changes.
    free: Room | None = None
    agent_version: str | None = None
    drain_by: datetime | None = None
    problem: str | None = None  #: Why the host itself takes no work just now.


class HostFacts(Record, frozen=True, kw_only=True):
    """The part of a host that hardly changes."""

    id: str
    name: str
    pool: str
    labels: dict[str, str]
    capacity: Room
    architecture: str
    engine_version: str
    mailbox: str
    updated_at: datetime


class FleetMember(Record, frozen=True, kw_only=True):
    """Lists a host in the fleet; all members live in one partition."""

    id: str
    name: str
    pool: str
    enrolled_at: datetime


class Assignment(Record, frozen=True, kw_only=True):
    """What a host should hold: put by the claim, deleted by the attempt's end."""

    host: str
    account: str
    job: str
    attempt: int
    claim_id: str
    boot: str
    claimed_at: datetime
    stop_reason: StopReason | None = None  #: Why it should stop; None while it should run.


class EnrolmentCode(Record, frozen=True, kw_only=True):
    """A one-time code that lets one machine become a host of *pool* with *labels*."""

    code_hash: str
    pool: str
    labels: dict[str, str]
    created_by: str
    created_at: datetime
    expires_at: datetime
    used_by: str | None = None


class Watch(Record, frozen=True, kw_only=True):
    """When the control plane last did its own duty; a sick one takes no leases away."""

    name: str = "watch"
    swept_at: datetime | None = None
    unfit_until: datetime | None = None  #: No lease is taken away before this.
    heartbeat_seen_at: datetime | None = None
    given_up_at: datetime | None = None  #: Start of the minute *given_up* counts in.
    given_up: int | None = None  #: Hosts declared lost in that minute.


@dataclass(frozen=True, kw_only=True, slots=True)
class HostPrincipal:
    """The host that is asking, as its own rows say it now."""

    host: Host
    facts: HostFacts
    watch: Watch
    renewed: bool = False  #: It used the token that was to follow its old one.

"""What an agent knows of one attempt: what it holds, how far it is, what it saw, how it ended."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple, Self

import msgspec

from wharfage.domain.attempt import AttemptState, ReasonCode, StopReason
from wharfage.domain.spec import OnHostLost
from wharfage.messages import Grant, Held


class Key(NamedTuple):
    """Names an attempt. The container's name follows from it, and is the lock."""

    job: str
    attempt: int

    @property
    def container(self) -> str:
        """Return the one name a container of this attempt can have."""
        return f"wharfage-{self.job}-{self.attempt}"


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What has to be known of an attempt after a restart. The journal and the labels hold it.

    It has no command and no environment: a later life of the agent never starts anything.
    """

    account: str
    job: str
    attempt: int
    claim_id: str
    max_run_s: int
    stop_grace_s: int
    on_host_lost: OnHostLost
    log_cap_bytes: int
    cpu_millis: int
    memory_mb: int
    disk_mb: int
    outputs: str = ""  #: The paths to bring, one a line: a label holds text.

    @classmethod
    def of(cls, grant: Grant) -> Self:
        """Keep of a grant what outlives this life of the agent."""
        return cls(
            account=grant.account,
            job=grant.job,
            attempt=grant.attempt,
            claim_id=grant.claim_id,
            max_run_s=grant.max_run_s,
            stop_grace_s=grant.spec.stop_grace_s,
            on_host_lost=grant.spec.on_host_lost,
            log_cap_bytes=grant.log_cap_bytes,
            cpu_millis=grant.spec.resources.cpu_millis,
            memory_mb=grant.spec.resources.memory_mb,
            disk_mb=grant.spec.resources.disk_mb,
            outputs="\n".join(grant.spec.outputs),
        )

    @property
    def output_paths(self) -> tuple[str, ...]:
        """Return the paths of the files to bring once the container has ended."""
        return tuple(self.outputs.split("\n")) if self.outputs else ()

    @property
    def key(self) -> Key:
        """Return the attempt's name."""
        return Key(self.job, self.attempt)

    @property
    def held(self) -> Held:
        """Return the line of the first heartbeat that says it is here."""
        return Held(
            account=self.account, job=self.job, attempt=self.attempt, claim_id=self.claim_id
        )


class Phase(StrEnum):
    """How far this life of the agent has brought an attempt."""

    CLAIMED = "claimed"  #: Journalled; nothing has been done for it.
    PREPARING = "preparing"  #: Its image is being made ready.
    CREATING = "creating"  #: The engine is being asked for a container.
    FILLING = "filling"  #: The container exists, and its input is being put in.
    CREATED = "created"  #: The container exists by our own doing and was not told to start.
    STARTING = "starting"  #: It was told to start, once, and is never told again.
    UNSETTLED = "unsettled"  #: It may still start by itself; it is never told to.
    RUNNING = "running"  #: It has started.
    STOPPING = "stopping"  #: It was sent TERM.
    RETOLD = "retold"  #: An earlier life journalled how it ended: to be told again.
    ENDED = "ended"  #: How it ended is known: to be reported, shipped and removed.
    DISOWNED = "disowned"  #: The control plane gave it up: to be stopped, removed, not reported.
    GONE = "gone"  #: Nothing of it is left here.

    @property
    def occupies(self) -> bool:
        """Tell whether it takes a slot, CPU and memory: it runs, or may come to."""
        return self not in (Phase.RETOLD, Phase.ENDED, Phase.GONE)

    @property
    def begins(self) -> bool:
        """Tell whether it is on its way to a container that runs."""
        return self in _BEGINNING


_BEGINNING = (
    Phase.CLAIMED,
    Phase.PREPARING,
    Phase.CREATING,
    Phase.FILLING,
    Phase.CREATED,
    Phase.STARTING,
    Phase.UNSETTLED,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Container:
    """A container as the engine shows it; *started_at* is None until it has started."""

    id: str
    name: str
    status: str
    labels: dict[str, str]
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int | None = None
    oom: bool = False
    volume: str | None = None  #: Where the engine keeps the attempt's volume.

    @property
    def alive(self) -> bool:
        """Tell whether a process of it may be running."""
        return self.status in ("running", "paused", "restarting")

    @property
    def exited(self) -> bool:
        """Tell whether it has started and ended."""
        return self.started_at is not None and not self.alive and self.status != "created"


@dataclass(frozen=True, kw_only=True, slots=True)
class Absent:
    """The engine was asked, and has no such container."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """An image that is ready on this host: what to create from, its digest, the user it names."""

    reference: str
    digest: str
    user: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How an attempt ended, as it is reported."""

    state: AttemptState
    reason: ReasonCode | None = None
    stop: StopReason | None = None
    exit_code: int | None = None
    signal: int | None = None
    oom: bool = False
    started: bool = False
    run_ms: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Attempt:
    """One attempt, as far as it has been decided. Times are seconds of the monotonic clock."""

    work: Work
    phase: Phase
    since: float  #: When the phase began.
    preparing_seconds: int = 0
    starting_seconds: int = 0
    container: str | None = None  #: The engine's id.
    digest: str | None = None
    ends_at: float | None = None  #: When the run limit will have passed.
    stop: StopReason | None = None
    stopped_at: float | None = None  #: When TERM was decided.
    killed_at: float | None = None
    fills: bool = False  #: It has an input, or files, to be put in before the start.
    inherited: bool = False  #: An earlier life of the agent held it.
    ending: Ending | None = None
    wake_at: float | None = None  #: When to look again though nothing has happened.

    @property
    def key(self) -> Key:
        """Return the attempt's name."""
        return self.work.key


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What has been seen of one attempt so far, and the time. Times as in Attempt."""

    now: float
    today: datetime
    lease_until: float = float("inf")  #: The agent's own deadline, before the control plane's.
    starts_allowed: bool = True
    vetoed: bool = False  #: The host's policy forbids it.
    image: Image | ReasonCode | None = None
    container: Container | Absent | None = None  #: As last seen; None before the first look.
    looked_at: float = float("-inf")  #: When the last look began.
    look_again: bool = False  #: Something happened to the container since the last look.
    attached: bool = False
    carrying: bool = False  #: Files are on their way, in or out.
    carry_at: float = float("-inf")  #: When to try that again.
    filled: bool = False  #: All its input is in its volume.
    outputs_settled: bool = False  #: The control plane wants no more of its outputs.
    started: float | None = None  #: When the engine said that it had started it.
    refused: ReasonCode | None = None  #: Why the engine would not create or start it.
    foreign: bool = False  #: A container of its name is not of our making.
    unanswered: bool = False  #: The start was not answered.
    unwatched: bool = False  #: The engine went away, and the container was not seen alive since.
    stop_asked: StopReason | None = None
    term_refused: bool = False  #: The first TERM found it ended already.
    finished: float | None = None  #: When its end was first heard of.
    disk_used_mb: int = 0
    report_accepted: bool = False
    logs_ended: bool = False
    disowned: bool = False

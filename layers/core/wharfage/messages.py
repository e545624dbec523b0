"""What crosses a process: doorbells, claims, reports, heartbeats, logs."""

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta

from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState, ReasonCode, StopReason
from wharfage.domain.host import Room
from wharfage.domain.log import Stream
from wharfage.domain.output import MissingReason
from wharfage.domain.record import Body, View
from wharfage.domain.spec import JobSpec, Labels, OutputPath
from wharfage.domain.upload import Sha256

Id = Annotated[str, Meta(min_length=4, max_length=64, pattern=r"^[a-z]{3}_[0-9a-z]+$(?!\n)")]
Attempt = Annotated[int, Meta(ge=1, le=9999)]
Count = Annotated[int, Meta(ge=0, le=2**53)]


class Doorbell(Body, frozen=True, kw_only=True):
    """There may be work: look. It carries only ids."""

    account: Id
    job: Id
    attempt: Attempt
    traceparent: str | None = None


class Nudge(Body, frozen=True, kw_only=True):
    """The mailbox's one message: look at your assignments."""

    host: Id


class EnrolRequest(Body, frozen=True, kw_only=True):
    """A machine asks to become a host. It may only narrow the labels of its code."""

    code: Annotated[str, Meta(min_length=8, max_length=128)]
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,62}$(?!\n)")]
    labels: Labels | None = None
    capacity: Room
    architecture: Annotated[str, Meta(max_length=32)]
    engine_version: Annotated[str, Meta(max_length=64)]
    agent_version: Annotated[str, Meta(max_length=32)]


class EnrolReply(View, frozen=True, kw_only=True):
    """The machine is a host now. The token is shown this once."""

    host: str
    token: str
    pool: str
    labels: dict[str, str]


class CredentialsReply(View, frozen=True, kw_only=True):
    """Short-lived credentials for this host's queues; *token*, if given, replaces the agent's."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    expires_at: datetime
    region: str
    sqs_endpoint: str | None
    pool_queue_url: str
    mailbox_queue_url: str
    token: str | None = None


class Held(Body, frozen=True, kw_only=True):
    """One attempt that a host holds."""

    account: Id
    job: Id
    attempt: Attempt
    claim_id: Id


class HeartbeatRequest(Body, frozen=True, kw_only=True):
    """A sign of life. *held* is given in the first heartbeat of a boot: everything it holds."""

    boot: Id
    agent_version: Annotated[str, Meta(max_length=32)]
    capacity: Room
    free: Room
    engine_version: Annotated[str, Meta(max_length=64)] = ""
    busy: bool = False
    problem: Annotated[str, Meta(max_length=64)] | None = None
    held: Annotated[tuple[Held, ...], Meta(max_length=1000)] | None = None


class HeartbeatReply(View, frozen=True, kw_only=True):
    """The lease counts from when the heartbeat was sent."""

    lease_seconds: int
    next_seconds: int
    wanted: int
    draining: bool
    accepts_claims: bool
    server_time: datetime
    notice: str | None = None  #: Why no claims are accepted, when they are not.


class Assigned(View, frozen=True, kw_only=True):
    """What this host should hold, and whether it should be stopping."""

    account: str
    job: str
    attempt: int
    claim_id: str
    stop_reason: StopReason | None = None


class AssignmentsRequest(Body, frozen=True, kw_only=True):
    """Ask for everything this host should hold."""

    boot: Id


class AssignmentsReply(View, frozen=True, kw_only=True):
    """Everything this host should hold; *wanted* is as of before the list was read."""

    wanted: int
    assignments: tuple[Assigned, ...]


class Candidate(Body, frozen=True, kw_only=True):
    """A job heard of by a doorbell."""

    account: Id
    job: Id
    attempt: Attempt


class ClaimsRequest(Body, frozen=True, kw_only=True):
    """Ask for work: the candidates first, then whatever fits *free*."""

    boot: Id
    free: Room
    candidates: Annotated[tuple[Candidate, ...], Meta(max_length=limits.CLAIMS_MAX)] = ()


class GivenFile(View, frozen=True, kw_only=True):
    """An input file of a job, and where its bytes are fetched."""

    name: str
    size_bytes: int
    sha256: str
    url: str


class Grant(View, frozen=True, kw_only=True):
    """Work that is this host's now. The lease counts from when the request was sent."""

    account: str
    job: str
    attempt: int
    claim_id: str
    lease_seconds: int
    spec: JobSpec
    max_run_s: int
    image_digest: str | None
    log_cap_bytes: int
    preparing_seconds: int
    starting_seconds: int
    files: tuple[GivenFile, ...] = ()


class Declined(View, frozen=True, kw_only=True):
    """A candidate that was not granted, and why."""

    job: str
    attempt: int
    outcome: Literal["gone", "taken", "not_here"]


class ClaimsReply(View, frozen=True, kw_only=True):
    """What was granted and what was not; *more* says that work is still waiting."""

    grants: tuple[Grant, ...] = ()
    declined: tuple[Declined, ...] = ()
    more: bool = False


class Report(Body, frozen=True, kw_only=True):
    """What the host says of one attempt. *run_ms* is measured by the host's monotonic clock."""

    account: Id
    job: Id
    attempt: Attempt
    claim_id: Id
    seq: Count
    state: AttemptState
    at: datetime
    reason_code: ReasonCode | None = None
    stop_reason: StopReason | None = None
    exit_code: Annotated[int, Meta(ge=0, le=255)] | None = None
    signal: Annotated[int, Meta(ge=1, le=64)] | None = None
    oom: bool = False
    started: bool = False
    run_ms: Count | None = None
    image_digest: Annotated[str, Meta(pattern=r"^sha256:[0-9a-f]{64}$(?!\n)")] | None = None


class ReportsRequest(Body, frozen=True, kw_only=True):
    """Reports of one host, oldest first for each attempt."""

    boot: Id
    reports: Annotated[tuple[Report, ...], Meta(min_length=1, max_length=limits.REPORTS_MAX)]


class Reported(View, frozen=True, kw_only=True):
    """What became of one report. *stale_claim*: stop and remove that container."""

    job: str
    attempt: int
    seq: int
    outcome: Literal["accepted", "repeated", "stale_claim"]


class ReportsReply(View, frozen=True, kw_only=True):
    """One answer for each report, in order."""

    reports: tuple[Reported, ...]


class FoundOutput(Body, frozen=True, kw_only=True):
    """An output that is ready on the host."""

    path: OutputPath
    size_bytes: Annotated[int, Meta(ge=0, le=limits.OUTPUT_BYTES_MAX)]
    sha256: Sha256


class LackedOutput(Body, frozen=True, kw_only=True):
    """An output that the host cannot bring."""

    path: OutputPath
    reason: MissingReason


class OutputsRequest(Body, frozen=True, kw_only=True):
    """All the outputs of an attempt, as they are on the host. Asked again until all are kept."""

    account: Id
    job: Id
    attempt: Attempt
    claim_id: Id
    found: Annotated[tuple[FoundOutput, ...], Meta(max_length=limits.OUTPUTS_MAX)] = ()
    lacked: Annotated[tuple[LackedOutput, ...], Meta(max_length=limits.OUTPUTS_MAX)] = ()


class WantedOutput(View, frozen=True, kw_only=True):
    """An output whose bytes have not arrived: PUT them to *url* with these *headers*."""

    path: str
    url: str
    headers: dict[str, str]


class OutputsReply(View, frozen=True, kw_only=True):
    """What is still to be sent. *settled*: nothing, and nothing will be taken any more."""

    settled: bool
    wanted: tuple[WantedOutput, ...] = ()


class LogPiece(Body, frozen=True, kw_only=True):
    """A run of bytes of one stream: *data* is gzip, *offset* and *size* count plain bytes."""

    account: Id
    job: Id
    attempt: Attempt
    claim_id: Id
    stream: Stream
    offset: Count
    size: Annotated[int, Meta(ge=0, le=limits.LOG_CHUNK_BYTES)]
    data: Annotated[bytes, Meta(max_length=limits.LOG_CHUNK_PACKED_BYTES_MAX)]
    end: bool = False
    truncated: bool = False
    gap: bool = False  #: Bytes may have been lost with the engine. Given with the end.


class LogsRequest(Body, frozen=True, kw_only=True):
    """Pieces of logs, in order for each stream."""

    pieces: Annotated[tuple[LogPiece, ...], Meta(min_length=1, max_length=limits.LOG_CHUNKS_MAX)]


class LogPosition(View, frozen=True, kw_only=True):
    """How far one stream has arrived. *closed*: nothing more of it is wanted."""

    job: str
    attempt: int
    stream: Stream
    next_offset: int
    closed: bool


class LogsReply(View, frozen=True, kw_only=True):
    """Where each stream of the request stands; wait *pause_seconds* before the next call."""

    positions: tuple[LogPosition, ...]
    pause_seconds: int = 0

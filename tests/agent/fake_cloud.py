"""A control plane in memory: what `messages` promises, for one host."""

import itertools
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from gzip import decompress
from typing import Any

import msgspec

from tests.fixtures.objects import sha256
from wharfage.domain.attempt import AttemptState, StopReason
from wharfage.domain.host import Room
from wharfage.domain.log import Stream
from wharfage.domain.spec import JobSpec
from wharfage.messages import (
    Assigned,
    AssignmentsReply,
    AssignmentsRequest,
    ClaimsReply,
    ClaimsRequest,
    CredentialsReply,
    Declined,
    Doorbell,
    EnrolReply,
    EnrolRequest,
    GivenFile,
    Grant,
    HeartbeatReply,
    HeartbeatRequest,
    LogPosition,
    LogsReply,
    LogsRequest,
    Nudge,
    OutputsReply,
    OutputsRequest,
    Report,
    Reported,
    ReportsReply,
    ReportsRequest,
    WantedOutput,
)
from wharfage_agent.errors import CloudRefused, Fenced

CODE = "one-time-code"


@dataclass(kw_only=True, slots=True)
class Output:
    data: bytearray = field(default_factory=bytearray)
    ended: bool = False
    truncated: bool = False
    gap: bool = False


@dataclass(kw_only=True, slots=True)
class Work:
    """A job and its one current attempt."""

    job: str
    spec: JobSpec
    attempt: int = 1
    state: AttemptState = AttemptState.QUEUED
    claim: Grant | None = None
    boot: str | None = None
    stop: StopReason | None = None
    reports: list[Report] = field(default_factory=list)
    terminal: Report | None = None
    settled: OutputsRequest | None = None
    outputs: dict[Stream, Output] = field(
        default_factory=lambda: {stream: Output() for stream in Stream}
    )

    @property
    def complete(self) -> bool:
        return self.terminal is not None and all(o.ended for o in self.outputs.values())


class FakeControl:
    """The control plane of one host. It is a Cloud, and it can be away."""

    def __init__(self) -> None:
        # Of its own, so that worlds that share an engine do not meet.
        self.host = f"hst_{secrets.token_hex(8)}"
        self.token = f"{self.host}.secret"
        self.works: dict[str, Work] = {}
        self.boot: str | None = None
        self.beats: list[HeartbeatRequest] = []
        self.outcomes: list[str] = []
        self.wanted = 0
        self.draining = False
        self.lease_seconds = 60
        self.next_seconds = 1
        self.log_cap_bytes = 16 * 1024 * 1024
        #: Called with each call's name, before and after it is done: a place to fail.
        self.fault: Callable[[str, bool], None] = lambda call, done: None
        self.sqs_endpoint: str | None = None
        self.bells: list[tuple[str, str]] = []
        self.nudges: list[tuple[str, str]] = []
        self.kept: dict[str, bytes] = {}  #: What is behind links, by their addresses.
        self._ids = itertools.count(1)
        self._lock = threading.RLock()

    # What a test does.

    def submit(self, spec: JobSpec, **changes: Any) -> Work:
        with self._lock:
            work = Work(job=f"job_{self.host[4:12]}{next(self._ids):06d}", spec=spec, **changes)
            self.works[work.job] = work
            self.ring(work)
            return work

    def ring(self, work: Work) -> None:
        bell = Doorbell(account="acc_0001", job=work.job, attempt=work.attempt)
        self.bells.append((f"r{next(self._ids)}", msgspec.json.encode(bell).decode()))

    def stop(self, work: Work, reason: StopReason = StopReason.CANCEL) -> None:
        with self._lock:
            work.stop = reason
            self.wanted += 1
            self.nudges.append(
                (f"n{next(self._ids)}", msgspec.json.encode(Nudge(host=self.host)).decode())
            )

    # Cloud.

    def enrol(self, request: EnrolRequest) -> EnrolReply:
        with self._guard("enrol"):
            return EnrolReply(
                host=self.host, token=self.token, pool="default", labels=request.labels or {}
            )

    def credentials(self) -> CredentialsReply:
        with self._guard("credentials"):
            return CredentialsReply(
                access_key_id="key",
                secret_access_key="secret",
                session_token="session",
                expires_at=datetime.now(UTC) + timedelta(minutes=15),
                region="cn-north-1",
                sqs_endpoint=self.sqs_endpoint,
                pool_queue_url=f"{self.sqs_endpoint}/1/pool",
                mailbox_queue_url=f"{self.sqs_endpoint}/1/mailbox",
            )

    def heartbeat(self, request: HeartbeatRequest) -> HeartbeatReply:
        with self._guard("heartbeat"):
            if request.held is None:
                self._check(request.boot)
            else:
                self.boot = request.boot
                held = {(h.job, h.attempt, h.claim_id) for h in request.held}
                for work in self._mine():
                    assert work.claim is not None
                    if (work.job, work.attempt, work.claim.claim_id) not in held:
                        work.state = AttemptState.LOST
            self.beats.append(request)
            return HeartbeatReply(
                lease_seconds=self.lease_seconds,
                next_seconds=self.next_seconds,
                wanted=self.wanted,
                draining=self.draining,
                accepts_claims=not self.draining,
                server_time=datetime.now(UTC),
            )

    def assignments(self, request: AssignmentsRequest) -> AssignmentsReply:
        with self._guard("assignments"):
            self._check(request.boot)
            mine = [(work, work.claim) for work in self._mine()]
            return AssignmentsReply(
                wanted=self.wanted,
                assignments=tuple(
                    Assigned(
                        account=claim.account,
                        job=claim.job,
                        attempt=claim.attempt,
                        claim_id=claim.claim_id,
                        stop_reason=work.stop,
                    )
                    for work, claim in mine
                    if claim is not None
                ),
            )

    def claims(self, request: ClaimsRequest) -> ClaimsReply:
        with self._guard("claims"):
            self._check(request.boot)
            grants: list[Grant] = []
            declined: list[Declined] = []
            slots = request.free.slots
            asked = [(c.job, c.attempt) for c in request.candidates]
            ready = [
                (w.job, w.attempt) for w in self.works.values() if w.state is AttemptState.QUEUED
            ]
            for job, attempt in dict.fromkeys([*asked, *ready]):
                work = self.works.get(job)
                again = work is not None and work.claim is not None and work.boot == request.boot
                if work is None or work.attempt != attempt or work.state.terminal:
                    declined.append(Declined(job=job, attempt=attempt, outcome="gone"))
                elif again and work.claim is not None:
                    grants.append(work.claim)
                elif work.claim is not None:
                    declined.append(Declined(job=job, attempt=attempt, outcome="taken"))
                elif len(grants) < slots and fits(work.spec, request.free):
                    grants.append(self._grant(work, request.boot))
            more = any(w.state is AttemptState.QUEUED for w in self.works.values())
            return ClaimsReply(grants=tuple(grants), declined=tuple(declined), more=more)

    def reports(self, request: ReportsRequest) -> ReportsReply:
        with self._guard("reports"):
            self._check(request.boot)
            return ReportsReply(
                reports=tuple(
                    Reported(job=r.job, attempt=r.attempt, seq=r.seq, outcome=self._answer(r))
                    for r in request.reports
                )
            )

    def logs(self, request: LogsRequest) -> LogsReply:
        with self._guard("logs"):
            positions: dict[tuple[str, Stream], LogPosition] = {}
            for piece in request.pieces:
                output = self.works[piece.job].outputs[piece.stream]
                if piece.offset == len(output.data) and not output.ended:
                    plain = decompress(piece.data)
                    assert len(plain) == piece.size
                    output.data += plain
                    output.ended, output.truncated = piece.end, piece.truncated
                    output.gap = piece.gap
                positions[piece.job, piece.stream] = LogPosition(
                    job=piece.job,
                    attempt=piece.attempt,
                    stream=piece.stream,
                    next_offset=len(output.data),
                    closed=output.ended,
                )
            return LogsReply(positions=tuple(positions.values()))

    def outputs(self, request: OutputsRequest) -> OutputsReply:
        with self._guard("outputs"):
            work = self.works[request.job]
            if work.claim is None or work.claim.claim_id != request.claim_id:
                raise CloudRefused(409, "stale_claim")
            if work.settled is None:
                urls = {
                    each.path: f"https://files/{request.job}{each.path}" for each in request.found
                }
                wanted = tuple(
                    WantedOutput(
                        path=each.path,
                        url=urls[each.path],
                        headers={"content-length": str(each.size_bytes)},
                    )
                    for each in request.found
                    if sha256(self.kept.get(urls[each.path], b"-")) != each.sha256
                )
                if wanted:
                    return OutputsReply(settled=False, wanted=wanted)
                work.settled = request
            return OutputsReply(settled=True)

    # Helpers.

    def _answer(self, report: Report) -> Any:
        outcome = self._report(report)
        self.outcomes.append(outcome)
        return outcome

    def _report(self, report: Report) -> Any:
        work = self.works.get(report.job)
        if work is None or work.claim is None or work.claim.claim_id != report.claim_id:
            return "stale_claim"
        if work.terminal is not None and work.terminal == report:
            return "repeated"
        if work.attempt != report.attempt or work.state.terminal:
            return "stale_claim"
        if work.reports and report.seq <= work.reports[-1].seq:
            return "repeated"
        if report.state.rank > work.state.rank:
            work.state = report.state
            work.reports.append(report)
            work.terminal = report if report.state.terminal else None
        return "accepted"

    def _grant(self, work: Work, boot: str) -> Grant:
        work.claim = Grant(
            account="acc_0001",
            job=work.job,
            attempt=work.attempt,
            claim_id=f"clm_{next(self._ids):06d}",
            lease_seconds=self.lease_seconds,
            spec=work.spec,
            max_run_s=work.spec.max_run_s,
            image_digest=None,
            log_cap_bytes=self.log_cap_bytes,
            preparing_seconds=900,
            starting_seconds=120,
            files=tuple(
                GivenFile(
                    name=name,
                    size_bytes=len(self.kept.get(upload, b"")),
                    sha256=sha256(self.kept.get(upload, b"")),
                    url=upload,
                )
                for name, upload in work.spec.files.items()
            ),
        )
        work.boot, work.state = boot, AttemptState.CLAIMED
        return work.claim

    def _mine(self) -> list[Work]:
        return [w for w in self.works.values() if w.claim is not None and w.state.held_by_host]

    def _check(self, boot: str) -> None:
        if boot != self.boot:
            raise Fenced(409, "stale_boot")

    def _guard(self, call: str) -> "_Guard":
        return _Guard(self, call)


class _Guard:
    """Lets a fault strike before the work is done, or after it: the answer is lost."""

    def __init__(self, control: FakeControl, call: str) -> None:
        self._control, self._call = control, call

    def __enter__(self) -> None:
        self._control.fault(self._call, False)
        self._control._lock.acquire()

    def __exit__(self, kind: object, *_: object) -> None:
        self._control._lock.release()
        if kind is None:
            self._control.fault(self._call, True)


def fits(spec: JobSpec, free: Room) -> bool:
    wanted = spec.resources
    return (
        wanted.cpu_millis <= free.cpu_millis
        and wanted.memory_mb <= free.memory_mb
        and wanted.disk_mb <= free.disk_mb
    )

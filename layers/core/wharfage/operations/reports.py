"""Reports: what hosts say of their attempts, each accepted once."""

from typing import Any, Literal

from wharfage.domain import ending, progress
from wharfage.domain.errors import StaleBoot, StateConflict
from wharfage.domain.host import HostPrincipal
from wharfage.domain.job import AttemptRecord, Job
from wharfage.items import change
from wharfage.messages import Report, Reported, ReportsReply, ReportsRequest
from wharfage.operations import attempts
from wharfage.ports import Ports
from wharfage.schema import ATTEMPT, JOB
from wharfage.transaction import Key

_TRIES = 4  #: How often a report is decided anew because its job moved meanwhile.

_Outcome = Literal["accepted", "repeated", "stale_claim"]
_Rows = tuple[Job | None, AttemptRecord | None]


def receive(ports: Ports, who: HostPrincipal, request: ReportsRequest) -> ReportsReply:
    """Apply reports in order. A repeat gets the same answer; an old claim changes nothing.

    Raises: StaleBoot.
    """
    if who.host.boot != request.boot:
        raise StaleBoot
    keys: list[Key[Any]] = [key for report in request.reports for key in _keys(report)]
    records = ports.store.get_many(keys)
    rows = zip(records[::2], records[1::2], strict=True)
    decided: set[tuple[str, int]] = set()
    answers = []
    for report, row in zip(request.reports, rows, strict=True):
        moved = (report.job, report.attempt) in decided  # By an earlier report of this call.
        decided.add((report.job, report.attempt))
        outcome = _settle(ports, who, report, _read(ports, report) if moved else row)
        answers.append(
            Reported(job=report.job, attempt=report.attempt, seq=report.seq, outcome=outcome)
        )
    return ReportsReply(reports=tuple(answers))


def _settle(ports: Ports, who: HostPrincipal, report: Report, rows: _Rows) -> _Outcome:
    """Decide on the rows as read, and anew on newer ones while the job keeps moving."""
    for _ in range(_TRIES):
        try:
            return _apply(ports, who, report, *rows)
        except StateConflict:
            rows = _read(ports, report)
    raise StateConflict(state="moving")


def _apply(
    ports: Ports,
    who: HostPrincipal,
    report: Report,
    job: Job | None,
    record: AttemptRecord | None,
) -> _Outcome:
    if record is not None:
        same = (record.claim_id, record.seq) == (report.claim_id, report.seq)
        return "repeated" if same and report.state.terminal else "stale_claim"
    if job is None or not _current(job, who, report):
        return "stale_claim"
    if report.seq <= job.seq or report.state.rank <= job.state.rank:
        return "repeated"
    if report.state.terminal:
        attempts.end(ports, job, _end(ports, job, report), actor=who.host.id)
        return "accepted"
    after = progress.reported(
        job,
        report.state,
        seq=report.seq,
        image_digest=report.image_digest,
        now=ports.clock.now(),
    )
    kind = f"attempt.{report.state}"
    ports.store.commit(change(job, after), attempts.event(ports, after, kind, who.host.id))
    return "accepted"


def _current(job: Job, who: HostPrincipal, report: Report) -> bool:
    """Tell whether the report speaks of the claim that holds."""
    return (
        not job.terminal
        and job.state.held_by_host
        and (job.attempt, job.claim_id) == (report.attempt, report.claim_id)
        and job.host == who.host.id
    )


def _end(ports: Ports, job: Job, report: Report) -> ending.End:
    end = ending.reported_end(
        report.state,
        reason=report.reason_code,
        stop_reason=report.stop_reason,
        exit_code=report.exit_code,
        signal=report.signal,
        oom=report.oom,
    )
    run_ms = (report.run_ms or 0) if report.started else None
    return ending.seen_by_host(job, end, run_ms=run_ms, seq=report.seq, now=ports.clock.now())


def _keys(report: Report) -> tuple[Key[Job], Key[AttemptRecord]]:
    return (
        JOB.key(account=report.account, id=report.job),
        ATTEMPT.key(job=report.job, attempt=report.attempt),
    )


def _read(ports: Ports, report: Report) -> _Rows:
    job, record = ports.store.get_many(_keys(report))
    return job, record

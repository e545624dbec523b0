"""Outputs: a host brings the files that a job leaves, and its owner fetches them by links."""

from collections.abc import Sequence
from datetime import timedelta

from wharfage.domain import limits, output
from wharfage.domain.account import Principal
from wharfage.domain.errors import NotFound, StaleClaim, StateConflict, fault
from wharfage.domain.host import HostPrincipal
from wharfage.domain.job import AttemptRecord, Job, SpecRecord
from wharfage.domain.link import ObjectHead
from wharfage.domain.output import MissingOutput, Output, OutputSet, OutputsView
from wharfage.domain.spec import MEBIBYTE
from wharfage.messages import FoundOutput, OutputsReply, OutputsRequest, WantedOutput
from wharfage.operations import attempts
from wharfage.ports import Ports
from wharfage.schema import ATTEMPT, JOB, OUTPUTS, SPEC
from wharfage.transaction import Delete, Put, absent


def receive(ports: Ports, who: HostPrincipal, request: OutputsRequest) -> OutputsReply:
    """Say which outputs have not arrived, with links; once all have, settle them for good.

    A host asks again after each round, also in a later life: what has arrived is not sent twice.

    Raises: StaleClaim, Invalid, Unavailable.
    """
    job, record, spec, known = _read(ports, request)
    now = ports.clock.now()
    claim = (who.host.id, request.attempt, request.claim_id)
    late = timedelta(seconds=limits.OUTPUTS_LATE_SECONDS)
    if not attempts.claim_holds(job, record, claim=claim, now=now - late):
        raise StaleClaim
    assert job is not None
    assert spec is not None
    if known is not None:
        return OutputsReply(settled=True)
    paths = spec.spec.outputs
    _check(request, paths, spec.spec.resources.disk_mb * MEBIBYTE)
    wanted = [each for each in request.found if not _arrived(ports, request, job, paths, each)]
    if wanted:
        return OutputsReply(
            settled=False,
            wanted=tuple(_wanted(ports, job, request.attempt, paths, each) for each in wanted),
        )
    _settle(ports, job, request, paths, who.host.id)
    return OutputsReply(settled=True)


def read(ports: Ports, who: Principal, job_id: str, *, attempt: int | None = None) -> OutputsView:
    """Show the outputs of a job's *attempt*, or of its current one, with a link to each.

    Raises: NotFound.
    """
    job = ports.store.get(JOB.key(account=who.account, id=job_id))
    if job is None:
        raise NotFound(what="job")
    asked = attempt or job.attempt
    if asked > job.attempt:
        raise NotFound(what="attempt")
    found: Sequence[OutputSet | AttemptRecord | SpecRecord | None] = ports.store.get_many(
        [
            OUTPUTS.key(job=job.id, attempt=asked),
            ATTEMPT.key(job=job.id, attempt=asked),
            SPEC.key(job=job.id),
        ]
    )
    outputs, record, spec = found
    if isinstance(outputs, OutputSet):
        return _show(ports, outputs)
    ended = record if isinstance(record, AttemptRecord) else None
    paths = spec.spec.outputs if isinstance(spec, SpecRecord) else ()
    return output.unsettled(asked, paths, ended, ports.clock.now())


def sweep_outputs(ports: Ports, outputs: OutputSet) -> None:
    """Remove outputs whose time is over; the row last, so that a repeat finds the rest."""
    for key in outputs.object_keys:
        ports.objects.delete(key)
    ports.store.commit(Delete(OUTPUTS.key(job=outputs.job, attempt=outputs.attempt)))


def _show(ports: Ports, outputs: OutputSet) -> OutputsView:
    if ports.clock.now() >= outputs.expires_at:
        return output.over(outputs)
    links = [
        ports.objects.get_link(key, name=_name(item.path), seconds=limits.LINK_SECONDS)
        for key, item in zip(outputs.object_keys, outputs.items, strict=True)
    ]
    return output.show(outputs, links)


def _read(
    ports: Ports, request: OutputsRequest
) -> tuple[Job | None, AttemptRecord | None, SpecRecord | None, OutputSet | None]:
    job, record, spec, known = ports.store.get_many(
        [
            JOB.key(account=request.account, id=request.job),
            ATTEMPT.key(job=request.job, attempt=request.attempt),
            SPEC.key(job=request.job),
            OUTPUTS.key(job=request.job, attempt=request.attempt),
        ]
    )
    return job, record, spec, known


def _check(request: OutputsRequest, paths: Sequence[str], bytes_max: int) -> None:
    """Hold the host to the job's specification. Raises: Invalid."""
    told = [each.path for each in request.found] + [each.path for each in request.lacked]
    if sorted(told) != sorted(paths):
        raise fault("/found", "outputs", "Every output of the job is told of once, and no other.")
    if sum(each.size_bytes for each in request.found) > bytes_max:
        raise fault("/found", "too_large", f"At most {bytes_max} bytes together.")


def _arrived(
    ports: Ports, request: OutputsRequest, job: Job, paths: Sequence[str], found: FoundOutput
) -> bool:
    key = output.object_key(job.account, job.id, request.attempt, paths.index(found.path))
    expected = ObjectHead(size_bytes=found.size_bytes, sha256=found.sha256)
    return ports.objects.head(key) == expected


def _wanted(
    ports: Ports, job: Job, attempt: int, paths: Sequence[str], found: FoundOutput
) -> WantedOutput:
    link = ports.objects.put_link(
        output.object_key(job.account, job.id, attempt, paths.index(found.path)),
        size_bytes=found.size_bytes,
        sha256=found.sha256,
        seconds=limits.LINK_SECONDS,
    )
    return WantedOutput(path=found.path, url=link.url, headers=dict(link.headers))


def _settle(
    ports: Ports, job: Job, request: OutputsRequest, paths: Sequence[str], host: str
) -> None:
    """Write down what there is, and in the job's timeline what there is not."""
    outputs = output.settled(
        job,
        request.attempt,
        paths,
        items=[
            Output(path=each.path, size_bytes=each.size_bytes, sha256=each.sha256)
            for each in request.found
        ],
        missing=[MissingOutput(path=each.path, reason=each.reason) for each in request.lacked],
        now=ports.clock.now(),
    )
    kind = "outputs.missing" if outputs.missing else "outputs.stored"
    facts = {"attempt": request.attempt, "stored": len(outputs.items)}
    try:
        ports.store.commit(
            Put(outputs, when=[absent()]),
            attempts.event(ports, job, kind, host, **facts, missing=len(outputs.missing)),
        )
    except StateConflict:
        return  # Another call of the same claim was quicker; it knew the same.


def _name(path: str) -> str:
    return path.rpartition("/")[2]

"""Outputs: files that a job leaves behind, kept for a while after its container has gone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum

from wharfage.domain import limits
from wharfage.domain.job import AttemptRecord, Job
from wharfage.domain.link import Link
from wharfage.domain.record import Record, View


class MissingReason(StrEnum):
    """Why an output that was asked for cannot be had. The job's result does not change for it."""

    NOT_FOUND = "not_found"  #: The container left no such file.
    NOT_A_FILE = "not_a_file"  #: It is a folder, a link, or under a link.
    TOO_LARGE = "too_large"  #: With the outputs before it, it is over the volume's limit.
    UNREADABLE = "unreadable"  #: The host could not read it.
    UPLOAD_FAILED = "upload_failed"  #: It could not be stored.
    NOT_STARTED = "not_started"  #: The container never ran.
    NOT_DELIVERED = "not_delivered"  #: The host went away, or did not bring it in time.
    EXPIRED = "expired"  #: It was kept for as long as outputs are.


class Output(Record, frozen=True, kw_only=True):
    """A file that was kept."""

    path: str
    size_bytes: int
    sha256: str


class MissingOutput(View, frozen=True, kw_only=True):
    """A file that was asked for and is not there."""

    path: str
    reason: MissingReason


class OutputSet(Record, frozen=True, kw_only=True):
    """What became of an attempt's outputs; written once, when all of them are settled."""

    job: str
    attempt: int
    account: str
    paths: tuple[str, ...]  #: All that were asked for; an object is named by its place here.
    items: tuple[Output, ...]
    missing: tuple[MissingOutput, ...]
    stored_at: datetime
    expires_at: datetime
    due_at: datetime

    @property
    def object_keys(self) -> list[str]:
        """Name the objects that hold them."""
        return [
            object_key(self.account, self.job, self.attempt, self.paths.index(item.path))
            for item in self.items
        ]


class OutputView(View, frozen=True, kw_only=True):
    """A file that can be fetched from *url* until that expires; asked again, there is a new one."""

    path: str
    size_bytes: int
    sha256: str
    url: str
    url_expires_at: datetime


class OutputsView(View, frozen=True, kw_only=True):
    """The outputs of one attempt. *complete*: nothing more will come."""

    attempt: int
    complete: bool
    items: tuple[OutputView, ...] = ()
    missing: tuple[MissingOutput, ...] = ()
    available_until: datetime | None = None


def object_key(account: str, job: str, attempt: int, place: int) -> str:
    """Name the object of the output at *place* in a job's list."""
    return f"outputs/{account}/{job}/{attempt:04d}/{place:02d}"


def settled(
    job: Job,
    attempt: int,
    paths: Sequence[str],
    *,
    items: Sequence[Output],
    missing: Sequence[MissingOutput],
    now: datetime,
) -> OutputSet:
    """Make the record of an attempt's outputs."""
    expires_at = now + timedelta(days=limits.OUTPUT_DAYS)
    return OutputSet(
        job=job.id,
        attempt=attempt,
        account=job.account,
        paths=tuple(paths),
        items=tuple(items),
        missing=tuple(missing),
        stored_at=now,
        expires_at=expires_at,
        due_at=expires_at,
    )


def unsettled(
    attempt: int, paths: Sequence[str], ended: AttemptRecord | None, now: datetime
) -> OutputsView:
    """Show outputs of which nothing is stored: they may come yet, or never will."""
    reason = _never(ended, now)
    if not paths:
        return OutputsView(attempt=attempt, complete=ended is not None)
    if reason is None:
        return OutputsView(attempt=attempt, complete=False)
    missing = tuple(MissingOutput(path=path, reason=reason) for path in paths)
    return OutputsView(attempt=attempt, complete=True, missing=missing)


def show(outputs: OutputSet, links: Sequence[Link]) -> OutputsView:
    """Show outputs with a link to each."""
    return OutputsView(
        attempt=outputs.attempt,
        complete=True,
        items=tuple(
            OutputView(
                path=item.path,
                size_bytes=item.size_bytes,
                sha256=item.sha256,
                url=link.url,
                url_expires_at=link.expires_at,
            )
            for item, link in zip(outputs.items, links, strict=True)
        ),
        missing=outputs.missing,
        available_until=outputs.expires_at,
    )


def over(outputs: OutputSet) -> OutputsView:
    """Show outputs whose time has passed."""
    reason = MissingReason.EXPIRED
    gone = tuple(MissingOutput(path=item.path, reason=reason) for item in outputs.items)
    return OutputsView(attempt=outputs.attempt, complete=True, missing=(*gone, *outputs.missing))


def _never(ended: AttemptRecord | None, now: datetime) -> MissingReason | None:
    """Say why nothing will come of an attempt any more, None if something may."""
    if ended is None:
        return None
    if ended.never_started:
        return MissingReason.NOT_STARTED
    if now > ended.ended_at + timedelta(days=limits.OUTPUT_DAYS):
        return MissingReason.EXPIRED
    if now > ended.ended_at + timedelta(seconds=limits.OUTPUTS_LATE_SECONDS):
        return MissingReason.NOT_DELIVERED
    return None

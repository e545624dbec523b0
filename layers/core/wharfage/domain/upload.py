"""Uploads: files that an account has brought, for its jobs to use."""

from datetime import datetime, timedelta
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain.errors import Fault
from wharfage.domain.job import InputFile
from wharfage.domain.link import Link
from wharfage.domain.record import Body, Record, View
from wharfage.domain.spec import MEBIBYTE, FileName, JobSpec, input_json

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]


class UploadRequest(Body, frozen=True, kw_only=True):
    """A file that is about to be sent: how large it is, and what it hashes to."""

    size_bytes: Annotated[int, Meta(ge=0, le=limits.UPLOAD_BYTES_MAX)]
    sha256: Sha256
    name: FileName | None = None


class Upload(Record, frozen=True, kw_only=True):
    """A file of an account. Its bytes may not have arrived yet."""

    id: str
    account: str
    size_bytes: int
    sha256: str
    created_at: datetime
    expires_at: datetime  #: After this it is removed.
    due_at: datetime
    name: str | None = None
    completed_at: datetime | None = None  #: When its bytes were first seen to be there.
    version: int = 1

    @property
    def object_key(self) -> str:
        """Name the object that holds its bytes."""
        return object_key(self.account, self.id)


class UploadCount(Record, frozen=True, kw_only=True):
    """How many uploads an account has, so that the limit is exact."""

    account: str
    live: int = 0


class UploadView(View, frozen=True, kw_only=True):
    """An upload as its owner sees it: PUT the bytes to *url*, with exactly these *headers*."""

    id: str
    name: str | None
    size_bytes: int
    sha256: str
    url: str
    headers: dict[str, str]
    url_expires_at: datetime
    expires_at: datetime


def object_key(account: str, upload: str) -> str:
    """Name the object that holds an upload's bytes."""
    return f"uploads/{account}/{upload}"


def begin(asked: UploadRequest, *, upload_id: str, account: str, now: datetime) -> Upload:
    """Make the record of a file that is about to arrive."""
    expires_at = now + timedelta(hours=limits.UPLOAD_HOURS)
    return Upload(
        id=upload_id,
        account=account,
        size_bytes=asked.size_bytes,
        sha256=asked.sha256,
        name=asked.name,
        created_at=now,
        expires_at=expires_at,
        due_at=expires_at,
    )


def kept(upload: Upload, until: datetime, now: datetime) -> Upload:
    """Note that its bytes are there, and that a job may need it *until* then, within bounds."""
    latest = upload.created_at + timedelta(days=limits.UPLOAD_DAYS_MAX)
    expires_at = max(upload.expires_at, min(until, latest))
    return replace(
        upload,
        completed_at=upload.completed_at or now,
        expires_at=expires_at,
        due_at=expires_at,
        version=upload.version + 1,
    )


def as_input(name: str, upload: Upload) -> InputFile:
    """Return the line of a job's specification that stands for an upload."""
    return InputFile(
        name=name, upload=upload.id, size_bytes=upload.size_bytes, sha256=upload.sha256
    )


def incomplete(name: str) -> Fault:
    """Say that a file's bytes are not there, or are not what was announced."""
    message = "Its bytes have not arrived, or are not those that were announced."
    return Fault(pointer=f"/files/{name}", code="upload_incomplete", message=message)


def over_disk(spec: JobSpec, files: tuple[InputFile, ...]) -> Fault | None:
    """Say that a job's volume cannot hold what it is given; None if it can."""
    given = len(input_json(spec) or b"") + sum(file.size_bytes for file in files)
    if given <= spec.resources.disk_mb * MEBIBYTE:
        return None
    message = f"Input and files have {given} bytes: more than resources.disk_mb holds."
    return Fault(pointer="/files", code="too_large", message=message)


def show(upload: Upload, link: Link) -> UploadView:
    """Show an upload to its owner."""
    return UploadView(
        id=upload.id,
        name=upload.name,
        size_bytes=upload.size_bytes,
        sha256=upload.sha256,
        url=link.url,
        headers=dict(link.headers),
        url_expires_at=link.expires_at,
        expires_at=upload.expires_at,
    )

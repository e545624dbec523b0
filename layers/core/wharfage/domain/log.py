"""What a container wrote: two streams of bytes, kept in compressed chunks."""

from datetime import datetime
from enum import StrEnum

from wharfage.domain.record import Record


class Stream(StrEnum):
    """The two outputs of a process. Order is kept within one, not between them."""

    STDOUT = "stdout"
    STDERR = "stderr"


class LogStream(Record, frozen=True, kw_only=True):
    """How far one stream of an attempt has arrived; only *next_offset* is accepted next."""

    job: str
    attempt: int
    stream: Stream
    next_offset: int
    expires_at: datetime
    ended_at: datetime | None = None
    truncated: bool = False  #: The stream was longer than the log cap.
    gap: bool = False  #: Bytes were lost with the host.


class LogChunk(Record, frozen=True, kw_only=True):
    """A run of bytes of one stream, gzip-compressed; *offset* and *size* count plain bytes."""

    job: str
    attempt: int
    stream: Stream
    offset: int
    size: int
    data: bytes
    received_at: datetime
    expires_at: datetime

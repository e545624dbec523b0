"""What an owner is given of a log."""

from datetime import datetime

from wharfage.domain.log import Stream
from wharfage.domain.record import View


class LogPart(View, frozen=True, kw_only=True):
    """A run of bytes of one stream, as written; *data* is base64 in JSON."""

    stream: Stream
    offset: int
    data: bytes
    received_at: datetime


class LogPage(View, frozen=True, kw_only=True):
    """A part of an attempt's log. Read on from *next_cursor* until it is *complete*.

    *truncated*: the attempt wrote more than is kept. *gap*: bytes were lost with the host.
    """

    attempt: int
    items: tuple[LogPart, ...]
    next_cursor: str
    complete: bool
    truncated: bool
    gap: bool

"""What is still to be shipped of one stream of output: bytes, offsets, the end. No I/O."""

import gzip
from dataclasses import dataclass, field

from wharfage.domain.limits import LOG_CHUNK_BYTES
from wharfage.domain.log import Stream
from wharfage.messages import LogPiece
from wharfage_agent.attempts import Work

HEADER_BYTES = 8
_STREAMS = {1: Stream.STDOUT, 2: Stream.STDERR}
GZIP_LEVEL = 1  #: Logs are shipped as they are written; a higher level costs the host's CPU.


class Demultiplexer:
    """Takes the engine's frames apart: stream, three zeros, length (big-endian), bytes."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._stream: Stream | None = None
        self._left = 0

    def feed(self, data: bytes) -> list[tuple[Stream, bytes]]:
        """Return the runs of bytes in *data*; a frame may be cut anywhere."""
        runs = []
        view = memoryview(data)
        while view:
            if self._left:
                part, view = view[: self._left], view[self._left :]
                self._left -= len(part)
                if self._stream is not None:
                    runs.append((self._stream, bytes(part)))
                continue
            missing = HEADER_BYTES - len(self._header)
            self._header += view[:missing]
            view = view[missing:]
            if len(self._header) == HEADER_BYTES:
                self._stream = _STREAMS.get(self._header[0])
                self._left = int.from_bytes(self._header[4:], "big")
                self._header.clear()
        return runs


@dataclass(kw_only=True, slots=True)
class Outbox:
    """One stream. Offsets count from the first byte the container ever wrote to it."""

    work: Work
    stream: Stream
    offset: int = 0  #: Of the first byte that is not known to have arrived.
    data: bytearray = field(default_factory=bytearray)
    position: int = 0  #: Of the next byte that the source will give.
    complete: bool = False  #: Nothing more will come after *data*.
    truncated: bool = False
    gap: bool = False  #: Bytes may have been lost before they could be read.
    closed: bool = False  #: Nothing more of it is wanted.
    rewound: bool = False  #: Bytes are wanted that are not here any more: read again.
    since: float | None = None  #: When the oldest byte that is here came.

    @property
    def end(self) -> int:
        """Return the offset after the last byte that is here."""
        return self.offset + len(self.data)

    def restart(self) -> None:
        """Expect the source to give the stream again from its first byte."""
        self.position = 0
        self.rewound = False

    def take(self, run: bytes, *, now: float) -> None:
        """Add what the source gave; bytes that are here or have arrived already are skipped."""
        begins = self.position
        self.position += len(run)
        if self.complete or self.closed or self.position <= self.end:
            return
        if begins > self.end:
            self.rewound = True
            return
        fresh = run[self.end - begins :]
        room = self.work.log_cap_bytes - self.end
        if len(fresh) > room:
            fresh = fresh[:room]
            self.truncated = self.complete = True
        if self.since is None:
            self.since = now
        self.data += fresh

    def due(self, *, now: float, patience: float) -> bool:
        """Tell whether there is something to ship: enough, old enough, or the end."""
        if self.closed:
            return False
        if self.complete or len(self.data) >= LOG_CHUNK_BYTES:
            return True
        return bool(self.data) and self.since is not None and now - self.since >= patience

    def pieces(self, at_most: int) -> list[LogPiece]:
        """Cut what is here into pieces, in order; the last one may carry the end."""
        cut: list[LogPiece] = []
        begins = 0
        while len(cut) < at_most and (begins < len(self.data) or self.complete):
            plain = bytes(self.data[begins : begins + LOG_CHUNK_BYTES])
            last = self.complete and begins + len(plain) == len(self.data)
            cut.append(self._piece(plain, begins, last=last))
            begins += len(plain)
            if last:
                break
        return cut

    def arrived(self, next_offset: int, *, closed: bool, now: float) -> bool:
        """Go on from where the control plane stands; tell whether that is further than before."""
        moved = closed or next_offset != self.offset
        if closed:
            self.closed = True
            self.data.clear()
            return True
        if next_offset < self.offset:
            self.data.clear()
            self.rewound = True
        elif next_offset >= self.end:
            self.data.clear()
        else:
            del self.data[: next_offset - self.offset]
        self.offset = next_offset
        self.since = now if self.data else None
        return moved

    def _piece(self, plain: bytes, begins: int, *, last: bool) -> LogPiece:
        return LogPiece(
            account=self.work.account,
            job=self.work.job,
            attempt=self.work.attempt,
            claim_id=self.work.claim_id,
            stream=self.stream,
            offset=self.offset + begins,
            size=len(plain),
            data=gzip.compress(plain, compresslevel=GZIP_LEVEL, mtime=0),
            end=last,
            truncated=last and self.truncated,
            gap=last and self.gap,
        )

"""Logs: take what agents ship, and give owners what has arrived, by byte offsets."""

import zlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain.account import Principal
from wharfage.domain.errors import Malformed, NotFound, StateConflict, fault
from wharfage.domain.host import HostPrincipal
from wharfage.domain.job import AttemptRecord, Job
from wharfage.domain.log import LogChunk, LogStream, Stream
from wharfage.domain.log_view import LogPage, LogPart
from wharfage.items import encode
from wharfage.messages import LogPiece, LogPosition, LogsReply, LogsRequest
from wharfage.operations import attempts
from wharfage.ports import Ports
from wharfage.schema import ATTEMPT, JOB, LOG_CHUNK, LOG_STREAM
from wharfage.transaction import Action, Key, Put, absent, equals

_GZIP = 16 + zlib.MAX_WBITS


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """How far a reader has come in both streams of one attempt."""

    attempt: int
    stdout: int = 0
    stderr: int = 0

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read a cursor such as `1.0.42`. Raises: Invalid."""
        parts = text.split(".")
        if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
            raise fault("/cursor", "cursor", "This is not a cursor of a log.")
        attempt, stdout, stderr = (int(part[:15]) for part in parts)
        return cls(attempt=attempt, stdout=stdout, stderr=stderr)

    def __str__(self) -> str:
        return f"{self.attempt}.{self.stdout}.{self.stderr}"


def receive(ports: Ports, who: HostPrincipal, request: LogsRequest) -> LogsReply:
    """Keep pieces of logs. Only the next wanted offset of a stream is accepted, so a repeat,
    an overlap or a hole changes nothing, and the answer says where each stream stands.

    Raises: Malformed, for data that is not what it says it is.
    """
    heads: dict[Key[LogStream], LogStream | None] = {}
    keys = list(dict.fromkeys(key for piece in request.pieces for key in _keys(piece)))
    rows: dict[Key[Any], Any] = dict(zip(keys, ports.store.get_many(keys), strict=True))
    positions = {}
    for piece in request.pieces:
        job_key, record_key, head_key = _keys(piece)
        head = heads.get(head_key, rows[head_key])
        late = timedelta(seconds=limits.LOG_LATE_SECONDS)
        wanted = attempts.claim_holds(
            rows[job_key],
            rows[record_key],
            claim=(who.host.id, piece.attempt, piece.claim_id),
            now=ports.clock.now() - late,
        )
        if wanted:
            heads[head_key] = head = _append(ports, head, piece)
        position = _position(head or _new_head(piece, ports.clock.now()))
        positions[head_key] = position if wanted else replace(position, closed=True)
    return LogsReply(positions=tuple(positions.values()))


def read(
    ports: Ports, who: Principal, job_id: str, *, cursor: str | None, attempt: int | None = None
) -> LogPage:
    """Give an owner the log from *cursor* on: at most a megabyte, in order within a stream.

    Without a cursor it begins at the start of *attempt*, or of the current one.

    Raises: NotFound, Invalid.
    """
    job = ports.store.get(JOB.key(account=who.account, id=job_id))
    if job is None:
        raise NotFound(what="job")
    at = Cursor.parse(cursor) if cursor else Cursor(attempt=attempt or job.attempt)
    if not 1 <= at.attempt <= job.attempt:
        raise NotFound(what="attempt")
    heads = ports.store.get_many(
        [LOG_STREAM.key(job=job.id, attempt=at.attempt, stream=stream) for stream in Stream]
        + [ATTEMPT.key(job=job.id, attempt=at.attempt)]
    )
    record: AttemptRecord | None = heads.pop()
    chunks = _chunks(ports, job, at)
    after = _advanced(at, chunks)
    read_all = all(
        head is None or _reached(after, head.stream) >= head.next_offset for head in heads
    )
    ended = [head is not None and head.ended_at is not None for head in heads]
    late = record is not None and ports.clock.now() > record.ended_at + timedelta(
        seconds=limits.LOG_GAP_SECONDS
    )
    never_started = record is not None and record.never_started and not any(heads)
    complete = record is not None and read_all and (all(ended) or late or never_started)
    return LogPage(
        attempt=at.attempt,
        items=tuple(_part(chunk) for chunk in chunks),
        next_cursor=str(after),
        complete=complete,
        truncated=any(head is not None and head.truncated for head in heads),
        gap=any(head is not None and head.gap for head in heads)
        or (complete and not all(ended) and not never_started),
    )


def _keys(piece: LogPiece) -> tuple[Key[Job], Key[AttemptRecord], Key[LogStream]]:
    return (
        JOB.key(account=piece.account, id=piece.job),
        ATTEMPT.key(job=piece.job, attempt=piece.attempt),
        LOG_STREAM.key(job=piece.job, attempt=piece.attempt, stream=piece.stream),
    )


def _append(ports: Ports, head: LogStream | None, piece: LogPiece) -> LogStream | None:
    """Keep one piece behind what has arrived; return the stream's head after it, if it has one."""
    now = ports.clock.now()
    before = head or _new_head(piece, now)
    if before.ended_at is not None or piece.offset != before.next_offset:
        return head
    _check_data(piece)
    fits = before.next_offset + piece.size <= limits.LOG_CAP_BYTES
    after = replace(
        before,
        next_offset=before.next_offset + (piece.size if fits else 0),
        ended_at=now if piece.end or not fits else None,
        truncated=piece.truncated or not fits,
        gap=piece.gap,
        expires_at=now + timedelta(days=limits.LOG_DAYS),
    )
    if replace(after, expires_at=before.expires_at) == before:
        return head
    as_read = [equals("next_offset", before.next_offset), absent("ended_at")]
    actions: list[Action] = [Put(after, when=as_read if head else [absent()])]
    if piece.size and fits:
        actions.append(Put(_chunk(piece, now), when=[absent()]))
    try:
        ports.store.commit(*actions)
    except StateConflict:
        key, _ = encode(before)
        return ports.store.get(key)
    return after


def _check_data(piece: LogPiece) -> None:
    """Refuse data that is not one whole gzip of exactly its size; never unpack more than that."""
    if not piece.data and not piece.size:
        return
    unpacker = zlib.decompressobj(_GZIP)
    try:
        plain = unpacker.decompress(piece.data, limits.LOG_CHUNK_BYTES + 1)
    except zlib.error:
        raise Malformed from None
    # What is cut short unpacks to its size as well, and then no reader can unpack it.
    if len(plain) != piece.size or not unpacker.eof or unpacker.unused_data:
        raise Malformed


def _new_head(piece: LogPiece, now: datetime) -> LogStream:
    return LogStream(
        job=piece.job,
        attempt=piece.attempt,
        stream=piece.stream,
        next_offset=0,
        expires_at=now + timedelta(days=limits.LOG_DAYS),
    )


def _chunk(piece: LogPiece, now: datetime) -> LogChunk:
    return LogChunk(
        job=piece.job,
        attempt=piece.attempt,
        stream=piece.stream,
        offset=piece.offset,
        size=piece.size,
        data=piece.data,
        received_at=now,
        expires_at=now + timedelta(days=limits.LOG_DAYS),
    )


def _position(head: LogStream) -> LogPosition:
    return LogPosition(
        job=head.job,
        attempt=head.attempt,
        stream=head.stream,
        next_offset=head.next_offset,
        closed=head.ended_at is not None,
    )


def _chunks(ports: Ports, job: Job, at: Cursor) -> list[LogChunk]:
    """Read on in both streams, half the answer's limit each, merged by when they arrived."""
    most = limits.LOG_ANSWER_BYTES_MAX // limits.LOG_CHUNK_BYTES // len(Stream)
    found: list[LogChunk] = []
    for stream in Stream:
        offset = _reached(at, stream)
        page = ports.store.query(
            LOG_CHUNK,
            f"{job.id}#{at.attempt:04d}",
            prefix=f"{stream}#",
            after=f"{stream}#{offset - 1:012d}" if offset else None,
            limit=most,
        )
        found += page.items
    return sorted(found, key=lambda chunk: chunk.received_at)


def _reached(at: Cursor, stream: Stream) -> int:
    return at.stdout if stream is Stream.STDOUT else at.stderr


def _advanced(at: Cursor, chunks: list[LogChunk]) -> Cursor:
    ends = {stream: _reached(at, stream) for stream in Stream}
    for chunk in chunks:
        ends[chunk.stream] = max(ends[chunk.stream], chunk.offset + chunk.size)
    return Cursor(attempt=at.attempt, stdout=ends[Stream.STDOUT], stderr=ends[Stream.STDERR])


def _part(chunk: LogChunk) -> LogPart:
    return LogPart(
        stream=chunk.stream,
        offset=chunk.offset,
        data=zlib.decompress(chunk.data, _GZIP),
        received_at=chunk.received_at,
    )

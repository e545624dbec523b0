"""One stream of output: whatever way it is cut, lost and read again, the bytes arrive once."""

import gzip
import random

import pytest

from tests.agent.fakes import grant
from wharfage.domain.limits import LOG_CHUNK_BYTES
from wharfage.domain.log import Stream
from wharfage_agent.attempts import Work
from wharfage_agent.outbox import Demultiplexer, Outbox

WORK = Work.of(grant(log_cap_bytes=1_000_000))


def outbox(cap: int = 1_000_000) -> Outbox:
    return Outbox(work=Work.of(grant(log_cap_bytes=cap)), stream=Stream.STDOUT)


def frame(kind: int, data: bytes) -> bytes:
    return bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


@pytest.mark.parametrize("size", [1, 3, 8, 9, 1000])
def test_frames_may_be_cut_anywhere(size: int) -> None:
    wire = frame(1, b"out one") + frame(2, b"err") + frame(1, b"") + frame(1, b" two")
    demultiplexer = Demultiplexer()

    runs = [
        run
        for begins in range(0, len(wire), size)
        for run in demultiplexer.feed(wire[begins : begins + size])
    ]

    assert b"".join(data for stream, data in runs if stream is Stream.STDOUT) == b"out one two"
    assert b"".join(data for stream, data in runs if stream is Stream.STDERR) == b"err"


def test_pieces_are_at_most_a_chunk_and_the_last_carries_the_end() -> None:
    box = outbox()
    box.take(b"x" * (LOG_CHUNK_BYTES + 1), now=0)
    box.complete = True

    pieces = box.pieces(16)

    assert [(p.offset, p.size, p.end) for p in pieces] == [
        (0, LOG_CHUNK_BYTES, False),
        (LOG_CHUNK_BYTES, 1, True),
    ]


def test_a_stream_of_exactly_a_chunk_ends_with_it() -> None:
    box = outbox()
    box.take(b"x" * LOG_CHUNK_BYTES, now=0)
    box.complete = True

    pieces = box.pieces(16)

    assert [(p.size, p.end) for p in pieces] == [(LOG_CHUNK_BYTES, True)]


def test_an_empty_stream_is_only_an_end() -> None:
    box = outbox()
    box.complete = True

    pieces = box.pieces(16)

    assert [(p.offset, p.size, p.end) for p in pieces] == [(0, 0, True)]


@pytest.mark.parametrize(("written", "kept", "truncated"), [(9, 9, 0), (10, 10, 0), (11, 10, 1)])
def test_the_cap_keeps_what_fits_and_says_that_there_was_more(
    written: int, kept: int, truncated: int
) -> None:
    box = outbox(cap=10)

    box.take(b"x" * written, now=0)

    assert (len(box.data), box.truncated, box.complete) == (kept, bool(truncated), bool(truncated))


def test_little_output_is_due_after_a_while_and_much_at_once() -> None:
    box = outbox()

    box.take(b"x", now=10)
    early, late = box.due(now=10.1, patience=0.3), box.due(now=10.3, patience=0.3)
    box.take(b"x" * LOG_CHUNK_BYTES, now=10)

    assert (early, late, box.due(now=10.1, patience=0.3)) == (False, True, True)


def test_bytes_that_were_lost_at_the_other_end_are_asked_for_again() -> None:
    box = outbox()
    box.take(b"0123456789", now=0)
    box.arrived(8, closed=False, now=0)

    box.arrived(4, closed=False, now=0)

    assert box.rewound
    box.restart()
    box.take(b"0123456789", now=0)
    assert (box.offset, bytes(box.data)) == (4, b"456789")


@pytest.mark.parametrize("seed", range(50))
def test_bytes_arrive_once_and_in_order_whatever_is_lost_and_read_again(seed: int) -> None:
    chance = random.Random(seed)
    text = chance.randbytes(300_000)
    box, there, closed = outbox(), bytearray(), False
    if chance.random() < 0.5:  # A later life: the other end is further than this one knows.
        there += text[: chance.randrange(len(text))]

    while not closed:
        step = chance.randrange(1, 60_000)
        box.take(text[box.position : box.position + step], now=0)
        box.complete = box.position >= len(text)
        if chance.random() < 0.1 and not box.complete:
            box.restart()
        for piece in box.pieces(chance.randrange(1, 5)):
            if chance.random() < 0.2:
                break  # The request was lost.
            if piece.offset == len(there):
                there += gzip.decompress(piece.data)
                closed = piece.end
        if chance.random() < 0.8:  # Else its answer was.
            box.arrived(len(there), closed=closed, now=0)

    assert bytes(there) == text

"""Logs arrive by offset, once, and are read back byte for byte by their owner."""

import gzip

import pytest

from tests.fixtures.money import ALICE, BOB
from tests.fixtures.work import HandHost, World, world
from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState
from wharfage.domain.errors import Invalid, Malformed, NotFound
from wharfage.domain.job_view import JobView
from wharfage.domain.log import Stream
from wharfage.messages import Grant, LogPiece, LogsRequest
from wharfage.operations import hosts, logs


def begun(at: World) -> tuple[HandHost, JobView, Grant]:
    host = at.host()
    job = at.submit()
    return host, job, host.take(job)


def read(at: World, job: JobView, stream: Stream = Stream.STDOUT) -> bytes:
    text, cursor = b"", None
    while True:
        page = logs.read(at.ports, ALICE, job.id, cursor=cursor)
        text += b"".join(part.data for part in page.items if part.stream is stream)
        if not page.items:
            return text
        cursor = page.next_cursor


def test_what_is_shipped_is_read_back_by_stream() -> None:
    at = world()
    host, job, grant = begun(at)

    host.ship(grant, b"hello ")
    host.ship(grant, b"oops", stream=Stream.STDERR)
    host.ship(grant, b"world\xff\x00", offset=6)

    assert read(at, job) == b"hello world\xff\x00"
    assert read(at, job, Stream.STDERR) == b"oops"


def test_a_repeat_an_overlap_and_a_hole_change_nothing_and_say_what_is_wanted() -> None:
    at = world()
    host, job, grant = begun(at)
    host.ship(grant, b"abcdef")

    repeat = host.ship(grant, b"abcdef")
    overlap = host.ship(grant, b"efgh", offset=4)
    hole = host.ship(grant, b"xyz", offset=100)

    assert [each.next_offset for each in (repeat, overlap, hole)] == [6, 6, 6]
    assert read(at, job) == b"abcdef"


def test_a_log_is_complete_when_the_attempt_and_both_streams_have_ended() -> None:
    at = world()
    host, job, grant = begun(at)
    host.ship(grant, b"out", end=True)
    host.run(grant)
    before = logs.read(at.ports, ALICE, job.id, cursor=None)

    host.ship(grant, b"", stream=Stream.STDERR, end=True)

    page = logs.read(at.ports, ALICE, job.id, cursor=before.next_cursor)
    assert (before.complete, page.complete, page.gap) == (False, True, False)


def test_a_stream_that_never_ends_leaves_a_gap_mark_a_minute_after_the_attempt() -> None:
    at = world()
    host, job, grant = begun(at)
    host.ship(grant, b"out")
    host.run(grant)
    at.clock.pass_(seconds=limits.LOG_GAP_SECONDS + 1)

    page = logs.read(at.ports, ALICE, job.id, cursor=None)

    assert (page.complete, page.gap) == (True, True)


def test_a_stream_whose_host_says_that_bytes_may_be_lost_is_marked() -> None:
    at = world()
    host, job, grant = begun(at)
    host.ship(grant, b"out", end=True, gap=True)
    host.ship(grant, b"", stream=Stream.STDERR, end=True)
    host.run(grant)

    page = logs.read(at.ports, ALICE, job.id, cursor=None)

    assert (page.complete, page.gap) == (True, True)


def test_the_log_of_a_host_that_was_given_up_before_it_reported_is_marked() -> None:
    at = world()
    host, job, _ = begun(at)
    hosts.revoke(at.ports, host.id)
    at.clock.pass_(seconds=limits.LOG_GAP_SECONDS + 1)

    page = logs.read(at.ports, ALICE, job.id, cursor=None, attempt=1)

    assert (page.complete, page.gap) == (True, True)


def test_nothing_follows_the_end_of_a_stream() -> None:
    at = world()
    host, job, grant = begun(at)
    host.ship(grant, b"out", end=True)

    after = host.ship(grant, b"more", offset=3)

    assert (after.next_offset, after.closed) == (3, True)
    assert read(at, job) == b"out"


def test_pieces_are_taken_for_ten_minutes_after_the_end_and_no_longer() -> None:
    at = world()
    host, job, grant = begun(at)
    host.run(grant)
    at.clock.pass_(seconds=limits.LOG_LATE_SECONDS)
    host.beat()
    late = host.ship(grant, b"late")
    at.clock.pass_(seconds=1)

    too_late = host.ship(grant, b"r", offset=4)

    assert (late.next_offset, too_late.next_offset, too_late.closed) == (4, 4, True)
    assert read(at, job) == b"late"


def test_another_claim_or_another_host_can_write_nothing() -> None:
    at = world()
    host, job, grant = begun(at)
    other = at.host()

    stale = host.ship(grant, b"x", claim_id="clm_other")
    foreign = other.ship(grant, b"x")

    assert (stale.closed, foreign.closed) == (True, True)
    assert read(at, job) == b""


@pytest.mark.parametrize(
    ("data", "size"),
    [
        (b"not gzip", 8),
        (gzip.compress(b"abc", mtime=0), 4),
        (gzip.compress(b"abc", mtime=0), 2),
        (gzip.compress(b"\0" * 50_000_000), limits.LOG_CHUNK_BYTES),
        (b"", 1),
    ],
    ids=["not gzip", "shorter", "longer", "a bomb", "empty"],  # The bytes hold the time.
)
def test_data_that_is_not_what_it_says_is_refused(data: bytes, size: int) -> None:
    at = world()
    host, job, grant = begun(at)
    piece = LogPiece(
        account=grant.account, job=grant.job, attempt=1, claim_id=grant.claim_id,
        stream=Stream.STDOUT, offset=0, size=size, data=data,
    )  # fmt: skip

    with pytest.raises(Malformed):
        logs.receive(at.ports, host.who, LogsRequest(pieces=(piece,)))

    assert read(at, job) == b""


def test_a_stream_is_cut_at_its_cap_with_a_mark() -> None:
    at = world()
    host, job, grant = begun(at)
    whole = b"x" * limits.LOG_CHUNK_BYTES
    for number in range(limits.LOG_CAP_BYTES // len(whole)):
        host.ship(grant, whole, offset=number * len(whole))

    position = host.ship(grant, b"y", offset=limits.LOG_CAP_BYTES)

    assert (position.next_offset, position.closed) == (limits.LOG_CAP_BYTES, True)
    assert logs.read(at.ports, ALICE, job.id, cursor=None).truncated
    assert len(read(at, job)) == limits.LOG_CAP_BYTES


def test_one_answer_holds_at_most_a_megabyte() -> None:
    at = world()
    host, job, grant = begun(at)
    whole = b"x" * limits.LOG_CHUNK_BYTES
    for stream in Stream:
        for number in range(20):
            host.ship(grant, whole, offset=number * len(whole), stream=stream)

    page = logs.read(at.ports, ALICE, job.id, cursor=None)

    assert sum(len(part.data) for part in page.items) == limits.LOG_ANSWER_BYTES_MAX


def test_somebody_else_reads_nothing() -> None:
    at = world()
    host, job, grant = begun(at)
    host.ship(grant, b"secret")

    with pytest.raises(NotFound):
        logs.read(at.ports, BOB, job.id, cursor=None)


@pytest.mark.parametrize("cursor", ["x", "1.2", "1.-1.0", "1.0.0.0", "1.٣.0", ""])
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    at = world()
    _host, job, _grant = begun(at)

    with pytest.raises(Invalid):
        logs.read(at.ports, ALICE, job.id, cursor=cursor or ".")


def test_the_log_of_an_earlier_attempt_can_still_be_read() -> None:
    at = world()
    host, job, grant = begun(at)
    host.ship(grant, b"first", end=True)
    host.report(grant, AttemptState.REJECTED)
    host.ship(host.take(at.show(job)), b"second")

    first = logs.read(at.ports, ALICE, job.id, cursor=None, attempt=1)

    assert [part.data for part in first.items] == [b"first"]
    assert read(at, job) == b"second"


def test_the_log_of_an_attempt_that_does_not_exist_is_not_found() -> None:
    at = world()
    _host, job, _grant = begun(at)

    for cursor in ("0.0.0", "2.0.0"):
        with pytest.raises(NotFound):
            logs.read(at.ports, ALICE, job.id, cursor=cursor)

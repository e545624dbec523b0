"""Logs as a wrong or confused agent ships them: broken, too large, repeated, out of order."""

import base64
import gzip
import zlib

import pytest

from tests.fixtures.calls import piece, pieces
from tests.fixtures.edge import Answer
from tests.fixtures.harbour import Agent, Json
from tests.fixtures.port import Call, Port
from tests.fixtures.refusals import pointers, require_problem
from wharfage.domain import limits

LOGS = "POST /v1/agent/logs"
INVALID, MALFORMED = (422, "invalid"), (400, "malformed")


def ship(port: Port, agent: Agent, *shipped: Json) -> list[tuple[int, bool]]:
    """Ship pieces, and return where each stream stands."""
    answer = port.ask(LOGS, pieces(*shipped), agent.token)
    assert answer.status == 200, answer.text
    return [(each["next_offset"], each["closed"]) for each in answer.json["positions"]]


def read(port: Port) -> Answer:
    call = Call(path={"job_id": port.grant["job"]})
    return port.ask("GET /v1/jobs/{job_id}/logs", call, port.callers["owner"])


def text_of(port: Port) -> bytes:
    answer = read(port)
    assert answer.status == 200, answer.text
    return b"".join(base64.b64decode(part["data"]) for part in answer.json["items"])


BROKEN_DATA: dict[str, tuple[bytes, int]] = {
    "not_gzip": (b"plain", 5),
    "zlib": (zlib.compress(b"hello"), 5),
    "empty": (b"", 5),
    "cut_in_the_trailer": (gzip.compress(b"hello")[:-8], 5),
    "cut_by_a_byte": (gzip.compress(b"hello")[:-1], 5),
    "cut_in_the_middle": (gzip.compress(b"hello" * 99)[:20], 495),
    "wrong_checksum": (gzip.compress(b"hello")[:-8] + b"\0" * 8, 5),
    "trailing": (gzip.compress(b"hello") + b"x", 5),
    "two_members": (gzip.compress(b"hello") + gzip.compress(b"hello"), 5),
    "smaller_than_said": (gzip.compress(b"hello"), 6),
    "larger_than_said": (gzip.compress(b"hello"), 4),
    "nothing_said": (gzip.compress(b"hello"), 0),
    "bomb": (gzip.compress(b"\0" * 60_000_000), limits.LOG_CHUNK_BYTES),
    "a_byte_over": (gzip.compress(b"x" * (limits.LOG_CHUNK_BYTES + 1)), limits.LOG_CHUNK_BYTES),
}


@pytest.mark.parametrize("case", BROKEN_DATA)
def test_log_data_that_is_not_one_whole_gzip_of_its_size_is_refused(port: Port, case: str) -> None:
    data, size = BROKEN_DATA[case]

    with port.unchanged():
        call = pieces(piece(port.grant, data=base64.b64encode(data).decode(), size=size))
        answer = port.ask(LOGS, call, port.agent.token)

    require_problem(answer, MALFORMED, INVALID)
    assert text_of(port) == b""


def test_a_gzip_that_is_larger_than_any_chunk_needs_is_refused(port: Port) -> None:
    """A megabyte of a file's name in its header unpacks to one byte."""
    plain = gzip.compress(b"x")
    data = plain[:3] + b"\x08" + plain[4:10] + b"a" * 900_000 + b"\0" + plain[10:]

    with port.unchanged():
        call = pieces(piece(port.grant, data=base64.b64encode(data).decode(), size=1))
        answer = port.ask(LOGS, call, port.agent.token)

    require_problem(answer, INVALID)
    assert pointers(answer) == ["/pieces/0/data"]


def test_the_largest_chunk_that_packs_the_worst_is_kept(port: Port) -> None:
    text = bytes(number * number % 251 for number in range(limits.LOG_CHUNK_BYTES))
    packed = base64.b64encode(gzip.compress(text, compresslevel=0)).decode()

    assert ship(port, port.agent, piece(port.grant, data=packed, size=len(text))) == [
        (len(text), False)
    ]
    assert text_of(port) == text


@pytest.mark.parametrize(
    "text", [b"\xff\xfe\x80", b"\x1b[2J\x1b]0;x\x07", b"\0" * 9, b"\r\x08" * 9]
)
def test_a_log_is_bytes_and_comes_back_as_it_was(port: Port, text: bytes) -> None:
    packed = base64.b64encode(gzip.compress(text)).decode()

    ship(port, port.agent, piece(port.grant, data=packed, size=len(text)))

    assert text_of(port) == text


def test_pieces_repeated_overlapping_and_out_of_order_change_nothing(port: Port) -> None:
    one, two = piece(port.grant, "one\n"), piece(port.grant, "two\n", offset=4)
    assert ship(port, port.agent, two) == [(0, False)]
    assert ship(port, port.agent, one, two) == [(8, False)]

    with port.unchanged():
        stands = ship(
            port, port.agent, one, two, piece(port.grant, "xx\n", offset=5),
            piece(port.grant, "far\n", offset=2**53), piece(port.grant, "one\ntwo\n"),
        )  # fmt: skip

    assert stands == [(8, False)]
    assert text_of(port) == b"one\ntwo\n"


def test_nothing_is_kept_after_the_end_of_a_stream(port: Port) -> None:
    assert ship(port, port.agent, piece(port.grant, "one\n", end=True)) == [(4, True)]

    with port.unchanged():
        assert ship(port, port.agent, piece(port.grant, "two\n", offset=4)) == [(4, True)]


@pytest.mark.parametrize("truncated", [False, True])
def test_an_empty_piece_does_not_stand_in_the_way_of_the_next(port: Port, truncated: bool) -> None:
    empty = piece(port.grant, "", data="", truncated=truncated)
    assert ship(port, port.agent, empty) == [(0, False)]
    port.clock.pass_(seconds=0.001)

    assert ship(port, port.agent, empty, piece(port.grant, "one\n")) == [(4, False)]


@pytest.mark.parametrize(
    "changes", [{"attempt": 2}, {"claim_id": "clm_0"}, {"account": "usr_0"}], ids=str
)
def test_a_piece_of_no_claim_of_this_host_is_closed_and_not_kept(port: Port, changes: Json) -> None:
    with port.unchanged():
        stands = ship(port, port.agent, piece(port.grant, **changes))
        others = ship(port, port.agent, piece(port.other_grant))

    assert (stands, others) == ([(0, True)], [(0, True)])

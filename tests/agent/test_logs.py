"""The pump between sources and the control plane."""

import selectors
import socket

import pytest

from tests.agent.fake_cloud import FakeControl, Work
from tests.agent.fakes import FakeChance, FakeClock, FakeEngine
from wharfage.domain.attempt import AttemptState
from wharfage.domain.log import Stream
from wharfage.domain.spec import JobSpec
from wharfage_agent.attempts import Container, Key
from wharfage_agent.attempts import Work as Held
from wharfage_agent.engine.stream import SocketSource
from wharfage_agent.errors import CloudAway, CloudRefused
from wharfage_agent.logs import JOB_BYTES_MAX, STALL_SECONDS, SURVIVED_SECONDS, LogPump
from wharfage_agent.ports import LogSource


def frame(data: bytes, kind: int = 1) -> bytes:
    return bytes([kind, 0, 0, 0]) + len(data).to_bytes(4, "big") + data


class Tap(FakeEngine):
    """An engine whose containers write what a test writes."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__(clock)
        self.clock = clock
        self.written = b""
        self.ended = False
        self.listeners: list[socket.socket] = []
        self.followed = 0

    def attach(self, container: str) -> LogSource:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.listeners.append(ours)
        return SocketSource(theirs, b"")

    def follow(self, container: str) -> LogSource:
        self.followed += 1
        ours, theirs = socket.socketpair()
        source = SocketSource(theirs, self.written)
        if self.ended:
            ours.close()
        else:
            self.listeners.append(ours)
        return source

    def inspect(self, container: str) -> Container | None:
        status = "exited" if self.ended else "running"
        return Container(
            id=container, name=container, status=status, labels={}, started_at=self.clock.now()
        )

    def write(self, data: bytes) -> int:
        """Write to whoever listens; return how much was taken."""
        framed = frame(data)
        self.written += framed
        try:
            return self.listeners[-1].send(framed)
        except (BlockingIOError, BrokenPipeError):
            return 0

    def end(self) -> None:
        self.ended = True
        for listener in self.listeners:
            listener.close()


class Pumped:
    def __init__(self) -> None:
        self.clock = FakeClock()
        self.engine = Tap(self.clock)
        self.control = FakeControl()
        self.ended: list[Key] = []
        self.pump = LogPump(
            self.engine,
            self.control,
            self.clock,
            FakeChance(),
            selector=selectors.DefaultSelector(),
            ended=self.ended.append,
            wake=lambda: None,
        )

    def work(self) -> tuple[Work, Held]:
        work = self.control.submit(JobSpec(image="a"), state=AttemptState.RUNNING)
        return work, Held.of(self.control._grant(work, "bot_0001"))

    def turn(self, times: int = 3) -> None:
        for _ in range(times):
            self.pump.read_once(timeout=0)
            self.clock.seconds += 0.5
            self.pump.ship_once()

    def close(self) -> None:
        for key in list(self.pump._feeds):
            self.pump.drop(key)
        self.engine.end()


@pytest.fixture
def pumped() -> "Pumped":
    return Pumped()


@pytest.fixture(autouse=True)
def _closed(pumped: Pumped) -> "object":
    yield
    pumped.close()


def test_output_is_there_within_a_second_and_ends_with_the_container(pumped: Pumped) -> None:
    work, held = pumped.work()
    pumped.pump.attach(held, "c1")
    pumped.engine.write(b"hello\n")

    pumped.turn(1)
    live = bytes(work.outputs[Stream.STDOUT].data)
    pumped.engine.end()
    pumped.pump.finish(held, started=True)
    pumped.turn()

    assert live == b"hello\n"
    assert all(output.ended for output in work.outputs.values())
    assert pumped.ended == [held.key]


def test_a_container_that_never_ran_has_two_empty_streams(pumped: Pumped) -> None:
    work, held = pumped.work()

    pumped.pump.finish(held, started=False)
    pumped.turn()

    assert all(output.ended and not output.data for output in work.outputs.values())
    assert not any(output.gap for output in work.outputs.values())


def test_a_later_life_goes_on_where_the_control_plane_stands(pumped: Pumped) -> None:
    work, held = pumped.work()
    work.outputs[Stream.STDOUT].data += b"0123"
    pumped.engine.written = frame(b"0123456789")
    pumped.engine.ended = True

    pumped.pump.resume(held, "c1")
    pumped.pump.finish(held, started=True)
    pumped.turn(8)

    assert bytes(work.outputs[Stream.STDOUT].data) == b"0123456789"
    assert pumped.ended == [held.key]


def test_output_that_ended_while_agent_and_engine_were_away_is_marked(pumped: Pumped) -> None:
    work, held = pumped.work()
    pumped.engine.written = frame(b"before")
    pumped.engine.remembered, pumped.engine.ended = False, True

    pumped.pump.resume(held, "c1")
    pumped.pump.finish(held, started=True)
    pumped.turn(8)

    stdout = work.outputs[Stream.STDOUT]
    assert (bytes(stdout.data), stdout.ended, stdout.gap) == (b"before", True, True)


@pytest.mark.parametrize(("seconds", "gap"), [(0.0, True), (SURVIVED_SECONDS, False)])
def test_output_of_a_container_that_outlives_agent_and_engine_for_a_while_is_whole(
    pumped: Pumped, seconds: float, gap: bool
) -> None:
    work, held = pumped.work()
    pumped.engine.remembered = False
    pumped.pump.resume(held, "c1")
    pumped.turn(1)

    pumped.clock.seconds += seconds
    pumped.turn(1)
    pumped.engine.write(b"after")
    pumped.turn(1)
    pumped.engine.end()
    pumped.pump.finish(held, started=True)
    pumped.turn(8)

    stdout = work.outputs[Stream.STDOUT]
    assert (bytes(stdout.data), stdout.ended, stdout.gap) == (b"after", True, gap)


def test_an_outage_lets_go_of_the_listener_and_reads_the_journal_later(pumped: Pumped) -> None:
    work, held = pumped.work()

    def cut(call: str, done: bool) -> None:
        raise CloudAway("cut")

    pumped.control.fault = cut
    pumped.pump.attach(held, "c1")
    for _ in range(JOB_BYTES_MAX // 32_768 + 4):
        pumped.engine.write(b"x" * 32_768)
        pumped.turn(1)
    held_up = pumped.pump._feeds[held.key].source is not None
    total = len(pumped.engine.written) - 8 * (JOB_BYTES_MAX // 32_768 + 4)
    pumped.control.fault = lambda call, done: None
    pumped.engine.end()
    pumped.pump.finish(held, started=True)
    pumped.turn(40)

    assert not held_up
    assert len(work.outputs[Stream.STDOUT].data) == total
    assert pumped.engine.followed == 1


def test_a_slow_uplink_holds_a_container_up_no_longer_than_a_second(pumped: Pumped) -> None:
    _, held = pumped.work()
    pumped.pump.attach(held, "c1")
    while pumped.pump._feeds[held.key].paused_at is None:
        pumped.engine.write(b"x" * 32_768)
        pumped.pump.read_once(timeout=0)

    pumped.clock.seconds += STALL_SECONDS
    pumped.pump.read_once(timeout=0)

    assert pumped.pump._feeds[held.key].source is None


def test_what_a_vanished_engine_took_with_it_is_read_again(pumped: Pumped) -> None:
    work, held = pumped.work()
    pumped.pump.attach(held, "c1")
    pumped.engine.write(b"before ")
    pumped.turn()

    pumped.pump.doubt()
    pumped.engine.written += frame(b"while away ")
    pumped.engine.ended = True
    pumped.pump.finish(held, started=True)
    pumped.turn(8)

    assert bytes(work.outputs[Stream.STDOUT].data) == b"before while away "


def test_output_of_a_container_that_ended_while_the_engine_was_away_is_marked(
    pumped: Pumped,
) -> None:
    work, held = pumped.work()
    pumped.pump.attach(held, "c1")
    pumped.engine.write(b"before")
    pumped.pump.doubt()
    pumped.engine.ended = True
    pumped.pump.finish(held, started=True)

    pumped.turn(8)

    stdout = work.outputs[Stream.STDOUT]
    assert (bytes(stdout.data), stdout.ended, stdout.gap) == (b"before", True, True)


@pytest.mark.parametrize(("seconds", "gap"), [(0.0, True), (SURVIVED_SECONDS, False)])
def test_output_of_a_container_that_ends_just_after_the_engine_came_back_is_marked(
    pumped: Pumped, seconds: float, gap: bool
) -> None:
    work, held = pumped.work()
    pumped.pump.attach(held, "c1")
    pumped.pump.doubt()
    pumped.turn()

    pumped.clock.seconds += seconds
    pumped.turn()
    pumped.engine.end()
    pumped.pump.finish(held, started=True)
    pumped.turn(8)

    stdout = work.outputs[Stream.STDOUT]
    assert (stdout.ended, stdout.gap) == (True, gap)


def test_output_of_a_container_that_the_engine_came_back_to_is_whole(pumped: Pumped) -> None:
    work, held = pumped.work()
    pumped.pump.attach(held, "c1")
    pumped.engine.write(b"before ")
    pumped.pump.doubt()
    pumped.turn()
    pumped.clock.seconds += SURVIVED_SECONDS
    pumped.engine.write(b"after")
    pumped.turn()
    pumped.engine.end()
    pumped.pump.finish(held, started=True)

    pumped.turn(8)

    stdout = work.outputs[Stream.STDOUT]
    assert (bytes(stdout.data), stdout.ended, stdout.gap) == (b"before after", True, False)


def test_output_of_a_container_that_ended_before_the_engine_went_away_is_whole(
    pumped: Pumped,
) -> None:
    work, held = pumped.work()
    pumped.pump.attach(held, "c1")
    pumped.engine.write(b"all")
    pumped.engine.ended = True
    pumped.pump.finish(held, started=True)
    pumped.pump.doubt()

    pumped.turn(8)

    stdout = work.outputs[Stream.STDOUT]
    assert (bytes(stdout.data), stdout.ended, stdout.gap) == (b"all", True, False)


def test_output_that_is_refused_for_good_does_not_hold_the_others_up(pumped: Pumped) -> None:
    bad, bad_held = pumped.work()
    good, good_held = pumped.work()
    calls: list[int] = []
    logs = pumped.control.logs

    def refuse(request: object) -> object:
        calls.append(1)
        if any(piece.job == bad.job for piece in request.pieces):  # type: ignore[attr-defined]
            raise CloudRefused(422, "invalid")
        return logs(request)  # type: ignore[arg-type]

    pumped.control.logs = refuse  # type: ignore[assignment, method-assign]
    pumped.pump.finish(bad_held, started=True)
    pumped.pump.finish(good_held, started=True)
    pumped.turn()

    assert sorted(pumped.ended) == sorted([bad_held.key, good_held.key])
    assert good.outputs[Stream.STDOUT].ended


def test_a_listener_that_ended_long_before_its_container_is_not_believed(pumped: Pumped) -> None:
    work, held = pumped.work()
    pumped.pump.attach(held, "c1")
    pumped.engine.listeners[-1].close()  # The engine went away, and nobody else noticed.
    pumped.turn()
    pumped.engine.written = frame(b"unheard")
    pumped.engine.ended = True

    pumped.pump.finish(held, started=True)
    pumped.turn(8)

    assert bytes(work.outputs[Stream.STDOUT].data) == b"unheard"


def test_what_had_started_and_has_no_source_any_more_ends_with_a_mark(pumped: Pumped) -> None:
    work, held = pumped.work()

    pumped.pump.finish(held, started=True)
    pumped.turn()

    assert all(output.ended and output.gap for output in work.outputs.values())

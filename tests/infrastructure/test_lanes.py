"""Lanes: bounded exactly, refused at once beyond that, and never in the way of what is kept."""

import io
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from infrastructure.local.gateway import Gateway
from infrastructure.local.lanes import KEPT, RETRY_SECONDS, SUBMITS, Lane, Lanes
from infrastructure.template import Function, functions
from tests.fixtures.cloudformation import Stack
from tests.fixtures.edge import settings
from tests.fixtures.waiting import until
from wharfage.domain.errors import Unavailable
from wharfage.web.waiting import WAITERS_MAX

SECONDS_MAX = 20


@contextmanager
def inside(lane: Lane, count: int) -> Iterator[None]:
    """Have so many requests in a lane."""
    leave = threading.Event()

    def stay() -> bool:
        try:
            with lane.taken():
                leave.wait(SECONDS_MAX)
        except Unavailable:
            return False
        return True

    with ThreadPoolExecutor(count) as pool:
        found = [pool.submit(stay) for _ in range(count)]
        try:
            until(lambda: lane._places._value == lane.places - count)
            yield
        finally:
            leave.set()
        assert all(each.result() for each in found)


@pytest.mark.parametrize(("busy", "fits"), [(2, True), (3, False)])
def test_the_last_place_is_taken_and_the_next_request_is_refused(busy: int, fits: bool) -> None:
    lane = Lane("test", at_work=3, waiting=0, wait_seconds=0.0)
    with inside(lane, busy):
        if fits:
            with lane.taken():
                return
        with pytest.raises(Unavailable) as refusal, lane.taken():
            raise AssertionError("there was no place")
        assert refusal.value.retry_after_seconds == RETRY_SECONDS

        # Whoever was refused took no place.
    with inside(lane, 3):
        pass


def test_who_waits_is_served_when_somebody_leaves_and_refused_when_nobody_does() -> None:
    patient = Lane("test", at_work=1, waiting=1, wait_seconds=float(SECONDS_MAX))
    with inside(patient, 2):
        pass

    hasty = Lane("test", at_work=1, waiting=1, wait_seconds=0.01)
    with inside(hasty, 1), pytest.raises(Unavailable), hasty.taken():
        raise AssertionError("there was no place")


def test_a_failed_request_leaves_its_place() -> None:
    lane = Lane("test", at_work=1, waiting=0, wait_seconds=0.0)

    for _ in range(3):
        with pytest.raises(KeyError), lane.taken():
            raise KeyError("inside")


def test_lanes_leave_threads_for_what_has_none_and_room_for_all_who_wait_for_a_change() -> None:
    lanes = Lanes()

    assert lanes.threads - lanes.submits.places - lanes.others.places >= 32
    assert lanes.others.places >= 2 * WAITERS_MAX


def test_a_full_lane_is_told_once_until_it_has_room_again(caplog: pytest.LogCaptureFixture) -> None:
    lane = Lane("test", at_work=1, waiting=0, wait_seconds=0.0)

    for _ in range(2):
        with inside(lane, 1):
            for _ in range(5):
                with pytest.raises(Unavailable), lane.taken():
                    raise AssertionError("there was no place")

    assert [record.message for record in caplog.records] == ["lane full"] * 2


def test_what_has_no_lane_is_what_the_template_keeps_concurrency_for() -> None:
    stack = Stack("template.yaml", ReserveConcurrency="yes", PythonRuntime="python3.12")
    kept = {
        name
        for name, each in stack.document["Resources"].items()
        if "ReservedConcurrentExecutions" in each.get("Properties", {})
    }

    assert kept - {"SweepFunction", "ReconcileFunction"} == KEPT
    [api] = [each for each in stack.document["Resources"].values() if "HttpApi" in each["Type"]]
    assert api["Properties"]["RouteSettings"].keys() == SUBMITS


class Slow(Function):
    """A function whose answers come when they are let."""

    def load(self, attribute: str | None = None) -> Callable[[Any, Any], dict[str, Any]]:
        def answer(event: Any, context: Any) -> dict[str, Any]:
            if self.name == "JobsFunction":
                LET.wait(SECONDS_MAX)
            return {"statusCode": 200, "headers": {}, "body": self.name}

        return answer


LET = threading.Event()


def test_under_ten_times_the_submits_they_are_refused_and_notifies_and_heartbeats_are_not() -> None:
    LET.clear()
    served = [
        Slow(
            name=each.name, module="none", handler="app", timeout_seconds=29,
            routes=each.routes, schedules=(),
        )
        for each in functions()
    ]  # fmt: skip
    lanes = Lanes()
    gateway = Gateway(served, settings(), lanes)

    def post(path: str) -> tuple[int, dict[str, str]]:
        found: dict[str, Any] = {}

        def start(status: str, headers: list[tuple[str, str]]) -> None:
            found.update(status=int(status.split(maxsplit=1)[0]), headers=dict(headers))

        environ = {
            "REQUEST_METHOD": "POST", "PATH_INFO": path, "CONTENT_LENGTH": "0",
            "REMOTE_ADDR": "127.0.0.1", "wsgi.input": io.BytesIO(b""),
        }  # fmt: skip
        b"".join(gateway(environ, start))
        return found["status"], found["headers"]

    asked = 10 * lanes.submits.places
    with ThreadPoolExecutor(lanes.threads) as pool:
        submits = [pool.submit(post, "/v1/jobs") for _ in range(asked)]
        until(lambda: sum(each.done() for each in submits) >= asked - lanes.submits.places)
        kept = [
            pool.submit(post, path).result(SECONDS_MAX)
            for path in ("/v1/alipay/notify", "/v1/agent/heartbeat", "/v1/agent/reports") * 20
        ]
        still = sum(not each.done() for each in submits)
        LET.set()
        answers = [each.result() for each in submits]

    assert [status for status, _ in kept] == [200] * 60
    assert still > 0, "the submits were over before the notifies"
    refused = [headers for status, headers in answers if status == 503]
    assert len(refused) >= asked - lanes.submits.places
    assert {each["Retry-After"] for each in refused} == {str(RETRY_SECONDS)}

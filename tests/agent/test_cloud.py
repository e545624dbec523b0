"""The control plane over real HTTP: what passes, what does not, and who has taken our place."""

from collections.abc import Iterator

import pytest

from tests.agent.fake_cloud import FakeControl
from tests.agent.fake_server import FakeServer
from wharfage.domain.host import Room
from wharfage.messages import AssignmentsRequest, EnrolRequest, HeartbeatRequest
from wharfage_agent.cloud import HttpCloud
from wharfage_agent.errors import CloudAway, CloudRefused, Fenced, Revoked, UnusableHost

ROOM = Room(slots=1, cpu_millis=1000, memory_mb=100, disk_mb=100)


@pytest.fixture
def control() -> FakeControl:
    return FakeControl()


@pytest.fixture
def server(control: FakeControl) -> Iterator[FakeServer]:
    server = FakeServer(control)
    yield server
    server.close()


@pytest.fixture
def cloud(server: FakeServer, control: FakeControl) -> Iterator[HttpCloud]:
    cloud = HttpCloud(server.url, token=lambda: control.token)
    yield cloud
    cloud.close()


def beat(boot: str = "bot_0001", **changes: object) -> HeartbeatRequest:
    given = {"boot": boot, "agent_version": "1", "capacity": ROOM, "free": ROOM, **changes}
    return HeartbeatRequest(**given)  # type: ignore[arg-type]


def test_calls_are_answered_over_one_connection(cloud: HttpCloud, control: FakeControl) -> None:
    cloud.heartbeat(beat(held=()))

    reply = cloud.assignments(AssignmentsRequest(boot="bot_0001"))

    assert reply.assignments == ()
    assert control.boot == "bot_0001"


def test_enrolling_needs_no_token(server: FakeServer, control: FakeControl) -> None:
    request = EnrolRequest(
        code="12345678",
        name="host",
        capacity=ROOM,
        architecture="amd64",
        engine_version="20.10",
        agent_version="1",
    )
    cloud = HttpCloud(server.url, token=lambda: None)

    reply = cloud.enrol(request)

    cloud.close()
    assert reply.token == control.token


def test_a_stale_boot_means_that_we_are_fenced(cloud: HttpCloud) -> None:
    cloud.heartbeat(beat(held=()))

    with pytest.raises(Fenced):
        cloud.heartbeat(beat(boot="bot_0002"))


def test_a_token_that_is_not_accepted_means_that_we_are_revoked(server: FakeServer) -> None:
    cloud = HttpCloud(server.url, token=lambda: "hst_x.wrong")

    with pytest.raises(Revoked):
        cloud.credentials()

    cloud.close()


def test_a_token_that_was_replaced_meanwhile_is_tried_again(server: FakeServer) -> None:
    tokens = iter(["hst_x.old", "hst_x.new"])
    cloud = HttpCloud(server.url, token=lambda: next(tokens))

    with pytest.raises(CloudAway):
        cloud.credentials()

    cloud.close()


def test_a_busy_control_plane_passes(cloud: HttpCloud, control: FakeControl) -> None:
    def away(call: str, done: bool) -> None:
        raise CloudAway("busy")

    control.fault = away

    with pytest.raises(CloudAway):
        cloud.credentials()


def test_a_request_that_cannot_be_understood_does_not_pass(cloud: HttpCloud) -> None:
    with pytest.raises(CloudRefused) as refusal:
        cloud.heartbeat(beat(boot="not an id"))

    assert (refusal.value.status, refusal.value.code) == (422, "invalid")


def test_nobody_there_passes() -> None:
    cloud = HttpCloud("http://127.0.0.1:9", token=lambda: None)

    with pytest.raises(CloudAway):
        cloud.credentials()


@pytest.mark.parametrize("address", ["ftp://x", "x", "http://"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(UnusableHost):
        HttpCloud(address, token=lambda: None)

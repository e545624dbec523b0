"""Which host may take which job, and what a waiting job waits for."""

from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.fixtures.fleet import FULL, ROOM, facts, host, member
from tests.fixtures.jobs import ENDS, NOW, in_state, queued
from wharfage.domain.attempt import AttemptState
from wharfage.domain.host import HostStatus
from wharfage.domain.placement import (
    FleetView,
    WaitingFor,
    has_labels,
    matches,
    reachable,
    takes_work,
    waiting,
)
from wharfage.domain.price import Resources


@pytest.mark.parametrize(
    ("spec", "fits"),
    [
        ({}, True),
        ({"labels": {"zone": "a"}}, True),
        ({"labels": {"zone": "a", "disk": "ssd"}}, True),
        ({"labels": {"zone": "b"}}, False),
        ({"labels": {"gpu": "yes"}}, False),
        ({"pool": "gpu"}, False),
        ({"resources": Resources(cpu_millis=2000, memory_mb=2048, disk_mb=4096)}, True),
        ({"resources": Resources(cpu_millis=2001)}, False),
        ({"resources": Resources(memory_mb=2049)}, False),
        ({"resources": Resources(disk_mb=4097)}, False),
    ],
)
def test_a_host_could_run_what_its_pool_labels_and_size_allow(
    spec: dict[str, Any], fits: bool
) -> None:
    assert matches(queued(**spec), facts()) is fits


def test_all_required_labels_must_be_there_with_their_values() -> None:
    assert has_labels({"a": "1"}, {})
    assert not has_labels({}, {"a": "1"})
    assert not has_labels({"a": "1"}, {"a": "1", "b": "2"})


def test_a_host_is_reachable_until_its_lease_ends() -> None:
    found = host(lease_until=NOW)

    assert reachable(found, NOW - timedelta(milliseconds=1))
    assert not reachable(found, NOW)
    assert not reachable(host(boot=None), NOW)
    assert not reachable(host(lease_until=None), NOW)


@pytest.mark.parametrize("status", HostStatus)
def test_only_a_ready_host_takes_work(status: HostStatus) -> None:
    assert takes_work(host(status=status), NOW) is (status is HostStatus.READY)


def test_a_host_with_a_problem_takes_no_work() -> None:
    assert not takes_work(host(problem="disk_low"), NOW)


@pytest.mark.parametrize(
    ("fleet", "reason"),
    [
        ([], WaitingFor.NO_MATCHING_HOST),
        ([member(facts_=facts(pool="gpu"))], WaitingFor.NO_MATCHING_HOST),
        ([member(facts_=facts(capacity=FULL))], WaitingFor.NO_MATCHING_HOST),
        ([member(status=HostStatus.REVOKED)], WaitingFor.NO_MATCHING_HOST),
        ([member(lease_until=NOW)], WaitingFor.HOSTS_OFFLINE),
        ([member(status=HostStatus.DRAINING)], WaitingFor.HOSTS_OFFLINE),
        ([member(problem="disk_low")], WaitingFor.HOSTS_OFFLINE),
        ([member(free=FULL)], WaitingFor.HOSTS_FULL),
        ([member(free=None)], WaitingFor.HOSTS_FULL),
        ([member()], WaitingFor.HOST),
        ([member(free=FULL), member()], WaitingFor.HOST),
        ([member(lease_until=NOW), member(free=FULL)], WaitingFor.HOSTS_FULL),
    ],
)
def test_a_queued_job_says_what_it_waits_for(fleet: list[FleetView], reason: WaitingFor) -> None:
    found = waiting(queued(), fleet, NOW)

    assert found is not None
    assert found.reason is reason
    assert found.numbers["hosts_enrolled"] == len(fleet)


def test_a_job_that_waits_for_room_is_told_the_numbers() -> None:
    tight = member(free=ROOM.less(Resources(cpu_millis=1500, memory_mb=64, disk_mb=1)))

    found = waiting(queued(), [tight, member(free=FULL)], NOW)

    assert found is not None
    assert found.numbers == {
        "hosts_enrolled": 2,
        "hosts_matching": 2,
        "hosts_online": 2,
        "slots_free": 1,
        "cpu_millis_needed": 1000,
        "cpu_millis_free": 500,
        "memory_mb_needed": 512,
        "memory_mb_free": 1984,
    }


def test_a_job_in_its_back_off_says_how_long() -> None:
    job = in_state(AttemptState.PENDING)

    before, after = waiting(job, [], NOW), waiting(job, [], NOW + timedelta(hours=1))

    assert before is not None
    assert after is not None
    assert (before.reason, before.numbers) == (WaitingFor.BACKOFF, {"seconds": 5})
    assert after.numbers == {"seconds": 0}


@pytest.mark.parametrize("state", [AttemptState.CLAIMED, AttemptState.PREPARING])
def test_a_claimed_job_waits_for_its_image(state: AttemptState) -> None:
    found = waiting(in_state(state), [], NOW)

    assert found is not None
    assert found.reason is WaitingFor.IMAGE_PULL


@pytest.mark.parametrize(
    "state", [AttemptState.STARTING, AttemptState.RUNNING, AttemptState.STOPPING]
)
def test_a_job_that_runs_waits_for_nothing(state: AttemptState) -> None:
    assert waiting(in_state(state), [], NOW) is None


@pytest.mark.parametrize("state", ENDS)
def test_a_job_that_has_ended_waits_for_nothing(state: AttemptState) -> None:
    ended = msgspec.structs.replace(queued(), state=state, ended_at=NOW)

    assert waiting(ended, [member()], NOW) is None

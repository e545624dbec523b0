"""Claims: the queue hints, the table decides."""

from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest

from tests.fixtures.money import ALICE
from tests.fixtures.work import ROOM, SPEC, small, world
from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState
from wharfage.domain.errors import StaleBoot
from wharfage.domain.host import Room
from wharfage.messages import ClaimsRequest
from wharfage.operations import claims, hosts, jobs


def test_a_claim_gives_the_job_its_specification_and_a_lease() -> None:
    at = world()
    host = at.host()
    job = at.submit()

    grant = host.take(job)

    row = at.row(job)
    assert (grant.job, grant.spec, grant.max_run_s) == (job.id, SPEC, 50)
    assert (row.state, row.host, row.claim_id) == (AttemptState.CLAIMED, host.id, grant.claim_id)
    assert row.ready_at is None


def test_the_same_boot_asking_again_gets_the_same_claim() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    first = host.take(job)

    again = host.take(job)

    assert again == first
    assert host.row.claims == 1


def test_a_claim_is_not_repeated_when_its_first_report_could_come_too_late() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    first = host.take(job)
    at.clock.pass_(seconds=limits.CLAIM_REPEAT_SECONDS, milliseconds=-1)
    in_time = host.take(job)
    at.clock.pass_(milliseconds=1)

    late = host.claim(job)

    assert in_time == first
    assert late.grants == ()
    assert [each.outcome for each in late.declined] == ["taken"]


def test_another_host_gets_taken_and_a_new_boot_of_the_same_host_the_next_attempt() -> None:
    at = world()
    first, second = at.host(), at.host()
    job = at.submit()
    first.take(job)

    other = second.claim(job)
    first.beat(boot=at.ports.ids.new("bot"), held=())
    renewed = first.claim(job)

    assert [each.outcome for each in other.declined] == ["taken"]
    assert [grant.attempt for grant in renewed.grants] == [2]  # The new boot had lost the first.


def test_sixteen_hosts_racing_for_one_job_give_one_claim() -> None:
    at = world()
    racing = [at.host() for _ in range(16)]
    job = at.submit()

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda host: host.claim(job), racing))

    assert sum(len(answer.grants) for answer in answers) == 1


def test_one_host_claiming_twice_at_once_never_takes_more_than_is_there() -> None:
    at = world()
    host = at.host()
    for _ in range(6):
        at.submit()

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(lambda _: host.claim(), range(2)))

    taken = [grant.job for answer in answers for grant in answer.grants]
    assert len(set(taken)) == len(taken) == host.row.claims


def test_a_claim_without_a_doorbell_takes_what_waits_longest_and_says_there_is_more() -> None:
    at = world()
    host = at.host()
    first, second, _third = [at.submit() for _ in range(3)]

    answer = host.claim(free=msgspec.structs.replace(ROOM, slots=2))

    assert [grant.job for grant in answer.grants] == [first.id, second.id]
    assert answer.more


def test_a_claim_that_leaves_nothing_waiting_says_so() -> None:
    at = world()
    host = at.host()
    at.submit()

    answer = host.claim()

    assert len(answer.grants) == 1
    assert not answer.more


def test_one_claim_takes_at_most_ten_jobs() -> None:
    at = world(money_fen=10_000)
    wide = Room(slots=100, cpu_millis=10**6, memory_mb=10**6, disk_mb=10**6)
    host = at.host(capacity=wide)
    for _ in range(limits.CLAIMS_MAX + 1):
        at.submit()

    answer = host.claim(free=wide)

    assert len(answer.grants) == limits.CLAIMS_MAX
    assert answer.more


def test_a_job_larger_than_the_free_room_is_left_and_one_larger_than_the_host_is_not_here() -> None:
    at = world(money_fen=10**6)
    host = at.host()
    large = at.submit(msgspec.structs.replace(SPEC, resources=small(cpu_millis=3000)))
    huge = at.submit(msgspec.structs.replace(SPEC, resources=small(cpu_millis=5000)))

    answer = host.claim(large, huge, free=msgspec.structs.replace(ROOM, cpu_millis=2000))

    assert answer.grants == ()
    assert [each.outcome for each in answer.declined] == ["not_here", "not_here"]
    assert answer.more


def test_labels_required_by_a_job_are_matched_at_the_claim() -> None:
    at = world()
    plain, labelled = at.host(), at.host(labels={"disk": "ssd", "zone": "a"})
    job = at.submit(msgspec.structs.replace(SPEC, labels={"disk": "ssd"}))

    refused = plain.claim(job)
    granted = labelled.claim(job)

    assert [each.outcome for each in refused.declined] == ["not_here"]
    assert [grant.job for grant in granted.grants] == [job.id]


def test_a_bell_for_an_unknown_or_ended_job_or_an_attempt_to_come_is_gone() -> None:
    at = world()
    host = at.host()
    ended = at.submit()
    jobs.cancel(at.ports, ALICE, ended.id)
    unknown = msgspec.structs.replace(ended, id="job_unknown")
    retried = at.submit()
    later = msgspec.structs.replace(retried, attempt=2)

    answer = host.claim(ended, unknown, later)

    outcomes = {(each.job, each.attempt): each.outcome for each in answer.declined}
    assert set(outcomes.values()) == {"gone"}
    assert len(outcomes) == 3


def test_a_draining_host_gets_nothing_even_inside_a_long_poll() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    hosts.drain(at.ports, host.id, deadline_seconds=60)

    answer = host.claim(job)

    assert answer.grants == ()
    assert at.row(job).state is AttemptState.QUEUED


def test_a_host_that_drains_between_reading_and_claiming_gets_nothing() -> None:
    at = world()
    host = at.host()
    at.submit()
    who = host.who  # As read before the drain.
    hosts.drain(at.ports, host.id, deadline_seconds=60)

    answer = claims.claim(at.ports, who, ClaimsRequest(boot=host.boot, free=ROOM))

    assert answer.grants == ()
    assert answer.more


def test_a_host_whose_lease_has_passed_gets_nothing() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    at.clock.pass_(seconds=limits.LEASE_SECONDS)

    answer = host.claim(job)

    assert answer.grants == ()


def test_a_claim_of_a_boot_that_was_followed_by_another_is_refused() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    old = host.boot
    host.beat(boot=at.ports.ids.new("bot"), held=())
    host.boot = old

    with pytest.raises(StaleBoot):
        host.claim(job)

    assert at.row(job).state is AttemptState.QUEUED


def test_a_claim_writes_the_assignment_that_its_end_removes() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    grant = host.take(job)
    held = at.ports.store.query(schema.ASSIGNMENT, host.id, limit=10).items

    host.run(grant)

    assert [each.claim_id for each in held] == [grant.claim_id]
    assert at.ports.store.query(schema.ASSIGNMENT, host.id, limit=10).items == ()

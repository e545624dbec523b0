"""A machine becomes a host by a one-time code, keeps its lease, and learns what it holds."""

from datetime import timedelta

import msgspec
import pytest

from tests.fixtures.money import ALICE, OPERATOR
from tests.fixtures.work import ROOM, SPEC, world
from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState, StopReason
from wharfage.domain.errors import (
    CodeRejected,
    Forbidden,
    Invalid,
    NotFound,
    PoolUnknown,
    StaleBoot,
    StateConflict,
    Unauthenticated,
)
from wharfage.domain.host import HostStatus
from wharfage.domain.spec import OnHostLost
from wharfage.messages import AssignmentsRequest, EnrolRequest, Held
from wharfage.operations import agents, hosts, jobs


def enrolment(code: str, **changes: object) -> EnrolRequest:
    request = EnrolRequest(
        code=code, name="dock", capacity=ROOM, architecture="x86_64",
        engine_version="20.10", agent_version="1.0",
    )  # fmt: skip
    return msgspec.structs.replace(request, **changes)


def test_a_code_works_once() -> None:
    at = world()
    code = hosts.issue_code(at.ports, OPERATOR, pool="default", labels={}).code
    agents.enrol(at.ports, enrolment(code), local=True)

    with pytest.raises(CodeRejected):
        agents.enrol(at.ports, enrolment(code), local=True)

    assert len(hosts.find_all(at.ports, after=None, limit=10).items) == 1


def test_a_code_is_good_until_its_time_and_not_at_it() -> None:
    at = world()
    codes = [hosts.issue_code(at.ports, OPERATOR, pool="default", labels={}) for _ in range(2)]
    at.clock.pass_(minutes=limits.ENROLMENT_MINUTES, milliseconds=-1)
    agents.enrol(at.ports, enrolment(codes[0].code), local=True)
    at.clock.pass_(milliseconds=1)

    with pytest.raises(CodeRejected):
        agents.enrol(at.ports, enrolment(codes[1].code), local=True)


def test_a_code_for_an_unknown_pool_is_refused() -> None:
    at = world()

    with pytest.raises(PoolUnknown):
        hosts.issue_code(at.ports, OPERATOR, pool="nowhere", labels={})


def test_enrolment_from_another_machine_is_refused_on_the_local_stack() -> None:
    at = world()
    code = hosts.issue_code(at.ports, OPERATOR, pool="default", labels={}).code

    with pytest.raises(Forbidden):
        agents.enrol(at.ports, enrolment(code), local=False)


def test_a_machine_may_narrow_its_labels_and_not_widen_them() -> None:
    at = world()
    labels = {"disk": "ssd", "zone": "a"}
    codes = [hosts.issue_code(at.ports, OPERATOR, pool="default", labels=labels) for _ in "12"]

    narrowed = agents.enrol(at.ports, enrolment(codes[0].code, labels={"disk": "ssd"}), local=True)
    with pytest.raises(Invalid):
        agents.enrol(at.ports, enrolment(codes[1].code, labels={"gpu": "yes"}), local=True)

    assert narrowed.labels == {"disk": "ssd"}


@pytest.mark.parametrize("token", ["", "hst_1", "hst_1.x", "nobody.secret", "."])
def test_an_unknown_token_is_nobody(token: str) -> None:
    at = world()
    at.host()

    with pytest.raises(Unauthenticated):
        hosts.authenticate(at.ports, token or "-")


def test_a_revoked_host_is_nobody_at_once_and_its_work_goes_to_others() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    host.take(job)

    hosts.revoke(at.ports, host.id)

    with pytest.raises(Unauthenticated):
        hosts.authenticate(at.ports, host.token)
    assert (at.show(job).status, at.show(job).attempt) == ("queued", 2)
    assert at.queue.mailboxes == set()
    with pytest.raises(NotFound):
        hosts.revoke(at.ports, "hst_unknown")
    hosts.revoke(at.ports, host.id)


def test_the_first_heartbeat_of_a_boot_makes_the_host_ready() -> None:
    at = world()

    host = at.host()

    view = hosts.find(at.ports, host.id)
    assert (view.status, view.reachable) == (HostStatus.READY, True)
    at.clock.pass_(seconds=limits.LEASE_SECONDS)
    assert not hosts.find(at.ports, host.id).reachable


def test_a_new_boot_must_say_what_it_holds() -> None:
    at = world()
    host = at.host()

    with pytest.raises(StaleBoot):
        host.beat(boot=at.ports.ids.new("bot"))


def test_an_earlier_boot_cannot_come_back() -> None:
    at = world()
    host = at.host()
    old = host.boot
    host.beat(boot=at.ports.ids.new("bot"), held=())

    with pytest.raises(StaleBoot):
        host.beat(boot=old, held=())


def test_what_a_new_boot_lacks_is_tried_again_and_what_it_has_goes_on() -> None:
    at = world()
    host = at.host()
    kept, gone = at.submit(), at.submit()
    grant = host.take(kept)
    host.take(gone)
    held = Held(account=ALICE.account, job=kept.id, attempt=1, claim_id=grant.claim_id)

    host.beat(boot=at.ports.ids.new("bot"), held=(held,))

    assert (at.row(kept).attempt, at.row(kept).state) == (1, AttemptState.CLAIMED)
    assert (at.row(gone).attempt, at.row(gone).state) == (2, AttemptState.QUEUED)
    assert host.run(grant) == "accepted"


def test_a_repeated_first_heartbeat_does_not_judge_what_the_boot_claimed_since() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    host.take(job)

    host.beat(held=())

    assert at.row(job).state is AttemptState.CLAIMED


def test_work_that_waits_for_its_host_is_lost_when_a_new_boot_lacks_it() -> None:
    at = world()
    host = at.host()
    job = at.submit(msgspec.structs.replace(SPEC, on_host_lost=OnHostLost.WAIT))
    host.take(job)

    host.beat(boot=at.ports.ids.new("bot"), held=())

    assert at.row(job).attempt == 2


def test_an_outdated_agent_is_told_so_and_gets_no_claims() -> None:
    at = world()
    host = at.host()
    job = at.submit()

    reply = host.beat(version="0.9")

    assert (reply.accepts_claims, reply.notice) == (False, "outdated_agent")
    assert host.claim(job).grants == ()
    assert host.beat(version="1.0").accepts_claims


def test_a_host_with_a_problem_keeps_its_lease_and_gets_no_claims() -> None:
    at = world()
    host = at.host()
    job = at.submit()

    host.beat(problem="disk_low")

    assert host.claim(job).grants == ()
    assert hosts.find(at.ports, host.id).problem == "disk_low"
    host.beat()
    assert len(host.claim(job).grants) == 1


def test_a_draining_host_finishes_what_it_runs_and_is_drained_when_empty() -> None:
    at = world()
    host = at.host()
    grant = host.take(at.submit())
    hosts.drain(at.ports, host.id, deadline_seconds=600)

    busy = host.beat(busy=True)
    host.run(grant)
    idle = host.beat()

    assert (busy.draining, idle.draining) == (True, True)
    assert hosts.find(at.ports, host.id).status is HostStatus.DRAINED
    hosts.undrain(at.ports, host.id)
    assert host.beat().accepts_claims


def test_a_revoked_host_cannot_be_drained_and_an_unknown_one_is_not_found() -> None:
    at = world()
    host = at.host()
    hosts.revoke(at.ports, host.id)

    with pytest.raises(StateConflict):
        hosts.drain(at.ports, host.id, deadline_seconds=1)
    with pytest.raises(NotFound):
        hosts.drain(at.ports, "hst_unknown", deadline_seconds=1)


def test_a_host_learns_what_it_should_hold_and_what_should_stop() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    grant = host.take(job)
    jobs.cancel(at.ports, ALICE, job.id)

    reply = agents.assigned(at.ports, host.who, AssignmentsRequest(boot=host.boot))

    (assigned,) = reply.assignments
    assert (assigned.claim_id, assigned.stop_reason) == (grant.claim_id, StopReason.CANCEL)
    assert reply.wanted == host.row.wanted
    with pytest.raises(StaleBoot):
        agents.assigned(at.ports, host.who, AssignmentsRequest(boot="bot_other"))


def test_a_token_is_replaced_after_a_day_and_the_old_one_is_good_until_the_new_is_used() -> None:
    at = world()
    host = at.host()
    early = agents.credentials(at.ports, host.who).token
    at.clock.pass_(hours=limits.AGENT_TOKEN_HOURS)
    token = agents.credentials(at.ports, host.who).token
    assert token is not None

    old = host.token
    host.beat()
    host.token = token
    host.beat()

    assert early is None
    with pytest.raises(Unauthenticated):
        hosts.authenticate(at.ports, old)
    assert host.row.id == host.id


def test_credentials_open_the_hosts_own_queues() -> None:
    at = world()
    host = at.host()

    reply = agents.credentials(at.ports, host.who)

    assert reply.session_token == f"{host.id} default mailbox-{host.id}"
    assert reply.expires_at > at.clock.now() + timedelta(minutes=1)

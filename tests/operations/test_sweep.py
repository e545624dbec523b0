"""The sweep moves on whatever is past its deadline, and takes leases away only when it may."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import msgspec
import pytest

from tests.fixtures.money import ALICE, CountedStore
from tests.fixtures.work import HOLD_FEN, ROOM, SPEC, HandHost, World, world
from wharfage import schema
from wharfage.adapters.embedded import DictRows
from wharfage.adapters.faults import FaultyRows, StoreFault
from wharfage.adapters.store import Patience, RecordStore
from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState, ReasonCode, StopReason
from wharfage.domain.host import Room
from wharfage.domain.spec import OnHostLost
from wharfage.messages import Held
from wharfage.operations import hosts, jobs, sweep
from wharfage.transaction import Update, present

LEASE = limits.LEASE_SECONDS + limits.LEASE_GRACE_SECONDS


class AnsweredStore(CountedStore):
    """A store in which something happens right before the first commit that changes a row."""

    def __init__(self, store, key, meanwhile):
        super().__init__(store)
        self._key, self._meanwhile = key, meanwhile

    def commit(self, *actions):
        if any(isinstance(each, Update) and each.key == self._key for each in actions):
            meanwhile, self._meanwhile = self._meanwhile, lambda: None
            meanwhile()
        self._store.commit(*actions)


def healthy(at: World, *others: HandHost, seconds: int) -> None:
    """Let time pass in which sweeps run and *others* are heard."""
    for _ in range(seconds // 5):
        at.clock.pass_(seconds=5)
        for host in others:
            host.beat()
        sweep.sweep(at.ports)


def test_a_job_nobody_claims_expires_with_its_money_back() -> None:
    at = world()
    job = at.submit(msgspec.structs.replace(SPEC, queue_ttl_s=100))
    at.sweep(seconds=99)
    before = at.show(job).status

    at.sweep(seconds=1)

    shown = at.show(job)
    assert (before, shown.status, shown.reason_code) == ("queued", "expired", ReasonCode.QUEUE_TTL)
    assert at.money() == (1000, 0)


def test_a_lost_doorbell_is_rung_again_while_a_host_is_free() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    at.queue.bells.clear()

    swept = at.sweep()

    assert swept.rung == 1
    assert [(pool, bell.job) for pool, bell in at.queue.bells] == [("default", job.id)]
    host.take(job)
    assert at.sweep().rung == 0


def test_no_bell_is_rung_when_no_host_is_free() -> None:
    at = world()
    host = at.host()
    at.submit()
    at.queue.bells.clear()
    host.beat(free=msgspec.structs.replace(ROOM, slots=0), busy=True)

    assert at.sweep().rung == 0


def test_a_claim_without_a_word_is_lost_after_its_deadline_and_tried_again_free() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    grant = host.take(job)

    at.sweep(seconds=limits.CLAIMED_SECONDS)

    assert (at.row(job).attempt, at.row(job).state) == (2, AttemptState.QUEUED)
    assert host.finish(grant) == "stale_claim"
    assert at.money() == (1000 - HOLD_FEN, HOLD_FEN)


def test_a_run_past_its_limit_without_a_report_times_out_and_costs_nothing() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    host.report(host.take(job), AttemptState.RUNNING)
    limit = SPEC.max_run_s + SPEC.stop_grace_s + limits.CONTROL_GRACE_SECONDS

    healthy(at, host, seconds=limit)

    shown = at.show(job)
    assert (shown.status, shown.reason_code) == ("timed_out", ReasonCode.TIMEOUT)
    assert at.money() == (1000, 0)


def test_a_stop_without_an_answer_ends_as_what_was_asked() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    host.report(host.take(job), AttemptState.RUNNING)
    jobs.cancel(at.ports, ALICE, job.id)

    healthy(at, host, seconds=SPEC.stop_grace_s + 2 * limits.CONTROL_GRACE_SECONDS + 5)

    assert at.show(job).status == "cancelled"
    assert at.money() == (1000, 0)


def test_a_silent_host_loses_its_work_after_lease_and_grace_while_others_are_heard() -> None:
    at = world()
    silent, other = at.host(), at.host()
    sweep.sweep(at.ports)
    healthy(at, silent, other, seconds=LEASE)  # The first sweeps judge nobody.
    job = at.submit()
    grant = silent.take(job)
    silent.report(grant, AttemptState.RUNNING)

    healthy(at, other, seconds=LEASE - 5)
    still = at.row(job).attempt
    healthy(at, other, seconds=5)

    assert (still, at.row(job).attempt) == (1, 2)
    assert silent.row.boot is None
    assert len(other.claim().grants) == 1


def test_a_host_that_speaks_just_when_it_is_judged_keeps_its_lease() -> None:
    at = world()
    slow, other = at.host(), at.host()
    sweep.sweep(at.ports)
    healthy(at, slow, other, seconds=LEASE)
    job = at.submit()
    slow.report(slow.take(job), AttemptState.RUNNING)
    healthy(at, other, seconds=LEASE - 5)
    at.clock.pass_(seconds=5)
    other.beat()

    key = schema.HOST.key(id=slow.row.id)
    spoken = AnsweredStore(at.ports.store, key, slow.beat)
    sweep.sweep(replace(at.ports, store=spoken))

    assert (slow.row.boot, at.row(job).attempt) == (slow.boot, 1)


def test_a_silent_host_without_work_keeps_the_sweep_awake_until_it_is_judged() -> None:
    at = world()
    silent, other = at.host(), at.host()
    sweep.sweep(at.ports)
    healthy(at, silent, other, seconds=LEASE)
    resting = at.sweep()

    at.clock.pass_(seconds=LEASE)
    other.beat()
    judging = at.sweep()
    healthy(at, other, seconds=2 * LEASE)

    assert (resting.working, judging.working, at.sweep().working) == (False, True, False)
    assert silent.row.boot is None
    assert silent.row.due_at is None


def test_work_that_a_fenced_host_said_it_held_keeps_no_sweep_awake() -> None:
    at = world()
    silent, other = at.host(), at.host()
    sweep.sweep(at.ports)
    healthy(at, silent, other, seconds=LEASE)
    silent.beat(free=Room(slots=3, cpu_millis=3000, memory_mb=3000, disk_mb=9000))
    working = at.sweep()

    healthy(at, other, seconds=2 * LEASE)

    assert silent.row.boot is None
    assert (working.working, at.sweep().working) == (True, False)


def test_a_host_that_comes_back_after_its_fence_must_say_what_it_holds() -> None:
    at = world()
    silent, other = at.host(), at.host()
    sweep.sweep(at.ports)
    healthy(at, silent, other, seconds=LEASE)
    job = at.submit()
    grant = silent.take(job)
    healthy(at, other, seconds=LEASE)

    silent.beat(held=())

    assert silent.row.boot == silent.boot
    assert silent.finish(grant) == "stale_claim"


def test_work_that_waits_for_its_host_survives_the_silence() -> None:
    at = world()
    silent, other = at.host(), at.host()
    sweep.sweep(at.ports)
    healthy(at, silent, other, seconds=LEASE)
    spec = msgspec.structs.replace(SPEC, on_host_lost=OnHostLost.WAIT, max_run_s=3600)
    at.ports.store.commit(
        Update(schema.BALANCE.key(account=ALICE.account), add={"available": 5000}, when=[present()])
    )
    job = at.submit(spec)
    grant = silent.take(job)
    silent.report(grant, AttemptState.RUNNING)
    healthy(at, other, seconds=2 * LEASE)

    held = Held(account=ALICE.account, job=job.id, attempt=1, claim_id=grant.claim_id)
    silent.beat(held=(held,))

    assert at.row(job).attempt == 1
    assert silent.finish(grant) == "accepted"


def test_after_a_pause_of_the_sweep_nobody_is_judged_for_a_lease_and_its_grace() -> None:
    at = world()
    silent, other = at.host(), at.host()
    sweep.sweep(at.ports)
    healthy(at, silent, other, seconds=LEASE)
    job = at.submit(msgspec.structs.replace(SPEC, max_run_s=600))
    silent.report(silent.take(job), AttemptState.RUNNING)
    at.clock.pass_(seconds=LEASE + 60)  # Neither sweeps nor heartbeats.
    other.beat()

    sweep.sweep(at.ports)
    spared = at.row(job).attempt
    silent.beat()
    healthy(at, silent, other, seconds=LEASE + 10)

    assert spared == 1
    assert at.row(job).attempt == 1


def test_when_no_host_is_heard_at_all_the_fault_may_be_ours_and_they_get_more_time() -> None:
    at = world()
    host = at.host()
    sweep.sweep(at.ports)
    healthy(at, host, seconds=LEASE)
    job = at.submit(msgspec.structs.replace(SPEC, max_run_s=600))
    host.report(host.take(job), AttemptState.RUNNING)

    healthy(at, seconds=LEASE + 10)
    spared = at.row(job).attempt
    healthy(at, seconds=limits.SWEEP_STALE_SECONDS)

    assert (spared, at.row(job).attempt) == (1, 2)


def test_at_most_one_host_in_ten_is_given_up_in_a_minute() -> None:
    at = world(money_fen=10_000)
    fleet = [at.host() for _ in range(5)]
    sweep.sweep(at.ports)
    healthy(at, *fleet, seconds=LEASE)

    healthy(at, fleet[0], seconds=LEASE)
    after_one_sweep = sum(host.row.boot is None for host in fleet)
    healthy(at, fleet[0], seconds=60)

    assert after_one_sweep == 1
    assert sum(host.row.boot is None for host in fleet) == 2


def test_a_draining_host_is_asked_to_hand_back_at_its_deadline() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    grant = host.take(job)
    host.report(grant, AttemptState.RUNNING)
    hosts.drain(at.ports, host.id, deadline_seconds=30)
    host.beat(busy=True)

    at.sweep(seconds=31)

    assert at.row(job).stop_reason == "drain"
    assert host.report(grant, AttemptState.LOST, seq=5, stop_reason="drain") == "accepted"
    assert (at.row(job).attempt, at.row(job).state) == (2, AttemptState.QUEUED)


@pytest.mark.parametrize("reason", [StopReason.CANCEL, StopReason.SUSPEND])
def test_a_job_whose_drain_was_asked_first_is_still_stopped_for_good(reason: StopReason) -> None:
    at = world()
    host = at.host()
    job = at.submit()
    grant = host.take(job)
    host.report(grant, AttemptState.RUNNING)
    hosts.drain(at.ports, host.id, deadline_seconds=5)
    host.beat(busy=True)
    at.sweep(seconds=6)

    if reason is StopReason.CANCEL:
        jobs.cancel(at.ports, ALICE, job.id)
    else:
        jobs.stop_all(at.ports, ALICE.account, reason)
    host.report(grant, AttemptState.LOST, seq=5, stop_reason="drain")

    assert at.show(job).status == "cancelled"
    assert at.money() == (1000, 0)


def test_a_drain_that_was_called_off_costs_no_host_its_lease() -> None:
    at = world()
    host = at.host()
    job = at.submit()
    host.report(host.take(job), AttemptState.RUNNING)
    healthy(at, host, seconds=LEASE + 10)  # From now on a sweep may take leases away.
    hosts.drain(at.ports, host.id, deadline_seconds=5)
    host.beat(busy=True)
    hosts.undrain(at.ports, host.id)

    at.sweep(seconds=5)

    assert host.row.boot == host.boot
    assert (at.row(job).attempt, at.row(job).state) == (1, AttemptState.RUNNING)


def test_a_drain_that_ends_within_the_grace_of_a_lease_does_not_cut_the_grace_short() -> None:
    at = world()
    host, other = at.host(), at.host()
    healthy(at, host, other, seconds=LEASE + 10)
    hosts.drain(at.ports, host.id, deadline_seconds=limits.LEASE_SECONDS + 5)
    host.beat(busy=True)

    healthy(at, other, seconds=limits.LEASE_SECONDS + 10)
    kept = host.row.boot
    healthy(at, other, seconds=10)

    assert (kept, host.row.boot) == (host.boot, None)


def test_a_job_that_moved_though_the_answer_was_lost_keeps_its_own_deadline() -> None:
    faults: list[StoreFault | None] = []
    rows = FaultyRows(
        DictRows(), lambda call: faults.pop(0) if call == "write" and faults else None
    )
    at = world(store=RecordStore(rows, pause=lambda _: None, chance=lambda: 0.0))
    host = at.host()
    job = at.submit()
    host.take(job)
    faults += [None, *[StoreFault.LOST_AFTER] * Patience().unanswered_max]

    swept = at.sweep(seconds=limits.CLAIMED_SECONDS)

    row = at.row(job)
    assert (swept.failed, faults) == (1, [])
    assert (row.attempt, row.state) == (2, AttemptState.QUEUED)
    assert row.due_at == at.clock.now() + timedelta(seconds=SPEC.queue_ttl_s)


def test_one_bad_item_is_pushed_on_and_blocks_nobody(caplog: pytest.LogCaptureFixture) -> None:
    at = world()
    bad, good = at.submit(), at.submit()
    key = schema.JOB.key(account=ALICE.account, id=bad.id)
    at.ports.store.commit(Update(key, set={"state": "unheard_of"}, when=[present()]))

    swept = at.sweep(seconds=SPEC.queue_ttl_s)
    again = at.sweep(seconds=1)

    assert at.show(good).status == "expired"
    assert (swept.failed, again.failed) == (1, 0)
    assert "due item failed" in caplog.text


def test_two_sweepers_at_once_agree() -> None:
    at = world()
    made = [at.submit() for _ in range(5)]
    at.clock.pass_(seconds=SPEC.queue_ttl_s)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: sweep.sweep(at.ports), range(4)))

    assert {at.show(job).status for job in made} == {"expired"}
    assert at.money() == (1000, 0)


def test_a_ban_that_was_cut_short_is_finished_by_the_sweep() -> None:
    at = world()
    job = at.submit()
    now = schema.timestamp(at.clock.now())
    key = schema.ACCOUNT.key(id=ALICE.account)
    at.ports.store.commit(Update(key, set={"banned_at": now, "due_at": now}, when=[present()]))

    at.sweep()

    assert at.show(job).status == "cancelled"
    assert at.money() == (1000, 0)

"""Template jobs: paid whole from one source, returned whole unless they succeed."""

import threading
from datetime import timedelta

import msgspec
import pytest

from tests.fixtures import units, work
from tests.fixtures.money import ALICE, OPERATOR, RacedStore, with_store
from tests.fixtures.units import ASKED, UPSCALE, numbers, period
from tests.fixtures.waiting import gate
from tests.fixtures.work import HOLD_FEN, SPEC
from wharfage import schema
from wharfage.domain.attempt import AttemptState, ReasonCode, StopReason
from wharfage.domain.balance import EntryCode, HoldState
from wharfage.domain.errors import (
    AccountFrozen,
    AccountSuspended,
    InsufficientFunds,
    Invalid,
    KeyReused,
    NotFound,
    StateConflict,
)
from wharfage.domain.spec import Submission
from wharfage.operations import jobs, ledger, memberships, templates
from wharfage.transaction import Update, present

PRICE = UPSCALE.price_fen
NOTHING_USED = (100, 100, 0, 0)


@pytest.fixture
def at() -> work.World:
    return units.world_with_units(work.world())


def submit(at, asked=ASKED, key=None):
    return jobs.submit(at.ports, ALICE, asked, key=key).value


def audited(at):
    found = ledger.audit(at.ports, ALICE.account)
    assert all(each.exact for each in found.periods)
    return found


def test_units_pay_for_a_template_whole_and_no_money_is_held(at):
    job = submit(at)

    assert (job.hold_units, job.hold_fen) == (5, 0)
    assert (job.template, job.template_version) == ("upscale", 1)
    assert numbers(period(at.ports)) == (100, 95, 5, 0)
    assert at.money() == (1000, 0)
    assert [(hold.units, hold.amount_fen) for hold in at.holds()] == [(5, 0)]
    audited(at)


def test_a_success_uses_the_units(at):
    job, host = submit(at), at.host()

    host.run(host.take(job))

    ended = at.show(job)
    assert (ended.status, ended.cost_units, ended.cost_fen) == ("succeeded", 5, 0)
    assert numbers(period(at.ports)) == (100, 95, 0, 5)
    (hold,) = at.holds()
    assert (hold.state, hold.captured_units, hold.captured_fen) == (HoldState.SETTLED, 5, 0)
    (use,) = [entry for entry in at.entries() if entry.code is EntryCode.USE]
    assert (use.units, use.amount_fen, use.period) == (-5, 0, period(at.ports).starts_at)
    audited(at)


def fail(at, host, job):
    host.run(host.take(job), exit_code=1)


def cancel_queued(at, host, job):
    jobs.cancel(at.ports, ALICE, job.id)


def cancel_running(at, host, job):
    grant = host.take(job)
    host.report(grant, AttemptState.RUNNING, seq=1)
    jobs.cancel(at.ports, ALICE, job.id)
    host.finish(grant, exit_code=143, stop_reason=StopReason.CANCEL)


def expire(at, host, job):
    at.sweep(hours=2)


def lose(at, host, job):
    for _ in range(5):
        host.take(at.show(job))
        host.beat(boot=at.ports.ids.new("bot"), held=())


@pytest.mark.parametrize("end", [fail, cancel_queued, cancel_running, expire, lose])
@pytest.mark.parametrize("source", ["units", "balance"])
def test_anything_but_a_success_returns_all_with_the_reason(at, end, source):
    if source == "balance":
        units.define(at.ports, units=101)
    job = submit(at)
    assert (job.hold_units, job.hold_fen) == ((5, 0) if source == "units" else (0, PRICE))

    end(at, at.host(), job)

    ended = at.show(job)
    assert ended.is_terminal
    assert ended.status != "succeeded"
    assert ended.reason_code is not None
    assert (ended.cost_units, ended.cost_fen) == (0, 0)
    assert numbers(period(at.ports)) == NOTHING_USED
    assert at.money() == (1000, 0)
    events = at.ports.store.query(schema.EVENT, job.id, prefix="evt_", limit=100).items
    assert events[-1].data["reason_code"] == ended.reason_code
    if source == "units":
        assert events[-1].data["returned_units"] == 5
    audited(at)


def test_a_try_again_of_a_template_costs_nothing_until_it_succeeds(at):
    job, host = submit(at), at.host()

    host.take(job)
    host.beat(boot=at.ports.ids.new("bot"), held=())
    assert numbers(period(at.ports)) == (100, 95, 5, 0)
    host.run(host.take(at.show(job)))

    assert numbers(period(at.ports)) == (100, 95, 0, 5)
    assert at.show(job).attempt == 2
    audited(at)


def test_the_balance_pays_whole_what_the_open_period_does_not_have(at):
    units.define(at.ports, units=60)

    first, second = submit(at), submit(at)

    assert (first.hold_units, first.hold_fen) == (60, 0)
    assert (second.hold_units, second.hold_fen) == (0, PRICE)
    assert numbers(period(at.ports)) == (100, 40, 60, 0)
    assert at.money() == (1000 - PRICE, PRICE)


def test_a_success_from_the_balance_costs_the_price_whatever_it_took(at):
    units.define(at.ports, units=101)
    job, host = submit(at), at.host()

    host.run(host.take(job), seconds=3)

    assert at.show(job).cost_fen == PRICE
    assert at.money() == (1000 - PRICE, 0)


def test_neither_source_being_enough_says_what_is_there():
    at = units.world_with_units(work.world(money_fen=PRICE - 1))
    units.define(at.ports, units=101)

    with pytest.raises(InsufficientFunds) as refusal:
        submit(at)

    assert refusal.value.facts == {
        "required_fen": PRICE, "available_fen": PRICE - 1,
        "required_units": 101, "available_units": 100,
    }  # fmt: skip
    assert at.holds() == []


@pytest.mark.parametrize(("left", "source"), [(4, 0), (5, 5), (6, 5)])
def test_units_pay_when_there_are_just_enough(at, left, source):
    units.define(at.ports, units=100 - left, name="big")
    submit(at, Submission(template="big", input={"factor": 2}))

    assert submit(at).hold_units == source


def test_a_raw_image_is_always_paid_from_the_balance(at):
    job = at.submit(SPEC)

    assert (job.hold_units, job.hold_fen) == (0, HOLD_FEN)
    assert numbers(period(at.ports)) == (100, 100, 0, 0)


@pytest.mark.parametrize(
    ("mark", "refusal"),
    [("frozen_at", AccountFrozen), ("suspended_at", AccountSuspended)],
)
def test_units_do_not_start_work_of_an_account_whose_money_is_frozen(at, mark, refusal):
    now = schema.timestamp(at.clock.now())
    at.ports.store.commit(
        Update(schema.BALANCE.key(account=ALICE.account), set={mark: now}, when=[present()])
    )

    with pytest.raises(refusal):
        submit(at)

    assert numbers(period(at.ports)) == (100, 100, 0, 0)


def test_a_key_makes_one_job_whichever_source_pays(at):
    units.define(at.ports, units=60)
    first = submit(at, key="a")
    second = submit(at, key="b")

    again = [submit(at, key=key) for key in "ab"]

    assert [job.id for job in again] == [first.id, second.id]
    assert len(at.holds()) == 2
    with pytest.raises(KeyReused):
        submit(at, Submission(template="upscale", input={"factor": 3}), key="a")


def test_a_hold_settles_in_the_period_it_was_taken_in_also_after_its_end():
    at = units.world_with_units(work.world(), months=2)
    first = period(at.ports)
    at.clock.moment = first.ends_at - timedelta(milliseconds=1)
    done, failed = submit(at), submit(at)
    host = at.host()
    grants = [host.take(done), host.take(failed)]
    at.clock.moment = first.ends_at

    host.run(grants[0])
    host.run(grants[1], exit_code=1)

    old = at.ports.store.get(schema.PERIOD.key(account=ALICE.account, starts_at=first.starts_at))
    assert old is not None
    assert numbers(old) == (100, 95, 0, 5)
    assert numbers(period(at.ports)) == (100, 100, 0, 0)
    audited(at)


def test_the_instant_of_the_end_belongs_to_the_next_period():
    at = units.world_with_units(work.world(), months=2)
    first = period(at.ports)
    at.clock.moment = first.ends_at

    submit(at)

    assert period(at.ports).starts_at == first.ends_at
    assert numbers(period(at.ports)) == (100, 95, 5, 0)


def test_what_remains_lapses_once_and_what_is_held_waits_for_its_work():
    at = units.world_with_units(work.world(), months=2)
    first = period(at.ports)
    at.clock.moment = first.ends_at - timedelta(seconds=1)
    job, host = submit(at), at.host()
    grant = host.take(job)
    host.report(grant, AttemptState.RUNNING, seq=1)

    at.sweep(seconds=1)
    assert [each.code for each in at.entries()].count(EntryCode.LAPSE) == 0
    host.finish(grant, exit_code=1)
    for _ in range(3):
        at.sweep(hours=1)

    lapsed = [each for each in at.entries() if each.code is EntryCode.LAPSE]
    assert [(each.units, each.period) for each in lapsed] == [(-100, first.starts_at)]
    audited(at)


def test_a_period_that_was_written_off_pays_for_nothing_more(at):
    first = period(at.ports)
    moment = first.ends_at - timedelta(milliseconds=1)
    at.sweep(days=40)
    at.clock.moment = moment  # A submit that read its clock before the end, and came late.

    job = submit(at)

    assert (job.hold_units, job.hold_fen) == (0, PRICE)
    audited(at)


def test_a_late_submit_that_comes_while_a_month_is_written_off_makes_it_wait(at):
    first = period(at.ports)
    late = first.ends_at - timedelta(milliseconds=1)

    def submit_late():
        now, at.clock.moment = at.clock.moment, late
        assert submit(at).hold_units == 5
        at.clock.moment = now

    at.clock.moment = first.ends_at
    raced = with_store(at, RacedStore(at.ports.store, submit_late))

    with pytest.raises(StateConflict):
        memberships.lapse(raced, first)
    assert EntryCode.LAPSE not in {entry.code for entry in at.entries()}
    audited(at)


def test_a_template_decides_what_runs_and_the_input_is_held_to_its_schema(at):
    with pytest.raises(Invalid) as refusal:
        submit(
            at,
            Submission(
                template="upscale", image="busybox", max_cost_fen=5, env={"A": "b"},
                input={"factor": 5, "text": "x" * 21, "more": 1},
            ),
        )  # fmt: skip

    assert {fault.pointer for fault in refusal.value.faults} == {
        "/image", "/max_cost_fen", "/env", "/input/factor", "/input/text", "/input",
    }  # fmt: skip


@pytest.mark.parametrize(
    "asked",
    [
        Submission(template="nothing"),
        Submission(template="upscale", template_version=2, input={"factor": 2}),
    ],
)
def test_an_unknown_template_or_version_is_not_found(at, asked):
    with pytest.raises(NotFound):
        submit(at, asked)


def test_a_retired_template_takes_no_new_jobs_and_lets_the_old_ones_go_on(at):
    job, host = submit(at), at.host()
    templates.retire(at.ports, OPERATOR, "upscale")

    with pytest.raises(NotFound):
        submit(at)
    host.run(host.take(job))

    assert at.show(job).status == "succeeded"


def test_a_job_keeps_the_version_and_the_price_it_was_submitted_under(at):
    job = submit(at)
    units.define(at.ports, units=50)

    newer = submit(at)
    pinned = submit(at, msgspec.structs.replace(ASKED, template_version=1))
    host = at.host()
    host.run(host.take(job))

    assert (newer.template_version, newer.hold_units) == (2, 50)
    assert (pinned.template_version, pinned.hold_units) == (1, 5)
    assert at.show(job).cost_units == 5


def test_the_input_reaches_the_host_as_it_was_sent(at):
    job = submit(at, Submission(template="upscale", input={"factor": 2, "text": "放大 \0"}))

    spec = at.host().take(job).spec

    assert spec.input == {"factor": 2, "text": "放大 \0"}
    assert spec.command == UPSCALE.command


@pytest.mark.parametrize("round_", range(100))
def test_two_hundred_at_once_for_a_hundred_units_are_a_hundred(round_):
    at = work.world(money_fen=0)
    units.define(at.ports, units=1)
    units.join(at.ports)
    made, refused = [], []
    start = gate(20)

    def run():
        start.wait()
        for _ in range(10):
            try:
                made.append(submit(at))
            except InsufficientFunds as refusal:
                refused.append(refusal)

    threads = [threading.Thread(target=run) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(made), len(refused)) == (100, 100)
    assert numbers(period(at.ports)) == (100, 0, 100, 0)
    assert len(at.holds()) == 100
    audited(at)


def test_a_reason_is_on_the_line_of_an_attempt_that_returned_its_units(at):
    job, host = submit(at), at.host()

    host.run(host.take(job), exit_code=3)

    (line,) = [entry for entry in at.entries() if entry.code is EntryCode.USE]
    assert (line.units, line.amount_fen) == (0, 0)
    assert line.note == f"upscale 1, attempt 1: {ReasonCode.EXIT_CODE}"


def test_plans_are_shown(at):
    (plan,) = memberships.plans(at.ports)

    assert (plan.name, plan.price_fen, plan.units) == ("basic", 9900, 100)

"""Usage of jobs and days, read from what real operations have written."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from tests.fixtures import units, work
from tests.fixtures.money import ALICE, BOB
from tests.fixtures.units import ASKED
from tests.fixtures.work import SPEC
from wharfage.domain import limits
from wharfage.domain.attempt import AttemptState, ReasonCode
from wharfage.domain.balance import EntryCode
from wharfage.domain.errors import Invalid, NotFound
from wharfage.domain.spec import Retry
from wharfage.operations import jobs, meters


@pytest.fixture
def at() -> work.World:
    return work.world(money_fen=10_000)


def run(at, host, *, seconds=5, exit_code=0, spec=SPEC):
    job = at.submit(spec)
    host.run(host.take(job), seconds=seconds, exit_code=exit_code)
    return job


def of_days(at, since=None, until=None, who=ALICE, after=None):
    return meters.of_days(at.ports, who, since, until, after=after)


def test_a_jobs_lines_add_up_to_what_was_captured(at):
    job = run(at, at.host(), seconds=7)

    shown = meters.of_job(at.ports, ALICE, job.id)

    [hold] = at.holds()
    assert (shown.settled, shown.amount_fen, hold.captured_fen) == (True, 7, 7)
    assert [(line.attempt, line.amount_fen, line.entry) for line in shown.lines] == [
        (1, 7, f"{job.id}.1")
    ]
    assert shown.hourly_fen == 3600


def test_every_attempt_has_its_line_and_they_add_up_to_the_ledger(at):
    spec = msgspec.structs.replace(SPEC, retry=Retry(max_attempts=3, backoff_base_s=1))
    host, job = at.host(), at.submit(spec)
    for seconds in (3, 4):
        host.run(host.take(at.show(job)), seconds=seconds, exit_code=1)
        host.beat(held=())
        at.sweep(seconds=10)
    before = meters.of_job(at.ports, ALICE, job.id)
    host.beat(held=())
    host.run(host.take(at.show(job)), seconds=5)

    shown = meters.of_job(at.ports, ALICE, job.id)

    assert (before.settled, [line.amount_fen for line in before.lines]) == (False, [3, 4])
    assert [line.amount_fen for line in shown.lines] == [3, 4, 5]
    assert shown.amount_fen == 12 == at.row(job).cost_fen
    booked = {entry.reference: -entry.amount_fen for entry in at.entries()}
    assert {line.entry: line.amount_fen for line in shown.lines} == booked


def test_a_platform_fault_is_a_free_line(at):
    host, job = at.host(), at.submit()
    grant = host.take(job)
    host.report(grant, AttemptState.REJECTED, seq=1, reason_code=ReasonCode.DISK_LOW)

    [line] = meters.of_job(at.ports, ALICE, job.id).lines

    assert (line.amount_fen, line.charged_seconds) == (0, 0)
    assert (line.status, line.reason_code) == (AttemptState.REJECTED, ReasonCode.DISK_LOW)


def test_a_job_that_waits_has_no_line_and_one_cancelled_by_then_a_free_one(at):
    job = at.submit()
    waiting = meters.of_job(at.ports, ALICE, job.id)
    jobs.cancel(at.ports, ALICE, job.id)

    shown = meters.of_job(at.ports, ALICE, job.id)

    assert (waiting.lines, waiting.settled) == ((), False)
    assert [(line.amount_fen, line.entry) for line in shown.lines] == [(0, None)]
    assert of_days(at).items == ()


def test_a_templates_job_shows_its_units(at):
    units.world_with_units(at)
    job = jobs.submit(at.ports, ALICE, ASKED, key=None).value
    host = at.host()
    host.run(host.take(job), seconds=3)

    shown = meters.of_job(at.ports, ALICE, job.id)

    assert (shown.template, shown.units, shown.amount_fen) == ("upscale", 5, 0)
    [day] = of_days(at).items
    assert (day.jobs, day.units, day.amount_fen, day.charged_seconds) == (1, 5, 0, 3)


@pytest.mark.parametrize("name", ["theirs", "job_nothing"])
def test_a_job_of_somebody_else_is_not_found(at, name):
    job = at.submit()

    with pytest.raises(NotFound):
        meters.of_job(at.ports, BOB, job.id if name == "theirs" else name)


def test_days_are_those_of_the_accounts_time_zone(at):
    host = at.host()
    at.clock.moment = datetime(2026, 3, 1, 15, 59, 50, tzinfo=UTC)  # 23:59:50 in Shanghai.
    host.beat(held=())
    run(at, host, seconds=5)
    run(at, host, seconds=5)  # Ends at its midnight.

    here = of_days(at).items
    utc = of_days(at, who=replace(ALICE, time_zone="UTC")).items

    assert [(day.day, day.jobs, day.amount_fen) for day in here] == [
        (date(2026, 3, 2), 1, 5),
        (date(2026, 3, 1), 1, 5),
    ]
    assert [(day.day, day.jobs, day.amount_fen) for day in utc] == [(date(2026, 3, 1), 2, 10)]
    assert here[0].vcpu_ms == 5000


def test_days_add_up_to_the_ledger_in_parts(at, monkeypatch):
    monkeypatch.setattr(limits, "MOVES_PAGE", 3)
    host = at.host()
    for _ in range(4):
        for seconds in (1, 2):
            host.beat(held=())
            run(at, host, seconds=seconds)
        at.clock.pass_(days=1)
        host = at.host()
    found, after, parts = [], None, 0
    while parts == 0 or after is not None:
        page = of_days(at, after=after)
        found += page.items
        after, parts = page.next, parts + 1

    assert parts == 3
    assert sum(day.amount_fen for day in found) == 12
    assert sum(day.amount_fen for day in found) == -sum(
        entry.amount_fen for entry in at.entries() if entry.code is EntryCode.USE
    )
    assert {day.day for day in found} == {date(2026, 3, number) for number in (1, 2, 3, 4)}
    assert sum(day.jobs for day in found) == 8


def test_only_the_days_that_are_asked_for_are_shown(at):
    host = at.host()
    for _ in range(3):
        host.beat(held=())
        run(at, host)
        at.clock.pass_(days=1)
        host = at.host()

    found = of_days(at, date(2026, 3, 2), date(2026, 3, 2)).items

    assert [day.day for day in found] == [date(2026, 3, 2)]


def test_a_week_is_shown_unless_more_is_asked_for(at):
    host = at.host()
    run(at, host)

    at.clock.pass_(days=6)
    within = of_days(at)
    at.clock.pass_(days=1)
    beyond = of_days(at)

    assert len(within.items) == 1
    assert beyond.items == ()


@pytest.mark.parametrize("days", [limits.USAGE_DAYS_MAX - 1, limits.USAGE_DAYS_MAX])
def test_a_month_of_days_can_be_asked_for_at_a_time(at, days):
    until = date(2026, 3, 31)

    assert of_days(at, until - timedelta(days=days - 1), until).items == ()


@pytest.mark.parametrize(
    ("since", "until", "where"),
    [
        (date(2026, 3, 1), date(2026, 3, 1) + timedelta(days=limits.USAGE_DAYS_MAX), "?since"),
        (date(2026, 3, 2), date(2026, 3, 1), "?since"),
        (date(1999, 12, 31), date(2000, 1, 1), "?since"),
        (None, date(1999, 12, 31), "?until"),
        (None, date(2100, 1, 1), "?until"),
        (date(1, 1, 1), date(1, 1, 1), "?until"),
        (None, date(9999, 12, 31), "?until"),
    ],
)
def test_days_that_cannot_be_shown_are_refused(at, since, until, where):
    with pytest.raises(Invalid) as refusal:
        of_days(at, since, until)

    assert [fault.pointer for fault in refusal.value.faults] == [where]

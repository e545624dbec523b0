"""Meter lines and days: what they add up to, whatever jobs did."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.fixtures.work import PRICES, small
from wharfage.domain import meter, span
from wharfage.domain.attempt import AttemptState
from wharfage.domain.balance import REVENUE, Entry, EntryCode
from wharfage.domain.job import AttemptRecord, Job, admit
from wharfage.domain.meter import Use
from wharfage.domain.spec import JobSpec

NOW = datetime(2026, 3, 8, 4, tzinfo=UTC)
ZONE = "America/Havana"


def a_job(cost_fen: int = 0, cost_units: int = 0, **changes) -> Job:
    spec = JobSpec(image="busybox", resources=small(cpu_millis=1500, memory_mb=128))
    job, _ = admit(spec, job_id="job_1", hold_id="hld_1", account="a", price=PRICES, now=NOW)
    return replace(job, cost_fen=cost_fen, cost_units=cost_units, **changes)


def ended(attempt: int = 1, *, seconds: int = 5, **facts: object) -> AttemptRecord:
    record = AttemptRecord(
        job="job_1", attempt=attempt, state=AttemptState.SUCCEEDED, ended_at=NOW,
        run_seconds=seconds, cost_fen=0, oom=False, claim_id="clm_1",
    )  # fmt: skip
    return replace(record, **facts)


def use(at: datetime, *, attempt: int = 1, cost_fen: int = 0, units: int = 0) -> Use:
    entry = Entry(
        account="a", code=EntryCode.USE, reference=f"job_1.{attempt}", amount_fen=-cost_fen,
        units=-units, debit="a", credit=REVENUE, posted_at=at,
    )  # fmt: skip
    record = ended(attempt, cost_fen=cost_fen, cost_units=units, ended_at=at)
    return Use(entry=entry, job=a_job(), record=record)


def test_a_line_is_what_was_measured_times_what_was_asked_for():
    [line] = meter.metered(a_job(cost_fen=8), [ended(cost_fen=8)]).lines

    assert (line.run_seconds, line.charged_seconds) == (5, 5)
    assert (line.vcpu_ms, line.memory_mb_seconds) == (7500, 640)
    assert (line.amount_fen, line.units, line.entry) == (8, 0, "job_1.1")


def test_what_is_free_is_measured_and_charges_no_second():
    [line] = meter.metered(a_job(), [ended(state=AttemptState.LOST)]).lines

    assert (line.run_seconds, line.charged_seconds, line.vcpu_ms, line.amount_fen) == (5, 0, 0, 0)


def test_an_attempt_that_no_host_had_has_no_entry():
    [line] = meter.metered(a_job(), [ended(claim_id=None, seconds=0)]).lines

    assert line.entry is None


def test_units_are_on_the_line_and_no_fen():
    shown = meter.metered(a_job(cost_units=5, ended_at=NOW), [ended(cost_units=5)])

    assert (shown.lines[0].units, shown.lines[0].amount_fen, shown.lines[0].charged_seconds) == (
        5, 0, 5,
    )  # fmt: skip
    assert (shown.units, shown.amount_fen, shown.settled) == (5, 0, True)


def test_an_entry_names_its_job_and_attempt():
    assert meter.named(use(NOW, attempt=12).entry) == ("job_1", 12)


def test_an_instant_at_midnight_belongs_to_the_day_that_begins():
    days = [date(2026, 3, 7), date(2026, 3, 8)]
    begins = [(day, span.begins_on(day, ZONE)) for day in days]
    midnight = begins[1][1]
    uses = [use(midnight - timedelta(milliseconds=1), cost_fen=1), use(midnight, cost_fen=2)]

    found = meter.by_day(uses, begins)

    assert [(day.day, day.amount_fen) for day in found] == [(days[1], 2), (days[0], 1)]


def test_a_job_counts_with_its_first_attempt_and_once():
    begins = [(date(2026, 3, 8), span.begins_on(date(2026, 3, 8), "UTC"))]
    uses = [use(NOW, attempt=number, cost_fen=3) for number in (3, 2, 1)]

    [day] = meter.by_day(uses, begins)

    assert (day.jobs, day.attempts, day.amount_fen, day.charged_seconds) == (1, 3, 9, 15)


@given(
    st.lists(
        st.tuples(st.integers(0, 5 * 86_400_000 - 1), st.integers(0, 9), st.integers(0, 9)),
        max_size=40,
    ),
    st.integers(0, 40),
)
def test_days_add_up_to_the_entries_also_in_parts(moves, cut):
    first = date(2026, 3, 6)  # Havana's clocks are moved within these days.
    days = [first + timedelta(days=number) for number in range(6)]
    begins = [(day, span.begins_on(day, ZONE)) for day in days]
    start = begins[0][1]
    uses = [
        use(start + timedelta(milliseconds=at), cost_fen=fen, units=units)
        for at, fen, units in moves
    ]

    found = [*meter.by_day(uses[:cut], begins), *meter.by_day(uses[cut:], begins)]

    assert sum(day.amount_fen for day in found) == sum(fen for _, fen, _ in moves)
    assert sum(day.units for day in found) == sum(units for _, _, units in moves)
    for day in days:
        of_day = [each for each in uses if span.day_of(each.entry.posted_at, ZONE) == day]
        parts = [each for each in found if each.day == day]
        assert sum(each.attempts for each in parts) == len(of_day)

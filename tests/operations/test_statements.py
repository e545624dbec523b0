"""Statements read from stored ledgers: whole months, whatever zone, however many entries."""

import csv
import io
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fixtures.counting import CountingStore, Tally
from tests.fixtures.ledger import rows
from tests.fixtures.money import ALICE, BOB, OPERATOR, RacedStore, with_store, world
from wharfage import schema
from wharfage.domain import limits, span
from wharfage.domain.balance import Entry, EntryCode
from wharfage.domain.errors import NotFound, Unanswered
from wharfage.operations import ledger, statements
from wharfage.operations.ledger import Adjustment, EntryView
from wharfage.transaction import Put

ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/Havana", "Pacific/Apia", "UTC")
MONTHS = ("2025-12", "2026-01", "2026-02", "2026-03", "2026-04")
FIRST, LAST = datetime(2025, 11, 20, tzinfo=UTC), datetime(2026, 5, 10, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


def put(here, at: datetime, amount_fen: int, *, units: int = 0, number: int = 0, **more: Any):
    entry = Entry(
        account=ALICE.account, code=more.pop("code", EntryCode.ADJUSTMENT),
        reference=f"{number}-{at.timestamp()}", amount_fen=amount_fen, units=units,
        debit="adjustments", credit=ALICE.account, posted_at=at, **more,
    )  # fmt: skip
    here.ports.store.commit(Put(entry))
    return entry


def show(here, month, zone="Asia/Shanghai", who=ALICE):
    return statements.show(here.ports, replace(who, time_zone=zone), month)


def adjust(here, amount_fen, reference):
    body = Adjustment(account=ALICE.account, amount_fen=amount_fen, reason="r", reference=reference)
    ledger.adjust(here.ports, OPERATOR, body)


moves = st.lists(
    st.tuples(
        st.integers(0, (LAST - FIRST) // MILLISECOND - 1),
        st.integers(-(10**9), 10**9),
        st.integers(-100, 100),
        st.sampled_from(EntryCode),
    ),
    max_size=25,
)


@settings(max_examples=60)
@given(moves, st.lists(st.tuples(st.sampled_from(MONTHS), st.sampled_from(ZONES)), max_size=8))
def test_statements_equal_the_ledger_whichever_were_asked_for_before(told, asked):
    here = world()
    entries = [
        put(here, FIRST + at * MILLISECOND, fen, units=units, code=code, number=number)
        for number, (at, fen, units, code) in enumerate(told)
    ]
    here.clock.moment = LAST

    for month, zone in asked:
        view = show(here, month, zone)

        wanted = span.of_month(month, zone)
        before = [each for each in entries if each.posted_at < wanted.begins_at]
        until = [each for each in entries if each.posted_at < wanted.ends_at]
        assert view.opening_fen == sum(each.amount_fen for each in before)
        assert view.opening_units == sum(each.units for each in before)
        assert view.closing_fen == sum(each.amount_fen for each in until)
        assert view.closing_units == sum(each.units for each in until)
        assert sum(line.count for line in view.lines) == len(until) - len(before)
        assert view.complete


@given(st.sampled_from(ZONES), moves)
@settings(max_examples=30)
def test_each_month_opens_as_the_one_before_closed(zone, told):
    here = world()
    for number, (at, fen, units, code) in enumerate(told):
        put(here, FIRST + at * MILLISECOND, fen, units=units, code=code, number=number)
    here.clock.moment = LAST

    views = [show(here, month, zone) for month in MONTHS]

    for one, following in itertools.pairwise(views):
        assert (one.closing_fen, one.closing_units) == (
            following.opening_fen, following.opening_units,
        )  # fmt: skip
        assert one.ends_at == following.begins_at


@pytest.mark.parametrize(
    ("zone", "begins_at"),
    [
        ("Asia/Shanghai", datetime(2026, 3, 31, 16, tzinfo=UTC)),
        ("Europe/Berlin", datetime(2026, 3, 31, 22, tzinfo=UTC)),  # Two hours, since Sunday.
    ],
)
def test_an_entry_at_midnight_belongs_to_the_month_that_begins(zone, begins_at):
    here = world()
    put(here, begins_at - MILLISECOND, 1)
    put(here, begins_at, 10)
    here.clock.moment = LAST

    march, april = show(here, "2026-03", zone), show(here, "2026-04", zone)

    assert (march.closing_fen, april.opening_fen, april.closing_fen) == (1, 1, 11)


def test_a_month_that_is_not_over_says_so_and_grows():
    here = world()
    adjust(here, 500, "first")
    first = show(here, "2026-03")
    here.clock.pass_(days=1)
    adjust(here, 70, "second")

    then = show(here, "2026-03")

    assert (first.complete, first.closing_fen) == (False, 500)
    assert (then.complete, then.closing_fen) == (False, 570)
    assert list(rows(here.ports.store, schema.CARRIED, ALICE.account)) == []


@pytest.mark.parametrize("late", [-MILLISECOND, 0 * MILLISECOND])
def test_nothing_is_carried_forward_before_all_has_come(late):
    here = world()
    adjust(here, 500, "first")
    rest = timedelta(seconds=limits.STATEMENT_REST_SECONDS)
    here.clock.moment = span.of_month("2026-03", "Asia/Shanghai").ends_at + rest + late

    view = show(here, "2026-03")
    april = show(here, "2026-04")

    kept = list(rows(here.ports.store, schema.CARRIED, ALICE.account))
    assert view.complete is bool(kept) is (late == 0 * MILLISECOND)
    assert (view.closing_fen, april.opening_fen) == (500, 500)


def test_an_entry_that_comes_in_the_last_hour_is_in_the_next_statement():
    here = world()
    ends_at = span.of_month("2026-03", "Asia/Shanghai").ends_at
    here.clock.moment = ends_at + timedelta(minutes=1)
    assert show(here, "2026-04").opening_fen == 0
    put(here, ends_at - MILLISECOND, 5)

    assert show(here, "2026-04").opening_fen == 5


@pytest.mark.parametrize("month", ["2026-13", "2026-3", "march", "1999-12", "2026-04", "2099-12"])
def test_what_is_no_month_or_has_not_begun_is_not_found(month):
    here = world()

    with pytest.raises(NotFound):
        show(here, month)
    with pytest.raises(NotFound):
        statements.find_entries(here.ports, ALICE, month, after=None, limit=1)


def test_a_month_begins_with_its_first_millisecond():
    here = world()
    begins_at = span.of_month("2026-04", "Asia/Shanghai").begins_at

    here.clock.moment = begins_at - MILLISECOND
    with pytest.raises(NotFound):
        show(here, "2026-04")
    here.clock.moment = begins_at

    assert show(here, "2026-04").lines == ()


def test_a_statement_is_of_the_account_that_asks():
    here = world()
    adjust(here, 500, "first")

    assert show(here, "2026-03", who=BOB).closing_fen == 0
    found = statements.find_entries(here.ports, BOB, "2026-03", after=None, limit=9)
    assert found.items == ()


def test_the_entries_of_a_month_are_listed_page_by_page_and_no_others():
    here = world()
    begins_at = span.of_month("2026-03", "Asia/Shanghai").begins_at
    ends_at = span.of_month("2026-03", "Asia/Shanghai").ends_at
    put(here, begins_at - MILLISECOND, 1)
    mine = [put(here, begins_at + number * MILLISECOND, 1) for number in range(3)]
    mine.append(put(here, ends_at - MILLISECOND, 1))
    put(here, ends_at, 1)
    here.clock.moment = LAST

    found: list[EntryView] = []
    after = None
    for _ in range(2):
        page = statements.find_entries(here.ports, ALICE, "2026-03", after=after, limit=2)
        found += page.items
        after = page.next

    assert [each.posted_at for each in found] == [each.posted_at for each in reversed(mine)]
    last = statements.find_entries(here.ports, ALICE, "2026-03", after=after, limit=2)
    assert (last.items, last.next) == ((), None)


def test_a_long_ledger_is_read_in_parts_and_only_once(monkeypatch):
    monkeypatch.setattr(limits, "MOVES_PAGE", 200)
    monkeypatch.setattr(limits, "PAGE_MAX", 50)
    here = world()
    for number in range(2000):
        put(here, datetime(2026, 3, 1, tzinfo=UTC) + number * timedelta(minutes=1), 1)
    here.clock.moment = LAST
    tally = Tally()
    ports = with_store(here, CountingStore(here.ports.store, tally))

    first = statements.show(ports, ALICE, "2026-04")
    reads, tally.reads = tally.reads, 0
    again = statements.show(ports, ALICE, "2026-04")

    assert first == again
    assert first.opening_fen == 2000
    assert reads >= 2000 // 200
    assert tally.reads <= 3


def test_a_statement_is_shown_also_where_nothing_can_be_kept():
    here = world()
    adjust(here, 500, "first")
    here.clock.moment = LAST

    def away():
        raise Unanswered

    view = statements.show(with_store(here, RacedStore(here.ports.store, away)), ALICE, "2026-03")

    assert view.closing_fen == 500


def test_the_csv_has_opening_each_code_and_closing():
    here = world()
    adjust(here, 500, "in")
    adjust(here, -30, "out")

    text = statements.as_csv(show(here, "2026-03"))

    assert list(csv.reader(io.StringIO(text))) == [
        ["month", "line", "count", "amount_fen", "units"],
        ["2026-03", "opening", "", "0", "0"],
        ["2026-03", "adjustment", "2", "470", "0"],
        ["2026-03", "closing", "", "470", "0"],
    ]

"""Memberships: months by the calendar, in the account's zone, counted from the anchor."""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfage.domain.errors import Invalid
from wharfage.domain.membership import (
    REMIND_BEFORE,
    Membership,
    MembershipNews,
    Purchase,
    QuotaPeriod,
    boundary,
    days_left,
    extended,
    open_month,
    reminded,
    zone_of,
)

ZONES = (
    "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Pacific/Apia", "America/Sao_Paulo", "UTC",
)  # fmt: skip
MILLISECOND = timedelta(milliseconds=1)
FIRST = datetime(2000, 1, 1, tzinfo=UTC)
moments = st.integers(0, 100 * 366 * 24 * 3_600_000).map(
    lambda number: FIRST + number * MILLISECOND  # As the clock tells them.
)
zones = st.sampled_from(ZONES)


def purchase(zone: str = "Asia/Shanghai", units: int = 100, plan: str = "basic") -> Purchase:
    return Purchase(plan=plan, units=units, zone=zone)


def bought(
    at: datetime, months: int, zone: str = "Asia/Shanghai"
) -> tuple[Membership, list[QuotaPeriod]]:
    """Buy *months* at one instant."""
    membership, periods = None, []
    for _ in range(months):
        made = extended(membership, purchase(zone), account="usr_a", now=at)
        membership = made.membership
        periods.append(made.period)
    assert membership is not None
    return membership, periods


def shanghai(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Asia/Shanghai")).astimezone(UTC)


@pytest.mark.parametrize(
    ("anchor", "ends"),
    [
        ("2026-01-31", ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("2024-01-31", ["2024-02-29", "2024-03-31", "2024-04-30"]),
        ("2024-02-29", ["2024-03-29", "2024-04-29", "2024-05-29"]),
        ("2026-12-30", ["2027-01-30", "2027-02-28", "2027-03-30"]),
        ("2026-03-01", ["2026-04-01", "2026-05-01"]),
    ],
)
def test_a_month_ends_on_the_anchors_day_or_the_months_last(anchor: str, ends: list[str]) -> None:
    _, periods = bought(shanghai(f"{anchor}T09:30"), len(ends))

    assert [period.ends_at for period in periods] == [shanghai(f"{end}T09:30") for end in ends]


def test_a_membership_of_the_leap_day_is_back_on_it_after_four_years() -> None:
    assert boundary(shanghai("2024-02-29T00:00"), "Asia/Shanghai", 12) == shanghai(
        "2025-02-28T00:00"
    )
    assert boundary(shanghai("2024-02-29T00:00"), "Asia/Shanghai", 48) == shanghai(
        "2028-02-29T00:00"
    )


def test_the_day_is_that_of_the_zone_and_not_of_utc() -> None:
    """At 18:00 UTC of the 28th it is the 1st already in Shanghai."""
    anchor = datetime(2026, 2, 28, 18, tzinfo=UTC)

    assert boundary(anchor, "Asia/Shanghai", 1) == datetime(2026, 3, 31, 18, tzinfo=UTC)
    assert boundary(anchor, "UTC", 1) == datetime(2026, 3, 28, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("anchor", "zone", "end"),
    [
        # Clocks go forward at 2:00 on 29 March: there is no 2:30, so it is an hour later.
        ("2026-03-01T01:30+00:00", "Europe/Berlin", "2026-04-01T00:30+00:00"),
        ("2026-02-28T01:30+00:00", "Europe/Berlin", "2026-03-28T01:30+00:00"),
        ("2026-01-29T01:30+00:00", "Europe/Berlin", "2026-02-28T01:30+00:00"),
        # Clocks go back at 3:00 on 25 October: of two 2:30 it is the first.
        ("2026-09-25T00:30+00:00", "Europe/Berlin", "2026-10-25T00:30+00:00"),
        ("2026-02-08T07:30+00:00", "America/New_York", "2026-03-08T07:30+00:00"),
    ],
)
def test_a_month_keeps_the_time_of_day_where_clocks_change(
    anchor: str, zone: str, end: str
) -> None:
    assert boundary(datetime.fromisoformat(anchor), zone, 1) == datetime.fromisoformat(end)


@given(moments, zones, st.integers(0, 400))
def test_a_boundary_is_the_anchors_time_of_day_on_its_day_or_the_last(
    anchor: datetime, zone: str, months: int
) -> None:
    there = ZoneInfo(zone)
    start, found = anchor.astimezone(there), boundary(anchor, zone, months).astimezone(there)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, monthrange(year, month + 1)[1])
    wanted = start.replace(tzinfo=None, fold=0, year=year, month=month + 1, day=day)

    # Where that time does not exist it is as much later as clocks jump; Apia once left out a day.
    assert timedelta(0) <= found.replace(tzinfo=None) - wanted <= timedelta(days=1)
    gap = found.replace(tzinfo=None) != wanted
    assert (
        not gap
        or wanted.replace(tzinfo=there).astimezone(UTC).astimezone(there).replace(tzinfo=None)
        != wanted
    )


@given(moments, zones, st.integers(1, 60))
def test_months_follow_each_other_without_gap_or_overlap(
    anchor: datetime, zone: str, months: int
) -> None:
    membership, periods = bought(anchor, months, zone)

    assert periods[0].starts_at == anchor
    assert periods[-1].ends_at == membership.ends_at
    assert all(one.ends_at == other.starts_at for one, other in pairwise(periods))
    assert all(
        timedelta(days=27) <= period.ends_at - period.starts_at <= timedelta(days=32)
        for period in periods
    )


@given(moments, zones, st.integers(1, 24), st.data())
def test_the_month_that_is_open_is_the_one_that_holds_the_instant(
    anchor: datetime, zone: str, months: int, data: st.DataObject
) -> None:
    membership, periods = bought(anchor, months, zone)
    period = data.draw(st.sampled_from(periods))
    inside = data.draw(
        st.sampled_from([period.starts_at, period.ends_at - MILLISECOND])
        | st.datetimes(
            period.starts_at.replace(tzinfo=None),
            (period.ends_at - MILLISECOND).replace(tzinfo=None),
            timezones=st.just(UTC),
        )
    )

    assert open_month(membership, inside) == period.starts_at
    assert period.open(inside)


@given(moments, zones, st.integers(1, 24))
def test_from_the_end_on_no_month_is_open(anchor: datetime, zone: str, months: int) -> None:
    membership, _ = bought(anchor, months, zone)

    assert open_month(membership, membership.ends_at) is None
    assert open_month(None, anchor) is None


@given(moments, zones, st.integers(1, 24))
def test_the_first_month_is_open_also_for_a_clock_that_is_behind(
    anchor: datetime, zone: str, months: int
) -> None:
    membership, _ = bought(anchor, months, zone)

    assert open_month(membership, anchor - MILLISECOND) == anchor


def test_a_renewal_while_it_lasts_extends_it_and_refills_nothing() -> None:
    membership, (first,) = bought(shanghai("2026-01-31T09:30"), 1)
    later = first.ends_at - MILLISECOND

    made = extended(membership, purchase(units=50, plan="other"), account="usr_a", now=later)

    assert made.membership.anchor == membership.anchor
    assert (made.period.starts_at, made.period.granted) == (first.ends_at, 50)
    assert made.membership.version == membership.version + 1


def test_a_membership_that_has_lapsed_begins_anew_when_it_is_paid() -> None:
    membership, (first,) = bought(shanghai("2026-01-31T09:30"), 1)

    made = extended(membership, purchase("UTC"), account="usr_a", now=first.ends_at)

    assert made.membership.anchor == made.period.starts_at == first.ends_at
    assert (made.membership.months, made.membership.zone) == (1, "UTC")
    assert made.membership.version == membership.version + 1


def test_an_owner_is_reminded_three_days_and_one_day_before_and_told_of_the_end() -> None:
    membership, _ = bought(shanghai("2026-01-31T09:30"), 1)
    told = []

    while membership.due_at is not None:
        now = membership.due_at
        membership, news = reminded(membership, now)
        told.append((membership.ends_at - now, news, days_left(membership, now)))

    assert told == [
        (REMIND_BEFORE[0], MembershipNews.ENDING, 3),
        (REMIND_BEFORE[1], MembershipNews.ENDING, 1),
        (timedelta(0), MembershipNews.LAPSED, 0),
    ]


def test_a_renewal_moves_the_reminders_to_the_new_end() -> None:
    membership, _ = bought(shanghai("2026-01-31T09:30"), 1)
    now = membership.ends_at - timedelta(days=2)
    membership, _ = reminded(membership, now)

    longer = extended(membership, purchase(), account="usr_a", now=now).membership

    assert longer.due_at == longer.ends_at - REMIND_BEFORE[0]


def test_a_sweep_that_comes_late_reminds_once_of_what_is_left() -> None:
    membership, _ = bought(shanghai("2026-01-31T09:30"), 1)
    now = membership.ends_at - timedelta(hours=5)

    after, news = reminded(membership, now)

    assert (news, days_left(after, now), after.due_at) == (
        MembershipNews.ENDING, 1, membership.ends_at,
    )  # fmt: skip


@pytest.mark.parametrize("name", [*ZONES, "Etc/GMT+8", "America/Argentina/Buenos_Aires"])
def test_a_zone_of_the_database_is_taken(name: str) -> None:
    assert zone_of(name) == name


@pytest.mark.parametrize(
    "name",
    [
        "", "Nowhere", "Asia", "Asia/", "/etc/passwd", "../etc/passwd", "Asia/../UTC", "UTC\n",
        "UTC\0", "亚洲/上海", "UTC+8", "a" * 64, "posixrules/x", "tzdata.zi", "..",
    ],
)  # fmt: skip
def test_what_is_no_zone_is_refused(name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        zone_of(name)

    assert refusal.value.faults[0].pointer == "/time_zone"

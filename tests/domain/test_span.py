"""Spans: days and months of a calendar, without a gap or an overlap, wherever clocks are moved."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wharfage.domain import span
from wharfage.domain.errors import NotFound

ZONES = (
    "Asia/Shanghai", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu",
    "Pacific/Apia", "America/Havana", "Asia/Beirut", "America/Sao_Paulo", "America/St_Johns", "UTC",
)  # fmt: skip
days = st.dates(span.FIRST_DAY, span.LAST_DAY)


@pytest.mark.parametrize(
    ("zone", "day", "begins_at", "hours"),
    [
        ("UTC", date(2026, 3, 1), datetime(2026, 3, 1, tzinfo=UTC), 24),
        ("Asia/Shanghai", date(2026, 3, 1), datetime(2026, 2, 28, 16, tzinfo=UTC), 24),
        ("Europe/Berlin", date(2026, 3, 29), datetime(2026, 3, 28, 23, tzinfo=UTC), 23),
        ("Europe/Berlin", date(2026, 10, 25), datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
        # Havana's clocks go from 0:00 to 1:00, and back from 1:00 to 0:00.
        ("America/Havana", date(2026, 3, 8), datetime(2026, 3, 8, 5, tzinfo=UTC), 23),
        ("America/Havana", date(2026, 11, 1), datetime(2026, 11, 1, 4, tzinfo=UTC), 25),
        # Apia had no 30 December 2011.
        ("Pacific/Apia", date(2011, 12, 29), datetime(2011, 12, 29, 10, tzinfo=UTC), 24),
        ("Pacific/Apia", date(2011, 12, 30), datetime(2011, 12, 30, 10, tzinfo=UTC), 0),
        ("Pacific/Apia", date(2011, 12, 31), datetime(2011, 12, 30, 10, tzinfo=UTC), 24),
    ],
)
def test_a_day_lasts_from_its_midnight_to_the_next(zone, day, begins_at, hours):
    found = span.of_days(day, day, zone)

    assert found.begins_at == begins_at
    assert found.ends_at - found.begins_at == timedelta(hours=hours)


@given(days, st.sampled_from(ZONES))
def test_each_day_ends_where_the_next_begins_and_none_ends_before_it_begins(day, zone):
    after = min(day + timedelta(days=1), span.LAST_DAY)
    one, next_ = span.of_days(day, day, zone), span.of_days(after, after, zone)

    assert one.begins_at <= one.ends_at
    assert day == after or one.ends_at == next_.begins_at
    assert one.begins_at.tzinfo is UTC


@given(days, st.sampled_from(ZONES))
def test_a_days_noon_is_in_it(day, zone):
    noon = span.begins_on(day, zone) + timedelta(hours=12)

    assert span.day_of(noon, zone) in {day, day + timedelta(days=1)}
    if zone != "Pacific/Apia":
        assert span.day_of(noon, zone) == day


@pytest.mark.parametrize(
    ("month", "zone", "begins_at", "days_"),
    [
        ("2026-02", "UTC", datetime(2026, 2, 1, tzinfo=UTC), 28),
        ("2028-02", "UTC", datetime(2028, 2, 1, tzinfo=UTC), 29),
        ("2026-12", "Asia/Shanghai", datetime(2026, 11, 30, 16, tzinfo=UTC), 31),
        ("2099-12", "UTC", datetime(2099, 12, 1, tzinfo=UTC), 31),
    ],
)
def test_a_month_has_its_days(month, zone, begins_at, days_):
    found = span.of_month(month, zone)

    assert found.begins_at == begins_at
    assert found.ends_at - found.begins_at == timedelta(days=days_)


def test_a_month_in_which_clocks_go_forward_is_an_hour_shorter():
    found = span.of_month("2026-03", "Europe/Berlin")

    assert found.ends_at - found.begins_at == timedelta(days=31, hours=-1)


@pytest.mark.parametrize("zone", ZONES)
def test_months_follow_each_other(zone):
    names = [f"{year}-{month:02d}" for year in range(2009, 2014) for month in range(1, 13)]

    spans = [span.of_month(name, zone) for name in names]

    assert all(one.ends_at == next_.begins_at for one, next_ in pairwise(spans))


@pytest.mark.parametrize(
    "text",
    ["", "2026", "2026-3", "2026-00", "2026-13", "1999-12", "2100-01", "2026-03-01", "2026-03\n",
     " 2026-03", "２０２６-03", "2026-0³"],
)  # fmt: skip
def test_what_is_no_month_is_refused(text):
    with pytest.raises(NotFound):
        span.of_month(text, "UTC")

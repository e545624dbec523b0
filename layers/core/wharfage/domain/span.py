"""Spans: a day or a month of the calendar in one time zone, half-open between two instants.

A day begins at its midnight. Where clocks go forward over midnight it begins when they do; where
they go back over it, at the first of the two.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from wharfage.domain.errors import NotFound

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2099, 12, 31)  #: What spans are made of.

_MONTH = re.compile(r"20[0-9]{2}-(?:0[1-9]|1[0-2])", re.ASCII)
_DAY = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """A stretch of time; the instant at which it ends belongs to the next."""

    begins_at: datetime
    ends_at: datetime


def day_of(moment: datetime, zone: str) -> date:
    """Return the day that a calendar shows at a moment."""
    return moment.astimezone(ZoneInfo(zone)).date()


def begins_on(day: date, zone: str) -> datetime:
    """Return the instant at which a day begins."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


def of_days(first: date, last: date, zone: str) -> Span:
    """Return the span of whole days, the last one included."""
    assert FIRST_DAY <= first <= last <= LAST_DAY, "days that our calendar has, in their order"
    return Span(begins_at=begins_on(first, zone), ends_at=begins_on(last + _DAY, zone))


def of_month(month: str, zone: str) -> Span:
    """Return the span of a month, named as `2026-03`. Raises: NotFound."""
    if not _MONTH.fullmatch(month):
        raise NotFound(what="month")
    first = date.fromisoformat(f"{month}-01")
    last = (first + timedelta(days=31)).replace(day=1) - _DAY
    return of_days(first, last, zone)

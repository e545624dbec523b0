"""Memberships: months of units that were paid for, and when each begins and ends.

Month n of a membership begins n calendar months after its anchor, at the same time of day in its
time zone, on the anchor's day or the month's last. All are counted from the anchor itself, so a
membership of the 31st is back on the 31st wherever there is one. Months are half-open: the
instant at which one ends belongs to the next.
"""

import re
from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta
from msgspec.structs import replace

from wharfage.domain.errors import fault
from wharfage.domain.record import Body, Record

DEFAULT_ZONE = "Asia/Shanghai"
REMIND_BEFORE = (timedelta(days=3), timedelta(days=1))  #: Before a membership ends.

_ZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9][A-Za-z0-9_+-]*)*", re.ASCII)
_MONTHS_A_YEAR = 12

PlanName = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,31}$(?!\n)")]
TitleText = Annotated[str, Meta(min_length=1, max_length=80)]


class Title(Body, frozen=True, kw_only=True):
    """A name for people, in both languages."""

    en: TitleText
    zh: TitleText


class Plan(Record, frozen=True, kw_only=True):
    """What a month of membership costs, and the units it gives."""

    name: PlanName
    title: Title
    price_fen: Annotated[int, Meta(ge=1)]
    units: Annotated[int, Meta(ge=1)]


class Purchase(Record, frozen=True, kw_only=True):
    """The month that an order buys, as the plan and the account stood when it was opened."""

    plan: str
    units: int
    zone: str


class MembershipNews(StrEnum):
    """What is written on a membership's timeline."""

    ENDING = "membership.ending"  #: It ends in three days, or in one.
    LAPSED = "membership.lapsed"  #: It has ended and was not renewed.


class Membership(Record, frozen=True, kw_only=True):
    """An account's paid months on end, from one anchor; after a lapse a new one takes its place."""

    account: str
    plan: str  #: Of the newest month.
    anchor: datetime
    zone: str
    months: int
    ends_at: datetime
    due_at: datetime | None = None  #: When its owner is to be told next that it ends.
    version: int = 1

    def starts_at(self, number: int) -> datetime:
        """Return when month *number* begins, which is when the one before it ends."""
        return boundary(self.anchor, self.zone, number)


class QuotaPeriod(Record, frozen=True, kw_only=True):
    """One month's units: at every instant granted = remaining + held + used.

    What remains of a month that has ended can no longer be used: it lapses.
    """

    account: str
    starts_at: datetime
    ends_at: datetime
    plan: str
    granted: int
    remaining: int
    held: int = 0
    used: int = 0
    order: str | None = None  #: That bought it; of a month that went back, the one before.
    gone: int = 0  #: Of the units that its order paid for, those that are here no more.
    due_at: datetime | None = None  #: When what remains of it is to be written off.
    lapsed_at: datetime | None = None  #: When that was done; its entry says how much.

    def open(self, now: datetime) -> bool:
        """Tell whether its units can be used now."""
        return self.starts_at <= now < self.ends_at

    def lapsed(self, now: datetime) -> int:
        """Return the units that went unused."""
        return self.remaining if now >= self.ends_at else 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Extension:
    """A membership with a month more, and that month's units."""

    membership: Membership
    period: QuotaPeriod


def zone_of(name: str) -> str:
    """Check the name of a time zone. Raises: Invalid."""
    try:
        if _ZONE.fullmatch(name):
            ZoneInfo(name)
            return name
    except (ZoneInfoNotFoundError, OSError, ValueError):
        pass
    raise fault("/time_zone", "time_zone", "This is no time zone of the IANA database.")


def boundary(anchor: datetime, zone: str, months: int) -> datetime:
    """Return the instant *months* calendar months after *anchor*, in UTC.

    Where clocks go back, the first of two equal times; where they go forward, as much later.
    """
    if not months:
        return anchor
    local = anchor.astimezone(ZoneInfo(zone))
    year, month = divmod(local.year * _MONTHS_A_YEAR + local.month - 1 + months, _MONTHS_A_YEAR)
    day = min(local.day, monthrange(year, month + 1)[1])
    return local.replace(year=year, month=month + 1, day=day, fold=0).astimezone(UTC)


def open_month(membership: Membership | None, now: datetime) -> datetime | None:
    """Return the beginning of the month that is open now, None if there is none.

    What was bought has begun, also for a clock that is behind the one that it was bought by.
    """
    if membership is None or now >= membership.ends_at:
        return None
    begun = max(now, membership.anchor)
    number = bisect_right(range(membership.months), begun, key=membership.starts_at) - 1
    return membership.starts_at(number)


def extended(
    current: Membership | None, purchase: Purchase, *, account: str, now: datetime
) -> Extension:
    """Add a paid month: after the last one while the membership lasts, else from a new anchor.

    The open month is never refilled.
    """
    if current is None or now >= current.ends_at:
        version = current.version + 1 if current else 1
        current = Membership(
            account=account, plan=purchase.plan, anchor=now, zone=purchase.zone, months=0,
            ends_at=now, version=version,
        )  # fmt: skip
    else:
        current = replace(current, version=current.version + 1)
    starts_at, ends_at = current.ends_at, current.starts_at(current.months + 1)
    period = QuotaPeriod(
        account=account,
        starts_at=starts_at,
        ends_at=ends_at,
        plan=purchase.plan,
        granted=purchase.units,
        remaining=purchase.units,
        due_at=ends_at,
    )
    longer = replace(
        current,
        plan=purchase.plan,
        months=current.months + 1,
        ends_at=ends_at,
        due_at=reminder_after(ends_at, now),
    )
    return Extension(membership=longer, period=period)


def reminded(membership: Membership, now: datetime) -> tuple[Membership, MembershipNews]:
    """Decide what a membership's owner is told now, and when the next time is."""
    news = MembershipNews.LAPSED if now >= membership.ends_at else MembershipNews.ENDING
    due_at = reminder_after(membership.ends_at, now)
    return replace(membership, due_at=due_at, version=membership.version + 1), news


def days_left(membership: Membership, now: datetime) -> int:
    """Return the days until the end, a begun one as a whole."""
    return max(0, -((now - membership.ends_at) // timedelta(days=1)))


def reminder_after(ends_at: datetime, now: datetime) -> datetime | None:
    """Say when an owner is told next that a membership ends; None if never again."""
    return next((moment for moment in _reminders(ends_at) if moment > now), None)


def _reminders(ends_at: datetime) -> Iterator[datetime]:
    yield from (ends_at - before for before in REMIND_BEFORE)
    yield ends_at

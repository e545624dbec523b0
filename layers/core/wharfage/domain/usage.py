"""What an account's live work takes, what it commits in a day, and how long its money lasts."""

from datetime import datetime, timedelta
from enum import StrEnum

from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain.balance import Balance
from wharfage.domain.job import Job
from wharfage.domain.price import HOUR_SECONDS
from wharfage.domain.record import Record


class Standing(StrEnum):
    """How an account stands, as its owner sees it."""

    ACTIVE = "active"  #: New work is accepted as far as the balance goes.
    LOW = "low"  #: What runs now is paid for less than a day.
    CRITICAL = "critical"  #: What runs now is paid for less than two hours.
    OVERDUE = "overdue"  #: There is a debt.
    SUSPENDED = "suspended"  #: There was a debt for too long; new work waits for a top-up.
    FROZEN = "frozen"  #: The operator or an open dispute has frozen the money.


class Usage(Record, frozen=True, kw_only=True):
    """What all live jobs of an account add up to; every move of a job moves it with the job."""

    account: str
    live_jobs: int = 0
    queued_jobs: int = 0  #: Those that no host holds.
    vcpu_millis: int = 0
    memory_mb: int = 0
    burn_fen: int = 0  #: What those that a host holds cost in an hour, by their own prices.
    told: Standing = Standing.ACTIVE  #: The worst that its owner was told of.
    overdue_at: datetime | None = None  #: When the debt was seen first.
    due_at: datetime | None = None  #: When its money is looked at next.


class Spend(Record, frozen=True, kw_only=True):
    """The money set aside for new jobs in one UTC day, and in each of its hours.

    It counts what is committed: what a job gives back at its end was committed all the same.
    """

    account: str
    day: str
    expires_at: datetime
    day_fen: int = 0
    hour_00_fen: int = 0
    hour_01_fen: int = 0
    hour_02_fen: int = 0
    hour_03_fen: int = 0
    hour_04_fen: int = 0
    hour_05_fen: int = 0
    hour_06_fen: int = 0
    hour_07_fen: int = 0
    hour_08_fen: int = 0
    hour_09_fen: int = 0
    hour_10_fen: int = 0
    hour_11_fen: int = 0
    hour_12_fen: int = 0
    hour_13_fen: int = 0
    hour_14_fen: int = 0
    hour_15_fen: int = 0
    hour_16_fen: int = 0
    hour_17_fen: int = 0
    hour_18_fen: int = 0
    hour_19_fen: int = 0
    hour_20_fen: int = 0
    hour_21_fen: int = 0
    hour_22_fen: int = 0
    hour_23_fen: int = 0


COUNTERS = ("live_jobs", "queued_jobs", "vcpu_millis", "memory_mb", "burn_fen")


def taken(job: Job) -> dict[str, int]:
    """Return what a job takes of its account's counters, by their names.

    A template's price is fixed, so it burns nothing by the hour.
    """
    if job.terminal:
        return dict.fromkeys(COUNTERS, 0)
    held = job.state.held_by_host
    burns = held and job.template is None
    return {
        "live_jobs": 1,
        "queued_jobs": int(not held),
        "vcpu_millis": job.resources.cpu_millis,
        "memory_mb": job.resources.memory_mb,
        "burn_fen": job.price.cost_fen(job.resources, HOUR_SECONDS) if burns else 0,
    }


def moved(before: Job, after: Job) -> dict[str, int]:
    """Return what a move of a job changes in its account's counters; no name that stays."""
    was, will_be = taken(before), taken(after)
    return {name: will_be[name] - was[name] for name in COUNTERS if will_be[name] != was[name]}


def day_of(now: datetime) -> str:
    """Name the UTC day of a moment, as its spend is kept."""
    return now.strftime("%Y-%m-%d")


def hour_of(now: datetime) -> str:
    """Name the attribute that keeps the spend of a moment's hour."""
    return f"hour_{now.hour:02d}_fen"


def lasts_seconds(balance: Balance, burn_fen: int) -> int | None:
    """Return how long an account's money pays for what runs now; None if nothing does."""
    if burn_fen <= 0:
        return None
    return max(0, (balance.available + balance.held - balance.debt) * HOUR_SECONDS // burn_fen)


def standing(balance: Balance, burn_fen: int = 0) -> Standing:
    """Derive how an account stands; of the balance only the two marks of time are stored."""
    if balance.frozen_at is not None:
        return Standing.FROZEN
    if balance.suspended_at is not None:
        return Standing.SUSPENDED
    return worth(balance, burn_fen)


def worth(balance: Balance, burn_fen: int) -> Standing:
    """Derive what the money alone says, whatever was decided about the account."""
    if balance.debt > 0:
        return Standing.OVERDUE
    left = lasts_seconds(balance, burn_fen)
    if left is None or left >= limits.LOW_SECONDS:
        return Standing.ACTIVE
    return Standing.LOW if left >= limits.CRITICAL_SECONDS else Standing.CRITICAL


def looked_at(usage: Usage, balance: Balance, now: datetime) -> tuple[Usage, bool]:
    """Note how the money stands now; tell whether the owner is to be told of something worse.

    What was told is told again only after it was better meanwhile, seen under work that runs:
    nothing that runs says nothing about how long money lasts.
    """
    level = worth(balance, usage.burn_fen)
    idle = level is Standing.ACTIVE and usage.burn_fen == 0 and usage.told is not Standing.OVERDUE
    told = usage.told if idle else level
    overdue_at = (usage.overdue_at or now) if level is Standing.OVERDUE else None
    after = replace(usage, told=told, overdue_at=overdue_at)
    worse = _RANKS[told] > _RANKS[usage.told]
    return replace(after, due_at=_next_look(after, balance, now)), worse


def to_suspend(usage: Usage, balance: Balance, now: datetime) -> bool:
    """Tell whether a debt has been there for too long."""
    return (
        balance.debt > 0
        and balance.suspended_at is None
        and usage.overdue_at is not None
        and now >= usage.overdue_at + _GRACE
    )


def _next_look(usage: Usage, balance: Balance, now: datetime) -> datetime | None:
    if balance.suspended_at is not None:
        return None
    if usage.overdue_at is not None:
        return max(now, usage.overdue_at + _GRACE)
    left = lasts_seconds(balance, usage.burn_fen)
    if left is None:
        return None
    step = left - (limits.LOW_SECONDS if left > limits.LOW_SECONDS else limits.CRITICAL_SECONDS)
    return now + timedelta(seconds=min(max(step, limits.LOOK_SECONDS_MIN), limits.LOOK_SECONDS_MAX))


_GRACE = timedelta(hours=limits.OVERDUE_GRACE_HOURS)
_RANKS = {
    Standing.ACTIVE: 0,
    Standing.LOW: 1,
    Standing.CRITICAL: 2,
    Standing.OVERDUE: 3,
}

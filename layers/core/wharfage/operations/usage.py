"""Usage: an account's counters, moved in the very transactions that move its jobs."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from wharfage.domain import limits
from wharfage.domain import usage as rules
from wharfage.domain.errors import LimitReached, Refused
from wharfage.domain.job import Job
from wharfage.domain.quotas import DEFAULTS, QuotaLine, Quotas
from wharfage.domain.usage import COUNTERS, Spend, Usage
from wharfage.items import merge
from wharfage.schema import SPEND, USAGE
from wharfage.transaction import Condition, Item, Key, Update, below, equals

_NEVER = equals("account", "")  #: What is above its limit by itself fits into no row.
_KEPT = (*COUNTERS, "told")  #: What `merge` leaves as it is.
_LIVE = tuple(name for name in COUNTERS if name in DEFAULTS)
_AMOUNTS = tuple(name for name in Spend.__struct_fields__ if name.endswith("_fen"))


def admit(job: Job, quotas: Quotas, now: datetime) -> Iterator[Update]:
    """Count a new job, if it fits into what is left of every quota of its account.

    The commit raises LimitReached, with the first limit that would be passed. A job that is paid
    with units commits no money.
    """
    row = merge(Usage(account=job.account), without=_KEPT)
    yield _within(row, rules.taken(job), {name: (name, quotas.limit(name)) for name in _LIVE})
    if not job.hold_fen:
        return
    expires_at = now + timedelta(days=limits.SPEND_DAYS)
    spend = Spend(account=job.account, day=rules.day_of(now), expires_at=expires_at)
    windows = {rules.hour_of(now): "spend_hour_fen", "day_fen": "spend_day_fen"}
    yield _within(
        merge(spend, without=_AMOUNTS),
        dict.fromkeys(windows, job.hold_fen),
        {window: (name, quotas.limit(name)) for window, name in windows.items()},
    )


def move(before: Job, after: Job, now: datetime) -> list[Update]:
    """Write what a move of a job changes in the counters, nothing if nothing does.

    When something begins or ends to burn, the account's money is looked at by the next sweep.
    """
    add = rules.moved(before, after)
    if not add:
        return []
    looked_at = now if "burn_fen" in add else None
    row = Usage(account=after.account, due_at=looked_at)
    return [replace(merge(row, without=_KEPT), add=add)]


def watch(account: str, now: datetime) -> Update:
    """Have an account's money looked at by the next sweep; for whoever makes a debt."""
    return merge(Usage(account=account, due_at=now), without=_KEPT)


def paid(account: str, now: datetime) -> Update:
    """Note that an account's debt is paid, so that another one has a grace of its own."""
    return replace(watch(account, now), remove=["overdue_at"])


def keys(account: str, now: datetime) -> tuple[Key[Usage], Key[Spend]]:
    """Name the rows that `lines` shows."""
    return USAGE.key(account=account), SPEND.key(account=account, day=rules.day_of(now))


def lines(
    quotas: Quotas, usage: Usage | None, spend: Spend | None, now: datetime
) -> tuple[QuotaLine, ...]:
    """Show every quota of an account with what is used of it."""
    used = {name: getattr(usage, name) if usage else 0 for name in _LIVE}
    used["spend_hour_fen"] = getattr(spend, rules.hour_of(now)) if spend else 0
    used["spend_day_fen"] = spend.day_fen if spend else 0
    return tuple(
        QuotaLine(name=name, limit=quotas.limit(name), used=used[name]) for name in DEFAULTS
    )


def _within(row: Update, asked: Mapping[str, int], most: Mapping[str, tuple[str, int]]) -> Update:
    """Add what is asked to a row's attributes, if each stays within its limit, by name."""

    def refusal(item: Item | None) -> Refused:
        for attribute, (name, limit) in most.items():
            used = int(item.get(attribute, 0)) if item else 0
            if used + asked[attribute] > limit:
                return LimitReached(limit_name=name, limit=limit, used=used, asked=asked[attribute])
        raise AssertionError("a row that was refused is over a limit")

    return replace(
        row,
        add={attribute: amount for attribute, amount in asked.items() if amount},
        when=[_room(attribute, limit - asked[attribute]) for attribute, (_, limit) in most.items()],
        otherwise=refusal,
    )


def _room(attribute: str, used_max: int) -> Condition:
    """Require that not more than so much is used; a counter that is not there is nothing."""
    return below(attribute, used_max + 1) if used_max >= 0 else _NEVER

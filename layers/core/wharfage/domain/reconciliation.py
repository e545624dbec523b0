"""Reconciliation: the look at one day of one channel, and the breaks that it leaves behind."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from enum import StrEnum
from hashlib import blake2b

from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain.bill import Bill, RowKind
from wharfage.domain.matching import BreakType, Finding
from wharfage.domain.record import Record

SHANGHAI = timezone(timedelta(hours=8))  #: In which the books' days are counted.
LEDGER = "ledger"  #: In the place of a channel: all accounts, replayed.

_CARRIED = timedelta(minutes=limits.MIDNIGHT_CARRY_MINUTES)
_HOUR = timedelta(hours=1)


class BreakState(StrEnum):
    """Whether somebody still has to look."""

    OPEN = "open"
    MENDED = "mended"  #: The channel was asked at once, and what was missing here is recorded.
    CLEARED = "cleared"  #: A later look no longer found it.
    RESOLVED = "resolved"  #: The operator closed it, with a reason.


class Stage(StrEnum):
    """How far the look at one day has come."""

    BILL = "bill"  #: The bill is to be fetched.
    ROWS = "rows"  #: Its rows are held against our books.
    PAYMENTS = "payments"  #: Our payments are looked for in the bills.
    REFUNDS = "refunds"  #: Our refunds are.
    ACCOUNTS = "accounts"  #: Accounts are replayed, and their day is summed up.
    CLEARING = "clearing"  #: What was found before and not this time is cleared.
    DONE = "done"


class Reconciliation(Record, frozen=True, kw_only=True):
    """One day of one channel, looked at once or again; *open_breaks* are what is left to do."""

    channel: str
    day: date
    stage: Stage
    due_at: datetime | None  #: When it goes on, or while breaks are open is looked at again.
    started_at: datetime
    done_at: datetime | None = None
    round: int = 1  #: How often the day has been looked at.
    begins_at: datetime | None = None  #: The day, as the channel counts it.
    ends_at: datetime | None = None
    cursor: str | None = None  #: Where in its stage it is.
    digest: str | None = None  #: Of the bill that is read, for a bill may be made anew.
    trouble: str | None = None  #: Why it could not go on when it last tried.
    payments: int = 0  #: In the bill.
    payments_fen: int = 0
    refunds: int = 0
    refunds_fen: int = 0
    fees_fen: int = 0
    ours: int = 0  #: Payments and refunds that we recorded in that day.
    accounts: int = 0  #: Accounts that were replayed.
    restless: int = 0  #: Accounts whose money moved all the while; the next look has them again.
    open_breaks: int = 0
    version: int = 1


class Break(Record, frozen=True, kw_only=True):
    """Something that does not agree, found once and kept for good."""

    id: str
    channel: str
    day: date
    type: BreakType
    kind: RowKind | None  #: None where it is neither of a payment nor of a refund.
    order: str  #: Our order number; of the ledger, the account.
    number: str  #: The trade, the refund's request number, or the name of a sum.
    ours_fen: int | None = None
    theirs_fen: int | None = None
    state: BreakState = BreakState.OPEN
    round: int  #: The look that last found it.
    found_at: datetime
    closed_at: datetime | None = None
    closed_by: str | None = None
    reason: str | None = None
    version: int = 1


class Billed(Record, frozen=True, kw_only=True):
    """Says on which day's bill a payment or refund was, so that it is on one only."""

    channel: str
    order: str
    kind: RowKind
    number: str
    day: date


def begun(channel: str, day: date, now: datetime) -> Reconciliation:
    """Make the run of a day, due at once."""
    stage = Stage.ACCOUNTS if channel == LEDGER else Stage.BILL
    return Reconciliation(channel=channel, day=day, stage=stage, due_at=now, started_at=now)


def again(run: Reconciliation, now: datetime) -> Reconciliation:
    """Look at a day once more; one that is not done yet only goes on at once."""
    if run.stage is not Stage.DONE:
        return replace(run, due_at=now, version=run.version + 1)
    return replace(
        begun(run.channel, run.day, now),
        round=run.round + 1,
        open_breaks=run.open_breaks,
        version=run.version + 1,
    )


def moved(run: Reconciliation, stage: Stage, cursor: str | None = None) -> Reconciliation:
    """Go on to a stage, or within it; what troubled it is over."""
    return replace(run, stage=stage, cursor=cursor, trouble=None, version=run.version + 1)


def finished(run: Reconciliation, now: datetime) -> Reconciliation:
    """End a look. While breaks are open the day is looked at again every day."""
    due_at = now + timedelta(days=1) if run.open_breaks else None
    return replace(moved(run, Stage.DONE), done_at=now, due_at=due_at)


def troubled(run: Reconciliation, trouble: str, now: datetime) -> Reconciliation:
    """Give up for now, and say why."""
    return replace(run, trouble=trouble, due_at=now + _HOUR, version=run.version + 1)


def read_from(run: Reconciliation, bill: Bill, digest: str) -> Reconciliation:
    """Begin to hold the rows of a bill against our books, and say what is on it.

    A bill that was made anew while its rows were read begins another look.
    """
    payments = [row for row in bill.rows if row.kind is RowKind.PAYMENT]
    refunds = [row for row in bill.rows if row.kind is RowKind.REFUND]
    return replace(
        moved(run, Stage.ROWS, "0"),
        round=run.round + (run.digest not in {None, digest}),
        begins_at=bill.begins_at,
        ends_at=bill.ends_at,
        digest=digest,
        payments=len(payments),
        payments_fen=sum(row.amount_fen for row in payments),
        refunds=len(refunds),
        refunds_fen=sum(row.amount_fen for row in refunds),
        fees_fen=sum(row.fee_fen for row in bill.rows),
        ours=0,
    )


def begins_on(day: date) -> datetime:
    """Say when a day of the books begins."""
    return datetime.combine(day, time(), SHANGHAI).astimezone(UTC)


def newest_day(now: datetime) -> date:
    """Say which day is the newest whose bills are made by now."""
    local = now.astimezone(SHANGHAI)
    return local.date() - timedelta(days=1 if local.hour >= limits.RECONCILE_HOUR else 2)


def late(run: Reconciliation, now: datetime) -> bool:
    """Tell whether a first look at a day should have come to its end by now."""
    if run.stage is Stage.DONE or run.round > 1:
        return False
    expected = begins_on(run.day) + timedelta(days=1, hours=limits.RECONCILE_HOUR)
    return now >= expected + timedelta(hours=limits.RECONCILE_LATE_HOURS)


def judged(run: Reconciliation) -> tuple[datetime, datetime]:
    """Bound what we recorded and the day's bill is to have, by the time that we recorded it.

    It is the day, moved back by some minutes: what we recorded in the last ones before midnight
    may be on the next day's bill, and is looked for when that is there, too.
    """
    assert run.begins_at is not None, "the bill says what its day is"
    assert run.ends_at is not None, "the bill says what its day is"
    return run.begins_at - _CARRIED, run.ends_at - _CARRIED


def waits(run: Reconciliation, now: datetime) -> bool:
    """Tell whether a bill that is not there may still come."""
    patience = timedelta(days=2, hours=limits.RECONCILE_HOUR)
    return now < begins_on(run.day) + patience


def found_break(run: Reconciliation, finding: Finding, now: datetime) -> Break:
    """Make the break of a finding; the same one always has the same id."""
    named = (run.channel, run.day.isoformat(), *_text(finding))
    digest = blake2b("\n".join(named).encode(), digest_size=12).hexdigest()
    return Break(
        id=f"brk_{digest}",
        channel=run.channel,
        day=run.day,
        type=finding.type,
        kind=finding.kind,
        order=finding.order,
        number=finding.number,
        ours_fen=finding.ours_fen,
        theirs_fen=finding.theirs_fen,
        round=run.round,
        found_at=now,
    )


def seen_again(there: Break, run: Reconciliation, finding: Finding) -> Break:
    """Find a break once more: what had closed by itself is open again, what was resolved is not."""
    if there.round == run.round:
        return there
    reopened = there.state in {BreakState.CLEARED, BreakState.MENDED}
    return replace(
        there,
        round=run.round,
        ours_fen=finding.ours_fen,
        theirs_fen=finding.theirs_fen,
        state=BreakState.OPEN if reopened else there.state,
        closed_at=None if reopened else there.closed_at,
        version=there.version + 1,
    )


def mended(there: Break, run: Reconciliation, now: datetime) -> Break:
    """Close a break that was open, because the channel was asked and it is gone."""
    if there.state is not BreakState.OPEN:
        return there
    return replace(closed(there, BreakState.MENDED, now), round=run.round)


def closed(
    there: Break,
    state: BreakState,
    now: datetime,
    *,
    by: str | None = None,
    reason: str | None = None,
) -> Break:
    """Close a break."""
    return replace(
        there, state=state, closed_at=now, closed_by=by, reason=reason, version=there.version + 1
    )


def _text(finding: Finding) -> tuple[str, str, str, str]:
    return finding.type, finding.kind or "", finding.order, finding.number

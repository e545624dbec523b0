"""Meters: what an account's jobs used, for each job and for each day; read, and never written."""

from datetime import date, timedelta

from wharfage import schema
from wharfage.domain import limits, span
from wharfage.domain.account import Principal
from wharfage.domain.balance import Entry, EntryCode
from wharfage.domain.errors import NotFound, fault
from wharfage.domain.meter import JobMeter, UsageDay, Use, by_day, metered, named
from wharfage.operations import moves
from wharfage.ports import Page, Ports

_DAY = timedelta(days=1)


def of_job(ports: Ports, who: Principal, job_id: str) -> JobMeter:
    """Show what the ended attempts of the caller's job used and cost. Raises: NotFound."""
    job = ports.store.get(schema.JOB.key(account=who.account, id=job_id))
    if job is None:
        raise NotFound(what="job")
    # Attempts are counted up, so all that have ended by this state of the job can be named.
    ended = job.attempt if job.terminal else job.attempt - 1
    keys = [schema.ATTEMPT.key(job=job.id, attempt=number + 1) for number in range(ended)]
    return metered(job, ports.store.get_many(keys))


def of_days(
    ports: Ports, who: Principal, since: date | None, until: date | None, *, after: str | None
) -> Page[UsageDay]:
    """Show what the caller's jobs used from one day to another, in the caller's time zone.

    Without *until* to today, without *since* a week. A part is so many entries: a day that goes
    on in the next part is there again, with what is left of it.

    Raises: Invalid.
    """
    until = until or span.day_of(ports.clock.now(), who.time_zone)
    since = since or max(span.FIRST_DAY, until - (limits.USAGE_DAYS_SHOWN - 1) * _DAY)
    _check(since, until)
    days = [since + number * _DAY for number in range((until - since).days + 1)]
    begins = [(day, span.begins_on(day, who.time_zone)) for day in days]
    found = moves.page(
        ports,
        who.account,
        span.of_days(since, until, who.time_zone),
        after=after,
        limit=limits.MOVES_PAGE,
    )
    entries = [entry for entry in found.items if entry.code is EntryCode.USE]
    return Page(by_day(_uses(ports, who.account, entries), begins), found.next)


def _check(since: date, until: date) -> None:
    if not span.FIRST_DAY <= until <= span.LAST_DAY:
        raise fault("?until", "range", f"A day from {span.FIRST_DAY} to {span.LAST_DAY}.")
    if not span.FIRST_DAY <= since <= until:
        raise fault("?since", "range", f"A day from {span.FIRST_DAY} to `until`.")
    if (until - since).days >= limits.USAGE_DAYS_MAX:
        raise fault("?since", "range", f"At most {limits.USAGE_DAYS_MAX} days at a time.")


def _uses(ports: Ports, account: str, entries: list[Entry]) -> list[Use]:
    """Read what entries are for, two rows each, in batches."""
    uses = []
    step = limits.PAGE_MAX // 2
    for at in range(0, len(entries), step):
        part = entries[at : at + step]
        names = [named(entry) for entry in part]
        jobs = [schema.JOB.key(account=account, id=job) for job, _ in names]
        attempts = [schema.ATTEMPT.key(job=job, attempt=number) for job, number in names]
        rows = ports.store.get_many([*jobs, *attempts])
        assert None not in rows, "what a use is for is written with it, or before"
        found = zip(part, rows[: len(part)], rows[len(part) :], strict=True)
        uses += [Use(entry=entry, job=job, record=record) for entry, job, record in found]
    return uses

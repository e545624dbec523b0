"""Meters: what jobs used and what it cost, attempt by attempt and day by day.

Nothing here is stored. It is derived from rows that the end of an attempt writes in one
transaction, so it cannot differ from the ledger.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from msgspec.structs import replace

from wharfage.domain.attempt import AttemptState, ReasonClass, ReasonCode
from wharfage.domain.balance import Entry
from wharfage.domain.job import AttemptRecord, Job
from wharfage.domain.price import HOUR_SECONDS, PriceList, Resources
from wharfage.domain.record import View


class MeterLine(View, frozen=True, kw_only=True):
    """What one ended attempt used, and what it cost: in fen or in units, or nothing.

    Of *run_seconds* that were measured, *charged_seconds* are paid for: all or none of them.
    *entry* is the ledger's reference of the cost; an attempt that no host had has none.
    """

    attempt: int
    status: AttemptState
    reason_code: ReasonCode | None
    reason_class: ReasonClass | None
    ended_at: datetime
    run_seconds: int
    charged_seconds: int
    vcpu_ms: int
    memory_mb_seconds: int
    amount_fen: int
    units: int
    entry: str | None


class JobMeter(View, frozen=True, kw_only=True):
    """A job's meter lines, oldest first. They add up to its cost, to the last fen.

    A job by its image costs *hourly_fen* an hour, in seconds and rounded up once an attempt; a
    template's costs its price, whole, and only for a success. While it is not *settled* more
    may come.
    """

    job: str
    template: str | None
    template_version: int | None
    resources: Resources
    price: PriceList
    hourly_fen: int
    settled: bool
    lines: tuple[MeterLine, ...]
    amount_fen: int
    units: int


class UsageDay(View, frozen=True, kw_only=True):
    """What the attempts that ended on one day used and cost.

    A job counts on the day on which its first attempt ended. Seconds are those that are paid
    for; *vcpu_ms* are thousandths of a vCPU's second.
    """

    day: date
    jobs: int
    attempts: int
    charged_seconds: int
    vcpu_ms: int
    memory_mb_seconds: int
    amount_fen: int
    units: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """An entry of use, and the rows of what it is for."""

    entry: Entry
    job: Job
    record: AttemptRecord


def metered(job: Job, records: Iterable[AttemptRecord]) -> JobMeter:
    """Write a job's meter lines from its row and its ended attempts."""
    lines = tuple(_line(job, record) for record in records)
    amount_fen, units = sum(line.amount_fen for line in lines), sum(line.units for line in lines)
    assert (amount_fen, units) == (job.cost_fen, job.cost_units), "lines that add up to the cost"
    return JobMeter(
        job=job.id,
        template=job.template,
        template_version=job.template_version,
        resources=job.resources,
        price=job.price,
        hourly_fen=job.price.cost_fen(job.resources, HOUR_SECONDS),
        settled=job.terminal,
        lines=lines,
        amount_fen=amount_fen,
        units=units,
    )


def named(entry: Entry) -> tuple[str, int]:
    """Read from an entry of use which job and which attempt of it it is for."""
    job, _, attempt = entry.reference.rpartition(".")
    return job, int(attempt)


def by_day(uses: Iterable[Use], begins: Sequence[tuple[date, datetime]]) -> tuple[UsageDay, ...]:
    """Sum uses up by day, newest first; *begins* says when each day begins, oldest first.

    Days without a use are left out.
    """
    moments = [moment for _, moment in begins]
    days: dict[date, UsageDay] = {}
    for use in uses:
        day, _ = begins[bisect_right(moments, use.entry.posted_at) - 1]
        days[day] = _added(days.get(day) or _nothing(day), use)
    return tuple(days[day] for day in sorted(days, reverse=True))


def _line(job: Job, record: AttemptRecord) -> MeterLine:
    seconds = _charged(record)
    return MeterLine(
        attempt=record.attempt,
        status=record.state,
        reason_code=record.reason_code,
        reason_class=record.reason_class,
        ended_at=record.ended_at,
        run_seconds=record.run_seconds,
        charged_seconds=seconds,
        vcpu_ms=seconds * job.resources.cpu_millis,
        memory_mb_seconds=seconds * job.resources.memory_mb,
        amount_fen=record.cost_fen,
        units=record.cost_units,
        entry=None if record.claim_id is None else f"{job.id}.{record.attempt}",
    )


def _charged(record: AttemptRecord) -> int:
    return record.run_seconds if record.cost_fen or record.cost_units else 0


def _nothing(day: date) -> UsageDay:
    return UsageDay(
        day=day, jobs=0, attempts=0, charged_seconds=0, vcpu_ms=0, memory_mb_seconds=0,
        amount_fen=0, units=0,
    )  # fmt: skip


def _added(day: UsageDay, use: Use) -> UsageDay:
    """Add a use. What it cost is the entry's own word: an entry of use is negative."""
    line = _line(use.job, use.record)
    return replace(
        day,
        jobs=day.jobs + (line.attempt == 1),
        attempts=day.attempts + 1,
        charged_seconds=day.charged_seconds + line.charged_seconds,
        vcpu_ms=day.vcpu_ms + line.vcpu_ms,
        memory_mb_seconds=day.memory_mb_seconds + line.memory_mb_seconds,
        amount_fen=day.amount_fen - use.entry.amount_fen,
        units=day.units - use.entry.units,
    )

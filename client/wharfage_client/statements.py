"""The API's paper: what jobs used, day by day and job by job; statements of months."""

import sys
from collections.abc import Iterator
from typing import TypedDict, cast

from wharfage_client.groups import Group
from wharfage_client.views import Entry, Prices


class MeterLine(TypedDict):
    """What one ended attempt used, and what it cost."""

    attempt: int
    status: str
    reason_code: str | None
    reason_class: str | None
    ended_at: str
    run_seconds: int
    charged_seconds: int
    vcpu_ms: int
    memory_mb_seconds: int
    amount_fen: int
    units: int
    entry: str | None


class JobMeter(TypedDict):
    """A job's meter lines; they add up to what it cost."""

    job: str
    template: str | None
    template_version: int | None
    resources: dict[str, int]
    price: Prices
    hourly_fen: int
    settled: bool
    lines: list[MeterLine]
    amount_fen: int
    units: int


class UsageDay(TypedDict):
    """What the attempts that ended on one day used and cost."""

    day: str
    jobs: int
    attempts: int
    charged_seconds: int
    vcpu_ms: int
    memory_mb_seconds: int
    amount_fen: int
    units: int


class StatementLine(TypedDict):
    """A month's entries of one code."""

    code: str
    count: int
    amount_fen: int
    units: int


class Statement(TypedDict):
    """A month: opening and lines add up to closing."""

    month: str
    time_zone: str
    begins_at: str
    ends_at: str
    complete: bool
    opening_fen: int
    opening_units: int
    lines: list[StatementLine]
    closing_fen: int
    closing_units: int


class Usages(Group):
    """What an account's jobs used."""

    def days(self, *, since: str | None = None, until: str | None = None) -> list[UsageDay]:
        """Show each day from one to another, newest first; without them, the last week."""
        days: dict[str, UsageDay] = {}
        for part in self._parts(since, until):
            there = days.get(part["day"])
            # A day that goes on in the next part of the list is there again.
            days[part["day"]] = part if there is None else _together(there, part)
        return list(days.values())

    def job(self, job_id: str) -> JobMeter:
        """Show a job's meter lines."""
        return cast(JobMeter, self._client.get(f"/v1/usage/jobs/{job_id}"))

    def _parts(self, since: str | None, until: str | None) -> Iterator[UsageDay]:
        cursor: str | None = None
        while True:
            found = self._client.get("/v1/usage", since=since, until=until, cursor=cursor)
            yield from found["items"]
            cursor = found["next_cursor"]
            if cursor is None:
                return


class Statements(Group):
    """An account's months."""

    def show(self, month: str) -> Statement:
        """Show a month, as `2026-03`: opening, each code's sum, closing."""
        return cast(Statement, self._client.get(f"/v1/statements/{month}"))

    def entries(self, month: str) -> Iterator[Entry]:
        """Go through all of a month's entries, newest first."""
        return self._client.newest(f"/v1/statements/{month}/entries", most=sys.maxsize)


def _together(one: UsageDay, other: UsageDay) -> UsageDay:
    return UsageDay(
        day=one["day"],
        jobs=one["jobs"] + other["jobs"],
        attempts=one["attempts"] + other["attempts"],
        charged_seconds=one["charged_seconds"] + other["charged_seconds"],
        vcpu_ms=one["vcpu_ms"] + other["vcpu_ms"],
        memory_mb_seconds=one["memory_mb_seconds"] + other["memory_mb_seconds"],
        amount_fen=one["amount_fen"] + other["amount_fen"],
        units=one["units"] + other["units"],
    )

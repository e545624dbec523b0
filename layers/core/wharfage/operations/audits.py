"""Audits: all accounts replayed and a day's moves summed up, a page of accounts at a time."""

import csv
import io
from datetime import date, timedelta

from msgspec.structs import replace

from wharfage import schema
from wharfage.domain import limits
from wharfage.domain.balance import Entry, EntryCode
from wharfage.domain.errors import NotFound, Unavailable
from wharfage.domain.matching import Finding, drift
from wharfage.domain.reconciliation import Reconciliation, Stage, begins_on, moved
from wharfage.domain.record import View
from wharfage.domain.report import MEASURES, DailyReport, Line, Outcome, added
from wharfage.domain.span import Span
from wharfage.items import change
from wharfage.operations import breaks, ledger, moves
from wharfage.ports import Ports
from wharfage.transaction import Put


class ChannelView(View, frozen=True, kw_only=True):
    """What came in or went back through a channel."""

    count: int
    amount_fen: int


class ReportView(View, frozen=True, kw_only=True):
    """One day over all accounts. Every number is a sum of that day's ledger, in *lines*.

    *sums* is what was added to customers' accounts: `amount_fen`, and units where they are sold.
    *outcomes* says how the attempts that the uses of the day were for ended.
    """

    day: date
    revenue: dict[str, int]
    paid_in: dict[str, ChannelView]
    paid_back: dict[str, ChannelView]
    outcomes: tuple[Outcome, ...]
    lines: tuple[Line, ...]


def step(ports: Ports, run: Reconciliation) -> Reconciliation:
    """Replay a page of accounts and add their day to its report; return the run after it.

    Raises: StateConflict when another look is at it, Unavailable, Unanswered.
    """
    report = _report(ports, run)
    page = ports.store.query(
        schema.DIRECTORY, "directory", prefix="", after=run.cursor, limit=limits.AUDIT_PAGE
    )
    day = Span(begins_at=begins_on(run.day), ends_at=begins_on(run.day + timedelta(days=1)))
    restless = 0
    for member in page.items:
        try:
            findings = _audited(ports, member.account)
        except Unavailable:  # Its money moved all the while; so it was looked at just now.
            restless += 1
            findings = []
        breaks.record(ports, run, findings)
        entries = list(moves.within(ports, member.account, day))
        report = added(report, entries, _states(ports, entries))
    after = moved(
        _counted(run, accounts=len(page.items) - restless, restless=restless),
        Stage.CLEARING if page.next is None else Stage.ACCOUNTS,
        page.next,
    )
    if page.next is None:
        report = replace(report, made_at=ports.clock.now())
    ports.store.commit(change(run, after), Put(report))
    return after


def find_report(ports: Ports, day: date) -> ReportView:
    """Show the report of a day. Raises: NotFound while it is not made."""
    page = ports.store.query(
        schema.DAILY_REPORT, "daily_report", prefix=f"{day}#", newest_first=True, limit=2
    )
    report = next((each for each in page.items if each.made_at is not None), None)
    if report is None:
        raise NotFound(what="report")
    return ReportView(
        day=day,
        revenue=report.revenue(),
        paid_in=_channels(report.paid_in()),
        paid_back=_channels(report.paid_back()),
        outcomes=report.outcomes,
        lines=report.lines,
    )


def as_csv(report: ReportView) -> str:
    """Write a report as CSV: its lines, then its outcomes."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["day", "what", "name", "debit", "credit", "count", *MEASURES])
    for line in report.lines:
        sums = (line.sums[name] for name in MEASURES)
        writer.writerow([report.day, "line", line.code, line.debit, line.credit, line.count, *sums])
    for outcome in report.outcomes:
        sums = (outcome.sums[name] for name in MEASURES)
        writer.writerow([report.day, "outcome", outcome.state, "", "", outcome.count, *sums])
    return text.getvalue()


def _report(ports: Ports, run: Reconciliation) -> DailyReport:
    if run.cursor is None:
        return DailyReport(day=run.day, round=run.round)
    there = ports.store.get(schema.DAILY_REPORT.key(day=run.day, round=run.round))
    assert there is not None, "a page was added before, in the transaction of the cursor"
    return there


def _audited(ports: Ports, account: str) -> list[Finding]:
    try:
        found = ledger.audit(ports, account)
    except NotFound:
        return [drift(account, "balance_missing", 0, 0)]
    if found.exact:
        return []
    balance = found.balance
    sums = {
        "entries": (balance.available + balance.held - balance.debt, found.entries_fen),
        "holds": (balance.held, found.holds_fen),
    }
    findings = [drift(account, name, *both) for name, both in sums.items() if both[0] != both[1]]
    return findings or [drift(account, "rows", balance.available, found.entries_fen)]


def _states(ports: Ports, entries: list[Entry]) -> dict[tuple[str, str], str]:
    """Say how the attempts ended that uses were for."""
    uses = [entry.reference for entry in entries if entry.code is EntryCode.USE]
    states = {}
    for at in range(0, len(uses), limits.PAGE_MAX):
        names = uses[at : at + limits.PAGE_MAX]
        parts = [name.rpartition(".") for name in names]
        keys = [schema.ATTEMPT.key(job=job, attempt=int(number)) for job, _, number in parts]
        for name, attempt in zip(names, ports.store.get_many(keys), strict=True):
            states[EntryCode.USE.value, name] = attempt.state.value if attempt else "unknown"
    return states


def _counted(run: Reconciliation, *, accounts: int, restless: int) -> Reconciliation:
    return replace(run, accounts=run.accounts + accounts, restless=run.restless + restless)


def _channels(found: dict[str, tuple[int, int]]) -> dict[str, ChannelView]:
    return {name: ChannelView(count=count, amount_fen=fen) for name, (count, fen) in found.items()}

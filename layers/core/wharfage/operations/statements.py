"""Statements: an account's months, summed up from its ledger; what is carried forward is kept."""

import csv
import io
from contextlib import suppress
from datetime import datetime

from wharfage import schema
from wharfage.domain import span, statement
from wharfage.domain.account import Principal
from wharfage.domain.errors import NotFound, Unavailable
from wharfage.domain.span import Span
from wharfage.domain.statement import Carried, Statement, StatementLine
from wharfage.operations import moves
from wharfage.operations.ledger import EntryView
from wharfage.ports import Page, Ports
from wharfage.transaction import Put


def show(ports: Ports, who: Principal, month: str) -> Statement:
    """Show a month of the caller's ledger, in the caller's time zone.

    Raises: NotFound for what is no month or has not begun.
    """
    now = ports.clock.now()
    wanted = _span(who, month, now)
    opening = _carried(ports, who.account, wanted.begins_at, now)
    lines = statement.summed(moves.within(ports, who.account, wanted))
    _keep(ports, opening, lines, wanted.ends_at, now)
    return statement.stated(month, who.time_zone, wanted, opening=opening, lines=lines, now=now)


def find_entries(
    ports: Ports, who: Principal, month: str, *, after: str | None, limit: int
) -> Page[EntryView]:
    """List the entries of a month, newest first. Raises: NotFound, as `show` does."""
    wanted = _span(who, month, ports.clock.now())
    found = moves.page(ports, who.account, wanted, after=after, limit=limit)
    return Page(tuple(map(EntryView.of, found.items)), found.next)


def as_csv(view: Statement) -> str:
    """Write a statement as CSV: what there was, a line a code, what is left."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["month", "line", "count", "amount_fen", "units"])
    writer.writerow([view.month, "opening", "", view.opening_fen, view.opening_units])
    for line in view.lines:
        writer.writerow([view.month, line.code, line.count, line.amount_fen, line.units])
    writer.writerow([view.month, "closing", "", view.closing_fen, view.closing_units])
    return text.getvalue()


def _span(who: Principal, month: str, now: datetime) -> Span:
    wanted = span.of_month(month, who.time_zone)
    if now < wanted.begins_at:
        raise NotFound(what="month")
    return wanted


def _carried(ports: Ports, account: str, at: datetime, now: datetime) -> Carried:
    """Say what all entries before an instant add up to, from the newest that was kept on."""
    sort = schema.CARRIED.key(account=account, at=at).sort
    kept = ports.store.query(
        schema.CARRIED, account, after=f"{sort}#", newest_first=True, limit=1
    ).items
    nothing = Carried(account=account, at=statement.BEGINNING, amount_fen=0, units=0)
    newest = kept[0] if kept else nothing
    between = Span(begins_at=newest.at, ends_at=at)
    lines = statement.summed(moves.within(ports, account, between))
    return _keep(ports, newest, lines, at, now)


def _keep(
    ports: Ports,
    before: Carried,
    lines: tuple[StatementLine, ...],
    at: datetime,
    now: datetime,
) -> Carried:
    """Carry forward to an instant; keep it where that saves reading the same entries again."""
    after = statement.carried(before, lines, at)
    if lines and statement.complete(at, now):
        with suppress(Unavailable):  # It is right without being kept, and whoever is next tries.
            ports.store.commit(Put(after))
    return after

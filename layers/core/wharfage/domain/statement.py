"""Statements: a month of an account's ledger, from what there was to what is left.

Money is what is available and held less what is owed; units are those that are left, held ones
included. Both are sums of entries and of nothing else.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain.balance import Entry, EntryCode
from wharfage.domain.record import Record, View
from wharfage.domain.span import Span

BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)  #: Before every entry.

_REST = timedelta(seconds=limits.STATEMENT_REST_SECONDS)


class Carried(Record, frozen=True, kw_only=True):
    """What all entries of an account before an instant add up to; kept, as that never changes."""

    account: str
    at: datetime
    amount_fen: int
    units: int


class StatementLine(View, frozen=True, kw_only=True):
    """The entries of one code in a month: how many, and what they added to the account."""

    code: EntryCode
    count: int
    amount_fen: int
    units: int


class Statement(View, frozen=True, kw_only=True):
    """A month in the account's time zone: opening, every move summed up by its code, closing.

    Opening and lines add up to closing. While it is not *complete* more entries may come.
    """

    month: str
    time_zone: str
    begins_at: datetime
    ends_at: datetime
    complete: bool
    opening_fen: int
    opening_units: int
    lines: tuple[StatementLine, ...]
    closing_fen: int
    closing_units: int


def summed(entries: Iterable[Entry]) -> tuple[StatementLine, ...]:
    """Sum entries up by their code, in the order in which the codes are declared."""
    lines: dict[EntryCode, StatementLine] = {}
    for entry in entries:
        line = lines.get(entry.code) or StatementLine(
            code=entry.code, count=0, amount_fen=0, units=0
        )
        lines[entry.code] = replace(
            line,
            count=line.count + 1,
            amount_fen=line.amount_fen + entry.amount_fen,
            units=line.units + entry.units,
        )
    return tuple(lines[code] for code in EntryCode if code in lines)


def carried(before: Carried, lines: Iterable[StatementLine], at: datetime) -> Carried:
    """Carry what there was at one instant forward to another, by the moves between them."""
    found = tuple(lines)
    return replace(
        before,
        at=at,
        amount_fen=before.amount_fen + sum(line.amount_fen for line in found),
        units=before.units + sum(line.units for line in found),
    )


def complete(at: datetime, now: datetime) -> bool:
    """Tell whether every entry before an instant is written, and where indexes have it.

    An entry has the time at which its transaction was begun, so one may come a little late.
    """
    return at + _REST <= now


def stated(
    month: str, zone: str, span: Span, *, opening: Carried, lines: tuple[StatementLine, ...],
    now: datetime,
) -> Statement:  # fmt: skip
    """Write the statement of a month."""
    closing = carried(opening, lines, span.ends_at)
    return Statement(
        month=month,
        time_zone=zone,
        begins_at=span.begins_at,
        ends_at=span.ends_at,
        complete=complete(span.ends_at, now),
        opening_fen=opening.amount_fen,
        opening_units=opening.units,
        lines=lines,
        closing_fen=closing.amount_fen,
        closing_units=closing.units,
    )

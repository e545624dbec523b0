"""The report of a day: every move of that day's ledger, summed up by what it was for."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import TypeVar

import msgspec

from wharfage.domain.balance import Entry
from wharfage.domain.record import Record

CUSTOMERS = "customers"  #: Stands for whichever account a move was of.
CLEARING = "clearing:"  #: Begins the name of a channel's side.
REVENUE = "revenue"

#: What is summed up: every whole number that an entry has, so that a new one is not forgotten.
MEASURES = tuple(each.name for each in msgspec.structs.fields(Entry) if each.type is int)


class Line(Record, frozen=True, kw_only=True):
    """The moves of one code between the same two sides; *sums* is what they added to accounts."""

    code: str
    debit: str
    credit: str
    count: int
    sums: dict[str, int]


class Outcome(Record, frozen=True, kw_only=True):
    """The attempts that ended in one way, and what they added to accounts: nothing, or less."""

    state: str
    count: int
    sums: dict[str, int]


class DailyReport(Record, frozen=True, kw_only=True):
    """One day's ledger over all accounts; while *made_at* is None not all are in it.

    Every look at the ledger makes one of its own, so the one before is there until it is done.
    """

    day: date
    round: int
    lines: tuple[Line, ...] = ()
    outcomes: tuple[Outcome, ...] = ()
    made_at: datetime | None = None

    def revenue(self) -> dict[str, int]:
        """Sum up what was earned, less what was given back."""
        # What an account has less, revenue has more; and the other way round.
        return _total(
            (-1, line.sums) for line in self.lines if REVENUE in {line.debit, line.credit}
        )

    def paid_in(self) -> dict[str, tuple[int, int]]:
        """Count and sum up the paid orders of each channel, in fen."""
        return self._by_channel("debit", 1)

    def paid_back(self) -> dict[str, tuple[int, int]]:
        """Count and sum up what went back through each channel, in fen."""
        return self._by_channel("credit", -1)

    def _by_channel(self, side: str, sign: int) -> dict[str, tuple[int, int]]:
        found: dict[str, tuple[int, int]] = {}
        for line in self.lines:
            name = getattr(line, side)
            if name.startswith(CLEARING):
                count, fen = found.get(name.removeprefix(CLEARING), (0, 0))
                total = fen + sign * line.sums["amount_fen"]
                found[name.removeprefix(CLEARING)] = (count + line.count, total)
        return found


S = TypeVar("S", Line, Outcome)


def added(
    report: DailyReport, entries: Iterable[Entry], states: Mapping[tuple[str, str], str]
) -> DailyReport:
    """Add moves of the day; *states* says how the attempt of a code and reference ended."""
    lines = {(line.code, line.debit, line.credit): line for line in report.lines}
    outcomes = {outcome.state: outcome for outcome in report.outcomes}
    for entry in entries:
        debit, credit = (
            CUSTOMERS if side == entry.account else side for side in (entry.debit, entry.credit)
        )
        line = lines.get((entry.code, debit, credit)) or Line(
            code=entry.code, debit=debit, credit=credit, count=0, sums={}
        )
        lines[line.code, debit, credit] = _one_more(line, entry)
        if (state := states.get((entry.code, entry.reference))) is not None:
            outcome = outcomes.get(state) or Outcome(state=state, count=0, sums={})
            outcomes[state] = _one_more(outcome, entry)
    return msgspec.structs.replace(
        report,
        lines=tuple(lines[key] for key in sorted(lines)),
        outcomes=tuple(outcomes[key] for key in sorted(outcomes)),
    )


def _one_more(there: S, entry: Entry) -> S:
    return msgspec.structs.replace(
        there, count=there.count + 1, sums=_total([(1, there.sums), (1, _sums(entry))])
    )


def _sums(entry: Entry) -> dict[str, int]:
    return {name: getattr(entry, name) for name in MEASURES}


def _total(parts: Iterable[tuple[int, Mapping[str, int]]]) -> dict[str, int]:
    total = dict.fromkeys(MEASURES, 0)
    for sign, sums in parts:
        for name, amount in sums.items():
            total[name] = total.get(name, 0) + sign * amount
    return total

"""The proof of a month's units: its row against what its entries and open holds make of zero."""

from collections.abc import Iterable
from dataclasses import dataclass

from wharfage.domain.balance import Entry, EntryCode, Hold
from wharfage.domain.membership import QuotaPeriod


@dataclass(frozen=True, kw_only=True, slots=True)
class PeriodAudit:
    """One period's units replayed from zero."""

    period: QuotaPeriod
    entries: int  #: Σ of its entries.
    used: int  #: What its entries say was used.
    holds: int  #: Σ of open holds on it.

    @property
    def drift(self) -> int:
        """Return what the row has more than its entries account for; what lapsed is gone."""
        left = 0 if self.period.lapsed_at else self.period.remaining
        return left + self.period.held - self.entries

    @property
    def exact(self) -> bool:
        """Tell whether the row is what the moves make of zero, and nothing is negative."""
        row = self.period
        whole = row.granted == row.remaining + row.held + row.used
        same = (row.used, row.held, self.drift) == (self.used, self.holds, 0)
        return whole and same and min(row.remaining, row.held, row.used) >= 0


def replayed(period: QuotaPeriod, entries: Iterable[Entry], holds: Iterable[Hold]) -> PeriodAudit:
    """Replay one period from an account's entries and its open holds."""
    mine = [entry for entry in entries if entry.period == period.starts_at]
    return PeriodAudit(
        period=period,
        entries=sum(entry.units for entry in mine),
        used=-sum(entry.units for entry in mine if entry.code is EntryCode.USE),
        holds=sum(hold.units for hold in holds if hold.period == period.starts_at),
    )

"""The ledger: every move of an account's money, the operator's own moves, and the proof."""

import csv
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar

from msgspec import Meta

from wharfage import items, schema
from wharfage.domain import limits
from wharfage.domain.account import Principal
from wharfage.domain.balance import Balance, Entry, EntryCode, HoldState
from wharfage.domain.errors import (
    InsufficientFunds,
    KeyReused,
    NotFound,
    Refused,
    Unavailable,
    fault,
)
from wharfage.domain.event import Event
from wharfage.domain.membership import open_month
from wharfage.domain.period_audit import PeriodAudit, replayed
from wharfage.domain.record import Body, Record, View
from wharfage.operations import receipts
from wharfage.operations.keys import Made
from wharfage.ports import Page, Ports
from wharfage.schema import Kind
from wharfage.transaction import Action, Item, Put, Update, absent, at_least

R = TypeVar("R", bound=Record)

ADJUSTMENTS = "adjustments"  #: The system account on the other side of the operator's moves.
_AUDIT_TRIES = 3
#: A spreadsheet runs a cell that begins with one of these (OWASP, CSV injection).
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")

Reason = Annotated[str, Meta(min_length=1, max_length=200)]
Reference = Annotated[str, Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,63}$(?!\n)")]
AccountId = Annotated[str, Meta(pattern=r"^[0-9A-Za-z_]{1,64}$(?!\n)")]
AdjustedFen = Annotated[int, Meta(ge=-limits.TOPUP_FEN_MAX, le=limits.TOPUP_FEN_MAX)]
AdjustedUnits = Annotated[int, Meta(ge=-limits.UNITS_MAX, le=limits.UNITS_MAX)]


class EntryView(View, frozen=True, kw_only=True):
    """One move of money or units: what it added to the account; a use is negative.

    A move of units names the beginning of its period.
    """

    code: EntryCode
    reference: str
    amount_fen: int
    units: int
    period: datetime | None
    debit: str
    credit: str
    posted_at: datetime
    note: str | None

    @classmethod
    def of(cls, entry: Entry) -> "EntryView":
        """Show an entry."""
        return cls(**{name: getattr(entry, name) for name in cls.__struct_fields__})


class Adjustment(Body, frozen=True, kw_only=True):
    """What the operator books, such as an offline payment; *reference* makes it one move.

    Either *amount_fen*, or *units* of the period that is open.
    """

    account: AccountId
    amount_fen: AdjustedFen | None = None
    units: AdjustedUnits | None = None
    reason: Reason
    reference: Reference


@dataclass(frozen=True, kw_only=True, slots=True)
class Audit:
    """An account replayed from zero (M8): what its rows say, and what its moves add up to."""

    account: str
    balance: Balance
    entries_fen: int  #: Σ of all entries.
    holds_fen: int  #: Σ of open holds.
    periods: tuple[PeriodAudit, ...] = ()

    @property
    def drift_fen(self) -> int:
        """What the balance has more than its entries account for."""
        return self.balance.available + self.balance.held - self.balance.debt - self.entries_fen

    @property
    def held_drift_fen(self) -> int:
        """What is held more than open holds account for."""
        return self.balance.held - self.holds_fen

    @property
    def exact(self) -> bool:
        """Tell whether the rows are what the moves make of zero, and none is negative."""
        rows = (self.balance.available, self.balance.held, self.balance.debt)
        money = not self.drift_fen and not self.held_drift_fen and min(rows) >= 0
        return money and all(each.exact for each in self.periods)


def find_all(ports: Ports, who: Principal, *, after: str | None, limit: int) -> Page[EntryView]:
    """List the caller's entries, newest first."""
    entries = ports.store.timeline(schema.ENTRY, f"{who.account}#entries", after=after, limit=limit)
    return Page(tuple(map(EntryView.of, entries.items)), entries.next)


def as_csv(entries: Iterable[EntryView]) -> str:
    """Write entries as CSV (RFC 4180) that a spreadsheet shows and does not run."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(EntryView.__struct_fields__)
    for entry in entries:
        writer.writerow([_cell(entry, name) for name in EntryView.__struct_fields__])
    return text.getvalue()


def adjust(ports: Ports, who: Principal, body: Adjustment) -> Made[EntryView]:
    """Book the operator's own move of money or units; the same reference is the same entry.

    Raises: Invalid for nothing to book or no period to book units in, KeyReused if the reference
    was used for another move, NotFound, InsufficientFunds, Unavailable, Unanswered.
    """
    if (body.amount_fen is None) == (body.units is None):
        raise fault("/amount_fen", "one_of", "Either an amount or units.")
    if not (body.amount_fen or body.units):
        name = "amount_fen" if body.units is None else "units"
        raise fault(f"/{name}", "zero", "An adjustment moves something.")
    try:
        entry = receipts.settled(lambda owes: _book(ports, who, body, owes))
    except _Booked as refusal:
        return _repeated(refusal.entry, body)
    return Made(value=EntryView.of(entry))


def audit(ports: Ports, account: str) -> Audit:
    """Replay all of an account's entries and holds, and compare (M8).

    Money that moves while it is counted makes a count worthless; it is then counted again, and a
    drift is one that is found the same twice.
    Raises: NotFound, Unavailable if the account never rests.
    """
    before = None
    for _ in range(_AUDIT_TRIES):
        found = _replayed(ports, account)
        if found.exact or found == before:
            return found
        before = found
    raise Unavailable


def _replayed(ports: Ports, account: str) -> Audit:
    balance = ports.store.get(schema.BALANCE.key(account=account))
    if balance is None:
        raise NotFound(what="account")
    periods = list(_all(ports, schema.PERIOD, account))
    entries = list(_all(ports, schema.ENTRY, account))
    holds = [hold for hold in _all(ports, schema.HOLD, account) if hold.state is HoldState.OPEN]
    return Audit(
        account=account,
        balance=balance,
        entries_fen=sum(entry.amount_fen for entry in entries),
        holds_fen=sum(hold.amount_fen for hold in holds),
        periods=tuple(replayed(period, entries, holds) for period in periods),
    )


@dataclass(eq=False)
class _Booked(Refused):
    """The very same move was booked before."""

    entry: Entry


def _book(ports: Ports, who: Principal, body: Adjustment, owes: receipts.Owes | None) -> Entry:
    """Write one move of the operator's. Raises: _Booked, receipts.Owes, and what `adjust` does."""
    now = ports.clock.now()
    period = _period_of(ports, body, now) if body.units else None
    entry = _adjustment(body, now, period)
    amount_fen = body.amount_fen or 0
    if period is not None:
        moved: list[Action] = [_moved_units(body, period)]
    elif amount_fen > 0:
        moved = receipts.credit(ports, body.account, amount_fen, actor=who.account, owes=owes)
    else:
        moved = [_taken_away(body.account, -amount_fen)]
    ports.store.commit(
        Put(entry, when=[absent()], otherwise=_taken),
        *moved,
        Put(_adjusted(ports, who, body, now), when=[absent()], proves=True),
    )
    return entry


def _period_of(ports: Ports, body: Adjustment, now: datetime) -> datetime:
    """Name the period whose units are moved. Raises: Invalid; _Booked, also long after it."""
    key = schema.ENTRY.key(
        account=body.account, code=EntryCode.ADJUSTMENT, reference=body.reference
    )
    booked, membership = ports.store.get_many([key, schema.MEMBERSHIP.key(account=body.account)])
    if booked is not None:
        raise _Booked(booked)
    period = open_month(membership, now)
    if period is None:
        raise fault("/units", "no_period", "This account has no period of units that is open.")
    return period


def _adjustment(body: Adjustment, now: datetime, period: datetime | None) -> Entry:
    sides = (ADJUSTMENTS, body.account)
    debit, credit = sides if (body.amount_fen or body.units or 0) > 0 else reversed(sides)
    return Entry(
        account=body.account,
        code=EntryCode.ADJUSTMENT,
        reference=body.reference,
        amount_fen=body.amount_fen or 0,
        units=body.units or 0,
        period=period,
        debit=debit,
        credit=credit,
        posted_at=now,
        note=body.reason,
    )


def _taken_away(account: str, amount_fen: int) -> Update:
    return Update(
        schema.BALANCE.key(account=account),
        add={"available": -amount_fen},
        when=[at_least("available", amount_fen)],
        otherwise=lambda item: _unfunded(item, amount_fen),
    )


def _moved_units(body: Adjustment, period: datetime) -> Update:
    """Grant units, or take back what is left of them: granted is what they add up to."""
    units = body.units or 0
    return Update(
        schema.PERIOD.key(account=body.account, starts_at=period),
        add={"granted": units, "remaining": units},
        when=[at_least("remaining", max(0, -units)), absent("lapsed_at")],
        otherwise=lambda item: InsufficientFunds(
            required_fen=0,
            available_fen=0,
            required_units=-units,
            available_units=item["remaining"] if item else 0,
        ),
    )


def _adjusted(ports: Ports, who: Principal, body: Adjustment, now: datetime) -> Event:
    moved = {"units": body.units} if body.units else {"amount_fen": body.amount_fen or 0}
    return Event(
        id=ports.ids.new("evt"),
        subject=body.account,
        account=body.account,
        kind="balance.adjusted",
        at=now,
        actor=who.account,
        data={**moved, "reference": body.reference, "reason": body.reason},
    )


def _repeated(there: Entry, body: Adjustment) -> Made[EntryView]:
    """Answer with the move that was booked before. Raises: KeyReused for another move."""
    asked = (body.amount_fen or 0, body.units or 0, body.reason)
    if (there.amount_fen, there.units, there.note) != asked:
        raise KeyReused
    return Made(value=EntryView.of(there), replayed=True)


def _taken(item: Item | None) -> Refused:
    assert item is not None, "an entry that was refused as taken exists"
    there = items.decode(item)
    assert isinstance(there, Entry)
    return _Booked(there)


def _unfunded(item: Item | None, required_fen: int) -> Refused:
    if item is None:
        return NotFound(what="account")
    return InsufficientFunds(required_fen=required_fen, available_fen=item["available"])


def _all(ports: Ports, kind: Kind[R], partition: str) -> Iterator[R]:
    after = None
    while True:
        found = ports.store.query(kind, partition, after=after, limit=limits.PAGE_MAX)
        yield from found.items
        after = found.next
        if after is None:
            return


def _cell(entry: EntryView, name: str) -> Any:
    value = getattr(entry, name)
    if isinstance(value, datetime):
        return schema.timestamp(value)
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return "'" + value
    return "" if value is None else value

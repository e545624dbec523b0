"""Breaks: what a look at a day found, kept once, cleared by a later look, or resolved."""

import dataclasses
from collections.abc import Container, Sequence
from contextlib import suppress
from datetime import date, datetime

from wharfage import items, schema
from wharfage.domain import limits
from wharfage.domain import reconciliation as rules
from wharfage.domain.account import Principal
from wharfage.domain.bill import RowKind
from wharfage.domain.errors import NotFound, StateConflict, Unavailable
from wharfage.domain.event import Event
from wharfage.domain.matching import BreakType, Finding
from wharfage.domain.reconciliation import (
    Break,
    BreakState,
    Reconciliation,
    closed,
    found_break,
    seen_again,
)
from wharfage.domain.record import View
from wharfage.operations.keys import Made
from wharfage.ports import Page, Ports
from wharfage.transaction import Action, Key, Put, Update, absent, present

_TRIES = 5


class BreakView(View, frozen=True, kw_only=True):
    """What does not agree: in our books *ours_fen*, in the bill *theirs_fen*.

    *order* is our order's number, of the ledger the account; *number* the trade, the refund's
    request number, or the name of a sum.
    """

    id: str
    type: BreakType
    kind: RowKind | None
    order: str
    number: str
    ours_fen: int | None
    theirs_fen: int | None
    state: BreakState
    found_at: datetime
    closed_at: datetime | None
    closed_by: str | None
    reason: str | None

    @classmethod
    def of(cls, there: Break) -> "BreakView":
        """Show a break."""
        return cls(**{name: getattr(there, name) for name in cls.__struct_fields__})


def record(
    ports: Ports,
    run: Reconciliation,
    findings: Sequence[Finding],
    *,
    mended: Container[Finding] = (),
) -> None:
    """Keep what a look found; what is kept already is found again. A repeat changes nothing.

    *mended* are those that were put right at once. Raises: Unavailable, Unanswered.
    """
    now = ports.clock.now()
    for finding in findings:
        fresh = found_break(run, finding, now)
        there = ports.store.get(_key(fresh.channel, fresh.day, fresh.id))
        if there is None:
            after = rules.mended(fresh, run, now) if finding in mended else fresh
            opened = after.state is BreakState.OPEN
            ports.store.commit(
                Put(after, when=[absent()], proves=True), *_counted(run, int(opened))
            )
            continue
        if finding in mended:
            after = rules.mended(there, run, now)
        else:
            after = seen_again(there, run, finding)
        if after is not there:
            more = (after.state is BreakState.OPEN) - (there.state is BreakState.OPEN)
            with suppress(StateConflict):  # Another look at the same day has just done so.
                ports.store.commit(items.change(there, after), *_counted(run, more))


def clear(ports: Ports, run: Reconciliation, after: str | None) -> str | None:
    """Close a page of the breaks that this look no longer found; return where to go on.

    Raises: Unavailable, Unanswered.
    """
    page = ports.store.query(
        schema.BREAK, _partition(run.channel, run.day), after=after, limit=limits.PAGE_MAX
    )
    for there in page.items:
        if there.state is BreakState.OPEN and there.round < run.round:
            gone = closed(there, BreakState.CLEARED, ports.clock.now())
            with suppress(StateConflict):  # It was resolved meanwhile.
                ports.store.commit(items.change(there, gone), *_counted(run, -1))
    return page.next


def find_all(
    ports: Ports, channel: str, day: date, *, after: str | None, limit: int
) -> Page[BreakView]:
    """List the breaks of a day."""
    page = ports.store.query(schema.BREAK, _partition(channel, day), after=after, limit=limit)
    return Page(tuple(map(BreakView.of, page.items)), page.next)


def resolve(
    ports: Ports, who: Principal, channel: str, day: date, break_id: str, *, reason: str
) -> Made[BreakView]:
    """Close a break for good, with the operator's reason; the same one again is the same.

    Raises: NotFound; StateConflict if it is closed already, by itself or for another reason.
    """
    for _ in range(_TRIES):
        there = ports.store.get(_key(channel, day, break_id))
        if there is None:
            raise NotFound(what="break")
        if there.state is BreakState.RESOLVED and there.reason == reason:
            return Made(value=BreakView.of(there), replayed=True)
        if there.state is not BreakState.OPEN:
            raise StateConflict(state=there.state)
        now = ports.clock.now()
        after = closed(there, BreakState.RESOLVED, now, by=who.account, reason=reason)
        try:
            ports.store.commit(
                items.change(there, after, otherwise=_Moved()),
                *_count(channel, day, -1),
                Put(_event(ports, who, after, now), when=[absent()], proves=True),
            )
        except _Moved:
            continue
        return Made(value=BreakView.of(after))
    raise Unavailable


@dataclasses.dataclass(eq=False, kw_only=True)
class _Moved(StateConflict):
    """The break has changed since it was read: read it and decide again."""


def _event(ports: Ports, who: Principal, there: Break, now: datetime) -> Event:
    assert there.reason is not None, "a break is resolved with a reason"
    return Event(
        id=ports.ids.new("evt"),
        subject=there.id,
        account=who.account,
        kind="reconciliation.resolved",
        at=now,
        actor=who.account,
        data={
            "channel": there.channel,
            "day": there.day.isoformat(),
            "type": there.type,
            "reason": there.reason,
        },
    )


def _counted(run: Reconciliation, open_breaks: int) -> list[Action]:
    return _count(run.channel, run.day, open_breaks)


def _count(channel: str, day: date, open_breaks: int) -> list[Action]:
    """Keep the number of open breaks in the day's run, in the transaction of each."""
    if not open_breaks:
        return []
    key = schema.RECONCILIATION.key(channel=channel, day=day)
    return [Update(key, add={"open_breaks": open_breaks}, when=[present()])]


def _partition(channel: str, day: date) -> str:
    return f"breaks#{channel}#{day.isoformat()}"


def _key(channel: str, day: date, break_id: str) -> Key[Break]:
    return schema.BREAK.key(channel=channel, day=day, id=break_id)

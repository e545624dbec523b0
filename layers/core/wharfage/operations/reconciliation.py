"""Reconciliation: days of channels looked at in small steps, by the clock or by the operator.

Every step ends in a write that requires the run as it was read, so of two looks at one day the
slower stops. What a step leaves behind has keys of its own, so a step may be repeated.
"""

import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from msgspec.structs import replace

from wharfage import items, schema
from wharfage.domain import limits
from wharfage.domain import reconciliation as rules
from wharfage.domain.bill import Bill, BillRow, RowKind
from wharfage.domain.errors import BillRefused, NotFound, Refused, StateConflict, Unavailable
from wharfage.domain.matching import BreakType, Finding, digest_of, match, ordered, totals
from wharfage.domain.order import Order
from wharfage.domain.reconciliation import LEDGER, Reconciliation, Stage, moved
from wharfage.domain.record import View
from wharfage.domain.refund import Refund, seen_elsewhere
from wharfage.operations import audits, books, breaks, payments, refunds
from wharfage.operations.books import Known
from wharfage.operations.breaks import BreakView
from wharfage.ports import Page, Ports
from wharfage.transaction import Key, Put, absent

logger = logging.getLogger(__name__)

ACTOR = "reconciliation"  #: Who the events say it was.
_TRIES = 5
_FAILED = "failed"
#: What the channel is asked about at once, for it may be that we only have not heard.
_ASKED = frozenset({BreakType.MISSING_HERE, BreakType.STATUS})


class RunView(View, frozen=True, kw_only=True):
    """The look at one day of one channel; of `ledger`, at all accounts."""

    channel: str
    day: date
    stage: Stage
    round: int
    started_at: datetime
    done_at: datetime | None
    trouble: str | None
    payments: int
    payments_fen: int
    refunds: int
    refunds_fen: int
    fees_fen: int
    ours: int
    accounts: int
    restless: int
    open_breaks: int

    @classmethod
    def of(cls, run: Reconciliation) -> "RunView":
        """Show a run."""
        return cls(**{name: getattr(run, name) for name in cls.__struct_fields__})


class DayView(View, frozen=True, kw_only=True):
    """A run, and a page of its breaks."""

    run: RunView
    breaks: tuple[BreakView, ...]
    next_cursor: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How the books stand."""

    open_breaks: int = 0
    late_days: int = 0  #: Days whose first look should have ended.
    failed: int = 0  #: Days that a fault of our own is in the way of.


def tick(ports: Ports, *, until: datetime) -> Standing:
    """Begin what is due, go on with what is begun until time is up, and say how it stands.

    Idempotent, and safe with two at once.
    """
    _begin_due(ports)
    began_at = ports.clock.now()
    runs = sorted(_unsettled(ports), key=lambda run: (run.day, run.channel))
    for at, run in enumerate(runs):
        if run.due_at is not None and run.due_at <= began_at:
            runs[at] = _go_on(ports, run, until)
            if ports.clock.now() >= until:
                break
    now = ports.clock.now()
    return Standing(
        open_breaks=sum(run.open_breaks for run in runs),
        late_days=sum(rules.late(run, now) for run in runs),
        failed=sum(run.trouble == _FAILED for run in runs),
    )


def request(ports: Ports, channel: str, day: date) -> RunView:
    """Have a day looked at, for the first time or once more; the clock's next tick does it.

    Raises: NotFound for a channel that was never looked at by the clock, and for a day that is
    not over or too old; Unavailable.
    """
    now = ports.clock.now()
    if not _within(day, now) or not any(_recent(ports, channel, now)):
        raise NotFound(what="reconciliation")
    for _ in range(_TRIES):
        run = ports.store.get(_key(channel, day))
        if run is None:
            _begin(ports, channel, day)
            continue
        if run.due_at is not None and run.due_at <= now:
            return RunView.of(run)
        with suppress(StateConflict):
            return RunView.of(_saved(ports, run, rules.again(run, now)))
    raise Unavailable


def find_all(ports: Ports, *, after: str | None, limit: int) -> Page[RunView]:
    """List all runs, newest day first."""
    page = ports.store.query(
        schema.RECONCILIATION, "reconciliation", after=after, newest_first=True, limit=limit
    )
    return Page(tuple(map(RunView.of, page.items)), page.next)


def find(ports: Ports, channel: str, day: date) -> RunView:
    """Show the run of a day. Raises: NotFound."""
    run = ports.store.get(_key(channel, day))
    if run is None:
        raise NotFound(what="reconciliation")
    return RunView.of(run)


def _begin_due(ports: Ports) -> None:
    """Begin every day since the last one that was begun; where none was, only the newest."""
    now = ports.clock.now()
    newest = rules.newest_day(now)
    for channel in (*sorted(ports.channels), LEDGER):
        there = _recent(ports, channel, now)
        days = next((back for back, run in enumerate(there) if run is not None), 1)
        for back in reversed(range(days)):
            _begin(ports, channel, newest - timedelta(days=back))


def _recent(ports: Ports, channel: str, now: datetime) -> list[Reconciliation | None]:
    """Read the runs of the last days, newest first; None for a day that was not begun."""
    newest = rules.newest_day(now)
    days = [newest - timedelta(days=back) for back in range(limits.RECONCILE_DAYS_MAX)]
    return ports.store.get_many([_key(channel, day) for day in days])


def _begin(ports: Ports, channel: str, day: date) -> None:
    run = rules.begun(channel, day, ports.clock.now())
    ports.store.commit(Put(run, when=[absent()], proves=True))


def _unsettled(ports: Ports) -> Iterator[Reconciliation]:
    """Read the runs that are not done, or have open breaks."""
    for number in range(schema.RECONCILIATION.due):
        keys = ports.store.nominate(
            schema.RECONCILIATION,
            schema.DUE,
            schema.due_partition(schema.RECONCILIATION.name, number),
            until=None,
            limit=limits.PAGE_MAX,
        )
        yield from (run for run in ports.store.get_many(keys) if run is not None)


def _go_on(ports: Ports, run: Reconciliation, until: datetime) -> Reconciliation:
    """Take steps until the day is done, time is up, or something is in the way.

    The run as it is then comes back.
    """
    facts = {"action": "reconciliation", "channel": run.channel, "day": run.day.isoformat()}
    try:
        if run.stage is Stage.DONE:
            run = _saved(ports, run, rules.again(run, ports.clock.now()))
        while run.stage is not Stage.DONE:
            run = _step(ports, run, until)
            if run.trouble is not None or ports.clock.now() >= until:
                break
    except StateConflict:
        logger.info("reconciliation.overtaken", extra=facts)
    except Exception as error:  # The edge of one day: what is wrong with it stays with it.
        trouble = _trouble(error)
        logger.exception("reconciliation.troubled", extra={**facts, "reason": trouble})
        with suppress(Refused):
            there = _again(ports, run)
            _saved(ports, there, rules.troubled(there, trouble, ports.clock.now()))
    return _again(ports, run)


def _step(ports: Ports, run: Reconciliation, until: datetime) -> Reconciliation:
    match run.stage:
        case Stage.BILL | Stage.ROWS:
            return _read_bill(ports, run, until)
        case Stage.PAYMENTS:
            return _list_payments(ports, run)
        case Stage.REFUNDS:
            return _list_refunds(ports, run)
        case Stage.ACCOUNTS:
            return audits.step(ports, run)
        case Stage.CLEARING:
            place = breaks.clear(ports, run, run.cursor)
            if place is not None:
                return _saved(ports, run, moved(run, Stage.CLEARING, place))
            counted = replace(run, open_breaks=_again(ports, run).open_breaks)
            return _saved(ports, counted, rules.finished(counted, ports.clock.now()))
        case Stage.DONE:
            raise AssertionError("a day that is done takes no step")


def _read_bill(ports: Ports, run: Reconciliation, until: datetime) -> Reconciliation:
    """Fetch the bill and hold its rows against our books, from where the last step stopped."""
    bill = payments.channel_of(ports, run.channel).fetch_bill(run.day)
    rows = ordered(bill.rows)
    digest = digest_of(rows)
    if run.stage is Stage.BILL or digest != run.digest:
        reading = rules.read_from(run, bill, digest)
        if not bill.published and _expected(ports, reading):
            now = ports.clock.now()
            return _saved(ports, run, rules.troubled(run, "bill_not_published", now))
        breaks.record(ports, reading, totals(bill))
        run = _saved(ports, run, reading)
    at = int(run.cursor or 0)
    while at < len(rows):
        at += _match_page(ports, run, bill, rows[at : at + limits.RECONCILE_PAGE], until)
        run = _saved(ports, run, moved(run, Stage.ROWS, str(at)))
        if ports.clock.now() >= until:
            return run
    return _saved(ports, run, moved(run, Stage.PAYMENTS))


def _expected(ports: Ports, run: Reconciliation) -> bool:
    """Tell whether a bill that is not there may still come: we recorded payments on that day."""
    if not rules.waits(run, ports.clock.now()):
        return False
    cursor = None
    while True:
        page = books.payments_between(ports, run.channel, *rules.judged(run), cursor)
        if page.items or page.next is None:
            return bool(page.items)
        cursor = page.next


def _match_page(
    ports: Ports,
    run: Reconciliation,
    bill: Bill,
    page: list[tuple[BillRow, int]],
    until: datetime,
) -> int:
    """Hold some rows against our books; return how many there was time for, at least one."""
    known = books.look_up(ports, run.channel, [row for row, _ in page])
    for done, ((row, times), there) in enumerate(zip(page, known, strict=True)):
        if done and ports.clock.now() >= until:
            return done
        found = _matched(bill, row, times, there)
        missing = [each for each in found if each.type in _ASKED]
        if missing and there.order is not None:
            _ask(ports, row, there.order, there.refund)
            [asked] = books.look_up(ports, run.channel, [row])
            found = _matched(bill, row, times, asked)
        mended = [each for each in missing if each not in found]
        breaks.record(ports, run, [*mended, *found], mended=mended)
        if there.billed_on is None:
            books.bill(ports, run.channel, row, run.day)
    return len(page)


def _matched(bill: Bill, row: BillRow, times: int, there: Known) -> list[Finding]:
    return match(
        row,
        there.ours,
        day=bill.day,
        times=times,
        billed_on=there.billed_on,
        terms=bill.fee_terms,
    )


def _ask(ports: Ports, row: BillRow, order: Order, refund: Refund | None) -> None:
    """Ask the channel; the answer takes the one way that all news takes.

    A refund that we never asked for was made in the channel's console: it gets a row first.
    """
    try:
        if row.kind is RowKind.PAYMENT:
            payments.settle(ports, order, closing=False, actor=ACTOR)
        elif refund is None and row.refund:
            seen = seen_elsewhere(order, row.trade_no, row.refund, ports.clock.now())
            ports.store.commit(Put(seen, when=[absent()], proves=True))
            refunds.sweep_refund(ports, seen)
        elif refund is not None and not refund.state.terminal:
            refunds.sweep_refund(ports, refund)
    except Refused as refusal:  # The break stays open, and the next look asks again.
        logger.warning(
            "reconciliation.unanswered",
            extra={"action": "reconciliation", "order_id": order.id, "reason": refusal.code},
        )


def _list_payments(ports: Ports, run: Reconciliation) -> Reconciliation:
    """Look for a page of our own payments in the bills that were read."""
    page = books.payments_between(ports, run.channel, *rules.judged(run), run.cursor)
    breaks.record(ports, run, books.unbilled(ports, run.channel, page.items))
    counted = replace(run, ours=run.ours + len(page.items))
    stage = Stage.REFUNDS if page.next is None else Stage.PAYMENTS
    return _saved(ports, run, moved(counted, stage, page.next))


def _list_refunds(ports: Ports, run: Reconciliation) -> Reconciliation:
    """Look for a page of our own refunds in the bills that were read."""
    page = books.refunds_between(ports, run.channel, *rules.judged(run), run.cursor)
    breaks.record(ports, run, books.unbilled(ports, run.channel, page.items))
    counted = replace(run, ours=run.ours + len(page.items))
    stage = Stage.CLEARING if page.next is None else Stage.REFUNDS
    return _saved(ports, run, moved(counted, stage, page.next))


def _saved(ports: Ports, before: Reconciliation, after: Reconciliation) -> Reconciliation:
    """Write a run as it goes on. Raises: StateConflict when another look is at it."""
    ports.store.commit(items.change(before, after))
    return after


def _again(ports: Ports, run: Reconciliation) -> Reconciliation:
    """Read a run as it is now."""
    there = ports.store.get(_key(run.channel, run.day))
    assert there is not None, "a run that was begun is there"
    return there


def _trouble(error: Exception) -> str:
    match error:
        case BillRefused():
            return f"bill_{error.reason}"
        case Refused():
            return error.code
        case _:
            return _FAILED


def _within(day: date, now: datetime) -> bool:
    today = now.astimezone(rules.SHANGHAI).date()
    return timedelta(0) < today - day <= timedelta(days=limits.RECONCILE_DAYS_BACK)


def _key(channel: str, day: date) -> Key[Reconciliation]:
    return schema.RECONCILIATION.key(channel=channel, day=day)

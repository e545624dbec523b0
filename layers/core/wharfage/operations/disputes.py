"""Disputes: told by the operator in whatever order, their money moved once, the account frozen."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import msgspec

from wharfage import items, schema
from wharfage.domain.account import Principal
from wharfage.domain.balance import Balance, EntryCode
from wharfage.domain.dispute import (
    Dispute,
    Disputed,
    DisputeKind,
    DisputeNews,
    DisputeState,
    begun,
    reminded,
    told,
)
from wharfage.domain.errors import NotFound, StateConflict, fault
from wharfage.domain.event import Event
from wharfage.domain.order import Order, OrderState
from wharfage.domain.record import View
from wharfage.domain.unused import Month, Share
from wharfage.operations import receipts, withdrawals
from wharfage.operations.withdrawals import MOVED, Withdrawal
from wharfage.ports import Page, Ports
from wharfage.transaction import Action, Condition, Put, Update, absent, equals, present

logger = logging.getLogger(__name__)

SWEEPER = "sweeper"  #: Who acts when the clock does.
_NEWS = {
    DisputeState.OPEN: DisputeNews.OPENED,
    DisputeState.WON: DisputeNews.WON,
    DisputeState.LOST: DisputeNews.LOST,
}


class DisputeView(View, frozen=True, kw_only=True):
    """A dispute, as the operator sees it. *units* of its order's month went with it."""

    order: str
    id: str
    account: str
    channel: str
    kind: DisputeKind
    amount_fen: int
    units: int
    state: DisputeState
    reason: str
    evidence: str | None
    answer_by: datetime | None
    opened_at: datetime
    ended_at: datetime | None
    version: int

    @classmethod
    def of(cls, dispute: Dispute) -> "DisputeView":
        """Show a dispute."""
        return cls(**{name: getattr(dispute, name) for name in cls.__struct_fields__})


def tell(ports: Ports, who: Principal, order_id: str, news: Disputed) -> DisputeView:
    """Act on news of a dispute: what it is about is set aside once, and moves once.

    While it is open the account is frozen. Won, the money is back, and the account is free if
    nothing else keeps it frozen; lost, it stays gone, and the account stays frozen until the
    operator says otherwise. What is known already changes nothing.

    Raises: NotFound, Invalid for more than was paid, StateConflict for an order that is not paid
    or a dispute that has ended otherwise, KeyReused, Unavailable, Unanswered.
    """

    def act(owes: receipts.Owes | None) -> Dispute:
        order, before = _rows(ports, order_id, news.reference)
        if before is None:
            after = begun(order, _possible(order, news), who=who.account, now=ports.clock.now())
        else:
            after = told(before, news, who=who.account, now=ports.clock.now())
        if after is before:
            return after
        written = _write(ports, order, before, after, owes)
        _say(_news(before, written), written)
        return written

    return DisputeView.of(receipts.settled(act, moved=MOVED))


def in_state(
    ports: Ports, state: DisputeState, *, after: str | None, limit: int
) -> Page[DisputeView]:
    """List every account's disputes that are in a state, newest first, for the operator."""
    found = ports.store.timeline(schema.DISPUTE, f"disputes#{state}", after=after, limit=limit)
    return Page(tuple(map(DisputeView.of, found.items)), found.next)


def remind(ports: Ports, dispute: Dispute) -> None:
    """Say aloud, once, that a dispute is not answered in time; the sweeper's due item."""
    after = reminded(dispute)
    event = _event(ports, after, DisputeNews.OVERDUE, SWEEPER)
    ports.store.commit(items.change(dispute, after), event)
    _say(DisputeNews.OVERDUE, after)


def _rows(ports: Ports, order_id: str, reference: str) -> tuple[Order, Dispute | None]:
    order, dispute = ports.store.get_many(
        [schema.ORDER.key(id=order_id), schema.DISPUTE.key(order=order_id, id=reference)]
    )
    if order is None:
        raise NotFound(what="order")
    return order, dispute


def _possible(order: Order, news: Disputed) -> Disputed:
    """Hold first news against their order."""
    if order.state is not OrderState.PAID:
        raise StateConflict(state=order.standing)
    if news.amount_fen is not None and news.amount_fen > order.amount_fen:
        raise fault("/amount_fen", "above_order", "No more is disputed than was paid.")
    return news


def _write(
    ports: Ports,
    order: Order,
    before: Dispute | None,
    after: Dispute,
    owes: receipts.Owes | None,
) -> Dispute:
    """Write what news mean, all of it or nothing; return the dispute as it is then.

    Raises: what MOVED names, receipts.Owes, Unavailable, Unanswered.
    """
    begins = before is None and after.booked
    won = before is not None and after.state is DisputeState.WON
    if begins:
        month = withdrawals.month_of(ports, order)
        share = Share() if month is None else month.share(after.amount_fen, after.opened_at)
        reserved = min(after.amount_fen, order.refundable_fen)
        after = msgspec.structs.replace(
            after, units=share.units, units_fen=share.fen, reserved_fen=reserved
        )
    actions: list[Action] = []
    if begins:
        actions += _set_aside(ports, order, after, month)
    elif won:
        actions += _given_back(ports, order, after, owes)
    elif before is not None and after.state is DisputeState.LOST:
        actions.append(_ended_freeze(_balance(ports, after.account), after))
    # A month of its own and the end of a suspension at once would be an action too many.
    resumed = [each for each in actions if isinstance(each, Put) and isinstance(each.record, Event)]
    data = {"resumed": True} if resumed else {}
    ports.store.commit(
        _row(before, after),
        *(each for each in actions if each not in resumed),
        _event(ports, after, _news(before, after), after.told_by, **data),
    )
    return after


def _row(before: Dispute | None, after: Dispute) -> Action:
    if before is None:
        return Put(after, when=[absent()], otherwise=withdrawals.Moved())
    return items.change(before, after, otherwise=withdrawals.Moved())


def _set_aside(
    ports: Ports, order: Order, dispute: Dispute, month: Month | None
) -> Iterator[Action]:
    """Take a dispute's money from where it is, owed if it is not there, and freeze the account."""
    now, away = dispute.opened_at, _away(order, dispute)
    balance = _balance(ports, dispute.account)
    yield _moved(order, dispute, reserved=1)
    taken = list(withdrawals.from_balance(ports, away))
    yield _together(_freeze(balance, dispute), taken[:1])
    yield from taken[1:]
    yield from withdrawals.from_month(away, month, now)
    yield from withdrawals.lines(away, now)


def _given_back(
    ports: Ports, order: Order, dispute: Dispute, owes: receipts.Owes | None
) -> Iterator[Action]:
    """Return a dispute's money to where it came from, and let the account go."""
    balance = _balance(ports, dispute.account)
    there, returned = withdrawals.give_back(
        ports, _away(order, dispute), actor=dispute.told_by, owes=owes
    )
    yield _moved(order, dispute, reserved=-1, month=there)
    key = schema.BALANCE.key(account=dispute.account)
    credit = [each for each in returned if isinstance(each, Update) and each.key == key]
    yield _together(_ended_freeze(balance, dispute), credit)
    yield from (each for each in returned if each not in credit)


def _away(order: Order, dispute: Dispute) -> Withdrawal:
    return Withdrawal(
        order=order,
        reference=dispute.entry_reference,
        amount_fen=dispute.amount_fen,
        share=Share(units=dispute.units, fen=dispute.units_fen),
        to=f"disputed:{dispute.channel}",
        codes=(EntryCode.DISPUTE, EntryCode.DISPUTE_REVERSAL),
    )


def _moved(
    order: Order, dispute: Dispute, *, reserved: int, month: datetime | None = None
) -> Update:
    """Keep what is disputed from refunds, or let them have it again, under the order's version."""
    fen = reserved * dispute.reserved_fen
    after = msgspec.structs.replace(
        order,
        refundable_fen=order.refundable_fen - fen,
        disputed_fen=order.disputed_fen + fen,
        month=month or order.month,
        version=order.version + 1,
    )
    return items.change(order, after, otherwise=withdrawals.Moved())


def _freeze(balance: Balance, dispute: Dispute) -> Update:
    """Freeze an account for a dispute; one that is lost at once is frozen as if by hand."""
    marks: dict[str, object] = {}
    if balance.frozen_at is None:
        marks["frozen_at"] = dispute.opened_at
    lost = dispute.state is DisputeState.LOST
    if lost and balance.frozen_by is None:
        marks["frozen_by"] = dispute.told_by
    return Update(
        schema.BALANCE.key(account=balance.account),
        set=marks,
        add={"disputes": 0 if lost else 1},
        when=_as_read(balance),
        otherwise=withdrawals.Moved(),
    )


def _ended_freeze(balance: Balance, dispute: Dispute) -> Update:
    """Let an account go that only this dispute froze, if it is won; else keep it, as by hand."""
    won = dispute.state is DisputeState.WON
    free = won and balance.disputes == 1 and balance.frozen_by is None
    by_hand = not won and balance.frozen_by is None
    return Update(
        schema.BALANCE.key(account=balance.account),
        set={"frozen_by": dispute.told_by} if by_hand else {},
        add={"disputes": -1},
        remove=["frozen_at"] if free else [],
        when=_as_read(balance),
        otherwise=withdrawals.Moved(),
    )


def _as_read(balance: Balance) -> list[Condition]:
    names = ("frozen_at", "frozen_by", "disputes")
    return [present(), *(equals(name, getattr(balance, name)) for name in names)]


def _together(marks: Update, moves: list[Update]) -> Update:
    """Make one action of what freezes an account and what moves its money, if that moves."""
    if not moves:
        return marks
    [move] = moves
    return replace(
        move,
        set={**move.set, **marks.set},
        add={**move.add, **marks.add},
        remove=[*move.remove, *marks.remove],
        when=[*move.when, *marks.when],
        otherwise=move.otherwise,
    )


def _balance(ports: Ports, account: str) -> Balance:
    balance = ports.store.get(schema.BALANCE.key(account=account))
    if balance is None:
        raise NotFound(what="account")
    return balance


def _news(before: Dispute | None, after: Dispute) -> DisputeNews:
    noted = before is not None and after.state is DisputeState.OPEN
    return DisputeNews.NOTED if noted else _NEWS[after.state]


def _say(news: DisputeNews, dispute: Dispute) -> None:
    """Say aloud what the operator must know."""
    calm = news in {DisputeNews.NOTED, DisputeNews.WON}
    extra = {"action": "dispute", "order_id": dispute.order, "reason": dispute.kind}
    logger.log(logging.INFO if calm else logging.ERROR, news, extra=extra)


def _event(ports: Ports, dispute: Dispute, news: DisputeNews, actor: str, **more: bool) -> Put:
    event = Event(
        id=ports.ids.new("evt"),
        subject=dispute.order,
        account=dispute.account,
        kind=news,
        at=ports.clock.now(),
        actor=actor,
        data={
            "dispute": dispute.id,
            "amount_fen": dispute.amount_fen,
            "kind": dispute.kind.value,
            "reason": dispute.reason,
            **more,
        },
    )
    return Put(event, when=[absent()], proves=True)

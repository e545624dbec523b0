"""Receipts: money that comes to an account pays what it owes first, and ends a suspension."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from wharfage.domain.errors import NotFound, Refused, Unavailable
from wharfage.domain.event import Event
from wharfage.operations import usage
from wharfage.ports import Ports
from wharfage.schema import BALANCE
from wharfage.transaction import (
    Action,
    Condition,
    Item,
    Put,
    Update,
    absent,
    below,
    equals,
    present,
)

R = TypeVar("R")

_TRIES = 5  #: What an account owes changes seldom, so this is never reached honestly.


@dataclass(eq=False, kw_only=True)
class Owes(Refused):
    """The account owes something, or is suspended: make the credit anew with this. Never leaves."""

    debt_fen: int
    suspended_at: str | None = None


def settled(work: Callable[[Owes | None], R], *, moved: tuple[type[Refused], ...] = ()) -> R:
    """Do what credits an account, anew with what it owes, and after what has *moved* meanwhile.

    Raises: Unavailable if it never rests, and what *work* raises.
    """
    owes = None
    for _ in range(_TRIES):
        try:
            return work(owes)
        except Owes as found:
            owes = found
        except moved:
            continue
    raise Unavailable


def credit(
    ports: Ports, account: str, amount_fen: int, *, actor: str, owes: Owes | None = None
) -> list[Action]:
    """Add money to an account; to be committed again with *owes* when the commit raises it.

    Conditions cannot compute, and nobody reads the balance for a payment: it is first added to an
    account that owes nothing, and where that is refused the refusal says what is owed. What
    clears the debt ends the suspension in the same transaction.
    """
    if owes is None:
        clean: list[Condition] = [present(), below("debt", 1), absent("suspended_at")]
        key = BALANCE.key(account=account)
        return [Update(key, add={"available": amount_fen}, when=clean, otherwise=_owing)]
    paid_fen = min(owes.debt_fen, amount_fen)
    resumed = owes.suspended_at is not None and paid_fen == owes.debt_fen
    as_read = [
        present(),
        equals("debt", owes.debt_fen) if owes.debt_fen else below("debt", 1),
        equals("suspended_at", owes.suspended_at),
    ]
    actions: list[Action] = [
        Update(
            BALANCE.key(account=account),
            add={"available": amount_fen - paid_fen, "debt": -paid_fen},
            remove=["suspended_at"] if resumed else [],
            when=as_read,
            otherwise=_owing,
        )
    ]
    now = ports.clock.now()
    if owes.debt_fen and paid_fen == owes.debt_fen:
        actions.append(usage.paid(account, now))
    if resumed:
        event = told(ports, account, "account.resumed", actor, now)
        actions.append(Put(event, when=[absent()]))
    return actions


def told(
    ports: Ports, account: str, kind: str, actor: str, at: datetime, **data: str | int | bool
) -> Event:
    """Make one line of an account's timeline."""
    return Event(
        id=ports.ids.new("evt"),
        subject=account,
        account=account,
        kind=kind,
        at=at,
        actor=actor,
        data=dict(data),
    )


def _owing(item: Item | None) -> Refused:
    if item is None:
        return NotFound(what="account")
    return Owes(debt_fen=item["debt"], suspended_at=item.get("suspended_at"))

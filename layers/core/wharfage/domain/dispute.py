"""Disputes: a chargeback or a complaint takes an order's money away until it is decided."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from msgspec import Meta
from msgspec.structs import replace

from wharfage.domain.errors import KeyReused, StateConflict
from wharfage.domain.order import Order
from wharfage.domain.record import Body, Record

DisputeReference = Annotated[str, Meta(pattern=r"^[0-9A-Za-z][0-9A-Za-z_.-]{0,63}$(?!\n)")]
DisputeText = Annotated[str, Meta(min_length=1, max_length=2000)]


class DisputeKind(StrEnum):
    """What the customer did."""

    CHARGEBACK = "chargeback"  #: Had the bank or the channel take a payment back.
    COMPLAINT = "complaint"  #: Complained to the channel, which looks into it.


class DisputeState(StrEnum):
    """Where a dispute stands; it only moves forward."""

    OPEN = "open"  #: Nobody has decided; its money is set aside and the account is frozen.
    WON = "won"  #: The money is the customer's again.
    LOST = "lost"  #: The money is gone.

    @property
    def terminal(self) -> bool:
        """Tell whether this is the end of it."""
        return self is not DisputeState.OPEN


class DisputeNews(StrEnum):
    """What is written on an order's timeline about its disputes."""

    OPENED = "dispute.opened"
    NOTED = "dispute.noted"  #: Evidence was added, or the day changed until which to answer.
    WON = "dispute.won"
    LOST = "dispute.lost"
    OVERDUE = "dispute.overdue"  #: The day to answer has come, and it is open still.


class Disputed(Body, frozen=True, kw_only=True):
    """News of a dispute, as the operator has it from the channel, in whatever order it comes.

    *reference* is the channel's own; the same one is the same dispute. Without *amount_fen* it is
    about the whole order.
    """

    reference: DisputeReference
    kind: DisputeKind = DisputeKind.CHARGEBACK
    state: DisputeState = DisputeState.OPEN
    amount_fen: Annotated[int, Meta(ge=1)] | None = None
    reason: Annotated[str, Meta(min_length=1, max_length=200)]
    evidence: DisputeText | None = None
    answer_by: datetime | None = None


class Dispute(Record, frozen=True, kw_only=True):
    """Money of an order that a customer wants back past us; *id* is the channel's reference."""

    order: str
    id: str
    account: str
    channel: str
    kind: DisputeKind
    amount_fen: int
    state: DisputeState
    reason: str  #: Of the newest news.
    opened_at: datetime
    evidence: str | None = None  #: What the operator answers with.
    answer_by: datetime | None = None
    due_at: datetime | None = None  #: When the operator is to be told that it is not answered.
    booked: bool = False  #: An entry has taken its amount from the account.
    reserved_fen: int = 0  #: What of it refunds could have taken, and cannot now.
    units: int = 0  #: Taken back of the month that its order bought,
    units_fen: int = 0  #: which stand for this much of its amount.
    told_by: str
    ended_at: datetime | None = None
    version: int = 1

    @property
    def entry_reference(self) -> str:
        """Name it among all of its account's disputes."""
        return f"{self.order}.{self.id}"


def begun(order: Order, news: Disputed, *, who: str, now: datetime) -> Dispute:
    """Make the dispute that first news are of; one that is won already never took anything."""
    ended = news.state.terminal
    return Dispute(
        order=order.id,
        id=news.reference,
        account=order.account,
        channel=order.channel,
        kind=news.kind,
        amount_fen=news.amount_fen or order.amount_fen,
        state=news.state,
        reason=news.reason,
        opened_at=now,
        evidence=news.evidence,
        answer_by=news.answer_by,
        due_at=None if ended else news.answer_by,
        booked=news.state is not DisputeState.WON,
        told_by=who,
        ended_at=now if ended else None,
    )


def told(dispute: Dispute, news: Disputed, *, who: str, now: datetime) -> Dispute:
    """Decide what more news mean: what is known already is the very same object.

    Raises: KeyReused for another dispute under the same reference, StateConflict for another end.
    """
    if (news.kind, news.amount_fen or dispute.amount_fen) != (dispute.kind, dispute.amount_fen):
        raise KeyReused
    if dispute.state.terminal:
        if news.state in {DisputeState.OPEN, dispute.state}:
            return dispute  # Late news of how it began, or the same again.
        raise StateConflict(state=dispute.state)
    after = replace(
        dispute,
        evidence=news.evidence or dispute.evidence,
        answer_by=news.answer_by or dispute.answer_by,
    )
    if news.state.terminal:
        after = replace(after, state=news.state, reason=news.reason, ended_at=now, due_at=None)
    elif after != dispute:
        later = after.answer_by != dispute.answer_by
        after = replace(after, due_at=after.answer_by if later else dispute.due_at)
    if after == dispute:
        return dispute
    return replace(after, told_by=who, version=dispute.version + 1)


def reminded(dispute: Dispute) -> Dispute:
    """Note that the operator was told that the day to answer has come."""
    return replace(dispute, due_at=None, version=dispute.version + 1)

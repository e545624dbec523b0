"""Refunds: money of an order on its way back to the customer, and what a channel says of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec.structs import replace

from wharfage.domain import limits
from wharfage.domain.order import Order
from wharfage.domain.record import Record

_CALL = timedelta(seconds=limits.REFUND_CALL_SECONDS)


class RefundStatus(StrEnum):
    """A channel's word on a refund, in our terms."""

    SUCCEEDED = "succeeded"  #: The customer has the money, or is certain to get it.
    PENDING = "pending"  #: The channel has taken it on and is not done.
    FAILED = "failed"  #: The channel refuses, in so many words, and no money moves.
    NOT_FOUND = "not_found"  #: The channel knows no refund of this number.
    UNKNOWN = "unknown"  #: The channel did not answer in a way we can believe.


@dataclass(frozen=True, kw_only=True, slots=True)
class RefundView:
    """What a channel says of one refund. *reason* is its own code, for the operator."""

    status: RefundStatus
    amount_fen: int | None = None  #: None when the channel named none that can be read strictly.
    reason: str | None = None


class RefundState(StrEnum):
    """Where a refund stands."""

    REQUESTED = "requested"  #: Waits for the operator; its money is set aside.
    APPROVED = "approved"  #: To be sent to the channel.
    SUBMITTED = "submitted"  #: The channel works on it.
    UNKNOWN = "unknown"  #: The channel was called and its answer is not known: it is asked.
    SUCCEEDED = "succeeded"
    FAILED = "failed"  #: The channel refused; the money is back on the balance.
    REJECTED = "rejected"  #: The operator refused; the money is back on the balance.

    @property
    def terminal(self) -> bool:
        """Tell whether this is the end of it."""
        return self in {RefundState.SUCCEEDED, RefundState.FAILED, RefundState.REJECTED}


class RefundOrigin(StrEnum):
    """Who wanted a refund."""

    CUSTOMER = "customer"
    DUPLICATE = "duplicate"  #: The order was paid twice; this is the second payment.
    LATE = "late"  #: Paid after it was closed, where the setting gives that back.
    CONSOLE = "console"  #: Made in the channel's own console, behind our back.


class RefundNews(StrEnum):
    """What is written on an order's timeline about its refunds."""

    REQUESTED = "refund.requested"
    APPROVED = "refund.approved"
    REJECTED = "refund.rejected"
    SUCCEEDED = "refund.succeeded"
    FAILED = "refund.failed"


class Refund(Record, frozen=True, kw_only=True):
    """Money that goes back by the trade that brought it.

    *id* is the channel's request number: stored before the channel is called, and the same in
    every call about this refund.
    """

    order: str
    id: str
    account: str
    channel: str
    trade_no: str
    amount_fen: int  #: 0 for a refund from the channel's console, until the channel names it.
    state: RefundState
    origin: RefundOrigin
    created_at: datetime
    due_at: datetime | None = None  #: When the channel is to be called or asked next.
    booked: bool = False  #: An entry has taken its amount from the account.
    units: int = 0  #: Taken back of the month that its order bought,
    units_fen: int = 0  #: which stand for this much of its amount.
    reason: str | None = None  #: Why, in the words of who asked.
    failure: str | None = None  #: The channel's code, or why the operator refused.
    decided_by: str | None = None
    calls: int = 0  #: How often the channel was called to refund.
    looks: int = 0  #: How often it was asked what became of it.
    unseen: bool = False  #: The channel has said that it knows no such refund.
    ended_at: datetime | None = None
    version: int = 1

    @property
    def entry_reference(self) -> str:
        """Name it among all of its account's refunds; a console's number is one of its trade's."""
        return entry_reference(self.order, self.id)

    @property
    def live(self) -> bool:
        """Tell whether its money is, or may be, on its way or with the customer."""
        return self.state not in {RefundState.FAILED, RefundState.REJECTED}

    @property
    def to_call(self) -> bool:
        """Tell whether the channel is to be called now, and not asked."""
        if self.origin is RefundOrigin.CONSOLE:
            return False
        return self.state is RefundState.APPROVED or (
            self.state is RefundState.UNKNOWN and self.unseen and self.failure is None
        )

    @property
    def stuck(self) -> bool:
        """Tell whether it takes so long that the operator has to look."""
        return not self.state.terminal and self.looks >= limits.REFUND_LOOKS_PATIENT


def entry_reference(order: str, number: str) -> str:
    """Name a refund's moves on the ledger."""
    return f"{order}.{number}"


def of_order(
    order: Order, number: str, *, amount_fen: int, origin: RefundOrigin, now: datetime
) -> Refund:
    """Make a refund by the trade that the order was credited by."""
    assert order.trade_no is not None, "what goes back has come by a trade"
    waits = origin is RefundOrigin.CUSTOMER
    return Refund(
        order=order.id,
        id=number,
        account=order.account,
        channel=order.channel,
        trade_no=order.trade_no,
        amount_fen=amount_fen,
        state=RefundState.REQUESTED if waits else RefundState.APPROVED,
        origin=origin,
        created_at=now,
        due_at=None if waits else now,
        booked=True,
    )


def of_duplicate(order: Order, trade_no: str, number: str, now: datetime) -> Refund:
    """Make the refund of a second payment, which was never credited."""
    refund = of_order(
        order, number, amount_fen=order.amount_fen, origin=RefundOrigin.DUPLICATE, now=now
    )
    return replace(refund, trade_no=trade_no, booked=False)


def seen_elsewhere(order: Order, trade_no: str, number: str, now: datetime) -> Refund:
    """Make the row of a refund that the channel speaks of: nothing is booked before it is asked."""
    refund = of_order(order, number, amount_fen=0, origin=RefundOrigin.CONSOLE, now=now)
    return replace(refund, trade_no=trade_no, state=RefundState.UNKNOWN, booked=False)


def calling(refund: Refund, now: datetime) -> Refund:
    """Note that the channel is about to be called: from now on what becomes of it is unknown.

    Written before the call, so that whoever finds it afterwards asks first.
    """
    return _next(
        refund,
        state=RefundState.UNKNOWN,
        calls=refund.calls + 1,
        unseen=False,
        due_at=now + _CALL,
    )


def called(refund: Refund, view: RefundView, now: datetime) -> Refund:
    """Decide on the answer to a call; anything but a clear word is asked about later."""
    match view.status:
        case RefundStatus.SUCCEEDED if view.amount_fen in {None, refund.amount_fen}:
            return _next(refund, state=RefundState.SUCCEEDED, due_at=None, ended_at=now)
        case RefundStatus.FAILED if refund.calls == 1:
            return _failed(refund, view.reason, now)
        case RefundStatus.FAILED:
            # An earlier call may have been carried out, and be why this one is refused.
            return _next(refund, failure=view.reason, due_at=now + _wait(refund))
        case RefundStatus.PENDING:
            return _next(refund, state=RefundState.SUBMITTED, due_at=now + _wait(refund))
        case _:
            return _next(refund, due_at=now + _wait(refund))


def asked(refund: Refund, view: RefundView, now: datetime) -> Refund:
    """Decide on what the channel says became of a refund.

    *amount_fen* of a refund from the console is the channel's; of every other it must be ours.
    """
    after = replace(refund, looks=refund.looks + 1)
    console = refund.origin is RefundOrigin.CONSOLE
    amount_fen = view.amount_fen if console else view.amount_fen or refund.amount_fen
    match view.status:
        case RefundStatus.SUCCEEDED if amount_fen and (console or amount_fen == refund.amount_fen):
            return _next(
                after,
                state=RefundState.SUCCEEDED,
                amount_fen=amount_fen,
                due_at=None,
                ended_at=now,
            )
        case RefundStatus.FAILED:
            return _failed(after, view.reason, now)
        case RefundStatus.NOT_FOUND if refund.failure is not None:
            return _failed(after, refund.failure, now)
        case RefundStatus.NOT_FOUND if console:
            if after.looks >= limits.REFUND_LOOKS_PATIENT:
                return _failed(after, "not_found", now)
            return _next(after, due_at=now + _wait(after))
        case RefundStatus.NOT_FOUND:
            return _next(after, unseen=True, due_at=now)
        case RefundStatus.PENDING:
            return _next(after, state=RefundState.SUBMITTED, due_at=now + _wait(after))
        case _:
            return _next(after, due_at=now + _wait(after))


def later(refund: Refund, now: datetime) -> Refund:
    """Put off what cannot be booked now."""
    after = replace(refund, looks=refund.looks + 1)
    return _next(after, due_at=now + _wait(after))


def _failed(refund: Refund, reason: str | None, now: datetime) -> Refund:
    failure = reason or "refused"
    return _next(refund, state=RefundState.FAILED, failure=failure, due_at=None, ended_at=now)


def _wait(refund: Refund) -> timedelta:
    """Say how long to wait before asking: never under ten seconds, doubled, at most an hour."""
    doubled = limits.REFUND_WAIT_SECONDS * 2 ** min(refund.looks, 16)
    return timedelta(seconds=min(doubled, limits.REFUND_WAIT_SECONDS_MAX))


def _next(refund: Refund, **changes: object) -> Refund:
    assert not refund.state.terminal, "an ended refund does not change"
    return replace(refund, **changes, version=refund.version + 1)

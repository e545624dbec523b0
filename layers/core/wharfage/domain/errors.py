"""Every reason to refuse, as one tree.

Refused
├── Malformed                 the request cannot be read
│   ├── NotifyRefused         a payment channel's notify that is not believed
│   └── BillRefused           a payment channel's bill that is not believed
├── Unauthenticated           nobody we know is asking
│   ├── WrongCredentials
│   └── SessionEnded
├── InsufficientFunds         the balance does not cover it
├── AccountSuspended          there was a debt for too long
├── Forbidden                 known, and not allowed
│   ├── Banned
│   ├── AccountFrozen
│   └── OrderRefused
├── NotFound                  there is no such thing, or it is somebody else's
├── StateConflict             its state does not allow it now
│   ├── StaleClaim
│   ├── StaleBoot
│   ├── EmailTaken
│   ├── OrderNotOpen
│   ├── OrderInReview
│   ├── NotRefundable
│   └── NotInvoiceable
├── OutdatedVersion           changed since it was read
├── TooLarge                  over a limit on size
├── Invalid                   readable, and not acceptable
│   ├── KeyReused
│   ├── CodeRejected
│   └── PoolUnknown
├── RateLimited               too often; later is fine
├── LimitReached              an account's own limit
└── Unavailable               not now; try again
    └── Unanswered            the outcome is unknown

A refusal is understood and will not be done; nothing has changed. It knows nothing of HTTP.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One place in a request that is wrong: a JSON pointer, a stable code, a sentence."""

    pointer: str
    code: str
    message: str


@dataclass(eq=False)
class Refused(Exception):
    """Understood, and will not be done."""

    code: ClassVar[str] = "refused"

    @property
    def facts(self) -> dict[str, Any]:
        """What the caller needs to know, by name."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def __str__(self) -> str:
        return f"{self.code} {self.facts}" if self.facts else self.code


@dataclass(eq=False, kw_only=True)
class Malformed(Refused):
    """The request cannot be read as what it should be."""

    code: ClassVar[str] = "malformed"
    faults: tuple[Fault, ...] = ()


@dataclass(eq=False, kw_only=True)
class NotifyRefused(Malformed):
    """A payment channel's notify is not believed; *step* is the check that failed."""

    code: ClassVar[str] = "notify_refused"
    step: str


@dataclass(eq=False, kw_only=True)
class BillRefused(Malformed):
    """A payment channel's bill is not believed; *reason* is what is wrong with it."""

    code: ClassVar[str] = "bill_refused"
    reason: str


@dataclass(eq=False)
class Unauthenticated(Refused):
    """Nobody we know is asking: sign in."""

    code: ClassVar[str] = "unauthenticated"


@dataclass(eq=False)
class WrongCredentials(Unauthenticated):
    """The e-mail address or the password is wrong; which of them is not said."""

    code: ClassVar[str] = "wrong_credentials"


@dataclass(eq=False)
class SessionEnded(Unauthenticated):
    """The session was signed out, revoked or has expired."""

    code: ClassVar[str] = "session_ended"


@dataclass(eq=False, kw_only=True)
class InsufficientFunds(Refused):
    """The available balance does not cover the hold, nor do the units that are left, if any."""

    code: ClassVar[str] = "insufficient_funds"
    required_fen: int
    available_fen: int
    required_units: int | None = None
    available_units: int | None = None


@dataclass(eq=False, kw_only=True)
class AccountSuspended(Refused):
    """A debt was not paid in time; new work is refused until it is."""

    code: ClassVar[str] = "account_suspended"
    debt_fen: int


@dataclass(eq=False)
class Forbidden(Refused):
    """Known, and not allowed to do this; *why* is a sentence for the caller."""

    code: ClassVar[str] = "forbidden"
    why: str | None = None


@dataclass(eq=False)
class Banned(Forbidden):
    """The operator has banned this account."""

    code: ClassVar[str] = "banned"


@dataclass(eq=False)
class AccountFrozen(Forbidden):
    """The account's money is frozen; new work is refused."""

    code: ClassVar[str] = "account_frozen"


@dataclass(eq=False, kw_only=True)
class OrderRefused(Forbidden):
    """The order is too unusual by *rule*, or the operator has refused it."""

    code: ClassVar[str] = "order_refused"
    rule: str


@dataclass(eq=False, kw_only=True)
class NotFound(Refused):
    """There is no such thing, or it belongs to somebody else."""

    code: ClassVar[str] = "not_found"
    what: str


@dataclass(eq=False, kw_only=True)
class StateConflict(Refused):
    """The thing's present state does not allow it."""

    code: ClassVar[str] = "state_conflict"
    state: str | None = None


@dataclass(eq=False, kw_only=True)
class StaleClaim(StateConflict):
    """The report names a claim that no longer holds: stop and remove that container."""

    code: ClassVar[str] = "stale_claim"


@dataclass(eq=False, kw_only=True)
class StaleBoot(StateConflict):
    """Another start of this host's agent has taken over, or its lease ran out: begin anew."""

    code: ClassVar[str] = "stale_boot"


@dataclass(eq=False, kw_only=True)
class EmailTaken(StateConflict):
    """An account with this e-mail address exists."""

    code: ClassVar[str] = "email_taken"


@dataclass(eq=False, kw_only=True)
class OrderNotOpen(StateConflict):
    """The order is no longer waiting for a payment."""

    code: ClassVar[str] = "order_not_open"


@dataclass(eq=False, kw_only=True)
class OrderInReview(StateConflict):
    """The order is unusual by *rule* and waits for the operator, at most until *decided_before*."""

    code: ClassVar[str] = "order_in_review"
    rule: str
    decided_before: datetime


@dataclass(eq=False, kw_only=True)
class NotRefundable(StateConflict):
    """Only *refundable_fen* of the order can go back. `renewed`: a later month has to go first."""

    code: ClassVar[str] = "not_refundable"
    refundable_fen: int


@dataclass(eq=False, kw_only=True)
class NotInvoiceable(StateConflict):
    """The month is not over, nothing paid in it is left, or it has an invoice: *reason* says."""

    code: ClassVar[str] = "not_invoiceable"
    reason: str


@dataclass(eq=False)
class OutdatedVersion(Refused):
    """The thing has changed since it was read."""

    code: ClassVar[str] = "outdated_version"


@dataclass(eq=False, kw_only=True)
class TooLarge(Refused):
    """Over a limit on size."""

    code: ClassVar[str] = "too_large"
    limit_bytes: int


@dataclass(eq=False, kw_only=True)
class Invalid(Refused):
    """Readable, and not acceptable; *faults* says where."""

    code: ClassVar[str] = "invalid"
    faults: tuple[Fault, ...] = ()


@dataclass(eq=False, kw_only=True)
class KeyReused(Invalid):
    """The idempotency key was used before with another body."""

    code: ClassVar[str] = "idempotency_key_reused"


@dataclass(eq=False, kw_only=True)
class CodeRejected(Invalid):
    """The one-time code is unknown, used or has expired."""

    code: ClassVar[str] = "code_rejected"


@dataclass(eq=False, kw_only=True)
class PoolUnknown(Invalid):
    """There is no such pool for this account."""

    code: ClassVar[str] = "pool_unknown"
    pool: str


@dataclass(eq=False, kw_only=True)
class RateLimited(Refused):
    """Too many in this window; after *retry_after_seconds* it is fine again."""

    code: ClassVar[str] = "rate_limited"
    action: str
    limit: int
    window_seconds: int
    retry_after_seconds: int


@dataclass(eq=False, kw_only=True)
class LimitReached(Refused):
    """An account's own limit: which, how much is used, how much was asked."""

    code: ClassVar[str] = "limit_reached"
    limit_name: str
    limit: int
    used: int
    asked: int


@dataclass(eq=False, kw_only=True)
class Unavailable(Refused):
    """Not now: the product itself is busy or a part of it is away."""

    code: ClassVar[str] = "unavailable"
    retry_after_seconds: int = 2


@dataclass(eq=False, kw_only=True)
class Unanswered(Unavailable):
    """Something we depend on did not answer, so the outcome is unknown; repeating is safe."""

    code: ClassVar[str] = "unanswered"


def fault(pointer: str, code: str, message: str) -> Invalid:
    """Make the refusal for one wrong place."""
    return Invalid(faults=(Fault(pointer=pointer, code=code, message=message),))

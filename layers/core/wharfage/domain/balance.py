"""Money an account has, what is set aside for its work, and every move of money or units."""

from datetime import datetime
from enum import StrEnum

from wharfage.domain.record import Record

REVENUE = "revenue"  #: The system account that captured money and units go to.


class Balance(Record, frozen=True, kw_only=True):
    """What an account can spend, and what its open holds keep.

    At every instant available + held - debt is the sum of the account's entries.
    """

    account: str
    available: int = 0
    held: int = 0
    debt: int = 0
    frozen_at: datetime | None = None
    frozen_by: str | None = None  #: The operator who froze it by hand, or lost a dispute of it.
    disputes: int = 0  #: Those that are open; each keeps it frozen.
    suspended_at: datetime | None = None


class HoldState(StrEnum):
    """Whether a hold still keeps money."""

    OPEN = "open"  #: Its amount is part of the account's `held`.
    SETTLED = "settled"  #: Captured in part or whole, the rest released; for good.


class Hold(Record, frozen=True, kw_only=True):
    """Money or units set aside for one job; closed exactly once, with the job's end.

    Never both: a job is paid whole from one source.
    """

    id: str
    account: str
    job: str
    amount_fen: int
    created_at: datetime
    units: int = 0  #: Set aside instead of money, in the period that began at *period*.
    period: datetime | None = None
    state: HoldState = HoldState.OPEN
    captured_fen: int = 0
    captured_units: int = 0
    settled_at: datetime | None = None
    version: int = 1


class EntryCode(StrEnum):
    """Why money or units moved."""

    TOPUP = "topup"  #: A paid order: from the channel's clearing account to the customer.
    MEMBERSHIP = "membership"  #: A month of membership: from the customer to revenue.
    UNITS = "units"  #: That month's units: from the plan to the customer.
    USE = "use"  #: An attempt's cost: from the customer to revenue.
    LAPSE = "lapse"  #: Units that a month ended with: from the customer back to the plan.
    REFUND = "refund"  #: Money that goes back by its trade: from the customer to clearing.
    REFUND_REVERSAL = "refund_reversal"  #: That refund came to nothing, and the money is back.
    DISPUTE = "dispute"  #: What is disputed: from the customer to the channel's disputed account.
    DISPUTE_REVERSAL = "dispute_reversal"  #: That dispute was won, and the money is back.
    MEMBERSHIP_RETURN = (
        "membership_return"  #: What unused units had cost: from revenue, to go back.
    )
    UNITS_RETURN = "units_return"  #: Those units: from the customer back to the plan.
    MEMBERSHIP_AGAIN = "membership_again"  #: That came to nothing: their price is revenue again.
    UNITS_AGAIN = "units_again"  #: And the units are the customer's again.
    ADJUSTMENT = "adjustment"  #: Booked by the operator, with a reason.


class Entry(Record, frozen=True, kw_only=True):
    """One immutable move of money or units: what it adds to the account; a use is negative.

    Its key is (code, reference), so the same move cannot be posted twice. A move of units names
    the beginning of the period that they belong to.
    """

    account: str
    code: EntryCode
    reference: str
    amount_fen: int
    debit: str
    credit: str
    posted_at: datetime
    note: str | None = None
    units: int = 0
    period: datetime | None = None

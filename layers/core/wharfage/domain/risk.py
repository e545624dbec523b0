"""Risk: what makes an order unusual before anybody pays it, and what is done about it then."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from msgspec.structs import replace

from wharfage.domain.record import Record


class Outcome(StrEnum):
    """What the rules say of an order, the mildest first."""

    ALLOW = "allow"  #: It can be paid at once.
    REVIEW = "review"  #: It is made, and can be paid once the operator has approved it.
    REFUSE = "refuse"  #: It is not made.


class Rule(StrEnum):
    """What an order is measured by; the one that flagged it is told to its customer."""

    ORDERS = "orders_in_window"  #: How many orders the account has opened in the window.
    WINDOW_AMOUNT = "amount_in_window"  #: What those orders come to.
    AMOUNT = "amount"  #: This order alone.
    NEW_ACCOUNT = "new_account"  #: This order alone, of an account that is still new.


class Thresholds(Record, frozen=True, kw_only=True):
    """A measure above *review* is looked at, one above *refuse* is turned down."""

    review: int
    refuse: int

    def outcome(self, measure: int) -> Outcome:
        """Say what a measure means; one that equals a threshold is not above it."""
        if measure > self.refuse:
            return Outcome.REFUSE
        return Outcome.REVIEW if measure > self.review else Outcome.ALLOW


class OrderRules(Record, frozen=True, kw_only=True):
    """The rules that every order is held against; amounts in fen."""

    version: str
    window_seconds: int
    review_seconds: int  #: How long a flagged order waits for the operator, then it expires.
    new_account_seconds: int
    orders_in_window: Thresholds
    amount_in_window: Thresholds
    amount: Thresholds
    new_account: Thresholds


class OrderFlow(Record, frozen=True, kw_only=True):
    """What one account has ordered in one window, paid or not."""

    account: str
    window: str
    orders: int = 0
    amount_fen: int = 0
    expires_at: datetime
    version: int = 0

    def with_order(self, amount_fen: int) -> "OrderFlow":
        """Count one more order."""
        return replace(
            self,
            orders=self.orders + 1,
            amount_fen=self.amount_fen + amount_fen,
            version=self.version + 1,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What the rules say of one order, and the rule that said it."""

    outcome: Outcome = Outcome.ALLOW
    rule: Rule | None = None


class ReviewState(StrEnum):
    """Where the operator's look at a flagged order stands."""

    PENDING = "pending"  #: Nobody has decided; the order cannot be paid.
    APPROVED = "approved"  #: It can be paid like any other.
    REFUSED = "refused"  #: It was closed; the customer may ask the operator why.
    EXPIRED = "expired"  #: Shown, never stored: the order was closed before anybody decided.


class Review(Record, frozen=True, kw_only=True):
    """The operator's look at a flagged order, as the order keeps it."""

    state: ReviewState
    rule: Rule
    decided_at: datetime | None = None
    decided_by: str | None = None


def flow_of(account: str, rules: OrderRules, now: datetime) -> OrderFlow:
    """Begin the flow of an account in the window that *now* is in."""
    start = int(now.timestamp()) // rules.window_seconds * rules.window_seconds
    ends_at = datetime.fromtimestamp(start, UTC) + timedelta(seconds=rules.window_seconds)
    return OrderFlow(account=account, window=str(start), expires_at=ends_at)


def assess(
    rules: OrderRules, flow: OrderFlow, *, amount_fen: int, account_age: timedelta
) -> Verdict:
    """Hold one order against every rule; *flow* has it counted. The strictest outcome wins.

    Of rules that agree the first of `Rule` is named.
    """
    measures = [
        (Rule.ORDERS, rules.orders_in_window, flow.orders),
        (Rule.WINDOW_AMOUNT, rules.amount_in_window, flow.amount_fen),
        (Rule.AMOUNT, rules.amount, amount_fen),
    ]
    if account_age < timedelta(seconds=rules.new_account_seconds):
        measures.append((Rule.NEW_ACCOUNT, rules.new_account, amount_fen))
    found = [(thresholds.outcome(measure), rule) for rule, thresholds, measure in measures]
    for outcome in (Outcome.REFUSE, Outcome.REVIEW):
        for said, rule in found:
            if said is outcome:
                return Verdict(outcome=outcome, rule=rule)
    return Verdict()

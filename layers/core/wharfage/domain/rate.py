"""Rates: how often one principal may do an action in a fixed window, each with its name."""

from dataclasses import dataclass

from wharfage.domain import limits


@dataclass(frozen=True, kw_only=True, slots=True)
class Rate:
    """So many of an action for each principal in each window."""

    action: str
    limit: int
    seconds: int


SUBMITS = Rate(action="jobs.submit", limit=limits.SUBMITS_PER_MINUTE, seconds=60)
UPLOADS = Rate(action="uploads.create", limit=limits.UPLOADS_PER_MINUTE, seconds=60)
ORDERS = Rate(action="orders", limit=limits.OPEN_ORDERS_MAX, seconds=limits.ORDER_SECONDS)
SIGN_INS_TO_ACCOUNT = Rate(
    action="sessions.sign_in",
    limit=limits.SIGN_INS_PER_EMAIL,
    seconds=limits.SIGN_IN_WINDOW_SECONDS,
)
SIGN_INS_FROM_ADDRESS = Rate(
    action="sessions.address",
    limit=limits.SIGN_INS_PER_ADDRESS,
    seconds=limits.SIGN_IN_WINDOW_SECONDS,
)
REGISTRATIONS = Rate(
    action="accounts.register",
    limit=limits.REGISTRATIONS_PER_ADDRESS,
    seconds=limits.SIGN_IN_WINDOW_SECONDS,
)
OPERATOR_CODES = Rate(
    action="accounts.operator",
    limit=limits.OPERATOR_CODES_PER_ADDRESS,
    seconds=limits.SIGN_IN_WINDOW_SECONDS,
)
NOTIFIES_FORGED = Rate(
    action="payments.forged", limit=limits.NOTIFIES_FORGED_PER_ADDRESS, seconds=60
)

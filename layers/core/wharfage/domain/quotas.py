"""Quotas: how much an account's live work may be at once, and commit in an hour and in a day."""

from typing import Annotated

from msgspec import Meta

from wharfage.domain import limits
from wharfage.domain.record import Body, View

Raised = Annotated[int, Meta(ge=0, le=limits.QUOTA_MAX)] | None


class Quotas(Body, frozen=True, kw_only=True):
    """What the operator has set for an account instead of the defaults; None: the default."""

    live_jobs: Raised = None
    queued_jobs: Raised = None
    vcpu_millis: Raised = None
    memory_mb: Raised = None
    spend_hour_fen: Raised = None
    spend_day_fen: Raised = None

    def limit(self, name: str) -> int:
        """Return the limit of this name that is in force."""
        own: int | None = getattr(self, name)
        return DEFAULTS[name] if own is None else own


class QuotasView(View, frozen=True, kw_only=True):
    """What is set for an account, and what is in force with the defaults for the rest."""

    account: str
    own: Quotas
    in_force: dict[str, int]

    @classmethod
    def of(cls, account: str, own: Quotas) -> "QuotasView":
        """Show an account's quotas."""
        return cls(account=account, own=own, in_force={name: own.limit(name) for name in DEFAULTS})


class QuotaLine(View, frozen=True, kw_only=True):
    """One limit of an account, and how much of it is used now."""

    name: str
    limit: int
    used: int


#: Checked in this order: the first that is passed is the one a refusal names.
DEFAULTS = {
    "live_jobs": limits.ACCOUNT_LIVE_JOBS,
    "queued_jobs": limits.ACCOUNT_QUEUED_JOBS,
    "vcpu_millis": limits.ACCOUNT_VCPU_MILLIS,
    "memory_mb": limits.ACCOUNT_MEMORY_MB,
    "spend_hour_fen": limits.ACCOUNT_SPEND_HOUR_FEN,
    "spend_day_fen": limits.ACCOUNT_SPEND_DAY_FEN,
}

NONE_SET = Quotas()  #: Every limit is the default.

"""Rate windows: how often a principal may do an action, counted in the very write that does it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from wharfage import items
from wharfage.domain.account import RateWindow
from wharfage.domain.errors import RateLimited
from wharfage.domain.rate import Rate
from wharfage.ports import Ports
from wharfage.transaction import Update, below


def count(rate: Rate, principal: str, *, now: datetime) -> Update:
    """Count one action in the fixed window that *now* is in.

    The commit raises RateLimited when the window is full already.
    """
    start = int(now.timestamp()) // rate.seconds * rate.seconds
    ends_at = datetime.fromtimestamp(start, UTC) + timedelta(seconds=rate.seconds)
    row = RateWindow(
        action=rate.action, principal=principal, window=str(start), count=0, expires_at=ends_at
    )
    wait_seconds = -(-(ends_at - now) // timedelta(seconds=1))
    return replace(
        items.merge(row, without=("count",)),
        add={"count": 1},
        when=[below("count", rate.limit)],
        otherwise=RateLimited(
            action=rate.action,
            limit=rate.limit,
            window_seconds=rate.seconds,
            retry_after_seconds=wait_seconds,
        ),
    )


def take(ports: Ports, rate: Rate, principal: str) -> None:
    """Count one action on its own, before the work that it guards. One conditional write.

    Raises: RateLimited.
    """
    ports.store.commit(count(rate, principal, now=ports.clock.now()))

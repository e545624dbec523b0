"""When the control plane may take leases away: only while it is itself in good health."""

from datetime import datetime, timedelta

from wharfage.domain import limits
from wharfage.domain.host import Watch

_STALE = timedelta(seconds=limits.SWEEP_STALE_SECONDS)
_RESPITE = timedelta(seconds=limits.LEASE_SECONDS + limits.LEASE_GRACE_SECONDS)


def fit_to_judge(watch: Watch, now: datetime) -> bool:
    """Tell whether a host's silence may be held against it.

    When no host at all has been heard for a while, or no sweep has run, the fault may be ours:
    then everybody gets one more lease and its grace to be heard again.
    """
    if watch.heartbeat_seen_at is None:
        return False
    if watch.unfit_until is not None and now < watch.unfit_until:
        return False
    silence = now - watch.heartbeat_seen_at
    return silence <= _STALE or silence >= _STALE + _RESPITE


def swept(watch: Watch, now: datetime) -> Watch:
    """Note that a sweep runs now; after a pause of sweeping nobody is judged for a while.

    The answer holds only what changes, to be merged into the mark.
    """
    paused = watch.swept_at is None or now - watch.swept_at > _STALE
    return Watch(swept_at=now, unfit_until=now + _RESPITE if paused else None)


def given_up(watch: Watch, ready_hosts: int, now: datetime) -> tuple[datetime, int] | None:
    """Return the minute and count after giving up one more host; None if it must wait."""
    most = max(1, ready_hosts * limits.HOSTS_GIVEN_UP_PERCENT // 100)
    since, count = watch.given_up_at, watch.given_up or 0
    if since is None or now - since >= timedelta(minutes=1):
        return now, 1
    return (since, count + 1) if count < most else None

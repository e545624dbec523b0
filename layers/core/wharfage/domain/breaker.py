"""The breaker of a payment channel: one that does not answer gets no new orders for a while.

It learns from the calls that are made anyhow, and stops nothing but new orders: money in doubt
is asked about whatever it says.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from wharfage.domain import limits

_WINDOW = timedelta(seconds=limits.BREAKER_WINDOW_SECONDS)
_OPEN = timedelta(seconds=limits.BREAKER_OPEN_SECONDS)
_TRIAL = timedelta(seconds=limits.BREAKER_TRIAL_SECONDS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Breaker:
    """What one channel's latest calls say: closed, open, or half-open with room for one trial."""

    missed: tuple[datetime, ...] = ()  #: The latest calls, none of which was answered.
    opened_at: datetime | None = None
    tried_at: datetime | None = None  #: When the trial began; its outcome is not known yet.

    def rest_seconds(self, now: datetime) -> int:
        """Say for how long no new order goes to the channel, in whole seconds; 0 if one may."""
        if self.opened_at is None:
            return 0
        until = self.opened_at + _OPEN
        if self.tried_at is not None:
            until = max(until, self.tried_at + _TRIAL)
        return max(0, math.ceil((until - now).total_seconds()))

    def taking(self, now: datetime) -> "Breaker":
        """Let one new order through; where the breaker is half-open it is the trial."""
        assert not self.rest_seconds(now), "it takes no order now"
        return self if self.opened_at is None else replace(self, tried_at=now)

    def answered(self) -> "Breaker":
        """Close: an answer, whichever it is, shows that the channel is there."""
        return CLOSED

    def unanswered(self, now: datetime) -> "Breaker":
        """Count a call without an answer; so many in a row within the window open it.

        One that is half-open opens again. One that is open has heard this before.
        """
        if self.opened_at is not None:
            half_open = now >= self.opened_at + _OPEN
            return Breaker(opened_at=now) if half_open else self
        missed = (*(at for at in self.missed if now - at < _WINDOW), now)
        if len(missed) < limits.BREAKER_MISSES:
            return replace(self, missed=missed)
        return Breaker(opened_at=now)


CLOSED = Breaker()

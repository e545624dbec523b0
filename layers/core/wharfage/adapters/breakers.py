"""Breakers of payment channels: what this process has heard of each, and a channel that heeds it.

They are this process's own: another Lambda instance finds out by its own calls, at the price of a
few more that nobody answers, and no new order waits for a store.
"""

import logging
import threading
from collections.abc import Callable
from datetime import date

from wharfage.domain.bill import Bill
from wharfage.domain.breaker import CLOSED, Breaker
from wharfage.domain.errors import Refused, Unanswered, Unavailable
from wharfage.domain.order import Order
from wharfage.domain.refund import Refund, RefundStatus, RefundView
from wharfage.domain.trade import (
    UNNAMED,
    Acknowledgement,
    Capabilities,
    CloseOutcome,
    NotifyRequest,
    PayAction,
    Payer,
    PayMethod,
    Reception,
    TradeEvent,
    TradeStatus,
    TradeView,
)
from wharfage.ports import Channel, Clock

logger = logging.getLogger(__name__)


class Breakers:
    """The breaker of each channel; threads share them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._breakers: dict[str, Breaker] = {}

    def rest_seconds(self, channel: str) -> int:
        """Say for how long no new order goes to a channel; 0 if it takes them."""
        return self._breakers.get(channel, CLOSED).rest_seconds(self._clock.now())

    def around(self, channel: Channel) -> Channel:
        """Make a channel that heeds its breaker, and tells it what it hears."""
        return Guarded(channel, self)

    def take(self, channel: str) -> None:
        """Let a new order through, if it may. Raises: Unavailable, with the time to wait."""
        with self._lock:
            now, before = self._clock.now(), self._breakers.get(channel, CLOSED)
            rest = before.rest_seconds(now)
            if rest:
                raise Unavailable(retry_after_seconds=rest)
            self._breakers[channel] = before.taking(now)

    def answered(self, channel: str) -> None:
        """Note that a call was answered."""
        self._move(channel, lambda breaker: breaker.answered())

    def unanswered(self, channel: str) -> None:
        """Note that a call was not answered."""
        now = self._clock.now()
        self._move(channel, lambda breaker: breaker.unanswered(now))

    def _move(self, channel: str, move: Callable[[Breaker], Breaker]) -> None:
        with self._lock:
            before = self._breakers.get(channel, CLOSED)
            after = self._breakers[channel] = move(before)
        if (before.opened_at is None) != (after.opened_at is None):
            what = "channel.rests" if after.opened_at else "channel.answers"
            logger.warning(what, extra={"action": "channel", "channel": channel})


class Guarded:
    """A channel behind its breaker. Only new orders heed it; every other call is always made."""

    def __init__(self, channel: Channel, breakers: Breakers) -> None:
        self._channel = channel
        self._breakers = breakers

    @property
    def name(self) -> str:
        return self._channel.name

    @property
    def seller(self) -> str:
        return self._channel.seller

    @property
    def capabilities(self) -> Capabilities:
        return self._channel.capabilities

    def create(self, order: Order, method: PayMethod, payer: Payer = UNNAMED) -> PayAction:
        """Say how to pay. Raises: Unavailable at once while the channel gets no new orders."""
        self._breakers.take(self.name)
        if method in self.capabilities.offline:
            return self._channel.create(order, method, payer)
        try:
            action = self._channel.create(order, method, payer)
        except Unanswered:
            self._breakers.unanswered(self.name)
            raise
        except Refused:
            self._breakers.answered(self.name)
            raise
        self._breakers.answered(self.name)
        return action

    def parse_notify(self, request: NotifyRequest) -> TradeEvent:
        return self._channel.parse_notify(request)

    def acknowledge(self, reception: Reception) -> Acknowledgement:
        return self._channel.acknowledge(reception)

    def query(self, order: Order) -> TradeView:
        view = self._channel.query(order)
        self._hear(order, known=view.status is not TradeStatus.UNKNOWN)
        return view

    def close(self, order: Order) -> CloseOutcome:
        outcome = self._channel.close(order)
        self._hear(order, known=outcome is not CloseOutcome.UNKNOWN)
        return outcome

    def refund(self, order: Order, refund: Refund) -> RefundView:
        view = self._channel.refund(order, refund)
        self._hear(order, known=view.status is not RefundStatus.UNKNOWN)
        return view

    def query_refund(self, order: Order, refund: Refund) -> RefundView:
        view = self._channel.query_refund(order, refund)
        self._hear(order, known=view.status is not RefundStatus.UNKNOWN)
        return view

    def fetch_bill(self, day: date) -> Bill:
        return self._channel.fetch_bill(day)

    def _hear(self, order: Order, *, known: bool) -> None:
        """Tell the breaker, unless the channel cannot even have been asked."""
        if self.capabilities.references and order.reference is None:
            return
        if known:
            self._breakers.answered(self.name)
        else:
            self._breakers.unanswered(self.name)

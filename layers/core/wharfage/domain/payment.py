"""Payments: facts from a channel, kept apart from the order that they pay."""

from datetime import datetime

from wharfage.domain.record import Record


class Payment(Record, frozen=True, kw_only=True):
    """A fact from a channel about an order: this trade paid this amount."""

    order: str
    channel: str
    trade_no: str
    amount_fen: int
    recorded_at: datetime
    duplicate: bool = False  #: The order was already paid by another trade; to be refunded.


class TradeBinding(Record, frozen=True, kw_only=True):
    """Makes a channel's trade number belong to one order, for all time."""

    channel: str
    trade_no: str
    order: str

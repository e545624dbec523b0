"""Routing: which channel an order is paid by, the one its customer names or the first that fits."""

from collections.abc import Mapping
from dataclasses import dataclass

from wharfage.domain.errors import Invalid, Unavailable, fault
from wharfage.domain.trade import CURRENCY, Capabilities, PayMethod


@dataclass(frozen=True, kw_only=True, slots=True)
class Offer:
    """A channel as it stands: what it can do, and for how long it gets no new orders."""

    capabilities: Capabilities
    rest_seconds: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What is to be paid, and in which way, if that matters yet."""

    amount_fen: int
    method: PayMethod | None = None
    currency: str = CURRENCY


def choose(offers: Mapping[str, Offer], wish: Wish, *, named: str | None = None) -> str:
    """Choose a channel: the *named* one and no other, or the first of *offers* that fits.

    Raises: Invalid where none ever fits; Unavailable, with the time to wait, where those that fit
    get no new orders now.
    """
    if named is not None:
        if named not in offers:
            raise fault("/channel", "channel_unknown", "There is no such channel here.")
        offers = {named: offers[named]}
    if not offers:
        raise Unavailable
    misfits = {name: misfit(name, offer.capabilities, wish) for name, offer in offers.items()}
    fitting = [name for name, wrong in misfits.items() if wrong is None]
    for name in fitting:
        if not offers[name].rest_seconds:
            return name
    if fitting:
        seconds = min(offers[name].rest_seconds for name in fitting)
        raise Unavailable(retry_after_seconds=seconds)
    raise next(wrong for wrong in misfits.values() if wrong is not None)


def misfit(name: str, offer: Capabilities, wish: Wish) -> Invalid | None:
    """Say what of a wish a channel cannot do; None if it can do it all."""
    if wish.method is not None and wish.method not in offer.methods:
        ways = ", ".join(sorted(offer.methods))
        return fault("/method", "method_unknown", f"{name} is paid by {ways}.")
    if wish.currency not in offer.currencies:
        return fault("/channel", "channel_currency", f"{name} does not take {wish.currency}.")
    if not offer.amount_fen_min <= wish.amount_fen <= offer.amount_fen_max:
        least, most = offer.amount_fen_min, offer.amount_fen_max
        bound = f"{least} fen or more" if wish.amount_fen < least else f"{most} fen at most"
        return fault("/amount_fen", "channel_limit", f"{name} takes {bound}.")
    return None

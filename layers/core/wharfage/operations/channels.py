"""Channels: what an order can be paid by, shown to clients and chosen from, and who pays."""

from ipaddress import ip_address

from wharfage.domain import limits, routing
from wharfage.domain.errors import fault
from wharfage.domain.record import View
from wharfage.domain.routing import Offer, Wish
from wharfage.domain.trade import CURRENCY, Payer, PayMethod
from wharfage.ports import Ports


class ChannelOffer(View, frozen=True, kw_only=True):
    """A channel that orders can be paid by: in which ways, and from which amount to which.

    While it is not *available* it does not answer us, and takes new orders in
    *retry_after_seconds* at the earliest.
    """

    name: str
    methods: list[PayMethod]
    currency: str
    amount_fen_min: int
    amount_fen_max: int
    available: bool
    retry_after_seconds: int | None

    @classmethod
    def of(cls, name: str, offer: Offer) -> "ChannelOffer":
        """Show a channel, with its limits and ours together."""
        can = offer.capabilities
        return cls(
            name=name,
            methods=[method for method in PayMethod if method in can.methods],
            currency=CURRENCY,
            amount_fen_min=max(can.amount_fen_min, limits.TOPUP_FEN_MIN),
            amount_fen_max=min(can.amount_fen_max, limits.TOPUP_FEN_MAX),
            available=not offer.rest_seconds,
            retry_after_seconds=offer.rest_seconds or None,
        )


def find_all(ports: Ports) -> list[ChannelOffer]:
    """Show the channels, the preferred one first."""
    return [ChannelOffer.of(name, offer) for name, offer in _offers(ports).items()]


def choose(ports: Ports, wish: Wish, *, named: str | None) -> str:
    """Choose the channel of an order. Raises: Invalid, Unavailable."""
    return routing.choose(_offers(ports), wish, named=named)


def payer(
    method: PayMethod, *, openid: str | None, payer_ip: str | None, address: str | None
) -> Payer:
    """Say who pays, as far as this way of paying needs it; *address* is where the request is from.

    Raises: Invalid, for what is missing, cannot be an address, or is not needed.
    """
    if method is PayMethod.JSAPI and openid is None:
        raise fault("/openid", "missing", "This way of paying needs the payer's openid.")
    if method is not PayMethod.JSAPI and openid is not None:
        raise fault("/openid", "unknown", "Only `jsapi` has use for an openid.")
    if method is not PayMethod.WAP and payer_ip is not None:
        raise fault("/payer_ip", "unknown", "Only `wap` has use for the payer's address.")
    if method is not PayMethod.WAP:
        return Payer(openid=openid)
    return Payer(address=address if payer_ip is None else _address(payer_ip))


def _address(text: str) -> str:
    try:
        found = ip_address(text)
    except ValueError:
        found = None
    if found is None or "%" in text:
        raise fault("/payer_ip", "address_invalid", "This is not an IP address.")
    return str(found)


def _offers(ports: Ports) -> dict[str, Offer]:
    return {
        name: Offer(
            capabilities=channel.capabilities, rest_seconds=ports.breakers.rest_seconds(name)
        )
        for name, channel in ports.channels.items()
    }

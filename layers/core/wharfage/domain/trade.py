"""Trades: what a payment channel says about an order, whichever way the news came."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

#: Alipay's largest amount, 100,000,000 yuan (total_amount in its trade API).
AMOUNT_FEN_MAX = 10_000_000_000
CURRENCY = "CNY"  #: What orders are counted in.
_YUAN = re.compile(r"(0|[1-9][0-9]{0,8})(?:\.([0-9]{1,2}))?", re.ASCII)


class PayMethod(StrEnum):
    """How the customer means to pay."""

    PAGE = "page"  #: A web page to be redirected to.
    WAP = "wap"  #: A web page on a phone, which opens the channel's app.
    APP = "app"  #: A text that an app on the phone hands to the channel's app.
    JSAPI = "jsapi"  #: A text that a page within the channel's app hands to that app.
    QR = "qr"  #: A text to be shown as a QR code and scanned.


@dataclass(frozen=True, kw_only=True, slots=True)
class Payer:
    """What a channel may want to know of who pays: *openid*, their name at the channel for our app
    there, and *address*, where their browser is.
    """

    openid: str | None = None
    address: str | None = None


UNNAMED = Payer()  #: Who pays in a way for which nobody has to be known.


@dataclass(frozen=True, kw_only=True, slots=True)
class PayAction:
    """What the client has to do: open *url*, show *qr_text* as a QR code, or hand *app_string*
    to the channel's app. *reference*: the channel's own name of what was made, which the order
    keeps.
    """

    method: PayMethod
    url: str | None = None
    qr_text: str | None = None
    app_string: str | None = None
    reference: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Capabilities:
    """What a channel can do; what it cannot is refused before it is asked."""

    methods: frozenset[PayMethod]
    amount_fen_min: int
    amount_fen_max: int
    currencies: frozenset[str] = frozenset({CURRENCY})
    offline: frozenset[PayMethod] = frozenset()  #: Ways that are made without asking it.
    references: bool = False  #: It names what it makes of an order, and is asked by that name.
    partial_refunds: bool = True
    refunds_async: bool = False  #: A refund is only taken on by the call; the end comes later.
    closes: bool = True  #: An unpaid trade can be ended.


class TradeStatus(StrEnum):
    """A channel's word on a trade, in our terms."""

    WAITING = "waiting"  #: The customer has seen it and not paid yet.
    SUCCESS = "success"  #: Paid; can be refunded.
    FINISHED = "finished"  #: Paid; can no longer be refunded.
    CLOSED = "closed"  #: Not paid, or refunded whole.
    NOT_FOUND = "not_found"  #: The channel does not know it: nobody has scanned it yet.
    UNKNOWN = "unknown"  #: The channel did not answer in a way we can believe.

    @property
    def paid(self) -> bool:
        """Tell whether the customer's money has arrived."""
        return self in {TradeStatus.SUCCESS, TradeStatus.FINISHED}


@dataclass(frozen=True, kw_only=True, slots=True)
class TradeView:
    """What a channel says of an order's trade. *refunded*: it speaks of a refund, too, which
    *refund_no* is the request number of if it says so.
    """

    status: TradeStatus
    trade_no: str | None = None
    amount_fen: int | None = None  #: None when the channel named none that can be read strictly.
    refunded: bool = False
    refund_no: str | None = None

    def __post_init__(self) -> None:
        assert not self.status.paid or self.trade_no, "money arrives by a trade that has a number"


@dataclass(frozen=True, kw_only=True, slots=True)
class TradeEvent:
    """A notify whose signature is good. *ambiguous*: its text could be read in two ways."""

    channel: str
    order: str
    seller: str | None
    trade: TradeView
    ambiguous: bool = False


class CloseOutcome(StrEnum):
    """What became of an attempt to close a trade."""

    CLOSED = "closed"
    NOT_FOUND = "not_found"  #: Nobody ever scanned it: as good as closed.
    NOT_WAITING = "not_waiting"  #: It is paid or closed already; a query says which.
    UNKNOWN = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class NotifyRequest:
    """A notify as it arrived: exact body bytes, decoded from base64 if the gateway coded them.

    The names of *headers* are in lower case.
    """

    method: str
    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


class Reception(StrEnum):
    """How a notify was received; each channel has its own words for these."""

    ACCEPTED = "accepted"  #: What it says is durable.
    REFUSED = "refused"  #: It is not believed.
    FAILED = "failed"  #: It could not be acted on now: the channel shall send it again.


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledgement:
    """The answer to a notify, in the channel's own form."""

    status: int
    content_type: str
    body: bytes


class NotifyStep(StrEnum):
    """The checks of a notify, in their order; the one that failed names its counter."""

    METHOD = "method"  #: Not a POST.
    CONTENT_TYPE = "content_type"  #: Not a form in UTF-8.
    SIZE = "size"  #: A body over 16 KiB.
    FORM = "form"  #: Not UTF-8, not a form, a name that no channel uses, or a name twice.
    SIGN_TYPE = "sign_type"  #: Another kind of signature than RSA2, or none named.
    CHARSET = "charset"  #: The text was signed in another charset than UTF-8.
    SIGN_FORMAT = "sign_format"  #: The signature is not strict base64 of the right length.
    KEY = "key"  #: Signed by another key than the one that is believed.
    STALE = "stale"  #: Signed too long ago, or ahead of our time, or at no time.
    APP = "app"  #: For another app.
    SIGNATURE = "signature"  #: The signature is not the channel's over these fields.
    SEAL = "seal"  #: Signed, and not encrypted by the key that we share.
    NOTIFY_TYPE = "notify_type"  #: Not news of a trade.
    FIELDS = "fields"  #: News of a trade that does not say which.
    ORDER = "order"  #: We have no such order; it may be on its way, so the channel repeats.
    SELLER = "seller"  #: Paid to somebody else, or nobody is named.
    AMOUNT = "amount"  #: Not the order's amount.
    TRADE = "trade"  #: The trade number belongs to another order.

    @property
    def forged(self) -> bool:
        """Tell whether what fails here may be anybody's: no channel is known to have signed it."""
        return _CHECKS.index(self) <= _CHECKS.index(NotifyStep.SIGNATURE)


_CHECKS = tuple(NotifyStep)


def yuan(amount_fen: int) -> str:
    """Write fen as yuan with exactly two decimals, as channels want it."""
    assert 0 < amount_fen <= AMOUNT_FEN_MAX, "an amount that no channel takes"
    return f"{amount_fen // 100}.{amount_fen % 100:02d}"


def fen(text: str) -> int | None:
    """Read a channel's yuan as fen; None unless it is a plain decimal of at most two places."""
    match = _YUAN.fullmatch(text)
    if match is None:
        return None
    whole, part = match.groups(default="")
    amount_fen = int(whole) * 100 + int(part.ljust(2, "0"))
    return amount_fen if amount_fen <= AMOUNT_FEN_MAX else None

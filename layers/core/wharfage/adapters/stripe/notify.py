"""Stripe's notifies: signed in a header over the raw body; each only says which object to fetch.

They come in any order and more than once, so nothing they say of an object's state is believed.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from wharfage.domain import limits
from wharfage.domain.errors import NotifyRefused
from wharfage.domain.trade import NotifyRequest, NotifyStep

CHANNEL = "stripe"
TOLERANCE_SECONDS = 300  #: How old, or how far ahead, what is signed may be.

_SIGNATURES_MAX = 8
_SECONDS = re.compile(r"[0-9]{1,12}", re.ASCII)
_HEX = re.compile(r"[0-9a-f]{64}", re.ASCII)
#: Kinds of objects that news is of, by how they lead to a Checkout session.
_SESSION, _REFUND = "checkout.session", "refund"
_PAID_BY = frozenset({"charge", _REFUND, "dispute"})
_ID = re.compile(r"[A-Za-z]{2,8}_[0-9A-Za-z_]{1,250}", re.ASCII)


class _Data(msgspec.Struct, frozen=True):
    object: dict[str, Any]


class _Event(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    type: str
    livemode: bool
    data: _Data
    account: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hint:
    """Where to look: a session by its id, or by the payment intent that paid it."""

    session: str | None = None
    intent: str | None = None
    account: str | None = None
    refund: str | None = None  #: The request number of a refund, or Stripe's own where it has none.


def parse(request: NotifyRequest, *, secret: str, live: bool, now: datetime) -> Hint:
    """Check a notify's form and signature. Raises: NotifyRefused."""
    if request.method != "POST":
        raise NotifyRefused(step=NotifyStep.METHOD)
    if request.content_type.partition(";")[0].strip().lower() != "application/json":
        raise NotifyRefused(step=NotifyStep.CONTENT_TYPE)
    if len(request.body) > limits.NOTIFY_BYTES_MAX:
        raise NotifyRefused(step=NotifyStep.SIZE)
    _check(request.headers.get("stripe-signature", ""), request.body, secret, now)
    try:
        event = msgspec.json.decode(request.body, type=_Event)
    except (msgspec.DecodeError, RecursionError):
        raise NotifyRefused(step=NotifyStep.FORM) from None
    if event.livemode is not live:
        raise NotifyRefused(step=NotifyStep.APP)
    return _hint(event)


def _check(header: str, body: bytes, secret: str, now: datetime) -> None:
    """Check the header: one time, and several signatures while a secret is being changed."""
    pairs = [part.partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    given = [value for name, _, value in pairs if name == "v1"]
    well_formed = 0 < len(given) <= _SIGNATURES_MAX and all(map(_HEX.fullmatch, given))
    if len(times) != 1 or not _SECONDS.fullmatch(times[0]) or not well_formed:
        raise NotifyRefused(step=NotifyStep.SIGN_FORMAT)
    if abs(now.timestamp() - int(times[0])) > TOLERANCE_SECONDS:
        raise NotifyRefused(step=NotifyStep.STALE)
    wanted = hmac.new(secret.encode(), f"{times[0]}.".encode() + body, hashlib.sha256).hexdigest()
    if not any(hmac.compare_digest(wanted, each) for each in given):
        raise NotifyRefused(step=NotifyStep.SIGNATURE)


def _hint(event: _Event) -> Hint:
    told = event.data.object
    kind = told.get("object")
    if kind == _SESSION:
        return Hint(session=_named(told.get("id")), account=event.account)
    if kind in _PAID_BY:
        refund = _refund_no(told) if kind == _REFUND else None
        intent = _named(told.get("payment_intent"))
        return Hint(intent=intent, account=event.account, refund=refund)
    raise NotifyRefused(step=NotifyStep.NOTIFY_TYPE)


def _refund_no(told: dict[str, Any]) -> str:
    metadata = told.get("metadata")
    ours = metadata.get("request") if isinstance(metadata, dict) else None
    return _named(ours if isinstance(ours, str) else told.get("id"))


def _named(text: object) -> str:
    if not isinstance(text, str) or not _ID.fullmatch(text):
        raise NotifyRefused(step=NotifyStep.FIELDS)
    return text

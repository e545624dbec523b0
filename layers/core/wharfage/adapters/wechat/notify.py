"""WeChat Pay's notifies: signed in their headers over the raw body, with an encrypted resource."""

import base64
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from wharfage.adapters.wechat.signing import Signing, decrypted
from wharfage.domain import limits
from wharfage.domain.errors import NotifyRefused
from wharfage.domain.trade import (
    NotifyRequest,
    NotifyStep,
    TradeEvent,
    TradeStatus,
    TradeView,
)

CHANNEL = "wechat"
#: What a trade is after any refund of it is `REFUND`, whether a part or the whole was given back.
REFUNDED = "REFUND"
STATUSES: Mapping[str, TradeStatus] = {
    "SUCCESS": TradeStatus.SUCCESS,
    REFUNDED: TradeStatus.SUCCESS,
    "NOTPAY": TradeStatus.WAITING,
    "USERPAYING": TradeStatus.WAITING,
    "PAYERROR": TradeStatus.WAITING,  # One attempt failed; the customer may try again.
    "CLOSED": TradeStatus.CLOSED,
    "REVOKED": TradeStatus.CLOSED,
}
CURRENCY = "CNY"

_TRADE, _REFUND = "transaction", "refund"
_ORDER_NO = re.compile(r"[0-9A-Za-z_]{1,32}", re.ASCII)
_REFUND_NO = re.compile(r"[0-9A-Za-z_|*@-]{1,64}", re.ASCII)
_TRADE_NO = re.compile(r"[0-9A-Za-z]{1,64}", re.ASCII)

Fen = Annotated[int, Meta(ge=1)]


class _Resource(msgspec.Struct, frozen=True, kw_only=True):
    algorithm: str
    original_type: str
    ciphertext: str
    nonce: str
    associated_data: str = ""


class _Envelope(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    event_type: str
    resource: _Resource


class Amount(msgspec.Struct, frozen=True, kw_only=True):
    """What an order costs, before any coupon; the currency is the yuan where none is named."""

    total: Fen
    currency: str = CURRENCY


class _Trade(msgspec.Struct, frozen=True, kw_only=True):
    appid: str
    mchid: str
    out_trade_no: str
    transaction_id: str
    trade_state: str
    amount: Amount


class _Refund(msgspec.Struct, frozen=True, kw_only=True):
    mchid: str
    out_trade_no: str
    transaction_id: str
    out_refund_no: str
    amount: Amount


def parse(
    request: NotifyRequest, *, app_id: str, signing: Signing, key: bytes, now: datetime
) -> TradeEvent:
    """Check a notify's form and signature, and open it. Raises: NotifyRefused."""
    _form(request)
    signing.check(request.headers, request.body, now)
    try:
        envelope = msgspec.json.decode(request.body, type=_Envelope)
    except (msgspec.DecodeError, RecursionError):
        raise NotifyRefused(step=NotifyStep.FORM) from None
    content = _opened(envelope.resource, key)
    try:
        if envelope.resource.original_type == _TRADE:
            return _payment(msgspec.json.decode(content, type=_Trade), app_id)
        if envelope.resource.original_type == _REFUND:
            return _given_back(msgspec.json.decode(content, type=_Refund))
    except (msgspec.DecodeError, RecursionError):
        raise NotifyRefused(step=NotifyStep.FIELDS) from None
    raise NotifyRefused(step=NotifyStep.NOTIFY_TYPE)


def _form(request: NotifyRequest) -> None:
    if request.method != "POST":
        raise NotifyRefused(step=NotifyStep.METHOD)
    if request.content_type.partition(";")[0].strip().lower() != "application/json":
        raise NotifyRefused(step=NotifyStep.CONTENT_TYPE)
    if len(request.body) > limits.NOTIFY_BYTES_MAX:
        raise NotifyRefused(step=NotifyStep.SIZE)


def _opened(resource: _Resource, key: bytes) -> bytes:
    try:
        ciphertext = base64.b64decode(resource.ciphertext, validate=True)
    except ValueError:
        raise NotifyRefused(step=NotifyStep.FORM) from None
    content = None
    if resource.algorithm == "AEAD_AES_256_GCM":
        content = decrypted(
            key,
            nonce=resource.nonce,
            associated_data=resource.associated_data,
            ciphertext=ciphertext,
        )
    if content is None:
        raise NotifyRefused(step=NotifyStep.SEAL)
    return content


def _payment(trade: _Trade, app_id: str) -> TradeEvent:
    if trade.appid != app_id:
        raise NotifyRefused(step=NotifyStep.APP)
    status = STATUSES.get(trade.trade_state, TradeStatus.UNKNOWN)
    return _event(trade, status, refunded=trade.trade_state == REFUNDED)


def _given_back(refund: _Refund) -> TradeEvent:
    """Name a refund: how it stands and how much it is are never taken from a notify, but asked."""
    if not _REFUND_NO.fullmatch(refund.out_refund_no):
        raise NotifyRefused(step=NotifyStep.FIELDS)
    return _event(refund, TradeStatus.SUCCESS, refunded=True, refund_no=refund.out_refund_no)


def _event(
    told: _Trade | _Refund, status: TradeStatus, *, refunded: bool, refund_no: str | None = None
) -> TradeEvent:
    order, trade_no = told.out_trade_no, told.transaction_id
    if not _ORDER_NO.fullmatch(order) or not _TRADE_NO.fullmatch(trade_no):
        raise NotifyRefused(step=NotifyStep.FIELDS)
    return TradeEvent(
        channel=CHANNEL,
        order=order,
        seller=told.mchid,
        trade=TradeView(
            status=status,
            trade_no=trade_no,
            amount_fen=told.amount.total if told.amount.currency == CURRENCY else None,
            refunded=refunded,
            refund_no=refund_no,
        ),
    )

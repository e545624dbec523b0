"""Notifies, looked into: which check one fails, why, what it would do; and forged ones, counted."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from msgspec import Meta

from wharfage.domain import limits, rate
from wharfage.domain.errors import NotFound, NotifyRefused, Unanswered, Unavailable, fault
from wharfage.domain.order import OrderNews
from wharfage.domain.record import Body, View
from wharfage.domain.trade import NotifyRequest, NotifyStep
from wharfage.operations import payments, rates
from wharfage.ports import Ports

_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_JSON = "application/json"

#: What is wrong with a notify that fails a check, and where to look.
WHY: Mapping[NotifyStep, str] = {
    NotifyStep.METHOD: "It was not sent by POST.",
    NotifyStep.CONTENT_TYPE: "It is not declared as a form in UTF-8.",
    NotifyStep.SIZE: "Its body is larger than any notify.",
    NotifyStep.FORM: "It is no form, or a name is in it twice. Was it pasted whole?",
    NotifyStep.SIGN_TYPE: "Its sign_type is not RSA2. Choose RSA2 in the channel's console.",
    NotifyStep.CHARSET: "Its charset is not utf-8.",
    NotifyStep.SIGN_FORMAT: "Its sign is not base64 of 256 bytes. Was a + lost in copying?",
    NotifyStep.KEY: "It names another key than the channel's that is set here.",
    NotifyStep.STALE: "It was signed too long ago, or ahead of our time: the channel sends anew.",
    NotifyStep.APP: "It is for another app_id than ours.",
    NotifyStep.SIGNATURE: "The channel did not sign these fields, or its public key here is wrong.",
    NotifyStep.SEAL: "It is not encrypted by the key that we share with the channel.",
    NotifyStep.NOTIFY_TYPE: "It is not news of a trade.",
    NotifyStep.FIELDS: "It does not say which order and trade it is about.",
    NotifyStep.ORDER: "We have no such order of this channel.",
    NotifyStep.SELLER: "It names another seller than ours, or none.",
    NotifyStep.AMOUNT: "Its total_amount is not the order's amount.",
    NotifyStep.TRADE: "Its trade_no belongs to another order.",
}


class InspectNotify(Body, frozen=True, kw_only=True):
    """A notify as it was pasted: the text that was posted (*form*), or its decoded *fields*.

    Channels that sign a text and not its fields say in *headers* what they signed.
    """

    channel: Annotated[str, Meta(max_length=32)] = "alipay"
    form: Annotated[str, Meta(max_length=limits.NOTIFY_BYTES_MAX)] | None = None
    fields: Annotated[dict[str, str], Meta(max_length=200)] | None = None
    headers: Annotated[dict[str, str], Meta(max_length=50)] = {}


class Inspection(View, frozen=True, kw_only=True):
    """What would become of a notify: the *step* it fails and *why*, or what it would do.

    *news* is what would be written on the order's timeline, null when nothing would.
    """

    believed: bool
    step: NotifyStep | None
    why: str | None
    order: str | None
    news: OrderNews | None
    credited: bool


def inspect(ports: Ports, body: InspectNotify) -> Inspection:
    """Judge a notify exactly as it would be judged if it came now, and write nothing.

    Raises: NotFound, where there is no such channel; Invalid, Unavailable.
    """
    if body.channel not in ports.channels:
        raise NotFound(what="channel")
    if (body.form is None) == (body.fields is None):
        raise fault("/form", "one_of", "Give either `form` or `fields`.")
    text = urlencode(body.fields) if body.fields is not None else (body.form or "").strip()
    headers = {name.lower(): value for name, value in body.headers.items()}
    request = NotifyRequest(
        method="POST",
        content_type=headers.get("content-type", _JSON if text.startswith("{") else _FORM),
        body=text.encode(errors="surrogatepass"),
        headers=headers,
    )
    try:
        decision = payments.judged(ports, body.channel, request)
    except NotifyRefused as refusal:
        step = NotifyStep(refusal.step)
        return Inspection(
            believed=False, step=step, why=WHY[step], order=None, news=None, credited=False
        )
    return Inspection(
        believed=True,
        step=None,
        why=None,
        order=decision.order.id,
        news=decision.news,
        credited=decision.credited,
    )


def count_refused(ports: Ports, step: NotifyStep, address: str) -> None:
    """Count a refused notify against the address it came from, if no channel has signed it.

    It is called after the signature was looked at, which is cheaper than any look at a window;
    so what is genuine is never counted, and no storm of forged notifies can shut it out.
    Raises: RateLimited, once the address has sent too many.
    """
    if not step.forged:
        return
    try:
        rates.take(ports, rate.NOTIFIES_FORGED, address)
    except (Unavailable, Unanswered):
        return  # It is refused all the same.

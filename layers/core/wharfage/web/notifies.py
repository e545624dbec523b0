"""The way in of every channel's notifies: acted on, and answered in the channel's own words."""

import logging
from dataclasses import replace

from wharfage.domain.errors import NotifyRefused, RateLimited, Refused
from wharfage.domain.trade import Acknowledgement, NotifyRequest, NotifyStep, Reception
from wharfage.operations import notifies, payments
from wharfage.web.app import App

log = logging.getLogger(__name__)


def take(app: App, channel: str) -> Acknowledgement:
    """Act on the notify that is being asked; a yes means that it is durable, new or repeated.

    What is refused is answered with 429 once its address has sent too much that nobody signed.
    Raises: Unavailable where the channel is not set up.
    """
    asking = app.request
    request = NotifyRequest(
        method=asking.method,
        content_type=asking.headers.get("content-type", ""),
        body=asking.body,
        headers=asking.headers,
    )
    ours = payments.channel_of(app.ports, channel)
    try:
        return ours.acknowledge(_reception(app, channel, request))
    except RateLimited as limited:
        app.tally("notify_limited")
        app.header("Retry-After", str(limited.retry_after_seconds))
        return replace(ours.acknowledge(Reception.REFUSED), status=429)


def _reception(app: App, channel: str, request: NotifyRequest) -> Reception:
    try:
        payments.receive(app.ports, channel, request)
    except NotifyRefused as refusal:
        app.tally(f"notify_refused_{refusal.step}")
        # Before the log line: a flood of forged notifies is no flood of lines.
        notifies.count_refused(app.ports, NotifyStep(refusal.step), app.request.source_ip)
        log.warning("notify refused", extra={"action": "notify", "reason": refusal.step})
        return Reception.REFUSED
    except Refused as refusal:
        app.tally("notify_failed")
        log.exception("notify failed", extra={"action": "notify", "reason": refusal.code})
        return Reception.FAILED
    return Reception.ACCEPTED

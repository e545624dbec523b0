"""Tests of what only Stripe does: old news, changed secrets, one page for one order."""

import json
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from msgspec.structs import replace as changed

from infrastructure.local.sandbox.stripe import event, signature
from tests.fixtures import stripe
from tests.fixtures.alipay import order
from tests.fixtures.channels import counter
from wharfage.adapters.rsa_keys import UnusableKey
from wharfage.adapters.stripe import StripeChannel
from wharfage.domain.errors import NotifyRefused, Unanswered
from wharfage.domain.order import OrderState
from wharfage.domain.trade import CloseOutcome, NotifyRequest, NotifyStep, PayMethod, TradeStatus

SESSION = {"object": "checkout.session", "id": "cs_test_1"}


def posted(body: bytes, header: str) -> NotifyRequest:
    """Post a body with this signature."""
    headers = {"stripe-signature": header}
    return NotifyRequest(method="POST", content_type="application/json", body=body, headers=headers)


def test_old_news_after_new_news_changes_nothing(tmp_path):
    with counter("stripe", tmp_path) as shop:
        here = shop.world()
        opened = shop.open(here)
        old = shop.told(shop.trades.all()[0])
        trade = shop.paid(opened)

        shop.receive(here, shop.told(trade))
        shop.receive(here, old)

        assert here.row(opened.id).state is OrderState.PAID
        assert here.balance().available == 9900


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1,v1=",
        "v1=" + "0" * 64,
        "t=1,t=1,v1=" + "0" * 64,
        "t=1," + ",".join(["v1=" + "0" * 64] * 9),
    ],
)
def test_a_header_that_is_not_one_is_refused(header):
    with pytest.raises(NotifyRefused) as refused:
        StripeChannel(stripe.settings()).parse_notify(posted(b"{}", header))

    assert refused.value.step is NotifyStep.SIGN_FORMAT


@pytest.mark.parametrize(
    ("told", "step"),
    [
        ({"object": "invoice", "id": "in_1"}, NotifyStep.NOTIFY_TYPE),
        ({"object": "checkout.session", "id": "../refunds"}, NotifyStep.FIELDS),
        ({"object": "refund", "id": "re_1", "payment_intent": None}, NotifyStep.FIELDS),
    ],
)
def test_signed_news_of_something_else_is_refused(told, step):
    body = json.dumps(event("something.happened", told)).encode()
    header = signature(body, stripe.WEBHOOK_SECRET, time.time())

    with pytest.raises(NotifyRefused) as refused:
        StripeChannel(stripe.settings()).parse_notify(posted(body, header))

    assert refused.value.step is step


def test_news_of_real_money_is_not_for_a_test_key():
    body = json.dumps(event("checkout.session.completed", SESSION) | {"livemode": True}).encode()
    header = signature(body, stripe.WEBHOOK_SECRET, time.time())

    with pytest.raises(NotifyRefused) as refused:
        StripeChannel(stripe.settings()).parse_notify(posted(body, header))

    assert refused.value.step is NotifyStep.APP


def test_while_stripe_does_not_answer_news_is_not_acted_on():
    body = json.dumps(event("checkout.session.completed", SESSION)).encode()
    header = signature(body, stripe.WEBHOOK_SECRET, time.time())

    with pytest.raises(Unanswered):
        StripeChannel(stripe.settings()).parse_notify(posted(body, header))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"secret_key": "pk_test_1"}, "secret key"),
        ({"webhook_secret": "sk_test_1"}, "webhook secret"),
    ],
)
def test_wrong_keys_stop_the_start_in_words_and_are_not_shown(changes, words):
    with pytest.raises(UnusableKey, match=words) as refused:
        StripeChannel(stripe.settings(**changes))

    assert not any(value in str(refused.value) for value in changes.values())


def test_an_order_whose_page_was_never_shown_is_not_there():
    asked = order()

    assert StripeChannel(stripe.settings()).query(asked).status is TradeStatus.NOT_FOUND
    assert StripeChannel(stripe.settings()).close(asked) is CloseOutcome.NOT_FOUND


def test_one_order_has_one_page_and_keeps_its_name(tmp_path):
    with stripe.sandbox(tmp_path) as (url, _):
        channel = StripeChannel(replace(stripe.settings(), gateway=url))
        asked = order(now=datetime.now(UTC))

        first = channel.create(asked, PayMethod.PAGE)
        again = channel.create(asked, PayMethod.PAGE)

        assert first == again
        assert first.reference is not None
        known = changed(asked, reference=first.reference)
        assert channel.query(known).status is TradeStatus.WAITING

"""Stripe's Python library as a judge that neither our adapter nor our stand-in has written."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe as library
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.local.sandbox.stripe import signature
from tests.contract.test_channel_calls import refund_of
from tests.fixtures import stripe
from tests.fixtures.channels import Counter, counter, settled
from wharfage.adapters.bill_cells import blank
from wharfage.adapters.stripe import bill, notify
from wharfage.domain.errors import NotifyRefused
from wharfage.domain.trade import NotifyRequest

LATELY = (datetime.now(UTC) - timedelta(days=2)).date()
SECRET = stripe.WEBHOOK_SECRET


@pytest.fixture
def shop(tmp_path) -> Iterator[Counter]:
    with counter("stripe", tmp_path) as made:
        yield made


@pytest.fixture
def theirs(shop) -> Any:
    gateway = shop.channel._settings.gateway
    return library.StripeClient(
        stripe.SECRET_KEY, base_addresses={"api": gateway}, max_network_retries=0
    ).v1


def test_a_page_that_we_made_is_the_session_that_the_library_finds_and_ends(shop, theirs):
    here = shop.world()
    order = shop.open(here)

    session = theirs.checkout.sessions.retrieve(order.reference)

    assert (session.client_reference_id, session.status) == (order.id, "open")
    assert (session.amount_total, session.currency) == (9900, "cny")
    assert theirs.checkout.sessions.expire(order.reference).status == "expired"
    assert not shop.channel.query(order).status.paid


def test_what_was_paid_and_given_back_is_what_the_library_finds(shop, theirs):
    _, order = settled(shop)
    expand = {"expand": ["payment_intent.latest_charge"]}

    before = theirs.checkout.sessions.retrieve(order.reference, expand)
    theirs.refunds.create(
        {"payment_intent": order.trade_no, "amount": 1234, "metadata": {"request": "rfd_1"}},
        {"idempotency_key": "rfd_1"},
    )
    made = theirs.refunds.list({"payment_intent": order.trade_no}).data

    assert (before.payment_status, before.payment_intent.id) == ("paid", order.trade_no)
    assert [each.amount for each in made] == [1234]
    found = shop.channel.query_refund(order, refund_of(order, 1234, "rfd_1"))
    assert (found.status, found.amount_fen) == ("succeeded", 1234)


def test_the_library_lists_the_transactions_that_we_read(shop, theirs, monkeypatch):
    monkeypatch.setattr(bill, "PAGE", 1)
    here = shop.world()
    orders = [shop.open(here) for _ in range(3)]
    for order in orders:
        shop.paid(order)
    shop.age(LATELY)
    day = blank("stripe", LATELY)
    span = {"gte": int(day.begins_at.timestamp()), "lt": int(day.ends_at.timestamp())}

    listed = theirs.balance_transactions.list(
        {"type": "charge", "created": span, "limit": 2, "expand": ["data.source.payment_intent"]}
    )
    rows = shop.channel.fetch_bill(LATELY).rows

    assert len(rows) == len(orders)
    assert sorted(
        (each.source.metadata["order"], each.source.payment_intent.id, each.fee)
        for each in listed.auto_paging_iter()
    ) == sorted((row.order, row.trade_no, row.fee_fen) for row in rows)


def opened(request: NotifyRequest) -> Any:
    """Have the library open a notify; None where it does not."""
    header = request.headers.get("stripe-signature", "")
    try:
        return library.Webhook.construct_event(request.body, header, SECRET)
    except (ValueError, library.SignatureVerificationError):
        return None


def test_the_library_believes_every_notify_as_we_do_and_neither_a_damaged_one(shop):
    here = shop.world()
    order = shop.open(here)
    told = shop.told(shop.paid(order))
    damaged = list(shop.damaged(told))

    assert opened(told)["data"]["object"]["client_reference_id"] == order.id
    assert shop.channel.parse_notify(told).order == order.id
    for name, each in damaged:
        with pytest.raises(NotifyRefused):
            shop.channel.parse_notify(each)
        if not name.startswith("stripe-signature"):  # It is less strict about the header's form.
            assert opened(each) is None, name
    assert len(damaged) > 20


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@settings(max_examples=1000)
@given(text=texts, other=texts)
def test_we_believe_what_the_library_believes_and_nothing_else(text, other):
    now = datetime.now(UTC)
    header = signature(text.encode(), SECRET, now.timestamp(), before="whsec_old")

    for told in (text, other):
        assert believed(told, header, now) is verified(told, header) is (told == text)


def believed(text: str, header: str, now: datetime) -> bool:
    try:
        notify._check(header, text.encode(), SECRET, now)
    except NotifyRefused:
        return False
    return True


def verified(text: str, header: str) -> bool:
    try:
        return bool(library.WebhookSignature.verify_header(text, header, SECRET, 300))
    except library.SignatureVerificationError:
        return False

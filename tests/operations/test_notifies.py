"""Tests of the inspector: it says what `receive` would do, for every check, and changes nothing."""

from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.fixtures import alipay
from tests.fixtures.money import ALICE, CountedStore, World, world
from wharfage.domain.errors import Invalid, NotFound, NotifyRefused
from wharfage.domain.order import Order, OrderNews
from wharfage.domain.trade import NotifyRequest, NotifyStep, yuan
from wharfage.operations import notifies, payments
from wharfage.operations.notifies import WHY, InspectNotify
from wharfage.ports import Ports


def counter(here: World) -> Ports:
    """Look with Alipay's own adapter, at a store that counts."""
    return replace(
        here.ports, channels={"alipay": alipay.channel()}, store=CountedStore(here.ports.store)
    )


def said(order: Order, **changes: str | None) -> dict[str, str]:
    fields: dict[str, Any] = {"out_trade_no": order.id, "total_amount": yuan(order.amount_fen)}
    return alipay.signed(alipay.genuine(**fields | changes))


BROKEN: list[tuple[NotifyStep, Any]] = [
    (NotifyStep.FORM, lambda order: "not a form"),
    (NotifyStep.SIZE, lambda order: "a=" + "b" * (16 * 1024 - 2) + "é"),
    (NotifyStep.SIGN_TYPE, lambda order: said(order) | {"sign_type": "RSA"}),
    (NotifyStep.CHARSET, lambda order: said(order, charset="gbk")),
    (NotifyStep.SIGN_FORMAT, lambda order: said(order) | {"sign": "junk"}),
    (NotifyStep.APP, lambda order: said(order, app_id="2021999999999999")),
    (NotifyStep.SIGNATURE, lambda order: said(order) | {"total_amount": "1.00"}),
    (NotifyStep.NOTIFY_TYPE, lambda order: said(order, notify_type="other")),
    (NotifyStep.FIELDS, lambda order: said(order, trade_no="")),
    (NotifyStep.ORDER, lambda order: said(order, out_trade_no="ord_nothing")),
    (NotifyStep.SELLER, lambda order: said(order, seller_id="2088999999999999")),
    (NotifyStep.AMOUNT, lambda order: said(order, total_amount="0.01")),
]


@pytest.mark.parametrize(("step", "spoil"), BROKEN, ids=[step for step, _ in BROKEN])
def test_each_failed_check_is_named_as_receiving_names_it(step: NotifyStep, spoil: Any) -> None:
    here = world()
    ports, spoilt = counter(here), spoil(here.order())
    form = spoilt if isinstance(spoilt, str) else urlencode(spoilt)

    found = notifies.inspect(ports, InspectNotify(form=form))

    assert (found.believed, found.step, found.why) == (False, step, WHY[step])
    request = NotifyRequest(method="POST", content_type=alipay.FORM, body=form.encode())
    with pytest.raises(NotifyRefused) as refusal:
        payments.receive(ports, "alipay", request)
    assert refusal.value.step == step


def test_a_genuine_notify_is_told_what_it_would_do_and_does_nothing() -> None:
    here = world()
    order, ports = here.order(), counter(here)
    fields = said(order)

    for body in (InspectNotify(fields=fields), InspectNotify(form=f"{urlencode(fields)}\n")):
        found = notifies.inspect(ports, body)

        assert (found.believed, found.order) == (True, order.id)
        assert (found.news, found.credited) == (OrderNews.PAID, True)
    assert ports.store.calls == ["get_many", "get_many"]  # type: ignore[attr-defined]
    assert here.row(order.id) == order
    assert here.balance(ALICE).available == 0


def test_a_repeat_of_what_was_credited_would_do_nothing() -> None:
    here = world()
    fields = said(here.order())
    request = NotifyRequest(
        method="POST", content_type=alipay.FORM, body=urlencode(fields).encode()
    )
    payments.receive(counter(here), "alipay", request)

    found = notifies.inspect(counter(here), InspectNotify(fields=fields))

    assert (found.believed, found.news, found.credited) == (True, None, False)


def test_a_trade_number_of_another_order_is_named() -> None:
    here = world()
    first, second = here.order(), here.order()
    request = NotifyRequest(
        method="POST", content_type=alipay.FORM, body=urlencode(said(first)).encode()
    )
    payments.receive(counter(here), "alipay", request)

    found = notifies.inspect(counter(here), InspectNotify(fields=said(second)))

    assert found.step is NotifyStep.TRADE


@pytest.mark.parametrize("body", [InspectNotify(), InspectNotify(form="a=b", fields={"a": "b"})])
def test_exactly_one_of_form_and_fields_is_given(body: InspectNotify) -> None:
    with pytest.raises(Invalid):
        notifies.inspect(world().ports, body)


def test_a_channel_that_is_not_set_up_is_not_found() -> None:
    with pytest.raises(NotFound):
        notifies.inspect(world().ports, InspectNotify(channel="other", form="a=b"))


def test_every_check_has_its_reason() -> None:
    assert WHY.keys() == set(NotifyStep)

"""Notifies that nobody signed are counted by their address; the genuine ones never are."""

from typing import Any

import pytest

from tests.fixtures.alipay import FORM
from tests.fixtures.counting import Meter
from tests.fixtures.edge import Answer
from tests.fixtures.harbour import Harbour, Person
from wharfage.domain import limits, rate
from wharfage.domain.errors import RateLimited, Unavailable
from wharfage.domain.trade import NotifyStep
from wharfage.operations import notifies, rates

ADDRESS = "127.0.0.1"
FORGED = b"sign_type=RSA2&charset=utf-8&sign=AAAA"
CHANNELS = {"alipay": FORM, "wechat": "application/json", "stripe": "application/json"}


def forge(harbour: Harbour, channel: str = "alipay") -> Answer:
    headers = {"content-type": CHANNELS[channel]}
    return harbour("POST", f"/v1/{channel}/notify", raw=FORGED, headers=headers)


def send_forged(harbour: Harbour, count: int, address: str = ADDRESS) -> None:
    """Count so many forged notifies from an address."""
    for _ in range(count):
        notifies.count_refused(harbour.ports, NotifyStep.SIGNATURE, address)


@pytest.mark.parametrize("channel", CHANNELS)
def test_the_last_of_a_minute_is_refused_as_ever_and_the_next_with_how_long_to_wait(
    harbour: Harbour, channel: str
) -> None:
    send_forged(harbour, limits.NOTIFIES_FORGED_PER_ADDRESS - 2)

    before, last, over = (forge(harbour, channel) for _ in range(3))

    assert before.status == last.status != 429
    assert over.status == 429
    assert over.text == last.text  # In the channel's own words: it is no yes.
    wait = int(over.headers["retry-after"])
    assert 1 <= wait <= rate.NOTIFIES_FORGED.seconds
    harbour.clock.pass_(seconds=wait)
    assert forge(harbour, channel).status == last.status


def test_a_genuine_notify_is_taken_and_repeated_whatever_else_comes_from_its_address(
    harbour: Harbour, customer: Person
) -> None:
    _, url = customer.open_order(5000)
    send_forged(harbour, limits.NOTIFIES_FORGED_PER_ADDRESS)
    assert forge(harbour).status == 429

    answers = [harbour.notify(harbour.till.pay(url)) for _ in range(3)]

    assert {(each.status, each.text) for each in answers} == {(200, "success")}
    assert customer.money() == (6000, 0)


def test_genuine_notifies_are_not_counted_however_many(harbour: Harbour, customer: Person) -> None:
    _, url = customer.open_order(5000)
    body = harbour.till.pay(url)

    for _ in range(limits.NOTIFIES_FORGED_PER_ADDRESS + 1):
        assert harbour.notify(body).text == "success"

    window = rates.count(rate.NOTIFIES_FORGED, ADDRESS, now=harbour.clock.now())
    assert harbour.ports.store.get(window.key) is None


def test_what_a_channel_has_signed_and_does_not_fit_is_not_counted(
    harbour: Harbour, customer: Person
) -> None:
    number, url = customer.open_order(5000)
    harbour.till.pay(url)
    wrong = harbour.till.notify(number, total_amount="0.01")

    answers = {harbour.notify(wrong).status for _ in range(limits.NOTIFIES_FORGED_PER_ADDRESS + 1)}

    assert answers == {400}


def test_another_address_has_its_own_minute(harbour: Harbour) -> None:
    send_forged(harbour, limits.NOTIFIES_FORGED_PER_ADDRESS, address="10.0.0.9")

    with pytest.raises(RateLimited):
        send_forged(harbour, 1, address="10.0.0.9")

    assert forge(harbour).status == 400


def test_a_forged_notify_over_the_limit_is_counted_and_not_logged(
    harbour: Harbour, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    send_forged(harbour, limits.NOTIFIES_FORGED_PER_ADDRESS)
    caplog.clear()

    forge(harbour)

    out = capsys.readouterr().out
    assert "notify_refused_sign_format" in out
    assert "notify_limited" in out
    assert "notify refused" not in caplog.text


def test_a_forged_notify_is_refused_also_where_it_cannot_be_counted(
    harbour: Harbour, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(*_: Any) -> None:
        raise Unavailable

    monkeypatch.setattr(harbour.ports.store, "commit", unavailable)

    assert forge(harbour).status == 400


def test_a_forged_notify_costs_one_write_and_no_read(harbour: Harbour) -> None:
    meter = Meter(harbour.ports)

    with meter.of() as tally:
        notifies.count_refused(meter.ports, NotifyStep.SIGNATURE, ADDRESS)

    assert tally.calls == {"writes": 1}


@pytest.mark.parametrize("step", NotifyStep)
def test_what_comes_before_the_signature_may_be_anybodys_and_what_comes_after_may_not(
    harbour: Harbour, step: NotifyStep
) -> None:
    notifies.count_refused(harbour.ports, step, ADDRESS)

    window = rates.count(rate.NOTIFIES_FORGED, ADDRESS, now=harbour.clock.now())
    counted = harbour.ports.store.get(window.key) is not None
    after = {"seal", "notify_type", "fields", "order", "seller", "amount", "trade"}
    assert counted == (step not in after)

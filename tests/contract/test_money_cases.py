"""The adversarial cases of days, bills and refunds, on every store that money is kept in.

docs/promises.md lists them by number.
"""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from infrastructure.local.sandbox.trades import Faults
from tests.fixtures.cases import YUAN_99, Here, here, rows, standing
from tests.fixtures.harbour import HOLD_FEN, SPEC, TEMPLATE
from tests.fixtures.machine import dynamodb_endpoint
from wharfage import schema
from wharfage.domain.order import Order
from wharfage.domain.reconciliation import begins_on
from wharfage.domain.refund import Refund, RefundStatus, RefundView

__all__ = ["dynamodb_endpoint", "here", "rows"]


# 26 and 27: time zones.


def test_a_month_ends_by_the_calendar_of_the_account_and_work_settles_in_its_own(
    here: Here,
) -> None:
    assert here.operator("POST", "/v1/admin/templates", TEMPLATE).status == 201
    agent = here.operator.host()
    here.harbour.clock.moment = datetime(2027, 1, 31, 16, 30, tzinfo=UTC)  # Already February there.
    zone = here.customer("PATCH", "/v1/me", {"time_zone": "America/New_York"})
    assert zone.status == 200  # In New York it is half past eleven in the morning of the 31st.
    for _ in range(2):
        made = here.customer("POST", "/v1/orders", {"kind": "membership", "plan": "basic"}).json
        url = here.customer("POST", f"/v1/orders/{made['id']}/pay", {"method": "page"}).json["url"]
        assert here.harbour.notify(here.harbour.till.pay(url)).text == "success"
    ends_at = datetime(2027, 2, 28, 16, 30, tzinfo=UTC)
    here.harbour.clock.moment = ends_at - timedelta(seconds=10)
    agent.beat()
    here.customer("POST", "/v1/jobs", {"template": "upscale", "input": {"factor": 2}})
    grant = agent.take()
    agent.begin(grant)

    here.harbour.clock.moment = ends_at  # The instant itself is the new month's.
    opened = here.customer.get("/v1/quota")["period"]
    agent.end(grant, seconds=10)

    assert opened["starts_at"].startswith("2027-02-28T16:30:00")
    # Daylight saving began on 14 March: half past eleven is an hour earlier by UTC.
    assert opened["ends_at"].startswith("2027-03-31T15:30:00")
    old, new = sorted(
        here.customer.get("/v1/quota")["periods"], key=lambda each: str(each["starts_at"])
    )
    assert (old["used"], old["held"]) == (5, 0)
    assert (new["used"], new["held"], new["remaining"]) == (0, 0, 100)


def test_a_payment_belongs_to_the_day_that_china_has(here: Here) -> None:
    midnight = begins_on(date(2026, 3, 2))  # Which is four in the afternoon by UTC.
    for moment in (midnight, midnight - timedelta(seconds=1)):
        here.harbour.clock.moment = moment
        here.pays(here.order())

    days = [here.harbour.close_the_day() for _ in range(2)]

    assert days == [date(2026, 3, 1), date(2026, 3, 2)]
    for day in days:
        run = here.operator.get(f"/v1/admin/reconciliation/alipay/{day}")["run"]
        assert (run["payments"], run["open_breaks"], run["trouble"]) == (1, 0, None), day


# 28 and 29: bills with missing, extra, altered and doubled rows, bombs, and bills cut short.


@pytest.mark.parametrize(
    ("wrong", "found"),
    [
        ({"bill_missing": 1}, ["missing_there"]),
        ({"bill_extra": 2}, ["unknown_order", "unknown_order"]),
        ({"bill_altered": 1}, ["amount"]),
        ({"bill_doubled": 1}, ["duplicate"]),
    ],
)
def test_a_bill_that_differs_is_told_by_type_and_posts_nothing_however_often_it_is_read(
    here: Here, wrong: dict[str, Any], found: list[str]
) -> None:
    for _ in range(3):
        here.pays(here.order())
        here.harbour.clock.pass_(seconds=1)
    entries = here.customer.ledger()
    here.harbour.till.faults = Faults(**wrong)

    day = here.harbour.close_the_day()
    base = f"/v1/admin/reconciliation/alipay/{day}"
    once = here.operator.get(base)["breaks"]
    assert here.operator("POST", f"{base}/run").status == 202
    here.harbour.clock.pass_(minutes=1)
    here.harbour.close_the_day()
    twice = here.operator.get(base)["breaks"]

    assert sorted(each["type"] for each in once) == found
    assert [(each["id"], each["state"]) for each in twice] == [
        (each["id"], "open") for each in once
    ]
    assert here.customer.ledger() == entries


@pytest.mark.parametrize("wrong", [{"bill_cut": True}, {"bill_bomb": True}])
def test_a_bill_that_cannot_be_believed_is_trouble_and_is_fetched_again(
    here: Here, wrong: dict[str, bool]
) -> None:
    here.pays(here.order())
    here.harbour.till.faults = Faults(**wrong)

    day = here.harbour.close_the_day()
    base = f"/v1/admin/reconciliation/alipay/{day}"
    troubled = here.operator.get(base)
    here.harbour.till.faults = Faults()
    here.harbour.clock.pass_(hours=1)
    here.harbour.close_the_day()
    mended = here.operator.get(base)

    assert troubled["run"]["trouble"] is not None
    assert troubled["run"]["stage"] != "done"
    assert (mended["run"]["stage"], mended["run"]["trouble"]) == ("done", None)
    assert mended["breaks"] == []
    assert here.customer.ledger() == [("topup", YUAN_99)]


# 30: refunds.


def test_a_refund_whose_answer_is_lost_is_asked_about_by_its_number_and_made_once(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = standing(here, "paid")
    till, calls = here.harbour.till, []
    carried_out = till.refund

    def unanswered(order: Order, refund: Refund) -> RefundView:
        calls.append(refund.id)
        carried_out(order, refund)
        return RefundView(status=RefundStatus.UNKNOWN)

    monkeypatch.setattr(till, "refund", unanswered)

    here.give_back(number, 3000)
    here.harbour.live(60)

    [refund] = here.rows(schema.REFUND, number)
    assert calls == [refund.id]
    assert till.trades[number].refunds == {refund.id: 3000}
    assert (refund.state, here.available_fen) == ("succeeded", 6900)


def test_money_that_was_spent_is_not_given_back(here: Here) -> None:
    number = standing(here, "paid")
    assert here.customer("POST", "/v1/jobs", SPEC).status == 202

    refused = here.ask_back(number, YUAN_99)

    assert refused.status == 402
    assert here.ask_back(number, YUAN_99 - HOLD_FEN).status == 201
    assert here.available_fen == 0

"""The adversarial cases of notifies, on every store that money is kept in.

docs/promises.md lists them by number; storms have a file of their own.
"""

import itertools
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from tests.fixtures import alipay
from tests.fixtures.cases import YUAN_99, Here, here, rows, standing
from tests.fixtures.machine import dynamodb_endpoint
from tests.functions.test_bad_notifies import STEPS
from wharfage import schema
from wharfage.adapters.faults import FaultyRows, StoreFault
from wharfage.adapters.rows import Rows
from wharfage.adapters.store import RecordStore
from wharfage.domain.trade import NotifyStep, TradeStatus
from wharfage.transaction import Delete, Put, absent

__all__ = ["dynamodb_endpoint", "here", "rows"]

REFUNDED = {"gmt_refund": "2026-03-01 12:05:00", "refund_fee": "30.00", "out_biz_no": "console1"}
NEWS: dict[str, dict[str, str]] = {
    "success": {"trade_status": "TRADE_SUCCESS"},
    "success with a refund": {"trade_status": "TRADE_SUCCESS", **REFUNDED},
    "finished": {"trade_status": "TRADE_FINISHED"},
    "closed": {"trade_status": "TRADE_CLOSED"},
    "closed with a refund": {"trade_status": "TRADE_CLOSED", **REFUNDED, "refund_fee": "99.00"},
}


# 1 to 5: every cell of the table of orders and news.

OPENED = "order.opened"
#: For an order that stands so: by the news, how it stands then, and what its timeline says of it.
TABLE: dict[str, dict[str, tuple[str, str | None]]] = {
    "open": {
        "success": ("paid", "order.paid"),
        "success with a refund": ("paid", "order.paid"),
        "finished": ("paid", "order.paid"),
        "closed": ("closed", "order.closed"),
        "closed with a refund": ("open", "order.doubted"),
    },
    "paid": {
        "success": ("paid", None),
        "success with a refund": ("paid", "order.refund_seen"),
        "finished": ("paid", "order.finished"),
        "closed": ("paid", "order.doubted"),
        "closed with a refund": ("paid", "order.refund_seen"),
    },
    "closed by us": {
        "success": ("paid", "order.paid_late"),
        "success with a refund": ("paid", "order.paid_late"),
        "finished": ("paid", "order.paid_late"),
        "closed": ("closed", None),
        "closed with a refund": ("closed", "order.doubted"),
    },
    "refunding": {
        "success": ("refunding", None),
        "success with a refund": ("refunding", "order.refund_seen"),
        "finished": ("refunding", None),
        "closed": ("refunding", None),
        "closed with a refund": ("refunding", "order.refund_seen"),
    },
    "refunded": {
        "success": ("refunded", None),
        "success with a refund": ("refunded", "order.refund_seen"),
        "finished": ("refunded", None),
        "closed": ("refunded", None),
        "closed with a refund": ("refunded", "order.refund_seen"),
    },
}


@pytest.mark.parametrize("how", TABLE)
def test_each_news_of_an_order_moves_it_as_the_table_says_and_twice_as_once(
    here: Here, how: str
) -> None:
    for news, (state, told) in TABLE[how].items():
        number = standing(here, how)
        before, known = here.available_fen, here.events(number)

        answers = [here.tell(number, **NEWS[news]) for _ in range(2)]

        assert answers == ["success", "success"], news
        assert here.state(number) == state, news
        new = [kind for kind in here.events(number) if kind not in known]
        assert new == ([told] if told else []), news
        credited = told in {"order.paid", "order.paid_late"}
        assert here.available_fen - before == (YUAN_99 if credited else 0), news
        asked_about = {each.id for each in here.rows(schema.REFUND, number)} & {"console1"}
        assert bool(asked_about) == (told == "order.refund_seen" or (credited and "refund" in news))
    here.harbour.check()


#: News of another trade than the one that paid: what is said of it, and why money goes back.
OTHER: dict[str, tuple[str | None, set[str]]] = {
    "success": ("order.duplicate_paid", {"duplicate"}),
    "success with a refund": ("order.duplicate_paid", {"duplicate", "console"}),
    "finished": ("order.duplicate_paid", {"duplicate"}),
    "closed": (None, set()),
    "closed with a refund": ("order.refund_seen", {"console"}),
}


def test_another_trade_is_recorded_refunded_and_never_credited(here: Here) -> None:
    for at, (news, (told, back)) in enumerate(OTHER.items()):
        number = standing(here, "paid")
        before, known = here.available_fen, here.events(number)

        answers = [here.tell(number, **NEWS[news], trade_no=f"other{at}") for _ in range(2)]

        assert answers == ["success", "success"], news
        new = [kind for kind in here.events(number) if kind not in known]
        assert new == ([told] if told else []), news
        assert {each.origin for each in here.rows(schema.REFUND, number)} == back, news
        assert (here.available_fen, here.state(number)) == (before, "paid"), news


# 6 to 15: every refusal of a notify, and what is believed in another way.


@pytest.mark.parametrize("step", sorted({step for _, step in STEPS.values()} - {NotifyStep.TRADE}))
def test_what_is_refused_changes_nothing_and_the_genuine_one_is_taken_after_it(
    here: Here, step: NotifyStep
) -> None:
    number = here.order()
    trade_no = here.harbour.till.trades[number].trade_no
    said = alipay.genuine(out_trade_no=number, trade_no=trade_no)
    known = here.events(number)

    for case, (make, _) in STEPS.items():
        if STEPS[case][1] is not step:
            continue
        refused = here.harbour.notify(make(said))

        assert (refused.status, refused.text) == (400, "fail"), case
        assert (here.available_fen, here.state(number)) == (0, "open"), case
        assert here.events(number) == known, case
    here.pays(number)
    assert here.available_fen == YUAN_99


def test_an_unknown_order_is_refused_until_it_is_known(here: Here) -> None:
    number = here.order()
    store = here.harbour.ports.store
    row = store.get(schema.ORDER.key(id=number))
    here.harbour.till.trades[number].status = TradeStatus.SUCCESS
    store.commit(Delete(schema.ORDER.key(id=number)))

    early = here.tell(number)
    store.commit(Put(row, when=[absent()]))

    assert early == "fail"
    assert here.tell(number) == "success"
    assert here.available_fen == YUAN_99


def test_a_notify_that_is_not_posted_or_called_something_else_is_not_taken(here: Here) -> None:
    number = here.order()
    body = here.harbour.till.notify(number, trade_status="TRADE_SUCCESS")
    path = "/v1/alipay/notify"

    statuses = [
        here.harbour("POST", path, raw=body, headers={"content-type": kind}).status
        for kind in ("application/json", "text/plain", alipay.FORM.replace("utf-8", "gbk"), "")
    ]
    statuses.append(here.harbour("GET", f"{path}?{body.decode()}").status)
    statuses.append(here.harbour("POST", f"{path}?{body.decode()}", raw=b"").status)

    assert all(400 <= status < 500 for status in statuses), statuses
    assert (here.available_fen, here.state(number)) == (0, "open")


def test_what_a_browser_brings_back_is_no_notify(here: Here) -> None:
    number = here.order()
    back = {
        "method": "alipay.trade.page.pay.return", "app_id": alipay.APP_ID, "charset": "utf-8",
        "out_trade_no": number, "total_amount": "99.00", "trade_no": "1", "version": "1.0",
        "seller_id": alipay.SELLER,
    }  # fmt: skip

    refused = here.harbour.notify(urlencode(alipay.signed(back)).encode())

    assert refused.text == "fail"
    assert (here.available_fen, here.state(number)) == (0, "open")


def test_a_trade_that_paid_one_order_pays_no_other(here: Here) -> None:
    first, second = here.order(), here.order()
    here.pays(first)

    said = here.tell(
        second, trade_status="TRADE_SUCCESS", trade_no=here.harbour.till.trades[first].trade_no
    )

    assert said == "fail"
    assert (here.available_fen, here.state(second)) == (YUAN_99, "open")


def test_a_genuine_notify_that_was_split_anew_pays_nobody_elses_order(here: Here) -> None:
    """The signed text is not injective: the same signature fits two sets of fields."""
    victim, own = here.order(), here.order()
    hidden = f"x&out_trade_no={victim}&seller_id={alipay.SELLER}&total_amount=99.00&trade_no=9"
    fields = alipay.genuine(out_trade_no=own, trade_no="own", body=hidden)
    text = dict(sorted(fields.items()))
    carrier = alipay.signed(fields)
    names = {"out_trade_no", "seller_id", "total_amount", "trade_no"}
    split = {name: value for name, value in text.items() if name not in names and name != "body"}
    split |= {
        "body": "x", "out_trade_no": victim, "seller_id": alipay.SELLER, "total_amount": "99.00",
        "trade_no": "9", "sign": carrier["sign"], "sign_type": "RSA2",
    }  # fmt: skip

    answers = [here.harbour.notify(urlencode(each).encode()).text for each in (split, carrier)]

    assert answers[0] == "fail"
    assert here.available_fen == 0
    assert here.state(victim) == here.state(own) == "open"
    here.pays(victim, told=False)
    here.harbour.live(60)
    assert here.state(victim) == "paid"
    assert here.available_fen == YUAN_99


def test_a_notify_that_can_be_read_in_two_ways_is_asked_about_and_then_credited(here: Here) -> None:
    number = here.order()
    here.pays(number, told=False)

    answer = here.tell(number, body="x&total_amount=99.00")

    assert (answer, here.available_fen) == ("success", 0)
    here.harbour.live(5)
    assert here.available_fen == YUAN_99


def test_a_coupon_lessens_what_is_received_and_not_what_is_credited(here: Here) -> None:
    number = here.order()

    answer = here.tell(number, trade_status="TRADE_SUCCESS", receipt_amount="90.00")

    assert (answer, here.available_fen) == ("success", YUAN_99)


# 17 and 25: later copies, and a store that fails.


def test_a_copy_is_agreed_to_for_all_time_and_credits_nothing_more(here: Here) -> None:
    number = here.order()
    here.pays(number)

    for later in (timedelta(minutes=11), timedelta(days=1), timedelta(days=400)):
        here.harbour.clock.moment += later
        assert here.tell(number) == "success"

    assert here.customer.sign_in().status == 200
    assert here.available_fen == YUAN_99
    assert here.events(number).count("order.paid") == 1


@pytest.mark.parametrize("fault", list(StoreFault))
def test_a_store_that_fails_ends_in_one_credit_once_the_notify_is_told_again(
    here: Here, rows: Rows, fault: StoreFault
) -> None:
    number = here.order()
    plan = itertools.chain(itertools.repeat(fault, 2), itertools.repeat(None))
    faulty = FaultyRows(rows, lambda call: next(plan) if call == "write" else None)
    whole = here.harbour.ports
    store = RecordStore(faulty, pause=lambda seconds: None, chance=lambda: 0.5)
    here.harbour.rebind(replace(whole, store=store))
    here.harbour.till.trades[number].status = TradeStatus.SUCCESS
    body = here.harbour.till.notify(number)
    first = here.harbour.notify(body).text
    here.harbour.rebind(whole)

    again = here.harbour.notify(body).text

    assert first in {"success", "fail"}
    assert again == "success"
    assert here.available_fen == YUAN_99
    assert here.events(number).count("order.paid") == 1

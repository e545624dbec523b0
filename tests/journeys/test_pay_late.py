"""Payments that come twice, late, lost or forged: one credit, or none."""

from tests.fixtures.harbour import Harbour
from wharfage.domain import limits


def test_an_order_paid_late_after_it_was_closed_is_credited_all_the_same(harbour: Harbour) -> None:
    customer = harbour.customer()
    number, url = customer.open_order(1000)
    harbour.clock.pass_(seconds=limits.ORDER_SECONDS + 61)
    harbour.sweep()
    assert customer.get(f"/v1/orders/{number}")["state"] == "closed"

    answer = harbour.notify(harbour.till.pay(url))

    order = customer.get(f"/v1/orders/{number}")
    assert answer.text == "success"
    assert (order["state"], order["late"]) == ("paid", True)
    assert customer.money() == (1000, 0)


def test_a_payment_whose_notify_is_lost_is_found_by_asking(harbour: Harbour) -> None:
    customer = harbour.customer()
    number, url = customer.open_order(1000)
    harbour.till.pay(url)

    harbour.clock.pass_(seconds=30)
    harbour.sweep()

    assert customer.get(f"/v1/orders/{number}")["state"] == "paid"
    assert customer.ledger() == [("topup", 1000)]


def test_a_buyer_who_comes_back_hastens_the_question_and_proves_nothing(harbour: Harbour) -> None:
    customer = harbour.customer()
    number, url = customer.open_order(1000)
    unpaid, _ = customer.open_order(2000)

    for order in (number, unpaid):
        assert harbour("GET", f"/v1/alipay/return?out_trade_no={order}").status == 200
    harbour.till.pay(url)
    harbour.sweep()

    assert customer.get(f"/v1/orders/{number}")["state"] == "paid"
    assert customer.get(f"/v1/orders/{unpaid}")["state"] == "open"
    assert customer.money() == (1000, 0)


def test_a_notify_that_comes_again_and_again_is_one_credit(harbour: Harbour) -> None:
    customer = harbour.customer()
    number = customer.top_up(1000)
    again = harbour.till.notify(number)

    answers = [harbour.notify(again).text for _ in range(8)]
    harbour.clock.pass_(days=300)
    answers.append(harbour.notify(again).text)

    assert answers == ["success"] * 9
    assert customer.sign_in().status == 200
    assert customer.ledger() == [("topup", 1000)]


def test_a_notify_of_another_amount_or_another_order_changes_nothing(harbour: Harbour) -> None:
    customer, other = harbour.customer(), harbour.customer()
    paid = customer.top_up(1000)
    number, url = other.open_order(5000)
    harbour.till.scan(url)
    harbour.till.trades[number].status = harbour.till.trades[paid].status

    wrong_amount = harbour.notify(harbour.till.notify(number, total_amount="0.01"))
    bound = harbour.notify(harbour.till.notify(number, trade_no=harbour.till.trades[paid].trade_no))
    forged = harbour.notify(harbour.till.notify(number).replace(b"50.00", b"50.01"))

    assert [answer.text for answer in (wrong_amount, bound, forged)] == ["fail"] * 3
    assert other.get(f"/v1/orders/{number}")["state"] == "open"
    assert other.money() == (0, 0)


def test_an_order_that_nobody_pays_is_closed_and_can_be_cancelled_before(harbour: Harbour) -> None:
    customer = harbour.customer()
    forgotten, _ = customer.open_order(1000)
    unwanted, url = customer.open_order(2000)
    harbour.till.scan(url)

    cancelled = customer("POST", f"/v1/orders/{unwanted}/cancel")
    harbour.clock.pass_(seconds=limits.ORDER_SECONDS + 61)
    harbour.sweep()

    assert (cancelled.status, cancelled.json["state"]) == (200, "closed")
    assert customer.get(f"/v1/orders/{forgotten}")["state"] == "closed"
    assert customer.ledger() == []

"""The morning after: the channel's bill is compared, what was missed is found, the day adds up."""

from collections import Counter

from tests.fixtures.harbour import Harbour, Person


def breaks(operator: Person, day: object, channel: str = "alipay") -> list[tuple[str, str]]:
    found = operator.get(f"/v1/admin/reconciliation/{channel}/{day}")
    return [(each["type"], each["state"]) for each in found["breaks"]]


def test_a_payment_that_no_notify_told_of_ends_credited(harbour: Harbour) -> None:
    operator, customer = harbour.operator(), harbour.customer()
    customer.top_up(500)
    number, url = customer.open_order(1000)
    harbour.till.pay(url)  # Its notify is lost, and so is every sweep of that day.

    day = harbour.close_the_day()

    order = customer.get(f"/v1/orders/{number}")
    assert order["state"] == "paid"
    assert customer.money() == (1500, 0)
    assert breaks(operator, day) == [("missing_here", "mended")]
    run = operator.get(f"/v1/admin/reconciliation/alipay/{day}")["run"]
    assert (run["payments"], run["payments_fen"], run["open_breaks"]) == (2, 1500, 0)

    harbour.notify(harbour.till.notify(number))  # It comes after all.
    operator("POST", f"/v1/admin/reconciliation/alipay/{day}/run")
    harbour.clock.pass_(minutes=1)
    harbour.close_the_day()

    assert customer.money() == (1500, 0)
    assert breaks(operator, day) == [("missing_here", "mended")]


def test_a_payment_that_the_bill_does_not_have_waits_for_the_operator(harbour: Harbour) -> None:
    operator, customer = harbour.operator(), harbour.customer()
    kept, lost = customer.top_up(500), customer.top_up(700)
    harbour.till.trades[lost].paid_at = None

    day = harbour.close_the_day()

    base = f"/v1/admin/reconciliation/alipay/{day}"
    [found] = operator.get(base)["breaks"]
    assert (found["type"], found["order"], found["ours_fen"]) == ("missing_there", lost, 700)
    assert kept != lost
    done = operator("POST", f"{base}/breaks/{found['id']}/resolve", {"reason": "asked Alipay"})
    assert done.status == 200
    assert operator.get(base)["run"]["open_breaks"] == 0
    assert customer.money() == (1200, 0)


def test_the_report_of_a_day_is_the_sum_of_every_ledger(harbour: Harbour) -> None:
    operator = harbour.operator()
    agent = operator.host()
    customers = [harbour.customer() for _ in range(2)]
    for customer, seconds, exit_code in zip(customers, (7, 5), (0, 1), strict=True):
        customer.top_up(1000)
        customer.submit()
        agent.run(agent.take(), seconds=seconds, exit_code=exit_code)

    day = harbour.close_the_day()

    report = operator.get(f"/v1/admin/reports/{day}")
    moves: Counter[str] = Counter()
    for customer in customers:
        for code, amount_fen in customer.ledger():
            moves[code] += amount_fen
    assert {line["code"]: line["sums"]["amount_fen"] for line in report["lines"]} == moves
    assert report["revenue"]["amount_fen"] == -moves["use"] == 12
    assert report["paid_in"] == {"alipay": {"count": 2, "amount_fen": moves["topup"]}}
    assert [(each["state"], each["sums"]["amount_fen"]) for each in report["outcomes"]] == [
        ("failed", -5), ("succeeded", -7),
    ]  # fmt: skip
    assert breaks(operator, day, "ledger") == []

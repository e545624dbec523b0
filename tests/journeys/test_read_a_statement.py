"""A month on paper: everything an account did, equal to its ledger to the last fen."""

import csv
import io

from tests.fixtures.harbour import TEMPLATE, Harbour, Person

MONTH = {"kind": "membership", "plan": "basic"}
ASKED = {"template": "upscale", "input": {"factor": 2}}


def join(person: Person) -> None:
    """Buy a month of membership from end to end."""
    opened = person("POST", "/v1/orders", MONTH).json["id"]
    url = person("POST", f"/v1/orders/{opened}/pay", {"method": "page"}).json["url"]
    assert person.harbour.notify(person.harbour.till.pay(url)).text == "success"


def refund(customer: Person, operator: Person, order: str, amount_fen: int) -> None:
    """Have a part of an order's money back."""
    asked = customer("POST", f"/v1/orders/{order}/refunds", {"amount_fen": amount_fen})
    assert asked.status == 201, asked.text
    path = f"/v1/admin/refunds/{order}/{asked.json['id']}/approve"
    assert operator("POST", path).status == 200
    customer.harbour.sweep()


def entries(person: Person, path: str) -> list[dict[str, str]]:
    """Read the CSV of a list of entries to its end."""
    found: list[dict[str, str]] = []
    target: str | None = f"{path}?format=csv&limit=3"
    while target is not None:
        answer = person("GET", target)
        found += csv.DictReader(io.StringIO(answer.text))
        link = answer.headers.get("link")
        target = link.partition(">")[0].removeprefix("<") if link else None
    return found


def test_a_month_of_every_kind_of_move_equals_the_ledger(harbour: Harbour) -> None:
    customer, operator = harbour.customer(), harbour.operator()
    agent = operator.host()
    assert operator("POST", "/v1/admin/templates", TEMPLATE).status == 201
    order = customer.top_up(2000)
    join(customer)
    customer.submit()
    agent.run(agent.take(), seconds=7)
    customer("POST", "/v1/jobs", ASKED)
    agent.run(agent.take(), seconds=3)
    refund(customer, operator, order, 500)
    gift = {"account": customer.account, "amount_fen": 11, "reason": "=gift", "reference": "g1"}
    assert operator("POST", "/v1/admin/adjustments", gift).status == 201
    now = customer.get("/v1/statements/2026-03")
    harbour.clock.pass_(days=31)
    harbour.sweep()  # The membership has ended: what was left of it lapses.
    customer.sign_in()

    march, april = customer.get("/v1/statements/2026-03"), customer.get("/v1/statements/2026-04")

    assert (now["complete"], march["complete"], april["complete"]) == (False, True, False)
    assert now["lines"] == march["lines"]
    assert (march["opening_fen"], march["closing_fen"]) == (0, sum(customer.money()))
    assert {line["code"]: (line["count"], line["amount_fen"], line["units"])
            for line in march["lines"]} == {
        "topup": (2, 11900, 0), "membership": (1, -9900, 0), "units": (1, 0, 100),
        "use": (2, -7, -5), "refund": (1, -500, 0), "adjustment": (1, 11, 0),
    }  # fmt: skip
    assert (march["closing_units"], april["opening_units"], april["closing_units"]) == (95, 95, 0)
    assert [line["code"] for line in april["lines"]] == ["lapse"]
    assert april["opening_fen"] == april["closing_fen"] == 1504

    listed = entries(customer, "/v1/statements/2026-03/entries")
    assert sum(int(each["amount_fen"]) for each in listed) == march["closing_fen"]
    assert len(listed) == sum(line["count"] for line in march["lines"])
    assert [each["note"] for each in listed if each["code"] == "adjustment"] == ["'=gift"]
    whole = entries(customer, "/v1/ledger")
    assert whole == entries(customer, "/v1/statements/2026-04/entries") + listed
    harbour.check()


def test_a_statement_comes_as_csv_too(harbour: Harbour) -> None:
    customer = harbour.customer()
    customer.top_up(1000)

    answer = customer("GET", "/v1/statements/2026-03?format=csv")

    assert answer.headers["content-type"].startswith("text/csv")
    assert [row["amount_fen"] for row in csv.DictReader(io.StringIO(answer.text))] == [
        "0", "1000", "1000",
    ]  # fmt: skip


def test_a_month_that_has_not_begun_is_not_found(harbour: Harbour) -> None:
    customer = harbour.customer()

    for month in ("2026-04", "2026-13", "march"):
        for path in (f"/v1/statements/{month}", f"/v1/statements/{month}/entries"):
            assert customer("GET", path).status == 404


def test_a_month_is_that_of_the_time_zone_one_has_set(harbour: Harbour) -> None:
    customer = harbour.customer()
    customer.top_up(1000)
    before = customer.get("/v1/statements/2026-03")

    assert customer("PATCH", "/v1/me", {"time_zone": "Europe/Berlin"}).status == 200
    after = customer.get("/v1/statements/2026-03")

    assert (before["time_zone"], before["begins_at"]) == ("Asia/Shanghai", "2026-02-28T16:00:00Z")
    assert (after["time_zone"], after["begins_at"]) == ("Europe/Berlin", "2026-02-28T23:00:00Z")
    assert after["ends_at"] == "2026-03-31T22:00:00Z"

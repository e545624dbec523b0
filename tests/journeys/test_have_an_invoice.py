"""Have a month invoiced, and what goes back of it afterwards."""

from tests.fixtures.harbour import Harbour, Person

ASKED = {"month": "2026-03", "title": "演示公司", "tax_number": "91350100M000100Y43"}


def next_month(harbour: Harbour, *people: Person) -> None:
    harbour.clock.pass_(days=31)
    for person in people:
        person.sign_in()


def test_a_month_is_invoiced_and_a_later_refund_is_noted_in_red(harbour: Harbour) -> None:
    customer, operator = harbour.customer(), harbour.operator()
    order = customer.top_up(2000)
    early = customer("POST", "/v1/invoices", ASKED)
    assert (early.status, early.code, early.json["reason"]) == (
        409, "not_invoiceable", "month_open",
    )  # fmt: skip
    next_month(harbour, customer, operator)

    made = customer("POST", "/v1/invoices", ASKED)
    again = customer("POST", "/v1/invoices", ASKED)

    assert (made.status, made.json["amount_fen"], made.json["state"]) == (201, 2000, "requested")
    assert made.headers["location"] == f"/v1/invoices/{made.json['id']}"
    assert again.json == made.json
    assert again.headers["idempotency-replayed"] == "true"

    [waiting] = operator.get("/v1/admin/invoices")["items"]
    assert (waiting["title"], waiting["tax_number"]) == (ASKED["title"], ASKED["tax_number"])
    path = f"/v1/admin/invoices/{waiting['account']}/{waiting['id']}/issue"
    assert operator("POST", path, {"number": "26312000000012345678"}).status == 200
    assert customer.get(f"/v1/invoices/{waiting['id']}")["number"] == "26312000000012345678"
    harbour.sweep()
    assert operator.get("/v1/admin/red-notes")["items"] == []

    refund = customer("POST", f"/v1/orders/{order}/refunds", {"amount_fen": 500}).json["id"]
    assert operator("POST", f"/v1/admin/refunds/{order}/{refund}/approve").status == 200
    harbour.sweep()
    harbour.clock.pass_(days=1)
    harbour.sweep()

    [note] = operator.get("/v1/admin/red-notes")["items"]
    assert (note["amount_fen"], note["invoice_number"]) == (500, "26312000000012345678")
    path = f"/v1/admin/red-notes/{note['account']}/{note['id']}/write"
    assert operator("POST", path, {"number": "26312000000012345679"}).status == 200
    assert operator.get("/v1/admin/red-notes")["items"] == []
    assert customer.get(f"/v1/invoices/{waiting['id']}")["reduced_fen"] == 500


def test_what_is_no_taxpayers_number_is_refused_with_its_place(harbour: Harbour) -> None:
    customer = harbour.customer()

    answer = customer("POST", "/v1/invoices", ASKED | {"tax_number": "91350100M000100Y44"})

    assert (answer.status, answer.json["errors"][0]["pointer"]) == (422, "/tax_number")

"""Buy a membership, run a template, and have the units of a failed one back."""

from tests.fixtures.harbour import TEMPLATE, Harbour, Json, Person
from wharfage import schema

MONTH = {"kind": "membership", "plan": "basic"}
ASKED = {"template": "upscale", "input": {"factor": 2}}


def join(person: Person) -> Json:
    """Buy a month from end to end; the order."""
    opened = person("POST", "/v1/orders", MONTH)
    assert opened.status == 201, opened.text
    url = person("POST", f"/v1/orders/{opened.json['id']}/pay", {"method": "page"}).json["url"]
    notify = person.harbour.till.pay(url)
    for _ in range(2):  # Alipay says it twice.
        assert person.harbour.notify(notify).text == "success"
    return person.get(f"/v1/orders/{opened.json['id']}")


def units(person: Person) -> tuple[int, int, int]:
    """Read what remains, is held and was used of the open month."""
    period = person.get("/v1/quota")["period"]
    return period["remaining"], period["held"], period["used"]


def run(person: Person) -> Json:
    answer = person("POST", "/v1/jobs", ASKED)
    assert answer.status == 202, answer.text
    return dict(answer.json)


def test_a_member_pays_a_template_in_units_and_has_them_back_when_it_fails(
    harbour: Harbour,
) -> None:
    customer, operator = harbour.customer(), harbour.operator()
    agent = operator.host()
    assert operator("POST", "/v1/admin/templates", TEMPLATE).status == 201

    order = join(customer)
    assert (order["state"], order["amount_fen"], order["plan"]) == ("paid", 9900, "basic")
    assert customer.money() == (0, 0)
    assert units(customer) == (100, 0, 0)

    price = customer("POST", "/v1/quota/check", ASKED).json
    assert (price["source"], price["hold_units"], price["sufficient"]) == ("units", 5, True)

    good = run(customer)
    assert units(customer) == (95, 5, 0)
    grant = agent.take()
    assert grant["spec"]["input"] == {"factor": 2}
    agent.run(grant)
    assert customer.job(good)["cost_units"] == 5
    assert units(customer) == (95, 0, 5)

    bad = run(customer)
    grant = agent.take()
    agent.begin(grant)
    assert agent.end(grant, seconds=1, exit_code=3) == "accepted"
    ended = customer.job(bad)
    assert (ended["status"], ended["reason_code"], ended["cost_units"]) == (
        "failed", "exit_code", 0,
    )  # fmt: skip
    assert units(customer) == (95, 0, 5)

    lines = customer.get("/v1/ledger")["items"]
    assert [(line["code"], line["amount_fen"], line["units"]) for line in reversed(lines)][-2:] == [
        ("use", 0, -5), ("use", 0, 0),
    ]  # fmt: skip
    assert sorted(customer.ledger()) == [
        ("membership", -9900), ("topup", 9900), ("units", 0), ("use", 0), ("use", 0),
    ]  # fmt: skip


def test_what_a_month_does_not_use_lapses_and_the_next_one_begins_whole(harbour: Harbour) -> None:
    customer, operator = harbour.customer(), harbour.operator()
    operator("POST", "/v1/admin/templates", TEMPLATE)
    join(customer)
    join(customer)
    first = customer.get("/v1/quota")["period"]
    agent = operator.host()
    run(customer)
    agent.run(agent.take())

    harbour.clock.pass_(days=40)
    harbour.sweep()
    customer.sign_in()  # A session lasts for thirty days.

    quota = customer.get("/v1/quota")
    assert quota["period"]["starts_at"] == first["ends_at"]
    assert units(customer) == (100, 0, 0)
    old = quota["periods"][-1]
    assert (old["state"], old["used"], old["lapsed"]) == ("ended", 5, 95)
    lines = [line for line in customer.get("/v1/ledger")["items"] if line["code"] == "lapse"]
    assert [line["units"] for line in lines] == [-95]


def test_without_units_the_balance_pays_and_without_either_nobody_does(harbour: Harbour) -> None:
    customer, operator = harbour.customer(), harbour.operator()
    operator("POST", "/v1/admin/templates", TEMPLATE | {"units": 101})
    join(customer)

    refused = customer("POST", "/v1/jobs", ASKED)
    customer.top_up(100)
    job = run(customer)

    assert (refused.status, refused.code) == (402, "insufficient_funds")
    assert (refused.json["required_units"], refused.json["available_units"]) == (101, 100)
    assert (job["hold_fen"], job["hold_units"]) == (40, 0)
    assert customer.money() == (60, 40)


def test_a_member_is_told_before_the_end(harbour: Harbour) -> None:
    customer = harbour.customer()
    join(customer)

    harbour.clock.pass_(days=28)
    for _ in range(5):
        harbour.clock.pass_(days=1)
        harbour.sweep()

    events = harbour.ports.store.query(schema.EVENT, customer.account, prefix="evt_", limit=100)
    told = [
        (event.kind, event.data["days_left"])
        for event in events.items
        if event.kind.startswith("membership.")
    ]
    assert told == [
        ("membership.ending", 2), ("membership.ending", 1), ("membership.lapsed", 0),
    ]  # fmt: skip
    customer.sign_in()
    assert not customer.get("/v1/quota")["membership"]["active"]

"""The operator's routes for days, breaks and reports, and the schedule that fills them."""

import csv
import importlib
import io
import json
from dataclasses import replace
from datetime import date, timedelta

import pytest

from tests.fixtures.bills import row
from tests.fixtures.money import ScriptedChannel, event, request
from tests.fixtures.shop import Shop
from wharfage import schema
from wharfage.adapters.bill_cells import blank
from wharfage.domain.account import Role
from wharfage.domain.reconciliation import SHANGHAI, begins_on
from wharfage.operations import payments

reconcile = importlib.import_module("functions.reconcile.app")


class Office(Shop):
    """A shop whose channel is scripted, with one payment that its bill has another amount of."""

    def __init__(self) -> None:
        super().__init__("orders", "books", "reconcile")
        self.scripted = ScriptedChannel()
        self.ports.channels["alipay"] = self.scripted  # type: ignore[index]
        self.token = self.sign_up("op@example.com", role=Role.ADMIN)
        self.customer = self.sign_up("a@example.com")
        order_id = self.open(self.customer, 1000).json["id"]
        order = self.ports.store.get(schema.ORDER.key(id=order_id))
        assert order is not None
        self.order = order
        payments.receive(self.ports, "alipay", request(event(self.order)))
        self.day: date = self.clock.now().astimezone(SHANGHAI).date()
        self.publish(row(self.order, amount_fen=1))
        self.clock.moment = begins_on(self.day + timedelta(days=1)) + timedelta(hours=10)
        self.token, self.customer = self.sign_in("op@example.com"), self.sign_in("a@example.com")

    def publish(self, *rows) -> None:
        self.scripted.bills[self.day] = replace(blank(self.scripted.name, self.day), rows=rows)

    def get(self, path: str, **how):
        return self.call("GET", path, token=self.token, **how)

    def post(self, path: str, body=None):
        return self.call("POST", path, body, token=self.token)

    @property
    def base(self) -> str:
        return f"/v1/admin/reconciliation/alipay/{self.day}"


@pytest.fixture
def office():
    made = Office()
    reconcile.run({}, None)
    yield made
    for name in ("orders", "books", "reconcile"):
        importlib.import_module(f"functions.{name}.app").app._wired = None


def test_days_are_listed_and_each_shows_its_breaks(office):
    listed = office.get("/v1/admin/reconciliation").json["items"]
    shown = office.get(office.base).json

    assert [(run["channel"], run["open_breaks"]) for run in listed] == [
        ("ledger", 0),
        ("alipay", 1),
    ]
    assert shown["run"] == listed[1]
    [found] = shown["breaks"]
    assert (found["type"], found["ours_fen"], found["theirs_fen"]) == ("amount", 1000, 1)
    assert found["order"] == office.order.id
    assert shown["next_cursor"] is None


def test_breaks_are_paged(office):
    strangers = [row(office.order, order=f"stranger_{at}") for at in range(3)]
    office.publish(row(office.order, amount_fen=1), *strangers)
    office.post(f"{office.base}/run")
    reconcile.run({}, None)

    first = office.get(f"{office.base}?limit=3").json
    rest = office.get(f"{office.base}?limit=3&cursor={first['next_cursor']}").json

    ids = [each["id"] for each in (*first["breaks"], *rest["breaks"])]
    assert len(set(ids)) == 4
    assert rest["next_cursor"] is None


def test_a_break_is_resolved_and_another_reason_is_a_conflict(office):
    [found] = office.get(office.base).json["breaks"]
    path = f"{office.base}/breaks/{found['id']}/resolve"

    first, again, other = (office.post(path, {"reason": text}) for text in ("a", "a", "b"))

    assert (first.status, first.json["state"], first.json["reason"]) == (200, "resolved", "a")
    assert again.json == first.json
    assert (other.status, other.json["code"]) == (409, "state_conflict")
    assert office.get(office.base).json["run"]["open_breaks"] == 0


@pytest.mark.parametrize("reason", ["", "x" * 201, None, 5])
def test_a_reason_is_one_to_two_hundred_characters(office, reason):
    [found] = office.get(office.base).json["breaks"]

    answer = office.post(f"{office.base}/breaks/{found['id']}/resolve", {"reason": reason})

    assert answer.status == 422
    assert office.get(office.base).json["breaks"][0]["state"] == "open"


def test_a_day_is_looked_at_again_when_the_operator_wants(office):
    office.publish(row(office.order))

    asked = office.post(f"{office.base}/run")
    reconcile.run({}, None)

    assert (asked.status, asked.json["stage"]) == (202, "bill")
    assert asked.headers["location"] == office.base
    run = office.get(office.base).json["run"]
    assert (run["round"], run["open_breaks"]) == (2, 0)


@pytest.mark.parametrize(
    "path",
    [
        "alipay/2026-13-01", "alipay/20260301", "alipay/2026-3-1", "alipay/yesterday",
        "wechat/2026-03-01", "alipay/2020-01-01",
    ],
)  # fmt: skip
def test_a_day_that_is_none_is_not_found(office, path):
    assert office.get(f"/v1/admin/reconciliation/{path}").status == 404
    assert office.post(f"/v1/admin/reconciliation/{path}/run").status == 404


def test_the_report_is_json_or_csv(office):
    path = f"/v1/admin/reports/{office.day}"
    plain = office.get(path)
    asked = office.get(f"{path}?format=csv")
    accepted = office.get(path, headers={"accept": "text/csv"})

    assert plain.json["paid_in"] == {"alipay": {"count": 1, "amount_fen": 1000}}
    assert asked.text == accepted.text
    assert asked.headers["content-type"].startswith("text/csv")
    assert f'filename="wharfage-{office.day}.csv"' in asked.headers["content-disposition"]
    [line] = csv.DictReader(io.StringIO(asked.text))
    assert (line["name"], line["credit"], line["amount_fen"]) == ("topup", "customers", "1000")
    assert office.get("/v1/admin/reports/2026-01-01").status == 404


def test_a_customer_sees_none_of_it(office):
    for method, path in (
        ("GET", "/v1/admin/reconciliation"), ("GET", office.base), ("POST", f"{office.base}/run"),
        ("POST", f"{office.base}/breaks/brk_0/resolve"), ("GET", "/v1/admin/reports/2026-03-01"),
    ):  # fmt: skip
        body = {"reason": "x"} if path.endswith("resolve") else None
        assert office.call(method, path, body, token=office.customer).status == 403


def test_the_schedule_says_how_the_books_stand(office, capsys):
    capsys.readouterr()
    reconcile.run({}, None)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    [line] = [line for line in lines if line.get("message") == "reconciled"]
    assert (line["open_breaks"], line["late_days"], line["failed"]) == (1, 0, 0)

"""The hosts function, through the edge: the operator's own, and nobody else's."""

from typing import Any

import pytest

from tests.fixtures.harbour import Agent, Harbour, Person
from wharfage.domain import limits

ROUTES: list[tuple[str, str, Any]] = [
    ("POST", "/v1/hosts/codes", {}),
    ("GET", "/v1/hosts", None),
    ("GET", "/v1/hosts/hst_1", None),
    ("POST", "/v1/hosts/hst_1/drain", {}),
    ("POST", "/v1/hosts/hst_1/undrain", None),
    ("POST", "/v1/hosts/hst_1/revoke", None),
]


@pytest.mark.parametrize(("method", "target", "body"), ROUTES)
def test_the_fleet_is_the_operators_alone(
    harbour: Harbour, customer: Person, host: Agent, method: str, target: str, body: Any
) -> None:
    target = target.replace("hst_1", host.id)

    nobody = harbour(method, target, body)
    an_agent = harbour(method, target, body, token=host.token)
    a_customer = customer(method, target, body)

    assert (nobody.status, an_agent.status) == (401, 401)
    assert (a_customer.status, a_customer.code) == (403, "forbidden")
    assert host.beat()["accepts_claims"]


def test_a_code_is_made_once_and_says_what_it_grants(operator: Person) -> None:
    answer = operator("POST", "/v1/hosts/codes", {"labels": {"zone": "a"}})

    assert answer.status == 201
    assert (answer.json["pool"], answer.json["labels"]) == ("default", {"zone": "a"})
    assert len(answer.json["code"]) >= 8


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"pool": "nowhere"}, "pool_unknown"),
        ({"pool": "Default"}, "invalid"),
        ({"labels": {"zone": ""}}, "invalid"),
        ({"labels": {f"n{place}": "v" for place in range(limits.LABELS_MAX + 1)}}, "invalid"),
        ({"hours": 1}, "invalid"),
    ],
)
def test_a_code_for_what_is_not_there_is_refused(
    operator: Person, body: dict[str, Any], code: str
) -> None:
    answer = operator("POST", "/v1/hosts/codes", body)

    assert (answer.status, answer.code) == (422, code)


def test_the_fleet_is_listed_newest_first_and_page_by_page(operator: Person) -> None:
    hosts = [operator.host().id for _ in range(3)]

    first = operator.get("/v1/hosts?limit=2")
    rest = operator.get(f"/v1/hosts?limit=2&cursor={first['next_cursor']}")

    assert [each["id"] for each in (*first["items"], *rest["items"])] == hosts[::-1]
    assert rest["next_cursor"] is None


def test_a_host_is_shown_without_its_secrets(operator: Person, host: Agent) -> None:
    shown = operator.get(f"/v1/hosts/{host.id}")

    assert (shown["status"], shown["reachable"], shown["free"]["slots"]) == ("ready", True, 4)
    assert not [name for name in shown if "token" in name or "hash" in name or "boot" in name]


@pytest.mark.parametrize(("method", "target", "body"), ROUTES[2:])
def test_a_host_that_is_not_there_is_not_found(
    operator: Person, method: str, target: str, body: Any
) -> None:
    answer = operator(method, target, body)

    assert (answer.status, answer.code, answer.json["what"]) == (404, "not_found", "host")


def test_a_drained_host_takes_nothing_until_it_is_undrained(
    harbour: Harbour, operator: Person, customer: Person, host: Agent
) -> None:
    customer.submit()

    drained = operator("POST", f"/v1/hosts/{host.id}/drain", {"deadline_s": 60})
    while_draining = host.claim()["grants"]
    undrained = operator("POST", f"/v1/hosts/{host.id}/undrain")

    assert (drained.status, drained.json["status"]) == (200, "draining")
    assert drained.json["drain_by"] is not None
    assert host.id in harbour.queue.nudged
    assert while_draining == []
    assert (undrained.json["status"], undrained.json["drain_by"]) == ("ready", None)
    assert len(host.claim()["grants"]) == 1


@pytest.mark.parametrize("deadline", [-1, 7 * 24 * 3600 + 1, "1", 0.5, None])
def test_a_deadline_is_a_number_of_seconds_within_a_week(
    operator: Person, host: Agent, deadline: Any
) -> None:
    answer = operator("POST", f"/v1/hosts/{host.id}/drain", {"deadline_s": deadline})

    assert answer.status == 422
    assert answer.json["errors"][0]["pointer"] == "/deadline_s"


def test_a_revoked_host_is_out_at_once_and_for_good(
    harbour: Harbour, operator: Person, host: Agent
) -> None:
    mailboxes = len(harbour.queue.mailboxes)

    answers = [operator("POST", f"/v1/hosts/{host.id}/revoke") for _ in range(2)]

    assert [each.status for each in answers] == [204, 204]
    assert host.ask("credentials").status == 401
    assert len(harbour.queue.mailboxes) == mailboxes - 1
    assert operator.get("/v1/hosts")["items"] == []
    undrained = operator("POST", f"/v1/hosts/{host.id}/undrain")
    assert (undrained.status, undrained.json["state"]) == (409, "revoked")

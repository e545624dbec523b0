"""Tests of rates over HTTP: before, at and after each limit, and what the headers say."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest

from tests.fixtures.edge import Answer
from tests.fixtures.harbour import PASSWORD, SPEC, Harbour, Person
from wharfage.domain import rate
from wharfage.domain.rate import Rate
from wharfage.operations import rates
from wharfage.operations.accounts import email_principal
from wharfage.ports import Ports

ADDRESS = "127.0.0.1"


def order(person: Person) -> Answer:
    return person("POST", "/v1/orders", {"amount_fen": 100})


def submit(person: Person) -> Answer:
    return person("POST", "/v1/jobs", SPEC)


def sign_in(person: Person) -> Answer:
    body = {"email": person.email, "password": PASSWORD}
    return person.harbour("POST", "/v1/auth/login", body)


def register(person: Person) -> Answer:
    body = {"email": f"new-{next(NUMBERS)}@example.com", "password": PASSWORD}
    return person.harbour("POST", "/v1/auth/register", body)


NUMBERS = itertools.count(1)
CASES: list[tuple[Rate, Callable[[Person], Answer], Callable[[Person], str]]] = [
    (rate.ORDERS, order, lambda person: person.account),
    (rate.SUBMITS, submit, lambda person: person.account),
    (rate.SIGN_INS_TO_ACCOUNT, sign_in, lambda person: email_principal(person.email)),
    (rate.SIGN_INS_FROM_ADDRESS, sign_in, lambda person: ADDRESS),
    (rate.REGISTRATIONS, register, lambda person: ADDRESS),
]


def spend(ports: Ports, limited: Rate, principal: str, *, but: int) -> None:
    """Use a window up, but for so many."""
    window = rates.count(limited, principal, now=ports.clock.now())
    held: Any = ports.store.get(window.key)
    for _ in range(limited.limit - but - (held.count if held else 0)):
        rates.take(ports, limited, principal)


@pytest.mark.parametrize(("limited", "ask", "principal"), CASES, ids=[c[0].action for c in CASES])
def test_the_last_one_of_a_window_is_taken_and_the_next_is_told_exactly_when(
    harbour: Harbour, customer: Person, limited: Rate, ask: Any, principal: Any
) -> None:
    spend(harbour.ports, limited, principal(customer), but=1)

    last, refused = ask(customer), ask(customer)

    assert last.status < 300, last.text
    assert (refused.status, refused.code) == (429, "rate_limited")
    policy = f'"{limited.action}";q={limited.limit};w={limited.seconds}'
    assert policy in last.headers["ratelimit-policy"]
    assert policy in refused.headers["ratelimit-policy"]
    wait = int(refused.headers["retry-after"])
    assert refused.headers["ratelimit"] == f'"{limited.action}";r=0;t={wait}'
    assert 1 <= wait <= limited.seconds

    harbour.clock.pass_(seconds=wait)
    if ask in {order, submit}:
        customer.sign_in()  # The access token may be over, too.
    assert ask(customer).status < 300


def test_a_route_without_a_rate_has_no_policy(customer: Person) -> None:
    assert "ratelimit-policy" not in customer("GET", "/v1/orders").headers

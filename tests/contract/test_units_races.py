"""One suite for every store: two hundred at once for a hundred units are a hundred."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tests.fixtures import units, work
from tests.fixtures.machine import dynamodb_endpoint, ministack_dynamodb_endpoint
from tests.fixtures.money import START
from tests.fixtures.stores import fresh, rows, store
from tests.fixtures.units import numbers, period
from wharfage.adapters.ids import RandomIds
from wharfage.domain.account import Account, Principal, Role
from wharfage.domain.balance import Balance
from wharfage.domain.errors import InsufficientFunds, Unavailable
from wharfage.domain.spec import Submission
from wharfage.operations import jobs
from wharfage.ports import Ports, Store
from wharfage.transaction import Put

__all__ = ["dynamodb_endpoint", "ministack_dynamodb_endpoint", "rows", "store"]

ASKED_FOR, GRANTED = 200, 100
RACED = Submission(template="race", input={"factor": 2})
ROUNDS = {"dict": 10, "sqlite": 2}  #: On one machine; and one where each call is a request.


@pytest.fixture
def ports(store: Store) -> Ports:
    made = replace(work.world(store=store).ports, ids=RandomIds())
    units.define(made, name="race", units=1)
    return made


def member(ports: Ports) -> Principal:
    """Make an account with a hundred units and no money."""
    who = Principal(account=fresh(), session="ses_r", role=Role.USER)
    account = Account(
        id=who.account, email=f"{who.account}@example.com", password_hash="-", role=Role.USER,
        epoch=1, created_at=START,
    )  # fmt: skip
    ports.store.commit(Put(account), Put(Balance(account=who.account)))
    units.join(ports, who)
    return who


def test_no_more_units_are_held_than_there_are(
    ports: Ports, request: pytest.FixtureRequest
) -> None:
    kind = request.node.callspec.id
    for _ in range(next((count for name, count in ROUNDS.items() if name in kind), 1)):
        who = member(ports)

        def submit(_: int, who: Principal = who) -> bool:
            while True:
                try:
                    return bool(jobs.submit(ports, who, RACED, key=None).value)
                except InsufficientFunds:
                    return False
                except Unavailable:
                    continue  # Too many at once for this store: again, as a client does.

        with ThreadPoolExecutor(20) as threads:
            done = list(threads.map(submit, range(ASKED_FOR)))

        assert sum(done) == GRANTED
        assert numbers(period(ports, who)) == (100, 0, 100, 0)
